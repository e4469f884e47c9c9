"""`--phase import`: what it takes from where, what it tells, the command that it ends with."""

import json
import os
import shlex

import pytest

import main
from tests import made, official, runs
from ugatit_tf.training import checkpoints

OFFICIAL = "UGATIT_light_cat2dog_hinge_1resblock_2dis_3_2_20_5_100_sn"
LIGHT = {"img_ch": 3}
FULL = {**LIGHT, "light": False, "img_size": 16}
TOLD = {
    "dataset": "cat2dog",
    "gan_type": "hinge",
    "n_critic": 3,
    "adv_weight": 2.0,
    "cycle_weight": 20.0,
    "identity_weight": 5.0,
    "cam_weight": 100.0,
    "smoothing": False,
}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(folder, *, name="UGATIT_light.model-7", **options):
    """An official checkpoint in `folder`, of the tiny architecture with other `options`."""
    os.makedirs(folder, exist_ok=True)
    arrays = official.arrays(made.tiny_config(**{**LIGHT, **options}))
    return official.write(os.path.join(folder, name), arrays)


def importing(path, *argv):
    return main.main(["--phase", "import", "--official_checkpoint", path, *argv])


def recorded(run, checkpoint_dir="checkpoint"):
    with open(os.path.join(checkpoint_dir, run, "config.json")) as file:
        return json.load(file)


def refusal(capsys, code, path, *argv):
    """The line with which an import ends that must not write anything."""
    before = runs.bytes_below(".")
    assert importing(path, *argv) == code
    assert runs.bytes_below(".") == before
    assert not os.path.exists("checkpoint")
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line


def test_a_folder_s_name_gives_the_options_that_nobody_named(capsys):
    write(OFFICIAL)
    assert importing(OFFICIAL, "--img_size", "8") == 0
    config = recorded("cat2dog")
    assert {name: config[name] for name in TOLD} == TOLD
    assert (config["ch"], config["n_res"], config["n_dis"], config["sn"]) == (2, 1, 2, True)
    assert list(checkpoints.saved("checkpoint/cat2dog")) == [7]
    out = capsys.readouterr().out
    assert "Taken from the name of its folder: --dataset cat2dog, --gan_type hinge, " in out
    assert "--smoothing False." in out
    assert "does not tell" not in out
    assert "what you named" not in out


def test_what_is_named_wins_over_the_folder_s_name_and_a_line_says_so(capsys):
    write(OFFICIAL)
    argv = ["--img_size", "8", "--dataset", "mine", "--gan_type", "lsgan", "--cam_weight", "100"]
    assert importing(OFFICIAL, *argv) == 0
    config = recorded("mine")
    expected = {**TOLD, "dataset": "mine", "gan_type": "lsgan"}
    assert {name: config[name] for name in TOLD} == expected
    told = [line for line in capsys.readouterr().out.splitlines() if "what you named" in line]
    assert told == [
        "The name of its folder says --dataset cat2dog, --gan_type hinge; what you named is taken "
        "instead."
    ]


def test_options_that_repeat_the_folder_s_name_need_no_line(capsys):
    write(OFFICIAL)
    argv = [word for name, value in TOLD.items() for word in (f"--{name}", str(value))]
    assert importing(OFFICIAL, "--img_size", "8", *argv) == 0
    imported, headline, _ = capsys.readouterr().out.splitlines()
    assert imported.startswith("Imported step 7 of ")
    assert headline == "To translate:"


def test_a_named_smoothing_must_be_that_of_the_folder_s_name(capsys):
    write(OFFICIAL)
    line = refusal(capsys, 2, OFFICIAL, "--img_size", "8", "--smoothing", "True")
    assert "--smoothing True contradicts the name of the folder" in line
    assert "which says False" in line
    assert importing(OFFICIAL, "--img_size", "8", "--smoothing", "False") == 0


def test_a_folder_s_name_that_contradicts_its_checkpoint_is_refused(capsys):
    write(OFFICIAL, n_res=2)
    line = refusal(capsys, 1, OFFICIAL, "--img_size", "8")
    assert "it says --n_res 1, the checkpoint has 2" in line
    os.rename(OFFICIAL, "mine")
    assert importing("mine", "--img_size", "8", "--dataset", "mine") == 0


def test_another_folder_s_name_leaves_the_defaults_and_a_line_says_so(capsys):
    write("old")
    argv = ["--img_size", "8", "--dataset", "mine", "--gan_type", "hinge"]
    assert importing("old", *argv) == 0
    config = recorded("mine")
    assert (config["gan_type"], config["cam_weight"], config["smoothing"]) == ("hinge", 1000, True)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "does not tell" in line)
    for told in ("--gan_type hinge", "--n_critic 1", "--cam_weight 1000.0", "--smoothing True"):
        assert told in line


@pytest.mark.parametrize("folder", [OFFICIAL, "old"])
def test_a_light_model_s_image_size_must_be_named(folder, capsys):
    write(folder)
    line = refusal(capsys, 2, folder)
    assert "a light model does not know its image size" in line
    assert "Add --img_size" in line


def test_a_full_model_knows_its_image_size():
    write("old", name="UGATIT.model-7", **FULL)
    assert importing("old", "--dataset", "mine") == 0
    assert recorded("mine")["img_size"] == 16


def test_a_full_model_of_another_image_size_is_refused(capsys):
    write("old", name="UGATIT.model-7", **FULL)
    line = refusal(capsys, 2, "old", "--img_size", "32")
    assert "--img_size is 16 there, 32 on the command line" in line


def test_a_checkpoint_without_a_step_is_taken_for_step_0(capsys):
    prefix = write("old", name="generator")
    assert importing(prefix, "--img_size", "8", "--dataset", "mine") == 0
    assert "has no step, as in NAME-1000: it is taken for step 0" in capsys.readouterr().out
    assert list(checkpoints.saved("checkpoint/mine")) == [0]


def test_a_run_of_the_folder_s_dataset_is_not_overwritten(capsys):
    write(OFFICIAL)
    assert importing(OFFICIAL, "--img_size", "8") == 0
    before = runs.bytes_below("checkpoint")
    assert importing(OFFICIAL, "--img_size", "8") == 1
    assert "cat2dog holds a model already" in capsys.readouterr().err
    assert importing(OFFICIAL, "--img_size", "8", "--run", "second") == 0
    after = runs.bytes_below("checkpoint")
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["--run", "second"],
        ["--dataset", "my faces", "--checkpoint_dir", "an 'other' place"],
    ],
    ids=" ".join,
)
def test_the_command_that_an_import_ends_with_translates(argv, capsys):
    write(OFFICIAL)
    assert importing(OFFICIAL, "--img_size", "8", *argv) == 0
    *_, headline, command = capsys.readouterr().out.splitlines()
    assert headline == "To translate:"
    runs.write_images("photographs", ["me.png"])
    words = shlex.split(command)
    assert words[:2] == ["python", "main.py"]
    assert main.main(words[2:]) == 0, capsys.readouterr().err
    assert os.listdir("drawings") == ["me.png"]
