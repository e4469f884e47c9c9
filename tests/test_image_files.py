"""--phase translate: every image at its own size, nothing lost, one bad file stops nothing."""

import dataclasses
import errno
import html
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import main
from tests import runs
from tests.tolerances import TOLERANCE
from ugatit_tf import atomic
from ugatit_tf.images import image_array, image_file
from ugatit_tf.interchange import generator_file
from ugatit_tf.translation import face, image_files, loading, paths, streaming
from ugatit_tf.translation.options import TranslateOptions


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    config = runs.config_in(runs.odd(tmp_path_factory.mktemp("run")))
    runs.make_run(config)
    return config


@pytest.fixture(scope="module")
def model(config):
    return loading.from_run(config)


@pytest.fixture
def images(tmp_path):
    """A folder of five images, two of one size, and two files that are none."""
    folder = runs.odd(tmp_path) / "in"
    runs.write_images(folder, ["a.png", "b.jpg"], height=10, width=14)
    runs.write_images(folder, ["c.webp"], height=33, width=9, seed=1)
    rgba = np.random.default_rng(2).integers(0, 256, [12, 20, 4], dtype=np.uint8)
    Image.fromarray(rgba).save(folder / "d.png")
    Image.fromarray(rgba[..., 0]).convert("I;16").save(folder / "e.tif")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:60])
    (folder / "notes.txt").write_text("no image")
    return folder


def request_of(folder, **options):
    return TranslateOptions(str(folder), str(folder.parent / "out"), **options)


def converted(model, folder, **options):
    """(summary, name -> uint8 pixels of the results)."""
    request = request_of(folder, **options)
    summary = image_files.translate_files(model, request)
    names = sorted(runs.bytes_below(request.output))
    shown = [name for name in names if not name.endswith((".npy", ".html"))]
    return summary, {name: image_file.read(os.path.join(request.output, name)) for name in shown}


def assert_near(found, expected, most=1):
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= most


def test_every_image_is_translated_at_its_own_size_and_the_others_are_named(model, images):
    summary, found = converted(model, images)
    assert list(found) == ["a.png", "b.jpg", "c.webp", "d.png", "e.png"]
    assert summary.num_translated == 5
    assert [name for name, _ in summary.failures] == ["broken.png", "notes.txt"]
    for name, source in zip(found, ["a.png", "b.jpg", "c.webp", "d.png", "e.tif"]):
        expected = model.translate(image_file.read(images / source))
        if name == "d.png":  # below its transparency too
            with Image.open(images.parent / "out" / name) as image:
                assert_near(np.asarray(image.convert("RGB")), expected)
        elif name.endswith(".png"):
            assert_near(found[name], expected)
        else:  # what a JPEG or WebP makes of noise
            assert np.abs(found[name].astype(int) - expected).mean() < 25


def test_transparency_is_kept_where_the_format_has_it(model, images):
    converted(model, images)
    _, alpha = image_file.read_with_alpha(images.parent / "out" / "d.png")
    _, expected = image_file.read_with_alpha(images / "d.png")
    np.testing.assert_array_equal(alpha, expected)
    converted(model, images, format="jpg", overwrite=True)
    assert image_file.read_with_alpha(images.parent / "out" / "d.jpg")[1] is None


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_the_format_may_be_chosen_and_the_quality_counts(model, images, kind):
    _, found = converted(model, images, format=kind, quality=95)
    assert all(name.endswith(f".{kind}") for name in found)
    fine = os.path.getsize(images.parent / "out" / f"a.{kind}")
    converted(model, images, format=kind, quality=5, overwrite=True)
    coarse = os.path.getsize(images.parent / "out" / f"a.{kind}")
    assert (coarse < fine) == (kind != "png")


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"fit": "stretch"}, (33, 9)),
        ({"fit": "stretch", "restore_size": False}, (8, 8)),
        ({"fit": "stretch", "restore_size": False, "size": 16}, (16, 16)),
        ({"fit": "crop"}, (9, 9)),
        ({"fit": "pad"}, (33, 9)),
        ({"max_side": 16, "restore_size": False}, (16, 4)),
        ({"max_side": 16}, (33, 9)),
        ({"tile_pixels": 4096}, (33, 9)),
    ],
)
def test_an_image_fits_as_asked(model, images, options, shape):
    _, found = converted(model, images, format="png", **options)
    assert found["c.png"].shape[:2] == shape


def test_the_stretched_image_is_that_of_the_test_phase(model, images, config):
    _, found = converted(model, images, fit="stretch", restore_size=False, direction="b2a")
    square = image_file.read(images / "a.png")
    expected = model.translate(square, fit="stretch", direction="b2a")
    assert found["a.png"].shape == (8, 8, 3)
    fit = model.fit_of(square.shape, "stretch", restore=False)
    x = fit.apply(image_array.to_float(square))
    (result,) = runs.results_of(model, [x], direction="b2a")
    assert_near(found["a.png"], image_array.to_uint8(result.image))
    assert expected.shape == square.shape


def test_large_images_are_done_in_tiles(model, tmp_path):
    runs.write_images(tmp_path / "in", ["a.png"], height=70, width=150)
    sizes = []

    def spied(network):
        def run(x):
            sizes.append(tuple(x.shape))
            return network(x)

        return run

    spy = runs.with_networks(model, spied)
    _, found = converted(spy, tmp_path / "in", tile_pixels=4096, size="native")
    assert found["a.png"].shape == (70, 150, 3)
    assert set(sizes) == {(1, 40, 56, 3)} and len(sizes) == 6


@pytest.mark.parametrize("kind", ["overlay", "raw", "npy", "side"])
def test_heatmaps_lie_beside_the_results_at_their_size(model, images, kind):
    _, found = converted(model, images, heatmap=kind)
    out = images.parent / "out"
    names = {"side": ["side"]}.get(kind, ["attention", "local", "global"])
    for name, (height, width) in (("a", (10, 14)), ("c", (33, 9))):
        for part in names:
            if kind == "npy":
                values = np.load(out / f"{name}_{part}.npy")
                assert (values.dtype, values.shape) == (np.float32, (height, width))
            elif kind == "raw":
                with Image.open(out / f"{name}_{part}.png") as image:
                    values = np.asarray(image)
                assert values.shape == (height, width)
                assert (values.min(), values.max()) == (0, 65535)
            else:
                images_beside = 5 if kind == "side" else 1
                assert found[f"{name}_{part}.png"].shape == (height, images_beside * width, 3)
    if kind == "side":
        shown, output = image_file.read(images / "a.png"), found["a.png"]
        np.testing.assert_array_equal(found["a_side.png"][:, :28], np.hstack([shown, output]))


def test_a_heatmap_is_the_generator_s(model, images):
    converted(model, images, heatmap="npy", size="native")
    image = image_array.to_float(
        image_file.read(images / "d.png")
    )  # 12 x 20, as the networks take it
    (result,) = runs.results_of(model, [image], heatmap=True)
    expected = tf.image.resize(result.heatmaps.generator[..., None], (12, 20))[..., 0]
    found = np.load(images.parent / "out" / "d_attention.npy")
    np.testing.assert_allclose(found, expected, **TOLERANCE["network"])


def test_the_report_shows_every_image_and_names_the_failures(model, images):
    summary, _ = converted(model, images, report=True)
    with open(summary.report, encoding="utf-8") as file:
        page = file.read()
    assert page.count("<article") == 5
    assert page.count("<figcaption>Output") == page.count("<figcaption>Heatmap") == 5
    assert "in, A to B" in page and "broken.png: the image is damaged" in page
    assert "images a second" in page and "step_0000003" in page
    assert image_file.read(images.parent / "out" / "contact_sheet.png").size


def test_an_image_may_be_called_as_the_contact_sheet(model, tmp_path):
    (path,) = runs.write_images(tmp_path / "in", ["contact_sheet.png"])
    expected = model.translate(image_file.read(path))
    for overwrite in (False, True):
        converted(model, tmp_path / "in", report=True, overwrite=overwrite)
        assert_near(image_file.read(tmp_path / "out" / "contact_sheet.png"), expected)
    assert image_file.read(tmp_path / "out" / "contact_sheet_2.png").size


def test_any_error_is_that_image_s_alone(model, images, monkeypatch):
    encode = image_file.encode

    def broken(image, suffix=".png", **options):
        if suffix == ".webp":
            raise ValueError("too wide\nfor WebP")
        return encode(image, suffix, **options)

    monkeypatch.setattr(image_file, "encode", broken)
    summary, found = converted(model, images)
    assert ("c.webp", "too wide for WebP") in summary.failures and len(found) == 4


def test_a_video_in_a_folder_is_named_and_an_image_that_would_grow_beyond_bounds(model, tmp_path):
    runs.write_images(tmp_path / "in", ["thin.png"], height=1, width=300)
    (tmp_path / "in" / "me.mp4").write_bytes(b"video")
    summary, _ = converted(model, tmp_path / "in", size=64, max_pixels=10_000)
    assert dict(summary.failures) == {
        "me.mp4": "a video; give it as --input by itself",
        "thin.png": "it would be scaled to 19200 x 64 pixels; --max_pixels is 10000. Use a "
        "smaller --size, or a larger --max_pixels.",
    }


def test_a_large_image_is_scaled_to_the_training_size_and_the_scale_is_said(
    config, model, tmp_path, capsys
):
    runs.write_images(tmp_path / "in", ["a.png"], height=16, width=40)
    runs.write_images(tmp_path / "in", ["b.png"])
    told = []
    for size in (0, "native", 16):
        words = arguments(config, tmp_path / "in", size=size, report=True, overwrite=True)
        assert main.main(words) == 0
        out = capsys.readouterr().out
        told.append(out[out.index("at scale") : out.index("\nReport")])
        page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
        assert html.escape(told[-1]) in page
        expected = model.translate(image_file.read(tmp_path / "in" / "a.png"), size=size)
        assert_near(image_file.read(tmp_path / "out" / "a.png"), expected)
    hint = " (training size 8 px; --size native keeps the source's own scale)"
    assert told == [f"at scales from 0.5 to 1{hint}", "at scale 1", "at scales from 1 to 1.6"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--size=native", "--fit=crop"], "--size native belongs to --fit keep"),
        (["--size=native", "--face=True"], "Leave out --size native"),
        (["--size=big"], "expected a whole number or native"),
    ],
)
def test_a_size_that_does_not_go_with_the_rest_is_refused(config, images, capsys, words, message):
    assert main.main([*arguments(config, images), *words]) == 2
    assert message in capsys.readouterr().err


def test_an_image_of_which_nan_is_made_is_named_and_the_others_are_translated(model, images):
    def broken(network):
        def run(x):
            out = network(x)
            is_white = tf.reduce_mean(x, [1, 2, 3], keepdims=True) > 0.9
            return out._replace(image=tf.where(is_white, np.nan, out.image))

        return run

    image_file.write(images / "a2.png", np.full([10, 14, 3], 255, np.uint8))
    summary, found = converted(runs.with_networks(model, broken), images)
    reasons = dict(summary.failures)
    assert "the generator a2b gives numbers that are not finite" in reasons["a2.png"]
    assert summary.num_translated == 5 and len(found) == 5 and "a2.png" not in found


def test_results_that_are_removed_meanwhile_are_failures(model, images, monkeypatch):
    write = image_file.write

    def removing(path, image, **options):
        if os.path.basename(path) == "c.webp":
            os.remove(images.parent / "out" / "a.png")
        write(path, image, **options)

    monkeypatch.setattr(image_file, "write", removing)
    monkeypatch.setattr(streaming.threads, "workers", lambda *_: 1)  # in their order
    summary, _ = converted(model, images)
    assert summary.num_translated == 4
    assert "its result was removed meanwhile" in dict(summary.failures)["a.png"]


@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_transparency_is_not_scaled_there_and_back(model, images, fit):
    converted(model, images, fit=fit)
    _, alpha = image_file.read_with_alpha(images.parent / "out" / "d.png")
    np.testing.assert_array_equal(alpha, image_file.read_with_alpha(images / "d.png")[1])


def test_squares_of_the_full_model_are_never_cut_into_tiles(tmp_path):
    config = runs.config_in(tmp_path / "full", light=False, img_size=72)
    runs.make_run(config)
    runs.write_images(tmp_path / "in", ["a.png"], height=80, width=90)
    summary, found = converted(loading.from_run(config), tmp_path / "in", tile_pixels=4096)
    assert (summary.failures, found["a.png"].shape) == ([], (80, 90, 3))


def test_a_dry_run_translates_nothing(config, images, capsys):
    words = [*arguments(config, images), "--dry_run=True"]
    assert main.main(words) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["input"], told["ch"]) == (str(images), 2)
    assert not (images.parent / "out").exists()


def test_a_report_that_is_there_is_not_replaced(model, images):
    first, _ = converted(model, images, report=True)
    os.remove(images.parent / "out" / "a.png")
    again, _ = converted(model, images, report=True, resume_output=True)
    assert os.path.basename(first.report) == "report.html"
    assert os.path.basename(again.report) == "report_2.html"


def test_what_was_interrupted_goes_on_with_what_is_missing(model, images):
    converted(model, images)
    out = images.parent / "out"
    os.remove(out / "c.webp")
    before = runs.bytes_below(out)
    summary, _ = converted(model, images, resume_output=True)
    assert summary.num_translated == 1
    after = runs.bytes_below(out)
    assert {name: after[name] for name in before} == before and "c.webp" in after


def test_shards_at_the_same_time_write_together_what_one_run_writes(model, tmp_path):
    names = ["contact_sheet_1_of_3.png", *(f"{i}.png" for i in range(4)), "夏.webp"]
    runs.write_images(tmp_path / "in", names)
    whole, expected = converted(model, tmp_path / "in", heatmap="raw")
    requests = [
        dataclasses.replace(
            request_of(tmp_path / "in", heatmap="raw", report=True),
            output=str(tmp_path / "shards"),
            shard=f"{number}/3",
        )
        for number in (1, 2, 3)
    ]
    with ThreadPoolExecutor(3) as pool:
        summaries = list(
            pool.map(lambda request: image_files.translate_files(model, request), requests)
        )
    assert [one.num_translated for one in summaries] == [2, 2, 2]
    found = runs.bytes_below(tmp_path / "shards")
    pages = {f"report_{number}_of_3.html" for number in (1, 2, 3)}
    sheets = {f"contact_sheet_{name}.png" for name in ("1_of_3_2", "2_of_3", "3_of_3")}
    assert set(found) == {*expected, *pages, *sheets}
    assert {os.path.basename(one.report) for one in summaries} == pages
    assert "1 of 3" in found["report_1_of_3.html"].decode()
    for name, pixels in expected.items():
        assert_near(image_file.read(tmp_path / "shards" / name), pixels)
    again = dataclasses.replace(requests[1], resume_output=True)
    assert image_files.translate_files(model, again).num_translated == 0
    assert runs.bytes_below(tmp_path / "shards") == found


def test_images_with_too_many_pixels_are_refused_before_they_are_decoded(model, images):
    summary, found = converted(model, images, max_pixels=139)
    assert "a.png" not in found and "10 x 14" not in found
    assert ("a.png", "14 x 10 pixels; at most 139 are read") in summary.failures


def test_out_of_memory_is_the_failure_of_those_images_alone(model, images):
    runs.write_images(images, ["c2.webp"], height=33, width=9, seed=2)
    batches = []

    def starved(network):
        def run(x):
            batches.append(tuple(x.shape[:2]))
            if x.shape[1] > 30 or len(x) > 1:
                raise tf.errors.ResourceExhaustedError(None, None, "no")
            return network(x)

        return run

    summary, found = converted(runs.with_networks(model, starved), images)
    reason = "out of memory; use --max_side or a smaller --tile_pixels"
    assert [(name, reason) for name in ("c.webp", "c2.webp")] == [
        failure for failure in summary.failures if failure[1] == reason
    ]
    assert summary.num_translated == 4 and "c.webp" not in found
    assert batches.index((2, 12)) < batches.index((1, 12))  # a batch, then its images one by one


def test_a_full_disk_stops_it_and_a_refused_file_does_not(model, images, monkeypatch):
    replacing, threads = atomic.replacing, threading.active_count()

    def failing(path, **options):
        if os.path.basename(path) == "b.jpg":
            raise OSError(number, os.strerror(number), str(path))
        return replacing(path, **options)

    monkeypatch.setattr(atomic, "replacing", failing)
    number = errno.EACCES
    summary, found = converted(model, images)
    assert "b.jpg" in [name for name, _ in summary.failures] and len(found) == 4
    number = errno.ENOSPC
    with pytest.raises(OSError, match="No space left"):
        converted(model, images, overwrite=True)
    assert threading.active_count() <= threads


def test_a_face_is_translated_alone_and_where_there_is_none_the_whole(model, tmp_path, monkeypatch):
    runs.write_images(tmp_path / "in", ["a.png", "b.png"], height=40, width=60)
    first = image_file.read(tmp_path / "in" / "a.png")
    monkeypatch.setattr(
        face, "find", lambda pixels: (5, 10, 24) if np.array_equal(pixels, first) else None
    )
    summary, found = converted(model, tmp_path / "in", face=True, heatmap="npy")
    assert summary.without_face == ["b.png"]
    changed = (found["a.png"] != first).any(-1)
    rows, columns = changed.any(1).nonzero()[0], changed.any(0).nonzero()[0]
    assert rows.min() >= 5 and rows.max() < 29 and columns.min() >= 10 and columns.max() < 34
    heat = np.load(tmp_path / "out" / "a_attention.npy")
    assert (heat[:5] == heat.min()).all() and heat[5:29, 10:34].max() > heat.min()
    assert_near(found["b.png"], model.translate(image_file.read(tmp_path / "in" / "b.png")))


def test_a_grey_model_translates_colour_and_writes_grey(tmp_path):
    config = runs.config_in(tmp_path / "grey", img_ch=1)
    runs.make_run(config)
    runs.write_images(tmp_path / "in", ["a.png"])
    _, found = converted(loading.from_run(config), tmp_path / "in", heatmap="side")
    assert np.array_equal(found["a.png"][..., 0], found["a.png"][..., 2])
    assert found["a_side.png"].shape == (10, 5 * 14, 3)


def arguments(config, folder, **options):
    given = {"input": folder, "output": folder.parent / "out", "dataset": config.dataset, **options}
    words = [f"--{name}={value}" for name, value in given.items()]
    return ["--phase", "translate", f"--checkpoint_dir={config.checkpoint_dir}", *words]


def test_the_command_says_what_it_did_and_fails_if_an_image_did(config, images, capsys):
    assert main.main(arguments(config, images)) == 1
    out, err = capsys.readouterr()
    assert "Translated 5 images" in out
    assert "error: 2 could not be translated:\n  broken.png: the image is" in err
    assert "  notes.txt: not a JPEG" in err
    for name in ("broken.png", "notes.txt"):
        os.remove(images / name)
    assert main.main(arguments(config, images, overwrite=True)) == 0
    assert main.main(arguments(config, images)) == 1
    assert "already exist" in capsys.readouterr().err
    runs.write_images(images, ["large.png"], height=70, width=70)
    tiled = {"tile_pixels": 4096, "size": "native"}
    assert main.main(arguments(config, images, overwrite=True, **tiled)) == 0
    out = capsys.readouterr().out
    assert "In tiles, whose tones may differ (--max_side avoids it): large.png" in out


def test_what_moves_and_becomes_an_image_is_named(config, tmp_path, capsys):
    folder = tmp_path / "in"
    runs.write_images(folder, ["still.png", "still.webp"])
    first, second = (Image.new("RGB", (12, 12), colour) for colour in ("red", "blue"))
    for name in ("moves.webp", "moves.png", "moves.gif"):
        first.save(folder / name, save_all=True, append_images=[second], duration=100)
    assert main.main(arguments(config, folder)) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if "first frame" in line]
    assert told == [
        "Animated; only the first frame was translated: moves.gif, moves.png, moves.webp"
    ]


def test_a_folder_that_cannot_be_read_is_named_at_the_end(config, images, monkeypatch, capsys):
    (images / "dark").mkdir()
    (images / "broken.png").unlink()
    (images / "notes.txt").unlink()
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("dark"):  # others open folders by number
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert main.main(arguments(config, images, recursive=True)) == 1
    out, err = capsys.readouterr()
    assert "Translated 5 images" in out
    assert "1 could not be translated:\n  dark: permission denied; this folder was left" in err


def test_a_shard_without_images_is_no_failure(config, tmp_path, capsys):
    runs.write_images(tmp_path / "in", ["a.png", "b.png"])
    words = arguments(config, tmp_path / "in", shard="3/3", report=True)
    assert main.main(words) == 0
    assert "Translated 0 images" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()
    assert main.main([*words, "--shard=4/3"]) == 2
    assert "--shard must be I/N with I from 1 to N, e.g. 2/4" in capsys.readouterr().err


def test_the_command_takes_one_image_and_a_generator_file(config, model, tmp_path, capsys):
    (path,) = runs.write_images(tmp_path, ["me.jpg"])
    networks, _ = loading.load_networks(config)
    file = str(tmp_path / "b2a.npz")
    generator_file.save(networks.b2a, config, "b2a", file)
    words = [f"--input={path}", f"--output={tmp_path / 'anime.png'}", f"--model={file}"]
    assert main.main(["--phase", "translate", *words, "--direction", "a2b"]) == 1
    assert "translates b2a only. Received: 'a2b'" in capsys.readouterr().err
    assert main.main(["--phase", "translate", *words]) == 0  # the only one
    assert "Translated 1 image in " in capsys.readouterr().out
    expected = model.translate(image_file.read(path), direction="b2a")
    assert_near(image_file.read(tmp_path / "anime.png"), expected)


def test_names_of_other_bytes_and_scripts_are_translated(model, tmp_path):
    names = ["夏 photo.png", "<b> & co.png", "-dash.png"]
    runs.write_images(tmp_path / "in", names)
    summary, found = converted(model, tmp_path / "in", report=True)
    assert summary.num_translated == 3 and set(names) < set(found)


def test_a_job_is_of_one_request(model, images):
    """A frozen request: nothing of one call is left in the next."""
    request = request_of(images)
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.output = "elsewhere"
    assert paths.jobs(request) == paths.jobs(request)
