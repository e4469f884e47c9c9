"""The command line holds every option under its official name, default and value form."""

import dataclasses
import json
import os

import pytest

import main
from ugatit_tf import command_line, options
from ugatit_tf.config import Config
from ugatit_tf.phases import PHASES
from ugatit_tf.phases.evaluate import EvaluateOptions
from ugatit_tf.phases.phase import NoOptions
from ugatit_tf.translation.options import TranslateOptions

FIELDS = vars(Config())

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
    assert command_line.parse([]).phase.name == "train"
    for phase in ("train", "test", "export"):
        assert command_line.parse(["--phase", phase]).phase.name == phase


@pytest.mark.parametrize("phase", PHASES)
def test_the_first_word_may_be_the_name_of_a_phase(phase):
    needed = {"translate": ["--input=a", "--output=b"], "import": ["--official_checkpoint=a"]}
    needed["study"] = ["--sources=a", "--methods=x=a,y=b"]
    needed["prepare"] = ["--folder_a=a", "--folder_b=b"]
    words = [*needed.get(phase, []), "--dry_run=True"]
    command = command_line.parse([phase, *words])
    assert command == command_line.parse(["--phase", phase, *words])
    assert command == command_line.parse([phase, *words, "--phase", phase])
    assert command.phase.name == phase


def test_a_first_word_that_contradicts_the_phase_is_refused():
    for words in (["--phase=test"], ["--ch", "8", "--phase", "test"]):
        with pytest.raises(options.ConfigError, match="says train, and --phase says test"):
            command_line.parse(["train", *words])


def test_the_value_of_an_option_may_be_the_name_of_a_phase():
    command = command_line.parse(["--dataset", "test"])
    assert (command.phase.name, command.named) == ("train", {"dataset": "test"})
    assert command_line.parse(["test", "--run", "export"]).phase.name == "test"


@pytest.mark.parametrize(("name", "default"), FIELDS.items())
def test_every_field_of_the_configuration_is_an_option_that_takes_its_default(name, default):
    for words in ([f"--{name}", str(default)], [f"--{name}={default}"]):
        given = command_line.parse(words).named
        assert given == {name: default}
        assert type(given[name]) is type(default)


def test_every_option_has_a_help_text_and_a_run_s_option_a_kind():
    for phase in PHASES.values():
        assert all(options.rule_of(field).help for field in dataclasses.fields(phase.options))
    for field in dataclasses.fields(Config):
        rule = options.rule_of(field)
        assert rule.help and rule.kind in command_line.HEADINGS


def test_only_the_options_that_were_named_are_given():
    assert command_line.parse([]).named == {}
    assert command_line.parse(["--ch", "8"]).named == {"ch": 8}


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
    assert command_line.parse(words).named == given


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
        (["--phase", "translate", "--input", "a.png"], "--output"),
        (["--fit", "pad"], "--phase translate"),
        (["--fake_dir", "x"], "--phase evaluate"),
        (["--phase", "test", "--heatmap", "side"], "--phase translate"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line_that_names_it(words, named):
    with pytest.raises(options.ConfigError) as caught:
        command_line.parse(words)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_dataset_may_be_called_help():
    assert not command_line.wants_help(["--dataset", "help"])


def test_a_dry_run_of_an_import_shows_what_was_named_and_does_nothing(capsys):
    words = ["--phase", "import", "--official_checkpoint", "x", "--lr", "0.5", "--dry_run", "True"]
    assert main.main(words) == 0
    assert json.loads(capsys.readouterr().out) == {"lr": 0.5, "official_checkpoint": "x"}


def test_a_request_has_what_was_named_and_the_defaults():
    words = ["--phase", "translate", "--input", "a", "--output", "b", "--run", "x"]
    command = command_line.parse([*words, "--smooth", "0.5", "--direction=b2a", "--report", "True"])
    assert command.options == TranslateOptions("a", "b", direction="b2a", smooth=0.5, report=True)
    assert command.named == {"run": "x"}
    assert command_line.parse([]).options == NoOptions()


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
        ("size", -4, "at least 8"),
        ("size", 4, "0 or at least 8"),
        ("max_side", 7, "0 or at least 8"),
        ("max_pixels", 10**9, "at most 178956970"),
        ("tile_pixels", 100, "at least 4096"),
        ("max_pixels", 0, "at least 1"),
        ("smooth", 1.0, "at least 0 and below 1"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused_with_what_can(option, value, message):
    with pytest.raises(options.ConfigError, match=f"--{option} must be .*{message}"):
        TranslateOptions("a", "b", **{option: value})


def test_an_evaluation_is_of_a_run_or_of_a_folder():
    assert command_line.parse(["--phase", "evaluate"]).options == EvaluateOptions()
    command = command_line.parse(["--phase=evaluate", "--fake_dir=x"])
    assert command.options == EvaluateOptions(fake_dir="x")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"overwrite": True, "resume_output": True}, "Use one of them"),
        ({"face": True, "fit": "crop"}, "--face puts the face back"),
        ({"face": True, "restore_size": False}, "--face puts the face back"),
        ({"max_side": 100, "fit": "crop"}, "--max_side belongs to --fit keep"),
    ],
)
def test_two_options_of_a_request_that_contradict_each_other_are_refused(values, message):
    with pytest.raises(options.ConfigError, match=message):
        TranslateOptions("a", "b", **values)


def test_which_checkpoint_is_for_those_who_use_one():
    for words in (["test"], ["export"], ["evaluate"], ["translate", "--input=a", "--output=b"]):
        assert command_line.parse(["--phase", *words, "--which", "best"]).options.which == "best"
    assert command_line.parse(["--phase", "export"]).options.which == "latest"
    with pytest.raises(options.ConfigError, match="--phase test, translate, evaluate, export"):
        command_line.parse(["--which", "best"])


@pytest.mark.parametrize(
    "words",
    [
        ["--phase=test", "--lr=0.5"],
        ["--phase=test", "--preset=texture"],
        ["--phase=export", "--eval_freq=3"],
        ["--phase=evaluate", "--votes=x", "--run=x"],
        ["--phase=evaluate", "--model=x", "--ch=8"],
        ["--phase=study", "--sources=a", "--methods=x=a,y=b", "--ch=8"],
        ["--phase=translate", "--input=a", "--output=b", "--model=c", "--dataset=x"],
        ["--phase=pack", "--xla=True"],
        ["--phase=ablate", "--decoder_norm=in"],
    ],
    ids=" ".join,
)
def test_an_option_that_has_no_effect_is_refused(words):
    with pytest.raises(options.ConfigError, match="has no effect in this use of --phase"):
        command_line.parse(words).refuse_unused()


@pytest.mark.parametrize(
    "words",
    [
        ["--phase=translate", "--input=a", "--output=b", "--model=c", "--precision=bfloat16"],
        ["--phase=translate", "--input=a", "--output=b", "--xla=True", "--strategy=one"],
        ["--phase=evaluate", "--inception=random", "--run=x"],
        ["--phase=evaluate", "--model=x", "--size=8", "--dataset=y", "--precision=float16"],
        ["--phase=import", "--official_checkpoint=x", "--lr=0.5", "--ema=0.9"],
        ["--phase=doctor", "--precision=float16", "--batch_size=4"],
    ],
    ids=" ".join,
)
def test_an_option_that_has_an_effect_is_taken(words):
    command_line.parse(words).refuse_unused()


def test_the_options_of_training_may_be_repeated_for_its_test(tmp_path):
    config = Config(lr=0.5, checkpoint_dir=str(tmp_path), dataset="x")
    (tmp_path / "x").mkdir()
    config.save(config.run_folder)
    words = ["--phase=test", f"--checkpoint_dir={tmp_path}", "--dataset=x"]
    command_line.parse([*words, "--lr=0.5"]).refuse_unused()
    with pytest.raises(options.ConfigError, match="--lr has no effect"):
        command_line.parse([*words, "--lr=0.25"]).refuse_unused()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--phase=evaluate", "--votes=x", "--fake_dir=y"], "Use one of them at a time"),
        (["--phase=evaluate", "--fake_dir=y", "--which=best"], "--which has no effect with"),
        (["--phase=evaluate", "--fake_dir=y", "--model=x"], "--model has no effect with"),
        (["--phase=evaluate", "--votes=y", "--size=native"], "--size has no effect with"),
        (["--best_by=eval/kid"], "--best_by eval/kid needs --eval_freq"),
    ],
)
def test_two_options_of_which_one_would_be_ignored_are_refused(words, message):
    with pytest.raises(options.ConfigError, match=message):
        command_line.parse(words)


def other_run(tmp_path, **more):
    """The config.json of a run OTHER on dogs, as this version or the one before wrote it."""
    Config(dataset="dogs", run="OTHER", ch=8).save(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))
    return str(path)


@pytest.mark.parametrize("more", [{}, {"run": "OTHER"}, {"run": "OTHER", "result_dir": "there"}])
def test_a_file_of_options_says_neither_which_run_nor_where(tmp_path, more):
    words = ["--config", other_run(tmp_path, **more), "--result_dir=here"]
    given = command_line.parse([*words, "--dataset=cats"]).named
    assert (given["dataset"], given["ch"], given["result_dir"]) == ("cats", 8, "here")
    assert "run" not in given
    with pytest.raises(options.ConfigError, match="says --dataset dogs.*Add --dataset dogs, or"):
        command_line.parse([*words, "--run=new"])


LOCATIONS = [n for n in options.names_of(Config, "location") if n.endswith("_dir")]


@pytest.mark.parametrize("name", LOCATIONS)
def test_a_folder_in_a_file_of_options_is_asked_for_on_the_command_line(tmp_path, name):
    words = ["--config", other_run(tmp_path, **{name: "my place"}), "--dataset=cats"]
    with pytest.raises(options.ConfigError, match=f"Add --{name} 'my place', or"):
        command_line.parse(words)


def test_the_page_of_options_is_that_of_their_declarations():
    path = os.path.join(os.path.dirname(main.__file__), "docs", "options.md")
    with open(path, encoding="utf-8") as file:
        assert file.read() == command_line.options_page()  # python -m ugatit_tf.command_line
