"""What is in a dataset and wrong with it, and how much disk and memory training takes."""

import dataclasses
import os

import numpy as np
import pytest
from PIL import Image

from tests import made, runs
from ugatit_tf import doctor, machine
from ugatit_tf.config import Config
from ugatit_tf.data import folders
from ugatit_tf.images import image_file
from ugatit_tf.networks import weight_count
from ugatit_tf.networks.model import build_model

GIGA = 1e9
ARCHITECTURES = [
    {},
    {"light": False, "img_size": 12},
    {"light": False, "n_res": 2, "n_dis": 5, "img_size": 48, "img_ch": 3, "ch": 3},
    {"sn": False, "n_dis": 3, "img_size": 12},
]


@pytest.fixture
def config(tmp_path):
    """A configuration with a dataset of three good images in each split."""
    config = runs.config_in(tmp_path)
    runs.write_dataset(config.dataset_folder)
    return config


def folder_of(config, split):
    return os.path.join(config.dataset_folder, split)


def copy(source, target):
    with open(source, "rb") as old, open(target, "wb") as new:
        new.write(old.read())


def is_reported(sentences, *words):
    """Whether exactly one sentence holds all `words`."""
    return sum(all(word in sentence for word in words) for sentence in sentences) == 1


def splits_of(**counts):
    """Splits with so many different good images, without files."""
    counts = {**dict.fromkeys(runs.PARTS, 0), **counts}
    return {
        split: folders.Split(split, [image(f"{split} {i}") for i in range(count)], [])
        for split, count in counts.items()
    }


def image(name, size=(64, 64), **facts):
    return folders.ImageInfo(
        name, size, **{"num_bytes": 1, "digest": name, "deviation": 50, **facts}
    )


def test_a_good_dataset_has_no_flaw_but_its_number_of_images(config):
    report = doctor.check(config)
    assert list(report.splits) == list(runs.PARTS)
    assert report.errors == []
    assert len(report.warnings) == 1
    assert is_reported(report.warnings, "Below 100", "trainA (3) and trainB (3)", "memorized")
    assert report.lines()[0] == "trainA: 3 images, 14 x 10 pixels"


@pytest.mark.parametrize(("make", "keyword"), [(False, "no folder"), (True, "No readable")])
def test_a_split_without_images_is_an_error_in_training_only(tmp_path, make, keyword):
    config = runs.config_in(tmp_path)
    runs.write_dataset(config.dataset_folder, parts=["trainB"])
    if make:
        os.mkdir(folder_of(config, "trainA"))
    report = doctor.check(config)
    assert len(report.errors) == 1
    assert is_reported(report.errors, keyword, folder_of(config, "trainA"), "dataset/NAME/trainA")
    assert f"Error: {report.errors[0]}" in report.lines()


def test_broken_files_are_named_with_the_reason_and_at_most_fifty(config):
    folder = folder_of(config, "trainB")
    for number in range(60):
        open(os.path.join(folder, f"bad_{number:02d}.jpg"), "wb").close()
    report = doctor.check(config)
    assert report.splits["trainB"].refused[0] == ("bad_00.jpg", "the file is empty")
    (warning,) = (w for w in report.warnings if "cannot be read" in w)
    assert f"60 of 63 files in {folder}" in warning
    assert warning.count("bad_") == 50
    assert "and 10 more" in warning


def test_images_that_move_are_reported_since_one_frame_is_used(config):
    first, second = (Image.new("RGB", (64, 64), color) for color in ("red", "blue"))
    folder = folder_of(config, "trainA")
    for name in ("moves.webp", "moves.png", "moves.gif"):
        first.save(os.path.join(folder, name), save_all=True, append_images=[second], duration=9)
    (warning,) = (w for w in doctor.check(config).warnings if " are animations: " in w)
    assert f"3 of 6 images in {folder} are animations: moves.gif, moves.png, moves.webp." in warning


def test_an_image_cut_off_is_broken(config):
    (path,) = runs.write_images(folder_of(config, "trainA"), ["cut.png"], height=64, width=64)
    os.truncate(path, os.path.getsize(path) // 2)
    warnings = doctor.check(config).warnings
    assert is_reported(warnings, "1 of 4 files in", "trainA", "cut.png", "cut off")


def test_duplicates_are_reported_by_content(config):
    folder = folder_of(config, "trainA")
    copy(os.path.join(folder, "trainA_1.png"), os.path.join(folder, "other.jpg"))
    report = doctor.check(config)
    assert report.splits["trainA"].duplicates == [["other.jpg", "trainA_1.png"]]
    assert is_reported(report.warnings, "trainA", "same content", "other.jpg = trainA_1.png")
    assert not is_reported(report.warnings, "trainB", "same content")


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (250, 10, 40)])
def test_an_image_of_one_color_is_near_empty(config, color):
    draw = np.random.default_rng(0)
    pixels = np.clip(np.array(color) + draw.integers(-2, 3, [40, 50, 1]), 0, 255)
    image_file.write(os.path.join(folder_of(config, "testA"), "flat.png"), pixels.astype(np.uint8))
    report = doctor.check(config)
    assert report.splits["testA"].near_empty == ["flat.png"]
    assert is_reported(report.warnings, "1 of 4 images in testA", "one color", "flat.png")


@pytest.mark.parametrize("test", ["testA", "testB"])
def test_training_images_in_the_test_set_are_reported(config, test):
    copy(
        os.path.join(folder_of(config, "trainA"), "trainA_2.png"),
        os.path.join(folder_of(config, test), "again.png"),
    )
    warnings = doctor.check(config).warnings
    assert is_reported(warnings, f"{test} holds 1 of the images in trainA: trainA_2.png", "proves")
    assert len(warnings) == 2  # and too few


def test_an_image_in_both_domains_is_reported(config):
    copy(
        os.path.join(folder_of(config, "trainA"), "trainA_2.png"),
        os.path.join(folder_of(config, "trainB"), "again.png"),
    )
    assert is_reported(doctor.check(config).warnings, "trainB holds 1", "one domain only")


@pytest.mark.parametrize(
    ("counts", "unequal"), [((500, 2000), False), ((500, 2001), True), ((2100, 500), True)]
)
def test_unequal_domains_are_reported_from_four_times_on(counts, unequal):
    report = doctor.diagnose(splits_of(trainA=counts[0], trainB=counts[1]), made.tiny_config())
    assert is_reported(report.warnings, "times as many", "add images") == unequal


@pytest.mark.parametrize(
    ("count", "kind", "keywords"),
    [
        (99, "warnings", ("Below 100", "memorized")),
        (100, "warnings", ("Below 500", "narrow")),
        (499, "warnings", ("Below 500", "narrow")),
        (500, "notes", ("Below 1000", "fine")),
        (999, "notes", ("Below 1000", "fine")),
        (1000, "notes", ()),
    ],
)
def test_what_to_expect_of_so_many_images(count, kind, keywords):
    report = doctor.diagnose(splits_of(trainA=count, trainB=count), made.tiny_config())
    found = [s for s in report.warnings + report.notes if s.startswith("Below")]
    assert len(found) == bool(keywords)
    if keywords:
        assert is_reported(getattr(report, kind), *keywords, f"trainA ({count})")


@pytest.mark.parametrize(
    ("side", "usual", "keyword"),
    [(31, 41, "--img_size 40."), (31, 70, "larger images."), (3, 3, "--img_size 8.")],
)
def test_images_to_be_enlarged_are_reported_with_a_size_that_fits(side, usual, keyword):
    splits = splits_of(trainA=2, trainB=2)
    sizes = [(90, side), *[(usual, usual)] * 4]
    splits["trainA"] = folders.Split("x", [image(str(i), size) for i, size in enumerate(sizes)], [])
    report = doctor.diagnose(splits, made.tiny_config(img_size=64))
    assert is_reported(report.warnings, "of 5 images in trainA", f"{side} x", "enlarged", keyword)
    assert not is_reported(report.warnings, "trainB", "enlarged")


def test_an_image_of_half_the_size_is_not_reported():
    splits = splits_of(trainA=1, trainB=1)
    splits["trainA"] = folders.Split("x", [image("x", (32, 32))], [])
    report = doctor.diagnose(splits, made.tiny_config(img_size=64))
    assert not is_reported(report.warnings, "enlarged")


def test_names_may_be_in_any_script_and_the_report_can_be_printed_anywhere(config):
    names = ["été 夏.png", "имя с пробелом.png", "صورة.png", "😀 100%.png", "two\nlines.png"]
    names.append(os.fsdecode(b"latin-1 \xe9.png"))
    folder = folder_of(config, "trainA")
    for name in names:
        runs.write_images(folder, ["same.png"], seed=9)
        os.rename(os.path.join(folder, "same.png"), os.path.join(folder, name))
    report = doctor.check(config)
    (same,) = report.splits["trainA"].duplicates
    assert sorted(same) == sorted(names)
    assert {os.path.basename(path) for path in report.splits["trainA"].paths} > set(names)
    text = "".join(report.lines())
    assert text.encode()  # no lone surrogates
    assert "\n" not in text
    assert "имя с пробелом.png" in text


@pytest.mark.parametrize("options", ARCHITECTURES)
def test_weights_are_counted_as_they_are_built(options):
    config = made.tiny_config(**options)
    sizes = {path: np.prod(w.shape) for path, w in build_model(config).weights().items()}
    assert weight_count.num_weights(config) == sum(sizes.values())
    of_generator = [size for path, size in sizes.items() if path.startswith("b2a/")]
    assert weight_count.num_generator_weights(config) == 2 * sum(of_generator)


@pytest.mark.parametrize(("light", "count"), [(True, 134_047_128), (False, 670_786_968)])
def test_a_checkpoint_holds_three_numbers_of_four_bytes_for_each_weight(light, count):
    assert doctor.checkpoint_bytes(Config(light=light)) == 12 * count


@pytest.mark.parametrize("options", ARCHITECTURES)
def test_the_average_adds_the_generators_to_checkpoint_and_memory(options):
    plain, averaged = made.tiny_config(**options), made.tiny_config(**options, ema=0.999)
    model = build_model(plain)
    more = 4 * sum(np.prod(weight.shape) for weight in model.generator_weights().values())
    for estimate in (doctor.checkpoint_bytes, doctor.memory_bytes):
        assert estimate(averaged) - estimate(plain) == pytest.approx(more, abs=1)


@pytest.mark.parametrize("ema", [0.0, 0.999])
def test_a_checkpoint_on_disk_is_as_large_as_was_said(tmp_path, ema):
    config = runs.config_in(tmp_path, ch=16, ema=ema)
    runs.make_run(config)
    on_disk = sum(map(len, runs.bytes_below(config.run_folder).values()))
    assert on_disk == pytest.approx(doctor.checkpoint_bytes(config), rel=0.05)


@pytest.mark.parametrize(("saved", "free", "enough"), [(0, 6, 1), (0, 5, 0), (5, 1, 1), (6, 0, 0)])
def test_room_for_six_checkpoints_is_checked_with_those_that_are_there(
    config, monkeypatch, saved, free, enough
):
    one = doctor.checkpoint_bytes(config)
    monkeypatch.setattr(doctor, "free_bytes", lambda path: free * one)
    for step in range(saved):
        os.makedirs(os.path.join(config.run_folder, f"step_{step:07d}"))
    report = doctor.check(config)
    assert is_reported(report.notes if enough else report.warnings, "checkpoint", "are free")
    assert is_reported(report.warnings, "--checkpoint_dir", "smaller --ch") != enough


def test_where_the_best_is_kept_room_for_two_more_checkpoints_is_checked(config, monkeypatch):
    config = dataclasses.replace(config, best_by="a2b/cycle")
    one = doctor.checkpoint_bytes(config)
    for step in range(5):
        os.makedirs(os.path.join(config.run_folder, f"step_{step:07d}"))
    os.makedirs(os.path.join(config.run_folder, "best", "step_0000003"))
    for free, enough in ((2, True), (1, False)):
        monkeypatch.setattr(doctor, "free_bytes", lambda path, free=free: free * one)
        report = doctor.check(config)
        assert is_reported(report.notes if enough else report.warnings, "2 more", "are free")


@pytest.mark.parametrize(
    ("options", "measured"),
    [
        ({"light": True}, 6.9),
        ({"light": True, "img_size": 512}, 13.4),
        ({"light": True, "img_size": 512, "recompute": True}, 8.8),
        ({"light": True, "img_size": 128}, 6.0),
        ({"light": True, "img_size": 128, "ch": 16}, 1.5),
        ({"light": False, "img_size": 128, "ch": 32}, 3.3),
    ],
)
def test_memory_is_estimated_within_15_percent_of_what_was_measured(options, measured):
    config = Config(**{"n_dis": 6, **options})
    assert doctor.memory_bytes(config) == pytest.approx(measured * GIGA, rel=0.15)


def test_memory_belongs_to_the_squares_that_are_cut_from_the_images():
    cut = Config(light=True, img_size=512, crop_size=128)
    assert doctor.memory_bytes(cut) == doctor.memory_bytes(Config(light=True, img_size=128))


def test_the_sums_of_accumulated_gradients_count():
    plain, summed = (doctor.memory_bytes(Config(accumulate=n)) for n in (1, 2))
    assert summed - plain == pytest.approx(4 * weight_count.num_weights(Config()), abs=1)


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        ({"light": False}, ["--light True", "--recompute True", "--img_size", "--ch"]),
        (
            {"light": True, "batch_size": 2},
            ["--recompute True", "--img_size", "--ch", "--batch_size"],
        ),
    ],
)
def test_too_little_memory_is_reported_with_the_flags_that_help(monkeypatch, options, flags):
    config = made.tiny_config(**options)
    splits = splits_of(trainA=1, trainB=1)
    monkeypatch.setattr(doctor.machine, "available_bytes", lambda: doctor.memory_bytes(config) - 1)
    (warning,) = (w for w in doctor.diagnose(splits, config).warnings if "of memory" in w)
    named = ("--light True", "--recompute True", "--img_size", "--ch", "--batch_size")
    assert [flag for flag in named if flag in warning] == flags
    for enough in (doctor.memory_bytes(config), None):
        monkeypatch.setattr(doctor.machine, "available_bytes", lambda enough=enough: enough)
        assert is_reported(doctor.diagnose(splits, config).notes, "of memory", "estimate")


@pytest.mark.parametrize(
    ("fastest", "precision", "use"),
    [
        ("float32", "float32", None),
        ("float32", "bfloat16", "float32"),
        ("float32", "float16", "float32"),
        ("bfloat16", "bfloat16", None),
        ("bfloat16", "float16", "bfloat16"),
        ("", "bfloat16", None),  # not known
    ],
)
def test_a_precision_that_the_processor_emulates_is_reported(monkeypatch, fastest, precision, use):
    monkeypatch.setattr(doctor.machine, "fastest_precision", lambda: fastest)
    config, splits = made.tiny_config(precision=precision), splits_of(trainA=1, trainB=1)
    found = [w for w in doctor.diagnose(splits, config).warnings if "slower with" in w]
    assert len(found) == (use is not None)
    assert not use or found[0].endswith(
        f"--precision {precision} than with float32. Use --precision {use}."
    )
    monkeypatch.setattr(doctor.gpu, "used", lambda strategy: ["GPU"])
    assert "slower with" not in " ".join(doctor.diagnose(splits, config).warnings)


@pytest.mark.parametrize(
    ("flags", "fastest"),
    [("flags : avx2 fma", "float32"), ("flags : avx2 avx512_bf16", "bfloat16"), ("", "")],
)
def test_the_fastest_precision_is_read_from_what_the_processor_has(monkeypatch, flags, fastest):
    monkeypatch.setattr(machine, "_cpu_info", lambda key: flags.partition(":")[2].strip())
    assert machine.fastest_precision() == fastest


def test_where_there_is_a_gpu_its_memory_counts(monkeypatch):
    config, splits = made.tiny_config(), splits_of(trainA=1, trainB=1)
    need = doctor.memory_bytes(config)
    monkeypatch.setattr(doctor.machine, "available_bytes", lambda: need + 1)
    monkeypatch.setattr(doctor.gpu, "free_bytes", lambda strategy: need - 1)
    for names, where in ((["GPU"], "on the GPU"), (["GPU"] * 2, "on each GPU"), ([], "of memory")):
        monkeypatch.setattr(doctor.gpu, "used", lambda strategy, names=names: names)
        report = doctor.diagnose(splits, config)
        assert is_reported(report.warnings if names else report.notes, where, "available")
    monkeypatch.setattr(doctor.gpu, "used", lambda strategy: ["GPU"])
    monkeypatch.setattr(doctor.gpu, "free_bytes", lambda strategy: None)
    assert is_reported(doctor.diagnose(splits, config).notes, "on the GPU (an estimate).")
