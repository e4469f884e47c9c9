"""`--init_from`: which weights a new run takes, from every kind of source, and what it refuses."""

import json
import os
import shutil

import numpy as np
import pytest

import main
from tests import made, official, runs
from ugatit_tf import shipped
from ugatit_tf.config import Config
from ugatit_tf.errors import Failure
from ugatit_tf.interchange import generator_file, official_pytorch, official_tf, torch_writer
from ugatit_tf.networks.model import build_model
from ugatit_tf.options import ConfigError
from ugatit_tf.phases import init_from
from ugatit_tf.training import checkpoints, loop
from ugatit_tf.training.step import Trainer

GENERATORS, ALL = ("a2b", "b2a"), ("a2b", "b2a", "discriminator_a", "discriminator_b")
TINY = {"img_ch": 3, "ema": 0.5}
OF_PYTORCH = {**TINY, "flavor": "pytorch"}
TINY_NAMED = ["--img_size", "8", "--n_dis", "2"]  # where a light model's source does not tell them
SOURCES = {  # name -> (path, options of the run, networks that are taken)
    "a run with a moving average": ("checkpoint/old", TINY, ALL),
    "generator files": ("both", TINY, GENERATORS),
    "a generator file": ("both/b2a.npz", TINY, ("b2a",)),
    "generator files in float16": ("half", TINY, GENERATORS),
    "an export": ("export", TINY, GENERATORS),
    "a shipped model": ("drawings", TINY, GENERATORS),
    "a TensorFlow folder": ("tensorflow", TINY, ALL),
    "a TensorFlow prefix": ("tensorflow/UGATIT.model-7", TINY, ALL),
    "a PyTorch file": ("x_params_0000007.pt", OF_PYTORCH, ALL),
    "a PyTorch generator": ("genA2B.pt", OF_PYTORCH, ("a2b",)),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with a source of each kind, and path of a source -> weights that it holds."""
    root = tmp_path_factory.mktemp("sources")
    held = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(shipped, "FOLDER", str(root / "shipped"))
        held["checkpoint/old"] = _write_run()
        held.update(_write_generators())
        held.update(_write_official())
        yield held


@pytest.fixture(autouse=True)
def in_the_folder(root, tmp_path, monkeypatch):
    folder = shipped.FOLDER
    monkeypatch.chdir(os.path.dirname(folder))
    return tmp_path


def _write_run():
    """A run whose moving average differs from its weights. Returns what a run takes from it."""
    config = made.tiny_config(**TINY, run="old")
    trainer = Trainer(build_model(config), config)
    made.fill(trainer.model.weights())
    average = made.fill(trainer.average.values, seed=9)
    os.makedirs(config.run_folder)
    config.save(config.run_folder)
    checkpoints.save(config.run_folder, 3, trainer.state())
    return {**made.arrays(trainer.model.weights()), **average}


def _write_generators():
    config = made.tiny_config(**TINY)
    model = build_model(config)
    weights = made.fill(model.generator_weights(), seed=1)
    for folder in ("both", "half", "export", "shipped/drawings"):
        for network in (model.a2b, model.b2a):
            path = os.path.join(folder, f"{network.name}.npz")
            generator_file.save(network, config, network.name, path, half=folder == "half")
    os.makedirs("export/a2b")
    open("export/a2b/saved_model.pb", "w").close()
    with open("shipped/drawings/model.json", "w") as file:
        file.write("{}")
    rounded = {path: array.astype(np.float16) for path, array in weights.items()}
    own = {path: array for path, array in weights.items() if path.startswith("b2a/")}
    whole = dict.fromkeys(("both", "export", "drawings"), weights)
    return {**whole, "half": rounded, "both/b2a.npz": own}


def _write_official():
    config = made.tiny_config(**TINY)
    os.makedirs("tensorflow")
    prefix = official.write("tensorflow/UGATIT.model-7", official.arrays(config, slots=True))
    model = build_model(config)
    official_tf.restore(model, prefix)
    held = dict.fromkeys(("tensorflow", prefix), made.arrays(model.weights()))
    config = made.tiny_config(**OF_PYTORCH)
    state = official.state_dicts(config)
    torch_writer.write("x_params_0000007.pt", state)
    torch_writer.write("genA2B.pt", {"genA2B": state["genA2B"]})
    model = build_model(config)
    official_pytorch.restore(model, "x_params_0000007.pt")
    weights = made.arrays(model.weights())
    own = {path: array for path, array in weights.items() if path.startswith("a2b/")}
    return {**held, "x_params_0000007.pt": weights, "genA2B.pt": own}


@pytest.mark.parametrize("case", SOURCES)
def test_a_run_starts_from_these_weights_and_nothing_else_of_them(case, root, tmp_path):
    path, options, networks = SOURCES[case]
    config = made.tiny_config(
        **options, init_from=path, run="new", checkpoint_dir=str(tmp_path), seed=5
    )
    trainer = Trainer(build_model(config), config)
    drawn, held = made.arrays(trainer.model.weights()), root[path]
    fresh = {
        name: made.arrays(trainer.state()[name])
        for name in ("generator_optimizer", "discriminator_optimizer")
    }
    start = init_from.of_new_run(config)
    assert loop._restore(trainer, config, start) == 0
    assert {name.split("/")[0] for name in held} == set(networks)
    for name, weight in made.arrays(trainer.model.weights()).items():
        expected = held.get(name, drawn[name])
        np.testing.assert_array_equal(weight, expected, err_msg=name)
        if name in trainer.average.values:
            np.testing.assert_array_equal(trainer.average.values[name], expected, err_msg=name)
    for name, before in fresh.items():
        for slot, value in made.arrays(trainer.state()[name]).items():
            np.testing.assert_array_equal(value, before[slot], err_msg=slot)
            assert slot.startswith("beta") or not value.any()
    assert tuple(start.record["generators"]) == tuple(n for n in GENERATORS if n in networks)
    assert start.record["discriminators"] == (networks == ALL)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("checkpoint/old", "checkpoint/old/step_0000003: both generators and both discriminators."),
        ("both", "both: both generators; the discriminators start anew."),
        (
            "both/b2a.npz",
            "both/b2a.npz: the generator b2a; the generator a2b and the discriminators start anew.",
        ),
    ],
)
def test_a_sentence_says_what_is_taken(path, sentence):
    assert str(init_from.find(path)) == f"Starting from {sentence}"


def test_the_record_tells_which_weights_they_were():
    assert init_from.find("checkpoint/old").record["step"] == 3
    assert init_from.find("tensorflow").record["step"] == 7
    digests = init_from.find("both").record["sha256"]
    assert sorted(digests) == ["a2b.npz", "b2a.npz"]
    assert {len(digest) for digest in digests.values()} == {64}


# The options of the run


def dry_run(capsys, *argv):
    """(exit code, options that would be used, what else was printed)."""
    code = main.main(["train", "--dry_run", "True", "--dataset", "new", *argv])
    out, err = capsys.readouterr()
    return code, json.loads(out) if code == 0 else {}, err


@pytest.mark.parametrize("case", SOURCES)
def test_options_that_nobody_named_are_those_of_the_weights(case, capsys):
    path, *_ = SOURCES[case]
    knows_all = path == "checkpoint/old"
    code, options, told = dry_run(capsys, "--init_from", path, *([] if knows_all else TINY_NAMED))
    assert code == 0, told
    assert told.startswith(f"Starting from {path}")
    names = ("light", "ch", "n_res", "n_dis", "img_size", "img_ch", "flavor")
    source = made.tiny_config(**SOURCES[case][1])
    assert {n: options[n] for n in names} == {n: getattr(source, n) for n in names}
    assert options["ema"] == 0  # how it was trained is no matter of the weights


def test_a_light_model_may_be_trained_at_another_size(capsys):
    code, options, _ = dry_run(capsys, "--init_from", "checkpoint/old", "--img_size", "16")
    assert (code, options["img_size"]) == (0, 16)


@pytest.mark.parametrize(
    ("path", "named", "told"),
    [
        (
            "checkpoint/old",
            ["--ch", "4", "--n_dis", "3", "--img_size", "16"],
            ["--ch is 2 there, 4 here", "--n_dis is 2 there, 3 here"],
        ),
        ("both", ["--light", "False"], ["--light is True there, False here"]),
        ("genA2B.pt", ["--flavor", "tensorflow"], ["--flavor is pytorch there, tensorflow here"]),
        ("tensorflow", ["--n_res", "2"], ["--n_res is 1 there, 2 here"]),
    ],
)
def test_another_architecture_is_refused_with_each_difference(path, named, told, capsys):
    before = sorted(os.listdir())
    assert main.main(["train", "--dataset", "demo", "--init_from", path, *named]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --init_from {path} is of another architecture: ")
    assert f"{'; '.join(told)}. Leave" in line
    assert sorted(os.listdir()) == before


def test_discriminators_that_are_not_taken_may_be_others(capsys):
    named = ["--n_dis", "3", "--img_size", "16", "--sn", "False"]
    code, options, _ = dry_run(capsys, "--init_from", "both", *named)
    assert (code, options["n_dis"], options["sn"]) == (0, 3, False)


def test_a_full_model_keeps_its_size(tmp_path):
    config = made.tiny_config(**{**TINY, "light": False, "img_size": 16})
    generator = build_model(config).a2b
    path = str(tmp_path / "a2b.npz")
    generator_file.save(generator, config, "a2b", path)
    with pytest.raises(ConfigError, match="--img_size is 16 there, 32 here"):
        init_from.refuse_differing(init_from.find(path), {"img_size": 32})


def test_from_python_a_contradiction_is_refused_too(tmp_path):
    config = made.tiny_config(**TINY, init_from="both", checkpoint_dir=str(tmp_path))
    other = Config(**{**vars(config), "ch": 4})
    with pytest.raises(ConfigError, match="--ch is 2 there, 4 here"):
        init_from.of_new_run(other)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("none", "no such file or folder.*: drawings"),
        ("none.npz", "no such file or folder"),
        ("only", "only has SavedModels alone"),
        ("empty", "No checkpoint in empty. Train first"),
        ("mixed", "mixed cannot be used: its generator files are not of one model"),
        (
            "lost",
            "--init_from lost: there is no config.json beside its checkpoints.*of the run.$",
        ),
        ("above", "--init_from above: .* Did you mean above/step_0000007[?]$"),
    ],
)
def test_what_holds_no_weights_is_refused(path, told):
    os.makedirs("only/a2b", exist_ok=True)
    open("only/a2b/saved_model.pb", "w").close()
    os.makedirs("empty", exist_ok=True)
    made.tiny_config(**TINY).save("empty")
    os.makedirs("mixed", exist_ok=True)
    for name in ("a2b", "b2a"):
        shutil.copy("both/a2b.npz", f"mixed/{name}.npz")
    shutil.copytree("checkpoint/old/step_0000003", "lost/step_0000003", dirs_exist_ok=True)
    shutil.copytree("both", "above/step_0000003", dirs_exist_ok=True)
    shutil.copytree("both", "above/step_0000007", dirs_exist_ok=True)
    with pytest.raises(Failure, match=told):
        init_from.find(path)


@pytest.mark.parametrize(
    "argv",
    [
        ["import", "--official_checkpoint", "tensorflow"],
        ["ablate", *TINY_NAMED],
    ],
    ids=lambda argv: argv[0],
)
def test_other_phases_have_no_use_for_it(argv, capsys):
    before = sorted(os.listdir())
    assert main.main([*argv, "--dataset", "demo", "--init_from", "both"]) == 2
    assert "--init_from has no effect in " in capsys.readouterr().err
    assert sorted(os.listdir()) == before


# Runs


def test_a_run_records_its_start_and_goes_on_without_it(untraced, tmp_path, capsys):
    shutil.copytree("both", tmp_path / "both")
    os.chdir(tmp_path)  # `monkeypatch` takes it back
    config = runs.config_in(tmp_path)
    runs.write_dataset(config.dataset_folder)
    start = ["--init_from", "both", *TINY_NAMED, "--epoch", "1", "--iteration", "1"]
    words = ["train", "--dataset", "tiny"]
    assert main.main([*words, *start]) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "Starting from both: both generators; the discriminators start anew.\n" in out
    record = _recorded()
    assert record["init_from"] == "both"
    assert record["about"]["init_from"]["generators"] == ["a2b", "b2a"]

    shutil.rmtree("both")  # no longer needed
    assert main.main([*words, "--init_from", "both", "--epoch", "2"]) == 0, capsys.readouterr().err
    out = capsys.readouterr().out
    assert "Continuing from checkpoint/tiny/step_0000001" in out
    assert "Starting from" not in out
    assert _recorded()["about"]["init_from"] == record["about"]["init_from"]

    for other, began in (("none", "began from both"), ("", "began from both")):
        assert main.main([*words, "--init_from", other, "--epoch", "3"]) == 2
        assert f"is a run that {began}" in capsys.readouterr().err


def _recorded():
    with open("checkpoint/tiny/config.json") as file:
        return json.load(file)


def test_a_run_that_began_without_takes_no_weights(capsys):
    argv = ["train", "--dataset", "demo", "--run", "old", "--init_from", "both"]
    assert main.main(argv) == 2
    assert "is a run that began without --init_from" in capsys.readouterr().err


def test_workers_with_other_weights_are_refused(tmp_path):
    config = made.tiny_config(**TINY, init_from="both", checkpoint_dir=str(tmp_path))
    trainer = Trainer(build_model(config), config)
    trainer.replicas.workers = 2
    trainer.replicas.numbers = lambda number: [number, number + 1]
    with pytest.raises(Failure, match="The workers read other weights from --init_from"):
        loop._restore(trainer, config, init_from.of_new_run(config))
