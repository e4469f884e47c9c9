"""What a look at the disk can refuse is refused before TensorFlow is imported."""

import os
import re
import subprocess
import sys

import pytest

import main
from tests import made
from ugatit_tf import command_line
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_array, image_file

PROGRAM = os.path.dirname(os.path.abspath(main.__file__))
WITHOUT_TENSORFLOW = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import main
code = main.main(sys.argv[1:])
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
sys.exit(code)
"""
TRANSLATE = ["--phase", "translate", "--dataset", "tiny"]
EVALUATE = ["--phase", "evaluate", "--dataset", "tiny"]
IMPORT = ["--phase", "import", "--official_checkpoint"]
OFFICIAL = "UGATIT_tiny_lsgan_4resblock_6dis_1_1_10_10_1000_sn_smoothing"
STUDY = ["--phase", "study", "--sources", "sources", "--methods"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A dataset whose images nobody reads, a run without weights, and results."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TF_CONFIG", raising=False)
    image = made.images(1, 8, 8, 3)[0]
    for part in ("trainA", "trainB", "testA", "testB"):
        image_file.write(
            os.path.join("dataset", "tiny", part, "1.png"), image_array.to_uint8(image)
        )
    for part in ("in", "sources", "one"):
        image_file.write(os.path.join(part, "1.png"), image_array.to_uint8(image))
    os.makedirs("checkpoint/tiny/step_0000003")
    made.tiny_config(dataset="tiny", img_ch=3).save("checkpoint/tiny")
    os.makedirs("dataset/empty/trainA")
    os.makedirs("dataset/empty/trainB")
    os.makedirs(OFFICIAL)
    open("file", "w").close()


def check(argv):
    command = command_line.parse(argv)
    command.phase.check(command.config, command.options)


def refusal(argv):
    with pytest.raises((Failure, OSError)) as caught:
        check(argv)
    return str(caught.value)


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--dataset", "none"], "There is no folder dataset/none/trainA"),
        (["--dataset", "empty"], "No readable image in dataset/empty/trainA"),
        (["--phase", "doctor", "--dataset", "none"], "There is no folder dataset/none/trainA"),
        (["--phase", "ablate", "--dataset", "none"], "There is no folder dataset/none/trainA"),
        (["--phase", "pack", "--dataset", "none"], "No images in dataset/none"),
        (["--phase", "test", "--dataset", "none"], "Neither testA nor testB in dataset/none"),
        (["--phase", "test", "--dataset", "tiny", "--run", "x"], "No checkpoint in checkpoint/x"),
        (["--phase", "export", "--dataset", "none"], "No checkpoint in checkpoint/none"),
        (
            ["--phase", "export", "--dataset", "tiny", "--which", "best"],
            "No best checkpoint in checkpoint/tiny",
        ),
        (["--dataset", "tiny", "--checkpoint_dir", "file"], "--checkpoint_dir: .*file is a file"),
        (["--dataset", "tiny", "--sample_dir", "file"], "--sample_dir: .*file is a file"),
        (["--dataset", "tiny", "--log_dir", "file"], "--log_dir: .*file is a file"),
        (
            ["--dataset", "tiny", "--eval_freq", "1", "--inception_weights", "none.h5"],
            "--inception_weights none.h5: there is no such file",
        ),
        (
            ["--dataset", "tiny", "--eval_freq", "1", "--inception", "graph"],
            "--inception graph needs --inception_weights",
        ),
        (["--dataset", "tiny", "--strategy", "multi_worker"], "needs TF_CONFIG in the environ"),
        ([*EVALUATE, "--run", "x"], "No checkpoint in checkpoint/x"),
        ([*EVALUATE, "--fake_dir", "in"], "--fake_dir in has no folder a2b"),
        (
            [*EVALUATE[:2], "--dataset", "empty"],
            "There is no folder dataset/empty/testA. To measure",
        ),
        ([*TRANSLATE, "--run", "x", "--input", "in", "--output", "out"], "No checkpoint"),
        ([*TRANSLATE, "--input", "none", "--output", "out"], "--input none: it does not exist"),
        ([*TRANSLATE, "--input", "in", "--output", "in"], "is one of the images to translate"),
        ([*TRANSLATE, "--input", "in", "--output", "one"], "one/1.png already exists"),
        ([*TRANSLATE, "--input", "in", "--output", "file"], "file is a file"),
        (
            [*TRANSLATE[:2], "--model", "none.npz", "--input", "in", "--output", "out"],
            "No model in none.npz: it does not exist",
        ),
        (
            [*TRANSLATE[:2], "--model", "in", "--input", "in", "--output", "out"],
            "No model in in: it has none of these",
        ),
        ([*IMPORT, "official/model-7"], "No checkpoint at official/model-7"),
        ([*IMPORT, "file", "--dataset", "tiny"], "checkpoint/tiny holds a model already"),
        ([*IMPORT, OFFICIAL], "checkpoint/tiny holds a model already"),
        ([*STUDY, "x=one,y=two"], "No folder two"),
        ([*STUDY, "x=one,y=in", "--page", "file"], "file already exists"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_work_is_refused_by_a_look_at_the_disk(argv, told):
    assert re.search(told, refusal(argv))
    assert not os.path.exists("out")


@pytest.mark.parametrize(
    "argv",
    [
        ["--dataset", "tiny"],
        ["--dataset", "demo"],
        ["--phase", "doctor", "--dataset", "tiny"],
        ["--phase", "pack", "--dataset", "tiny"],
        ["--phase", "test", "--dataset", "tiny"],
        ["--phase", "test", "--run", "tiny", "--dataset", "demo"],
        ["--phase", "ablate", "--dataset", "tiny"],
        ["--phase", "export", "--dataset", "tiny"],
        EVALUATE,
        [*TRANSLATE, "--input", "in", "--output", "out"],
        [*TRANSLATE[:2], "--model", "checkpoint/tiny", "--input", "in", "--output", "out"],
        [*IMPORT, "file", "--dataset", "new"],
        [*IMPORT, OFFICIAL, "--run", "new"],
        [*STUDY, "x=one,y=in"],
    ],
    ids=" ".join,
)
def test_what_can_work_is_let_through_and_nothing_is_written(argv):
    before = sorted(os.listdir()), sorted(os.listdir("checkpoint"))
    check(argv)
    assert (sorted(os.listdir()), sorted(os.listdir("checkpoint"))) == before


def test_a_missing_dataset_is_named_without_importing_tensorflow():
    argv = ["--dataset", "none"]
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, PROGRAM, *argv]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("error: There is no folder dataset/none/trainA")
