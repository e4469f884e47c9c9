"""The command line holds every option under its official name, default and value form."""

import dataclasses
import json
import re

import pytest

import main
from ugatit_tf import flags
from ugatit_tf.config import LOCATIONS, Config, ConfigError
from ugatit_tf.request import Evaluation, Request

FIELDS = {field.name: field.default for field in dataclasses.fields(Config)}

# SPEC 11, from the official program's argparse.
OFFICIAL_DEFAULTS = {
    "light": False,
    "dataset": "selfie2anime",
    "epoch": 100,
    "iteration": 10000,
    "batch_size": 1,
    "print_freq": 1000,
    "save_freq": 1000,
    "decay_flag": True,
    "decay_epoch": 50,
    "lr": 0.0001,
    "GP_ld": 10.0,
    "adv_weight": 1.0,
    "cycle_weight": 10.0,
    "identity_weight": 10.0,
    "cam_weight": 1000.0,
    "gan_type": "lsgan",
    "smoothing": True,
    "ch": 64,
    "n_res": 4,
    "n_dis": 6,
    "n_critic": 1,
    "sn": True,
    "img_size": 256,
    "img_ch": 3,
    "augment_flag": True,
    "checkpoint_dir": "checkpoint",
    "result_dir": "results",
    "log_dir": "logs",
    "sample_dir": "samples",
}


@pytest.mark.parametrize(("name", "default"), OFFICIAL_DEFAULTS.items())
def test_an_official_option_has_its_official_default(name, default):
    assert FIELDS[name] == default
    assert type(FIELDS[name]) is type(default)


def test_the_official_phase_is_train_unless_another_is_named():
    assert flags.parse([]).phase == "train"
    for phase in ("train", "test", "export"):
        assert flags.parse(["--phase", phase]).phase == phase


@pytest.mark.parametrize(("name", "default"), FIELDS.items())
def test_every_field_of_the_configuration_is_an_option_that_takes_its_default(name, default):
    for words in ([f"--{name}", str(default)], [f"--{name}={default}"]):
        given = flags.parse(words).given
        assert given == {name: default}
        assert type(given[name]) is type(default)


def test_every_option_has_a_help_text_and_no_help_text_is_left_over():
    assert set(flags.HELP) == set(FIELDS)
    assert all(text.strip() for text in flags.HELP.values())


def test_only_the_options_that_were_named_are_given():
    assert flags.parse([]).given == {}
    assert flags.parse(["--ch", "8"]).given == {"ch": 8}


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (["--light", "True"], {"light": True}),
        (["--decay_flag", "False"], {"decay_flag": False}),
        (["--smoothing=true"], {"smoothing": True}),
        (["--sn=0"], {"sn": False}),
        (["--lr", "1e-4"], {"lr": 1e-4}),
        (["--cam_weight", "1000"], {"cam_weight": 1000.0}),
        (["--gan_type", "wgan-gp"], {"gan_type": "wgan-gp"}),
        (["--dataset", "夏 photos"], {"dataset": "夏 photos"}),
        (["--ch", "4", "--ch", "8"], {"ch": 8}),
    ],
)
def test_an_official_form_of_a_value_is_understood(words, given):
    assert flags.parse(words).given == given


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--lihgt", "True"], "lihgt"),
        (["--nolight"], "nolight"),
        (["--light", "maybe"], "maybe"),
        (["--light="], "light"),
        (["--ch", "many"], "many"),
        (["--ch", "1.5"], "1.5"),
        (["--lr", "fast"], "fast"),
        (["--light"], "light"),
        (["--phase", "tset"], "tset"),
        (["extra"], "extra"),
        (["--ch", "8", "extra", "--light", "True"], "extra"),
        (["--phase", "import"], "--official_checkpoint"),
        (["--official_checkpoint", "x"], "--phase import"),
        (["--phase", "translate"], "--input"),
        (["--phase", "translate", "--input", "a.png"], "--output"),
        (["--fit", "pad"], "--phase translate"),
        (["--fake_dir", "x"], "--phase evaluate"),
        (["--phase=translate", "--input=a", "--output=b", "--model=c", "--ch=8"], "--model has"),
        (["--phase", "test", "--heatmap", "side"], "--phase translate"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line_that_names_it(words, named):
    with pytest.raises(flags.UsageError) as caught:
        flags.parse(words)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


ASKED = {
    field.name: (texts[field.name], field.default)
    for kind, texts in flags.OF_PHASE.values()
    for field in dataclasses.fields(kind)
}
MORE = ("official_checkpoint", "config", "preset", "which", "dry_run")


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_lists_every_option_with_its_default_and_exits_with_0(word, capsys):
    assert main.main([word]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    rows = re.sub(r"\n +", " ", out)  # further lines of an option are indented
    lines = {line.split()[0]: line for line in rows.splitlines() if line.startswith("--")}
    assert set(lines) == {f"--{name}" for name in (*FIELDS, *ASKED, "phase", *MORE)}
    for name, (text, default) in ASKED.items():
        assert text in lines[f"--{name}"]
        if default != "":
            assert lines[f"--{name}"].endswith(f"(default {default})")
    for name, default in FIELDS.items():
        assert flags.HELP[name] in lines[f"--{name}"]
        if default != "":
            assert lines[f"--{name}"].endswith(f"(default {default})")


@pytest.mark.parametrize("width", [40, 80])
def test_the_help_page_fits_and_breaks_between_words(width):
    page = flags.usage(width)
    assert max(map(len, page.splitlines())) <= width
    assert page.split() == flags.usage(1000).split()


def test_a_dataset_may_be_called_help():
    assert not flags.wants_help(["--dataset", "help"])


def test_a_dry_run_of_an_import_is_refused_and_not_done():
    with pytest.raises(flags.UsageError, match="--dry_run"):
        flags.parse(["--phase", "import", "--official_checkpoint", "x", "--dry_run", "True"])


def test_a_request_has_what_was_named_and_the_defaults():
    words = ["--phase", "translate", "--input", "a", "--output", "b", "--run", "x"]
    command = flags.parse([*words, "--smooth", "0.5", "--direction=b2a", "--report", "True"])
    assert command.request == Request("a", "b", direction="b2a", smooth=0.5, report=True)
    assert command.given == {"run": "x"}
    assert flags.parse([]).request is None


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("direction", "a2c", "one of a2b, b2a"),
        ("fit", "squeeze", "one of auto, keep, stretch, crop, pad"),
        ("heatmap", "yes", "one of none, overlay, side, raw, npy"),
        ("format", "gif", "one of same, png, jpg, webp"),
        ("quality", 0, "at least 1 and at most 100"),
        ("quality", 101, "at least 1 and at most 100"),
        ("size", 130, "multiple of 4.*nearest that works: 128"),
        ("size", -4, "at least 0"),
        ("size", 4, "0 or at least 8"),
        ("max_side", 7, "0 or at least 8"),
        ("max_pixels", 10**9, "at most 178956970"),
        ("tile_pixels", 100, "at least 4096"),
        ("max_pixels", 0, "at least 1"),
        ("smooth", 1.0, "at least 0 and below 1"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_with_what_can(option, value, message):
    with pytest.raises(ConfigError, match=f"--{option} must be .*{message}"):
        Request("a", "b", **{option: value})


def test_an_evaluation_is_of_a_run_or_of_a_folder():
    assert flags.parse(["--phase", "evaluate"]).request == Evaluation()
    assert flags.parse(["--phase=evaluate", "--fake_dir=x"]).request == Evaluation(fake_dir="x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"overwrite": True, "resume_output": True}, "Use one of them"),
        ({"face": True, "fit": "crop"}, "--face puts the face back"),
        ({"face": True, "restore_size": False}, "--face puts the face back"),
        ({"max_side": 100, "fit": "crop"}, "--max_side belongs to --fit keep"),
    ],
)
def test_two_options_of_a_request_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Request("a", "b", **options)


def test_which_checkpoint_is_for_those_who_use_one():
    assert flags.parse(["--phase", "translate", "--input=a", "--output=b", "--which=best"]).which
    assert flags.parse(["--phase", "test", "--which", "best"]).which == "best"
    assert flags.parse(["--phase", "export"]).which == "latest"
    with pytest.raises(flags.UsageError, match="--phase test, translate, evaluate, export"):
        flags.parse(["--which", "best"])


def other_run(tmp_path, **more):
    """The config.json of a run OTHER on dogs, as this version or the one before wrote it."""
    Config(dataset="dogs", run="OTHER", ch=8).save(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    return str(path)


@pytest.mark.parametrize("more", [{}, {"run": "OTHER"}, {"run": "OTHER", "result_dir": "there"}])
def test_a_file_of_options_says_neither_which_run_nor_where(tmp_path, more):
    words = ["--config", other_run(tmp_path, **more), "--result_dir=here"]
    given = flags.parse([*words, "--dataset=cats"]).given
    assert (given["dataset"], given["ch"], given["result_dir"]) == ("cats", 8, "here")
    assert "run" not in given
    with pytest.raises(ConfigError, match="says --dataset dogs.*Add --dataset dogs, or"):
        flags.parse([*words, "--run=new"])


@pytest.mark.parametrize("name", LOCATIONS)
def test_a_folder_in_a_file_of_options_is_asked_for_on_the_command_line(tmp_path, name):
    words = ["--config", other_run(tmp_path, **{name: "my place"}), "--dataset=cats"]
    with pytest.raises(ConfigError, match=f"Add --{name} 'my place', or"):
        flags.parse(words)
