"""The options: what is refused and with which words, what a run remembers."""

import dataclasses
import json
import shutil

import pytest

from tests.test_command_line import OFFICIAL_DEFAULTS as OFFICIAL
from ugatit_tf.config import CONFIG_FILE, NOT_RECORDED, Config
from ugatit_tf.config_file import read_options, resolve
from ugatit_tf.options import ConfigError, rule_of
from ugatit_tf.phases.ablate import ABLATED
from ugatit_tf.sizes import smallest_image


def test_the_defaults_are_the_official_ones():
    found = dataclasses.asdict(Config())
    assert {name: found[name] for name in OFFICIAL} == OFFICIAL


def test_a_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().lr = 1.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ch": "64"}, "--ch must be a whole number. Received: '64'"),
        ({"ch": 64.0}, "--ch must be a whole number. Received: 64.0"),
        ({"ch": True}, "--ch must be a whole number. Received: True"),
        ({"light": 1}, "--light must be True or False. Received: 1"),
        ({"light": "False"}, "--light must be True or False. Received: 'False'"),
        ({"lr": "fast"}, "--lr must be a number. Received: 'fast'"),
        ({"lr": True}, "--lr must be a number. Received: True"),
        ({"dataset": None}, "--dataset must be a text. Received: None"),
        *(
            ({name: 0}, f"--{name} must be at least 1 and at most .*. Received: 0")
            for name in ("ch", "n_res", "epoch", "iteration", "batch_size", "n_critic")
        ),
        *(
            ({name: 0}, f"--{name} must be at least 1 and at most .*. Received: 0")
            for name in ("print_freq", "save_freq", "summary_freq")
        ),
        *(
            ({name: -1}, f"--{name} must be at least 0 and at most .*. Received: -1")
            for name in ("seed", "decay_epoch")
        ),
        *(
            ({name: -0.5}, f"--{name} must be at least 0. Received: -0.5")
            for name in ("GP_ld", "adv_weight", "cycle_weight", "identity_weight", "cam_weight")
        ),
        ({"cam_weight": float("nan")}, "--cam_weight must be at least 0 and finite. Received: nan"),
        ({"n_dis": 1}, "--n_dis must be at least 2 and at most 12. Received: 1"),
        ({"lr": 0.0}, "--lr must be above 0. Received: 0.0"),
        ({"lr": float("nan")}, "--lr must be above 0 and finite. Received: nan"),
        ({"img_ch": 2}, "--img_ch must be one of 1, 3. Received: 2"),
        ({"gan_type": "wgan"}, "one of gan, lsgan, wgan-gp, wgan-lp, dragan, hinge. .*'wgan'"),
        ({"gan_type": "gan, lsgan"}, "Received: 'gan, lsgan'"),
        ({"img_size": 92}, "92 is too small for --n_dis 6: .* at least 96. Use --img_size 96"),
        ({"img_size": 44, "n_dis": 5}, "needs at least 48"),
        ({"img_size": 255}, "must be a multiple of 4. Received: 255. The nearest that works: 256"),
        ({"img_size": 97}, "The nearest that works: 96"),
        ({"img_size": 101}, "The nearest that works: 100"),
        *(
            ({"light": True, "img_size": 128, **given}, message)
            for given, message in (
                ({"crop_size": 132}, "--crop_size must be at most --img_size, 128. Received: 132"),
                ({"crop_size": 92}, "--crop_size 92 is too small for --n_dis 6: .*_size 96 or"),
                ({"crop_size": 101}, "--crop_size must be .* of 4. Received: 101. .*: 100"),
                ({"crop_size": 96, "augment_flag": False}, "needs --augment_flag True"),
                ({"crop_size": 96, "light": False}, "--crop_size needs --light True"),
            )
        ),
        ({"dataset": "a/b"}, "--dataset is the name of a folder, not a path. Received: 'a/b'"),
        ({"dataset": ".."}, "--dataset is the name of a folder, not a path"),
        ({"run": "../x"}, "--run is the name of a folder, not a path"),
        ({"dataset": ""}, "--dataset must not be empty"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        Config(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"img_size": 96},
        {"img_size": 48, "n_dis": 5},
        {"img_size": 8, "n_dis": 2},
        {"img_size": 100},
        {"img_size": 256, "crop_size": 96, "light": True},
        {"img_size": 96, "crop_size": 96, "decoder_norm": "in"},
        {"decay_epoch": 0},
        {"cam_weight": 0},
        {"seed": 0, "run": "a.b-c"},
    ],
    ids=str,
)
def test_what_works_is_taken(given):
    config = Config(**given)
    assert {name: getattr(config, name) for name in given} == given


@pytest.mark.parametrize("n_dis", [2, 3, 4, 5, 6, 7])
def test_the_size_that_a_refusal_names_is_accepted(n_dis):
    with pytest.raises(ConfigError) as refusal:
        Config(n_dis=n_dis, img_size=1)
    size = int(str(refusal.value).split("Use --img_size ")[1].split()[0])
    assert size >= smallest_image(n_dis)
    assert Config(n_dis=n_dis, img_size=size).img_size == size


def test_an_int_is_a_float_too():
    config = Config(lr=1, cam_weight=5)
    assert isinstance(config.lr, float)
    assert isinstance(config.cam_weight, float)


def test_an_unknown_option_is_refused():
    with pytest.raises(TypeError, match="colour"):
        Config(colour=1)


def test_steps_and_folders():
    config = Config(epoch=3, iteration=5, dataset="d", checkpoint_dir="c", dataset_dir="data")
    assert config.total_steps == 15
    assert (config.run_name, config.run_folder, config.dataset_folder) == ("d", "c/d", "data/d")
    named = dataclasses.replace(config, run="r")
    assert (named.run_name, named.run_folder, named.dataset_folder) == ("r", "c/r", "data/d")


def test_the_size_belongs_to_the_architecture_of_the_full_model_alone():
    names = {"flavor", "light", "ch", "img_ch", "n_res", "n_dis", "sn", "smoothing", *ABLATED}
    assert set(Config(light=True).architecture()) == names
    assert set(Config(light=False).architecture()) == names | {"img_size"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("n_dis", 10**6),
        ("n_dis", 13),
        ("n_res", 10**7),
        ("ch", 10**9),
        ("img_size", 10**12),
        ("epoch", 10**30),
        ("seed", 2**63),
        ("cam_weight", 10**400),
        ("lr", 10**400),
        ("ch", -(10**400)),
    ],
)
def test_a_number_beyond_every_use_is_refused_in_a_short_line(option, value):
    with pytest.raises(ConfigError, match=f"--{option} must be .*Received") as caught:
        Config(**{option: value})
    assert len(str(caught.value)) < 200


def test_the_largest_network_has_an_image_that_is_large_enough():
    rules = {field.name: rule_of(field) for field in dataclasses.fields(Config)}
    depth, size = (rules[name].at_most for name in ("n_dis", "img_size"))
    assert smallest_image(depth) <= size < smallest_image(depth + 1)
    assert Config(n_dis=depth, img_size=size).n_dis == depth


def test_a_value_of_another_type_is_told_in_a_short_line():
    for value in ({"a" * 1000: 1}, [[[[[[[[1]]]]]]]], "8" * 10_000):
        with pytest.raises(ConfigError, match="--ch must be a whole number") as caught:
            Config(ch=value)
        assert len(str(caught.value)) < 200


# Saving and reading


def test_what_is_saved_is_read_again_but_for_the_locations(tmp_path):
    config = Config(light=True, lr=0.003, gan_type="hinge", run="r", checkpoint_dir="elsewhere")
    config.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CONFIG_FILE]  # nothing left beside it
    found = read_options(tmp_path / CONFIG_FILE)
    assert not set(found) & {*NOT_RECORDED}
    assert Config(**found, run="r", checkpoint_dir="elsewhere") == config


def test_saving_replaces_what_was_there(tmp_path):
    for seed in (1, 2):
        Config(seed=seed).save(tmp_path)
    assert read_options(tmp_path / CONFIG_FILE)["seed"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"ch": 64', "is not valid JSON"),
        ("[1, 2]", "Expected an object"),
        ('{"colour": 1, "age": 2}', "options that do not exist: age, colour"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
    ],
    ids=["cut", "list", "unknown", "not text"],
)
def test_a_damaged_file_is_refused(text, message, tmp_path):
    path = tmp_path / CONFIG_FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=message):
        read_options(path)


# Resolving


def recorded(tmp_path, **given):
    """Records a run as the program does, and returns the options that name its place."""
    config = Config(**given, checkpoint_dir=str(tmp_path))
    (tmp_path / config.run_name).mkdir()
    config.save(config.run_folder)
    return {"checkpoint_dir": str(tmp_path)}


def test_a_new_run_is_what_was_given_else_the_default(tmp_path):
    given = {"checkpoint_dir": str(tmp_path), "lr": 0.5, "light": True}
    assert resolve(given) == Config(**given)
    assert not list(tmp_path.iterdir())


def test_a_run_remembers_what_is_not_given(tmp_path):
    place = recorded(tmp_path, light=True, lr=0.003, ch=8)
    assert resolve(place) == Config(light=True, lr=0.003, ch=8, **place)


def test_what_is_given_rules_over_what_was_recorded(tmp_path):
    place = recorded(tmp_path, light=True, lr=0.003, epoch=7)
    found = resolve({**place, "lr": 0.25})
    assert (found.lr, found.epoch, found.light) == (0.25, 7, True)


def test_a_default_that_is_given_rules_too(tmp_path):
    place = recorded(tmp_path, lr=0.003)
    assert resolve({**place, "lr": Config.lr}).lr == Config.lr


def test_a_run_is_found_by_its_name(tmp_path):
    place = recorded(tmp_path, run="mine", ch=8, light=True)
    assert resolve({**place, "run": "mine"}).ch == 8
    assert resolve(place).ch == Config.ch  # the run named as the dataset is another one


@pytest.mark.parametrize("was", [{"run": "old"}, {"dataset": "old"}], ids=["by name", "by dataset"])
@pytest.mark.parametrize("noted", ["", "old"], ids=["as now", "as the version before noted it"])
def test_a_run_that_was_copied_is_a_run_of_its_own(was, noted, tmp_path):
    place = recorded(tmp_path, ch=8, **was)
    path = tmp_path / "old" / CONFIG_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), "run": noted}))
    shutil.copytree(tmp_path / "old", tmp_path / "new")
    dataset = was.get("dataset", Config.dataset)
    found = resolve({**place, "run": "new"})
    assert (found.run_folder, found.dataset) == (str(tmp_path / "new"), dataset)
    assert found.ch == 8
    found = resolve({**place, "dataset": "new"})
    assert (found.run_folder, found.dataset) == (str(tmp_path / "new"), "new")


def test_a_run_that_was_given_the_default_name_stays_in_its_folder(tmp_path):
    place = recorded(tmp_path, dataset="cats", ch=8)
    (tmp_path / "cats").rename(tmp_path / Config.dataset)
    found = resolve(place)
    assert found.run_folder == str(tmp_path / Config.dataset)
    assert (found.dataset, found.ch) == ("cats", 8)


@pytest.mark.parametrize(
    ("was", "given"),
    [
        ({"light": True}, {"light": False}),
        ({"light": True}, {"ch": 32}),
        ({"light": True}, {"img_ch": 1}),
        ({"light": True}, {"n_res": 6}),
        ({"light": True}, {"n_dis": 5}),
        ({"light": True}, {"sn": False}),
        ({"light": True}, {"smoothing": False}),
        ({"light": False}, {"img_size": 128}),
    ],
    ids=str,
)
def test_another_architecture_is_refused_by_name(was, given, tmp_path):
    place = recorded(tmp_path, **was)
    ((name, value),) = given.items()
    before = getattr(Config(**was), name)
    message = f"--{name} is {before} .*, {value} on the command line.* --run NAME"
    with pytest.raises(ConfigError, match=message):
        resolve({**place, **given})


def test_the_architecture_of_the_run_may_be_repeated(tmp_path):
    place = recorded(tmp_path, light=True, ch=8)
    assert resolve({**place, "light": True, "ch": 8}).ch == 8


def test_a_light_run_may_change_its_size(tmp_path):
    place = recorded(tmp_path, light=True)
    assert resolve({**place, "img_size": 128}).img_size == 128


def test_what_is_given_is_judged_together_with_what_was_recorded(tmp_path):
    """64 is too small for the default depth, but not for this run's."""
    place = recorded(tmp_path, light=True, img_size=48, n_dis=4)
    assert resolve({**place, "img_size": 64}).img_size == 64


def test_a_given_option_that_is_wrong_is_refused_before_the_folder_is_read(tmp_path):
    place = recorded(tmp_path)
    with pytest.raises(ConfigError, match="--lr must be above 0"):
        resolve({**place, "lr": -1.0})


def test_a_damaged_record_is_refused(tmp_path):
    place = recorded(tmp_path)
    path = tmp_path / Config.dataset / CONFIG_FILE
    path.write_text(json.dumps({"ch": "many"}))
    with pytest.raises(ConfigError, match="--ch must be a whole number"):
        resolve(place)
