"""Models that come with the package: their names, their files, and how one is made."""

import hashlib
import json
import os
import pathlib
import shutil

import numpy as np
import pytest

import main
import ugatit_tf
from assets import ship_model
from tests import made, runs
from ugatit_tf import shipped
from ugatit_tf.config import Config
from ugatit_tf.data import demo
from ugatit_tf.errors import Failure
from ugatit_tf.interchange import generator_file
from ugatit_tf.training import history
from ugatit_tf.translation import model_files


def files_below(folder):
    paths = (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in paths}


@pytest.mark.parametrize("name", shipped.names())
def test_every_file_is_the_one_that_was_made(name):
    folder = shipped.path_of(name)
    files = shipped.facts(name)["files"]
    assert {*files, shipped.FACTS} == files_below(folder)
    for file, facts in files.items():
        with open(os.path.join(folder, file), "rb") as opened:
            content = opened.read()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (
            facts["bytes"],
            facts["sha256"],
        )


@pytest.mark.parametrize("name", shipped.names())
def test_a_model_is_small_and_its_card_tells_what_its_facts_tell(name):
    facts = shipped.facts(name)
    assert sum(file["bytes"] for file in facts["files"].values()) < 12e6
    with open(os.path.join(shipped.path_of(name), "card.md"), encoding="utf-8") as file:
        card = file.read()
    for told in (facts["command"], facts["license"], facts["files"]["a2b.npz"]["sha256"]):
        assert told in card
    for direction in facts["directions"]:
        path = os.path.join(shipped.path_of(name), f"{direction}.npz")
        config, found = generator_file.describe(path)
        assert (found, config.ch) == (direction, facts["options"]["ch"])


def test_faces_comes_as_far_as_its_card_says():
    translator = ugatit_tf.load("faces")
    assert translator.source == "faces"
    facts = shipped.facts("faces")
    config = Config(light=True, img_size=translator.size, seed=facts["options"]["seed"])
    found = ship_model.faces(config, translator)
    assert found == pytest.approx(facts["numbers"]["faces"], abs=2)
    assert found["a2b/eye_area_percent"] > 50
    assert found["b2a/eye_area_percent"] > 50


def test_a_path_that_exists_wins_over_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert model_files.kind_of("faces") == model_files.GENERATOR
    assert model_files.generator_files("faces") == [
        os.path.join(shipped.FOLDER, "faces", f"{direction}.npz") for direction in ("a2b", "b2a")
    ]
    os.makedirs("faces")
    with pytest.raises(Failure, match="No model in faces: it has none of these"):
        model_files.kind_of("faces")


def test_an_unknown_name_is_refused_with_the_names_and_the_kinds_of_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Failure) as caught:
        ugatit_tf.load("dragons")
    told = str(caught.value)
    for part in ("a run folder", "an exported folder", "a generator file", "faces"):
        assert part in told


def test_a_shipped_name_is_no_name_of_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runs.write_images("in", ["me.png"])
    words = ["translate", "--input", "in", "--output", "out"]
    assert main.main([*words, "--dataset", "faces"]) == 1
    assert "No checkpoint in checkpoint/faces" in capsys.readouterr().err


def test_translate_knows_the_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs.write_images("in", ["me.png"], height=40, width=32)
    assert main.main(["translate", "--model", "faces", "--input", "in", "--output", "out"]) == 0
    assert os.listdir("out") == ["me.png"]


def test_translate_without_an_input_takes_the_examples_of_the_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main.main(["translate", "--model", "faces", "--output", "out"]) == 0
    assert sorted(os.listdir("out")) == ["face_1.png", "face_2.png", "face_3.png"]
    files = shipped.path_of("faces")
    for without in (files, "horse2zebra"):
        assert main.main(["translate", "--model", without, "--output", "new"]) == 2
        assert "needs --input. Of all models, only faces of" in capsys.readouterr().err


def test_the_card_of_photographs_has_the_figures_of_its_own_checkpoint():
    facts = shipped.facts("horse2zebra")
    metrics = facts["numbers"]["metrics"]
    assert metrics["about"]["pictures"] == f"step_{facts['steps']:07d}_mean"
    assert facts["mean_of_steps"] == [0, facts["steps"]]
    assert metrics["about"]["features"].startswith("efficientnet_lite0_features.onnx")
    for direction in ("a2b", "b2a"):
        assert 5 < 100 * metrics[direction]["kid_target"]["mean"] < 20  # 22.6 of nothing
    assert facts["before"]["steps"] == facts["init_from"]["step"]


def test_horse2zebra_takes_the_color_off_a_brown_body():
    """A drawn horse, since no photograph is here: brown on a meadow."""
    y, x = np.mgrid[:192, :192]
    body = ((x - 96) / 60) ** 2 + ((y - 100) / 34) ** 2 < 1
    legs = (y > 100) & (y < 175) & (np.abs(np.abs(x - 96) - 38) < 7)
    brown, green = np.array([[139, 84, 43], [110, 150, 80]], np.uint8)
    image = np.where((body | legs)[..., None], brown, green)
    zebra = np.asarray(ugatit_tf.load("horse2zebra").translate(image), np.float64)
    assert np.ptp(zebra[body], axis=1).mean() < np.ptp(brown) / 2
    assert np.ptp(zebra[:20], axis=2).mean() > np.ptp(green) / 2


def test_the_examples_are_faces_that_no_model_was_trained_on():
    faces = demo.examples(size=16)
    assert len(faces) == 3
    for number, face in enumerate(faces):
        index = demo.FIRST_TEST_INDEX + number
        np.testing.assert_array_equal(face, demo.draw("A", index, size=16))


# How a model is made


def measured(pictures):
    """What the evaluate phase writes, as far as it is read here."""
    of_a2b = {
        "pictures": {"fake": 3, "target": 5, "source": 3},
        "kid_target": {"mean": 0.0625, "spread": 0.0125},
        "fid": 123.44,
    }
    return {"about": {"pictures": pictures, "features": "of a net"}, "a2b": of_a2b}


@pytest.fixture(scope="module")
def made_here(tmp_path_factory):
    """(folder of a model that was made of a run, its model.json, the run's networks)."""
    root = tmp_path_factory.mktemp("made")
    config = runs.config_in(root, run="small", lr=0.0004, eval_freq=2)
    model = runs.make_run(config)
    losses = {f"{d}/{part}": 0.5 for d in ("a2b", "b2a") for part in ("cycle", "identity")}
    history.append(config.run_folder, 2, {**losses, "hours": 1.25})
    history.append(config.run_folder, 2, {"eval/kid": 0.25})
    history.append(config.run_folder, 3, {**losses, "a2b/cycle": 0.125, "hours": 2.504})
    metrics = root / "metrics.json"
    metrics.write_text(json.dumps(measured(f"checkpoint/small/step_{runs.STEP:07d}")))
    options = {"folder": str(root / "models"), "metrics": str(metrics)}
    folder = ship_model.ship(
        config.run_folder, "small", prose="Of noise.", license="MIT", **options
    )
    with open(os.path.join(folder, "model.json")) as file:
        return folder, json.load(file), model


def test_its_facts_are_those_of_the_run(made_here):
    _, facts, _ = made_here
    assert facts["steps"] == runs.STEP
    assert facts["hours"] == 2.5
    assert facts["numbers"]["losses"]["a2b/cycle"] == 0.125
    assert facts["numbers"]["evaluation"] == {"step": 2, "eval/kid": 0.25}
    assert facts["options"]["lr"] == 0.0004
    assert "_dir" not in json.dumps(facts)
    assert facts["numbers"]["metrics"]["about"]["pictures"] == f"step_{runs.STEP:07d}"


def test_its_hours_are_those_of_its_step_and_none_where_none_were_recorded():
    lines = [{"step": 1, "loss": 3.0}, {"step": 2, "hours": 0.5}, {"step": 4, "hours": 0.75}]
    assert [ship_model.hours(lines, step) for step in (1, 2, 3, 4)] == [None, 0.5, 0.5, 0.75]


def test_its_command_names_what_is_no_default(made_here):
    _, facts, _ = made_here
    words = facts["command"].split()
    assert words[:6] == ["ugatit", "train", "--dataset", "tiny", "--run", "small"]
    named = dict(zip(words[4::2], words[5::2]))
    assert named["--lr"] == "0.0004"
    assert named["--light"] == "True"
    assert "--seed" not in named


def test_its_generators_are_those_of_the_run_in_float16(made_here):
    folder, facts, model = made_here
    for direction in ("a2b", "b2a"):
        generator, config, _ = generator_file.load(os.path.join(folder, f"{direction}.npz"))
        assert config.ch == 2
        own = getattr(model, direction)
        for weight, expected in zip(generator.weights, own.weights):
            expected = expected.numpy().astype(np.float16).astype(np.float32)
            np.testing.assert_array_equal(weight.numpy(), expected)
    assert 0 < facts["numbers"]["float16"]["largest"] <= 2


def test_its_card_has_the_prose_and_the_numbers(made_here):
    folder, facts, _ = made_here
    with open(os.path.join(folder, "card.md"), encoding="utf-8") as file:
        card = file.read()
    assert card.startswith("# small\n\nOf noise.\n")
    for line in (
        "| steps | 3 |",
        "| `a2b/cycle`, last mean | 0.1250 |",
        "| features of KID and FID | of a net |",
        "| a2b, KID x 100 | 6.25 +- 1.2; 3 test images against 5 |",
        "| a2b, FID | 123.4; 3 test images against 5 |",
        facts["command"],
    ):
        assert line in card


def test_metrics_of_another_checkpoint_are_refused(tmp_path):
    config = runs.config_in(tmp_path, run="small")
    runs.make_run(config)
    metrics = tmp_path / "metrics.json"
    metrics.write_text(json.dumps(measured("checkpoint/small/step_0000002")))
    target = tmp_path / "models"
    with pytest.raises(Failure, match="is of step_0000002, the model of step_0000003. Evaluate"):
        ship_model.ship(
            config.run_folder,
            "small",
            prose="",
            license="MIT",
            folder=str(target),
            metrics=str(metrics),
        )
    assert not target.exists()


def test_it_tells_of_the_run_that_it_started_from(tmp_path):
    first = runs.config_in(tmp_path, run="first", ema=0.5)
    runs.make_run(first)
    history.append(first.run_folder, 2, {"hours": 1.5})
    history.append(first.run_folder, 4, {"hours": 3.0})  # after what the second one took
    second = runs.config_in(tmp_path, run="second", init_from="checkpoint/first")
    runs.make_run(second)
    options = {"prose": "", "license": "MIT", "folder": str(tmp_path / "models")}
    with pytest.raises(Failure, match="second started from nothing, not from .*first[.]"):
        ship_model.ship(second.run_folder, "none", before=[first.run_folder], **options)
    path = pathlib.Path(second.run_folder, "config.json")
    content = json.loads(path.read_text())
    content.setdefault("about", {})["init_from"] = {"from": "checkpoint/first", "step": runs.STEP}
    path.write_text(json.dumps(content))
    folder = ship_model.ship(second.run_folder, "both", before=[first.run_folder], **options)
    with open(os.path.join(folder, "model.json")) as file:
        facts = json.load(file)
    assert facts["command"].count("--init_from checkpoint/first") == 1
    assert (facts["before"]["steps"], facts["before"]["hours"]) == (runs.STEP, 1.5)
    assert "--init_from" not in facts["before"]["command"]
    with open(os.path.join(folder, "card.md"), encoding="utf-8") as file:
        card = file.read()
    _, before = card.split("## The run before")
    assert facts["before"]["command"] in before and "| hours | 1.5 |" in before


def test_it_tells_of_each_run_in_a_row_without_the_folders_of_this_computer(tmp_path):
    folders = []
    for number in range(3):
        config = runs.config_in(tmp_path, run=f"run{number}", init_from="".join(folders[-1:]))
        runs.make_run(config)
        if folders:
            path = pathlib.Path(config.run_folder, "config.json")
            start = {"init_from": {"from": folders[-1], "step": runs.STEP}}
            path.write_text(json.dumps({**json.loads(path.read_text()), "about": start}))
        folders.append(config.run_folder)
    options = {"prose": "", "license": "MIT", "folder": str(tmp_path / "models")}
    with pytest.raises(Failure, match="run1 started from .*run0, not from .*run2"):
        ship_model.ship(folders[2], "new", before=[folders[1], folders[2]], **options)
    folder = ship_model.ship(folders[2], "new", before=folders[1::-1], **options)
    content = pathlib.Path(folder, "model.json").read_text()
    assert str(tmp_path) not in content
    facts = json.loads(content)
    assert "--init_from checkpoint/run1" in facts["command"]
    assert facts["init_from"]["from"] == "checkpoint/run1"
    assert "--init_from checkpoint/run0" in facts["before"]["command"]
    assert "--init_from" not in facts["before"]["before"]["command"]


def test_it_tells_of_the_model_that_it_started_from_and_of_what_was_before_it(made_here, tmp_path):
    older, *_ = made_here
    older = shutil.copytree(older, tmp_path / "older")
    facts = json.loads((older / "model.json").read_text())
    facts["before"] = {**facts, "steps": 77}
    (older / "model.json").write_text(json.dumps(facts))
    run = runs.config_in(tmp_path, run="next", init_from="small")
    runs.make_run(run)
    path = pathlib.Path(run.run_folder, "config.json")
    content = json.loads(path.read_text())
    digests = {name: facts["files"][name]["sha256"] for name in ("a2b.npz", "b2a.npz")}
    options = {"prose": "", "license": "MIT", "before": [str(older)]}
    for number, digest in enumerate(["0" * 64, digests["a2b.npz"]]):
        record = {"from": "small", "sha256": {**digests, "a2b.npz": digest}}
        path.write_text(json.dumps({**content, "about": {"init_from": record}}))
        target = {"folder": str(tmp_path / f"models{number}")}
        if not number:
            with pytest.raises(Failure, match="next started from small, not from"):
                ship_model.ship(run.run_folder, "new", **options, **target)
    folder = pathlib.Path(ship_model.ship(run.run_folder, "new", **options, **target))
    before = json.loads((folder / "model.json").read_text())["before"]
    assert (before["command"], before["steps"]) == (facts["command"], facts["steps"])
    assert before["before"]["steps"] == 77
    _, card = (folder / "card.md").read_text(encoding="utf-8").split("## The run before")
    assert card.index(f"| steps | {facts['steps']} |") < card.index("| steps | 77 |")


def test_a_model_that_exists_is_not_overwritten(made_here):
    folder, *_ = made_here
    with pytest.raises(Failure, match="small exists. Remove it, or choose another name"):
        ship_model.ship("none", "small", prose="", license="MIT", folder=os.path.dirname(folder))


def test_half_weights_are_half_as_long_and_close(tmp_path):
    config = made.tiny_config()
    from ugatit_tf.networks.model import build_model

    generator = build_model(config).a2b
    made.filled(generator)
    paths = [str(tmp_path / name) for name in ("whole.npz", "half.npz")]
    for path, half in zip(paths, (False, True)):
        generator_file.save(generator, config, "a2b", path, half=half)
    whole, half = (sum(x.nbytes for x in np.load(path).values()) for path in paths)
    about = np.load(paths[0])["about"].nbytes
    assert half - about == (whole - about) / 2
    loaded, *_ = generator_file.load(paths[1])
    for weight, expected in zip(loaded.weights, generator.weights):
        np.testing.assert_allclose(weight, expected, rtol=2**-11, atol=1e-7)
