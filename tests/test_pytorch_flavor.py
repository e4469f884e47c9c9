"""The flavor pytorch from end to end: import, test, translate, export; training and going on."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

import main
from tests import made, official, runs
from tests.test_step import converge, everything
from tests.tolerances import TOLERANCE, drift
from ugatit_tf.images import image_file
from ugatit_tf.interchange import official_pytorch, torch_file, torch_writer
from ugatit_tf.layers.weights import roles_of
from ugatit_tf.networks.generator import Generator
from ugatit_tf.networks.model import build_model
from ugatit_tf.training import checkpoints
from ugatit_tf.training.step import Trainer
from ugatit_tf.translation import loading

SIZE = 32
OFFICIAL = "toy_params_0000300.pt"
BATCH = [tf.constant(made.images(2, 8, 8, 1, seed=seed)) for seed in (1, 2)]


def config_in(root, **options):
    return runs.config_in(root, **{"flavor": "pytorch", "img_size": SIZE, **options})


def phase(name, *argv):
    return main.main(["--phase", name, *argv])


def refusal(capsys, code, *argv):
    """The one line with which a command ends that must not write anything."""
    before = runs.bytes_below(".")
    assert main.main([*argv]) == code
    assert runs.bytes_below(".") == before
    _, err = capsys.readouterr()
    (line,) = err.splitlines()
    return line


@pytest.fixture(scope="module")
def official_state(tmp_path_factory):
    return official.state_dicts(config_in(tmp_path_factory.mktemp("state")))


@pytest.fixture(scope="module")
def imported(official_state, tmp_path_factory):
    """A folder with runs of all networks ("tiny") and of one generator ("lone"), and a dataset."""
    root = tmp_path_factory.mktemp("imported")
    torch_writer.write(root / OFFICIAL, official_state)
    torch_writer.write(root / "mine.pt", official_state["genA2B"])
    runs.write_dataset(root / "dataset" / "tiny", count=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for path, *named in ((OFFICIAL,), ("mine.pt", "--run", "lone")):
            options = ["--img_size", str(SIZE), "--dataset", "tiny", *named]
            assert phase("import", "--official_checkpoint", path, *options) == 0
    return root


@pytest.fixture
def there(imported, tmp_path, monkeypatch):
    shutil.copytree(imported, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def of_run(root, name):
    return config_in(root, run=name, checkpoint_dir=str(root / "checkpoint"))


def test_an_import_keeps_the_step_and_says_how_it_goes_on(there, capsys):
    argv = ["--img_size", str(SIZE), "--dataset", "again"]
    assert phase("import", "--official_checkpoint", OFFICIAL, *argv) == 0
    out = capsys.readouterr().out
    assert f"Imported step 300 of {OFFICIAL}" in out
    assert "does not tell how the model was trained" in out
    assert list(checkpoints.saved("checkpoint/again")) == [300]


def test_what_is_imported_is_exported_as_it_was(there, official_state):
    assert phase("export", "--dataset", "tiny", "--format", "pytorch") == 0
    (path,) = there.glob("export/tiny/*/*.pt")
    assert path.name == "tiny_params_0000300.pt"
    read = torch_file.read(str(path))
    assert {network: list(named) for network, named in read.items()} == {
        network: [name for name in read[network] if name in official_state[network]]
        for network in official_state
    }
    for network, named in official_state.items():
        assert len(read[network]) == len(named)
        for name, array in named.items():
            np.testing.assert_array_equal(read[network][name], array, err_msg=name)


def test_the_test_phase_resizes_as_pillow_does_and_shows_what_the_model_makes(there):
    for name in ("testA", "testB"):
        shutil.rmtree(there / "dataset" / "tiny" / name)
        runs.write_images(there / "dataset" / "tiny" / name, ["1.png"], height=90, width=70)
    assert phase("test", "--dataset", "tiny") == 0
    model = build_model(config_in(there))
    official_pytorch.restore(model, OFFICIAL)
    for direction, side in (("a2b", "A"), ("b2a", "B")):
        (result,) = there.glob(f"results/tiny/step_0000300/{direction}/*.png")
        pixels = image_file.read(f"dataset/tiny/test{side}/1.png")
        with tf.device("CPU"):
            squares = official_square(pixels)
        expected = getattr(model, direction)(squares[None]).image[0]
        found = image_file.read(result)
        assert np.abs(found - (np.asarray(expected) + 1) * 127.5).max() <= 1


def official_square(pixels):
    from PIL import Image

    image = Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.float32(image) / 127.5 - 1


def test_translations_heatmaps_and_tiles_are_those_of_a_light_model(there):
    runs.write_images("photographs", ["me.png"], height=96, width=72)
    options = ["--input", "photographs", "--dataset", "tiny"]
    heat = ["--output", "heat", "--heatmap", "npy", "--format", "png"]
    assert phase("translate", *options, *heat) == 0
    names = {path.name for path in (there / "heat").iterdir()}
    kinds = ("attention", "local", "global")
    assert names == {"me.png", *(f"me_{kind}.npy" for kind in kinds)}
    for kind in kinds:
        assert np.ptp(np.load(there / "heat" / f"me_{kind}.npy")) > 0.5
    tiled = ["--size", "native", "--tile_pixels", "4096", "--output", "tiles"]
    assert phase("translate", *options, *tiled) == 0
    assert image_file.read("tiles/me.png").shape == (96, 72, 3)


def test_a_lone_generator_translates_as_in_its_whole_checkpoint(there):
    runs.write_images("photographs", ["me.png"], height=SIZE, width=SIZE)
    for run in ("tiny", "lone"):
        assert phase("translate", "--run", run, "--input", "photographs", "--output", run) == 0
    np.testing.assert_array_equal(image_file.read("tiny/me.png"), image_file.read("lone/me.png"))


def test_a_lone_generator_is_exported(there):
    with runs.unchecked_exports():
        assert phase("export", "--run", "lone") == 0
    (path,) = there.glob("export/lone/*/a2b.npz")
    pixels = np.random.default_rng(1).integers(0, 256, [SIZE, SIZE, 3], dtype=np.uint8)
    x = np.float32(pixels / 127.5 - 1)[None]
    whole = loading.from_run(of_run(there, "tiny"))
    translators = [loading.load(str(place)) for place in (path, path.parent)]
    assert all(translator.antialias for translator in (*translators, whole))
    expected = whole.generators.networks["a2b"](x)
    for translator in translators:
        assert list(translator.generators.networks) == ["a2b"]
        found = translator.generators.networks["a2b"](x)
        np.testing.assert_allclose(found.image, expected.image, **TOLERANCE["network"])


@pytest.mark.parametrize(
    "argv",
    [
        ["--phase", "train"],
        ["--phase", "test"],
        ["--phase", "export", "--format", "pytorch"],
    ],
    ids=" ".join,
)
def test_what_needs_more_than_a_lone_generator_says_what_is_missing(argv, there, capsys):
    line = refusal(capsys, 1, *argv, "--run", "lone", "--dataset", "tiny")
    assert "has only a2b" in line
    assert "Missing for this: the generator b2a, both discriminators" in line


def test_the_existing_direction_of_a_lone_generator_is_measured(there, capsys):
    shutil.copytree("dataset/tiny", "dataset/many")
    for domain in ("testA", "testB"):
        runs.write_images(f"dataset/many/{domain}", [f"{i}.png" for i in range(4)])
    argv = ["--run", "lone", "--dataset", "many", "--inception", "random", "--size", "8"]
    assert phase("evaluate", *argv) == 0
    out = capsys.readouterr().out
    assert "a2b " in out and "b2a " not in out and "lone_metrics.json" in out


def test_only_the_existing_direction_of_a_lone_generator_translates(there, capsys):
    runs.write_images("photographs", ["me.png"])
    argv = ["--run", "lone", "--input", "photographs", "--output", "out", "--direction", "b2a"]
    code = phase("translate", *argv)
    assert code in (1, 2)
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not os.path.exists("out")


def test_a_run_of_the_tensorflow_flavor_has_no_file_for_the_pytorch_program(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    config = runs.config_in(tmp_path)
    os.makedirs(config.run_folder)
    config.save(config.run_folder)
    line = refusal(capsys, 2, "--phase", "export", "--dataset", "tiny", "--format", "pytorch")
    assert "is of --flavor tensorflow" in line


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (["--gan_type", "hinge"], "--gan_type hinge does not exist in the pytorch program"),
        (["--flavor", "torch"], "--flavor"),
    ],
)
def test_what_the_pytorch_program_does_not_have_is_refused(
    named, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    line = refusal(capsys, 2, "--dataset", "tiny", "--flavor", "pytorch", *named)
    assert words in line


def test_another_flavor_than_that_of_the_checkpoint_is_refused(there, capsys):
    argv = ["--official_checkpoint", OFFICIAL, "--run", "new", "--flavor", "tensorflow"]
    line = refusal(capsys, 2, "--phase", "import", *argv, "--img_size", str(SIZE))
    assert "--flavor is pytorch there, tensorflow on the command line" in line


def trainer_of(**options):
    config = made.tiny_config(flavor="pytorch", **options)
    model = build_model(config)
    made.fill(model.weights())
    converge(model)
    trainer = Trainer(model, config)
    trainer.start_average()
    return trainer


def test_going_on_from_a_checkpoint_equals_running_through(untraced, tmp_path):
    straight, other = trainer_of(ema=0.9, lr=0.01), trainer_of(ema=0.9, lr=0.01, seed=1)
    straight.step(*BATCH)
    checkpoints.save(str(tmp_path), 1, straight.state())
    checkpoints.restore(checkpoints.newest(str(tmp_path)), other.state())
    for trainer in (straight, other):
        trainer.step(*BATCH)
    found = everything(other)
    assert any(name.endswith("/v") and name.startswith("weights") for name in found)
    for name, array in everything(straight).items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_a_moving_average_follows_the_generators(untraced):
    trainer = trainer_of(ema=0.75, lr=0.01)
    before = everything(trainer)
    trainer.step(*BATCH)
    after = everything(trainer)
    averages = [name for name in after if name.startswith("average/")]
    assert len(averages) == len(trainer.model.generator_weights())
    for name in averages:
        weight = after[name.replace("average/", "weights/")]
        expected = 0.75 * before[name] + 0.25 * weight
        np.testing.assert_allclose(after[name], expected, err_msg=name, **TOLERANCE["float32"])


def test_every_weight_decays_and_the_losses_have_no_term_for_it(untraced):
    """With losses of no weight the step is that of the decay alone: one rate towards zero."""
    weights = dict.fromkeys(("adv_weight", "cycle_weight", "identity_weight", "cam_weight"), 0.0)
    trainer = trainer_of(lr=1e-3, **weights)
    before = made.arrays(trainer.model.weights())
    scalars = trainer.step(*BATCH)
    assert not [tag for tag in scalars if tag.startswith("weight_decay")]
    assert float(scalars["Generator_loss"]) == float(scalars["Discriminator_loss"]) == 0.0
    roles = trainer.model.roles()
    for path, after in made.arrays(trainer.model.weights()).items():
        if roles[path].trained:
            clear = np.abs(before[path]) > 0.05  # or epsilon is felt
            expected = before[path] - 1e-3 * np.sign(before[path])
            tolerance = {"atol": drift(1e-3) * 1e-2}
            np.testing.assert_allclose(after[clear], expected[clear], err_msg=path, **tolerance)


def test_bfloat16_gives_what_float32_does_up_to_rounding():
    exact = Generator(ch=2, n_res=1, light=True, flavor="pytorch", smoothing=False)
    half = Generator(
        ch=2, n_res=1, light=True, flavor="pytorch", smoothing=False, precision="bfloat16"
    )
    x = made.images(1, 16, 16, 3)
    exact(x), half(x)
    weights = made.filled(exact)
    for path, weight in made.named_weights(half).items():
        weight.assign(weights[path])
    assert half(x).image.dtype == tf.float32
    assert np.abs(half(x).image - exact(x).image).mean() < 0.05
    assert set(roles_of(half)) == set(roles_of(exact))


def test_networks_of_the_flavor_start_as_those_of_torch():
    model = build_model(made.tiny_config(flavor="pytorch", ch=4))
    weights, roles = made.arrays(model.weights()), model.roles()
    for path, array in weights.items():
        leaf, below = path.rsplit("/", 1)[-1], path.split("/", 1)[-1]
        if leaf in ("kernel", "bias"):
            kernel = weights[f"{path.rsplit('/', 1)[0]}/kernel"]
            bound = 1 / np.sqrt(np.prod(kernel.shape[:-1]))
            assert 0 < np.abs(array).max() <= bound * (1 + 1e-6), path
        elif leaf in ("u", "v"):
            np.testing.assert_allclose(np.linalg.norm(array), 1.0, **TOLERANCE["float32"])
        else:
            start = {"gamma": 1.0, "beta": 0.0, "rho": 0.9 if below.startswith("adaptive") else 0.0}
            np.testing.assert_array_equal(
                array, np.full(array.shape, np.float32(start[leaf])), path
            )
    assert {path for path, role in roles.items() if not role.trained} == {
        path for path in weights if path.endswith(("/u", "/v"))
    }
