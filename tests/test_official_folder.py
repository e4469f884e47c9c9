"""An official checkpoint folder: the ways of naming a checkpoint in it; what its name tells."""

import os

import numpy as np
import pytest

from tests import official, runs
from ugatit_tf.interchange import official_folder, official_tf
from ugatit_tf.interchange.mapping import MappingError

NAME = "UGATIT_light_selfie2anime_lsgan_4resblock_6dis_1_1_10_10_1000_sn_smoothing"
TOLD = {
    "light": True,
    "dataset": "selfie2anime",
    "gan_type": "lsgan",
    "n_res": 4,
    "n_dis": 6,
    "n_critic": 1,
    "adv_weight": 1.0,
    "cycle_weight": 10.0,
    "identity_weight": 10.0,
    "cam_weight": 1000.0,
    "sn": True,
    "smoothing": True,
}
CASES = {  # a name -> what it tells beside the above
    NAME: {},
    NAME.replace("_light", ""): {"light": False},
    NAME.replace("_sn", ""): {"sn": False},
    NAME.replace("_smoothing", ""): {"smoothing": False},
    NAME.replace("_sn_smoothing", ""): {"sn": False, "smoothing": False},
    NAME.replace("lsgan", "wgan-gp"): {"gan_type": "wgan-gp"},
    NAME.replace("lsgan", "gan"): {"gan_type": "gan"},
    NAME.replace("selfie2anime", "my_own_gan_2"): {"dataset": "my_own_gan_2"},
    NAME.replace("selfie2anime", "été [1]"): {"dataset": "été [1]"},
    NAME.replace("4resblock_6dis_1_1_10_10_1000", "2resblock_5dis_3_2_0.5_1e-05_100"): {
        "n_res": 2,
        "n_dis": 5,
        "n_critic": 3,
        "adv_weight": 2.0,
        "cycle_weight": 0.5,
        "identity_weight": 1e-05,
        "cam_weight": 100.0,
    },
}
OTHER_NAMES = [
    "",
    "UGATIT",
    "run",
    f"{NAME} (1)",
    f"old {NAME}",
    NAME.replace("lsgan", "ralsgan_"),
    NAME.replace("_1000", ""),
    NAME.replace("light_selfie2anime_", ""),
]


def fill(folder, steps=(3, 7, 10), record="/elsewhere/run/UGATIT.model-7"):
    """Makes a folder as the official program left it; its newest checkpoint is of step 7."""
    folder.mkdir()
    for step in steps:
        prefix = official.write(folder / f"UGATIT.model-{step}", {"step": np.float32(step)})
        with open(f"{prefix}.meta", "wb"):
            pass
    record = record.replace("\\", "\\\\")
    (folder / "checkpoint").write_text(
        f'model_checkpoint_path: "{record}"\nall_model_checkpoint_paths: "{record}"\n'
    )
    return folder


@pytest.fixture(
    params=["official", "two words", "été 写真", *runs.ODD_NAMES], ids=lambda name: repr(name)
)
def moved(request, tmp_path):
    """An official folder that was written under another name."""
    return fill(tmp_path / "plain").rename(tmp_path / request.param)


@pytest.mark.parametrize(
    "ending",
    [
        "",
        "/",
        "/checkpoint",
        "/UGATIT.model",
        "/UGATIT.model-7",
        "/UGATIT.model-7.",
        "/UGATIT.model-7.index",
        "/UGATIT.model-7.meta",
        "/UGATIT.model-7.data-00000-of-00001",
    ],
)
def test_a_checkpoint_is_named_by_its_folder_a_file_or_its_prefix(moved, ending):
    prefix = official_folder.chosen(f"{moved}{ending}")
    assert official_folder.step_of(prefix) == 7
    assert official_tf.read(prefix) == {"step": 7}


@pytest.mark.parametrize(
    "path", [".", "", "checkpoint", "UGATIT.model", "UGATIT.model-7", "UGATIT.model-7.index"]
)
def test_a_checkpoint_may_be_named_from_within_its_folder(path, tmp_path, monkeypatch):
    monkeypatch.chdir(fill(tmp_path / "official"))
    if not path:
        path = os.curdir
    assert official_folder.step_of(official_folder.chosen(path)) == 7


@pytest.mark.parametrize("ending", ["-3", "-10.index"])
def test_a_checkpoint_that_is_named_need_not_be_the_newest(ending, tmp_path):
    folder = fill(tmp_path / "official")
    prefix = official_folder.chosen(f"{folder}/UGATIT.model{ending}")
    assert f"-{official_folder.step_of(prefix)}" == ending.split(".")[0]


@pytest.mark.parametrize(
    "record", ["UGATIT.model-7", "sub/UGATIT.model-7", "C:\\checkpoint\\run\\UGATIT.model-7"]
)
def test_the_record_may_hold_a_path_of_another_computer(record, tmp_path):
    folder = fill(tmp_path / "official", record=record)
    assert official_folder.step_of(official_folder.chosen(folder)) == 7


@pytest.mark.parametrize("record", [None, b'model_checkpoint_path: "gone-11"', b"\xff\x00"])
def test_without_a_record_the_largest_step_is_the_newest(tmp_path, record):
    for name in ("UGATIT.model-9", "UGATIT.model-10", "other"):
        official.write(tmp_path / name, {"x": np.float32(0)})
    if record:
        (tmp_path / "checkpoint").write_bytes(record)
    assert official_folder.chosen(tmp_path) == str(tmp_path / "UGATIT.model-10")


def test_a_prefix_without_a_step_never_leads_to_another_name(tmp_path):
    for name in ("UGATIT.model-9", "UGATIT.model-9-12", "UGATIT_model-12"):
        official.write(tmp_path / name, {"x": np.float32(0)})
    assert official_folder.chosen(tmp_path / "UGATIT.model") == str(tmp_path / "UGATIT.model-9")
    exact = official.write(tmp_path / "UGATIT.model", {"x": np.float32(0)})
    assert official_folder.chosen(exact) == exact


def test_a_folder_without_a_checkpoint_says_what_was_expected(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Expected files such as UGATIT.model-1000.index"):
        official_folder.chosen(tmp_path)


@pytest.mark.parametrize("path", ["none", "none/", "none/UGATIT.model-7", "UGATIT.model-7.index"])
def test_a_path_to_nothing_is_a_prefix_at_which_there_is_nothing(path, tmp_path):
    with pytest.raises(FileNotFoundError, match="No TensorFlow checkpoint at"):
        official_tf.find(f"{tmp_path}/{path}")


@pytest.mark.parametrize(
    ("prefix", "step"),
    [
        ("a/UGATIT.model-30000", 30000),
        ("UGATIT.model-1", 1),
        ("model-7/other", None),
        ("model", None),
    ],
)
def test_the_step_is_at_the_end_of_the_name(prefix, step):
    assert official_folder.step_of(prefix) == step


@pytest.mark.parametrize(("name", "beside"), CASES.items())
def test_an_official_name_tells_how_the_model_was_trained(name, beside, tmp_path):
    path = tmp_path / name / "UGATIT_light.model-7"
    assert official_folder.options_of(path) == {**TOLD, **beside}


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_another_name_tells_nothing(name, tmp_path):
    assert official_folder.options_of(tmp_path / name / "UGATIT.model-7") == {}


@pytest.mark.parametrize("path", [NAME, f"{NAME}/", f"{NAME}/checkpoint", f"{NAME}/x-7", "inside"])
def test_the_name_is_that_of_the_folder_however_it_is_given(path, tmp_path, monkeypatch):
    (tmp_path / NAME).mkdir()
    monkeypatch.chdir(tmp_path)
    if path == "inside":
        monkeypatch.chdir(NAME)
        path = os.curdir
    assert official_folder.options_of(path) == TOLD


def test_what_the_shapes_tell_is_left_out_of_what_the_name_tells():
    architecture = {"light": True, "n_res": 4, "n_dis": 6, "sn": True, "ch": 64}
    further = official_folder.agreed(TOLD, architecture, "model-7")
    assert set(further) == {"dataset", *official_folder.TOLD}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("light", False, "it says --light True, the checkpoint has False"),
        ("n_res", 6, "it says --n_res 4, the checkpoint has 6"),
        ("n_dis", 5, "it says --n_dis 6, the checkpoint has 5"),
        ("sn", False, "it says --sn True, the checkpoint has False"),
    ],
)
def test_a_name_that_contradicts_the_shapes_is_refused(name, value, told):
    architecture = {"light": True, "n_res": 4, "n_dis": 6, "sn": True, name: value}
    with pytest.raises(MappingError, match=told) as caught:
        official_folder.agreed(TOLD, architecture, "run/model-7")
    assert "Give the folder another name" in str(caught.value)
    assert "--gan_type" in str(caught.value)
