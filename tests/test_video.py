"""A video is translated frame by frame, and keeps its length, rate and sound."""

import os
import shutil

import numpy as np
import pytest

import main
from tests import runs
from tests.test_video_file import drawn, length_of, sound_of, source
from ugatit_tf.errors import Failure
from ugatit_tf.images import video_file
from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.translation import devices, loading, video, video_paths
from ugatit_tf.translation.options import TranslateOptions


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    config = runs.config_in(tmp_path_factory.mktemp("run"))
    runs.make_run(config)
    return config


@pytest.fixture(scope="module")
def model(config):
    return loading.from_run(config)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return source(runs.odd(tmp_path_factory.mktemp("video")) / "me.mp4", "-c:a", "aac")


def frames_of(path):
    return list(video_file.frames(video_file.open_video(path)))


def translated(model, original, tmp_path, output="out.mp4", **options):
    size = options.pop("size", 0 if "fit" in options or "face" in options else "native")
    request = TranslateOptions(str(original), str(tmp_path / output), size=size, **options)
    assert video_paths.is_video(request)
    return video.translate_video(model, request)


def test_a_video_of_fifty_frames_comes_back_with_its_length_rate_and_sound(
    model, original, tmp_path
):
    path, count, *_ = translated(model, original, tmp_path)
    found, before = video_file.open_video(path), video_file.open_video(original)
    assert count == found.num_frames == before.num_frames == 50
    assert (found.fps, found.width, found.height) == (before.fps, before.width, before.height)
    assert length_of(path) == pytest.approx(length_of(original), abs=0.04)
    sound, expected = sound_of(path), sound_of(original)
    assert len(sound) / 8000 == pytest.approx(len(expected) / 8000, abs=0.05)
    assert np.abs(sound).max() > 0.05


def test_every_frame_is_what_the_model_makes_of_it(model, original, tmp_path):
    path, *_ = translated(model, original, tmp_path)
    for frame, found in zip(frames_of(original)[::10], frames_of(path)[::10]):
        expected = model.translate(frame, size="native")
        assert np.abs(found.astype(int) - expected).mean() < 12  # H.264 halves the colours' size


def test_two_devices_make_the_video_of_one(model, config, original, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "names", lambda *_: ["CPU:0"] * 2)
    both = loading.from_run(config)
    assert both.generators.copies.count == 2
    paths = [
        translated(one, original, tmp_path, name, smooth=0.3)[0]
        for one, name in ((model, "one.gif"), (both, "two.gif"))
    ]
    np.testing.assert_array_equal(*map(frames_of, paths))


def test_smoothing_takes_from_the_last_frame(model, original, tmp_path):
    plain, *_ = translated(model, original, tmp_path)
    smooth, *_ = translated(model, original, tmp_path, "smooth.mp4", smooth=0.8)

    def flicker(path):
        return np.abs(np.diff(np.float32(frames_of(path)), axis=0)).mean()

    assert flicker(smooth) < 0.7 * flicker(plain)


def test_a_moving_gif_becomes_one_and_goes_into_a_folder_under_its_name(model, tmp_path):
    path = tmp_path / "moves.gif"
    with video_file.writer(path, width=64, height=48, fps=10) as append:
        for number in range(6):
            append(drawn(number))
    target, count, *_ = translated(model, path, tmp_path, "out")
    assert (target, count) == (str(tmp_path / "out" / "moves.gif"), 6)
    assert len(frames_of(target)) == 6
    target, *_ = translated(model, path, tmp_path, "moves.mp4")
    assert video_file.open_video(target).fps == 10


def test_a_moving_gif_that_is_to_be_an_image_is_one(tmp_path):
    path = tmp_path / "moves.gif"
    with video_file.writer(path, width=8, height=8, fps=10) as append:
        append(np.zeros([8, 8, 3], np.uint8))
        append(np.full([8, 8, 3], 255, np.uint8))
    assert not video_paths.is_video(TranslateOptions(str(path), str(tmp_path / "first.png")))


@pytest.mark.parametrize(("kind", "width"), [("side", 5 * 64), ("overlay", 64)])
def test_attention_is_beside_or_a_video_of_its_own(model, original, tmp_path, kind, width):
    path, *_ = translated(model, original, tmp_path, heatmap=kind)
    assert (video_file.open_video(path).width, video_file.open_video(path).height) == (width, 48)
    attention = tmp_path / "out_attention.mp4"
    assert attention.exists() == (kind == "overlay")
    if kind == "overlay":
        assert video_file.open_video(attention).num_frames == 50


def test_a_grey_model_makes_a_grey_video(original, tmp_path):
    config = runs.config_in(tmp_path / "grey", img_ch=1)
    runs.make_run(config)
    path, *_ = translated(loading.from_run(config), original, tmp_path, fit="crop", size=16)
    (first, *_) = frames_of(path)
    assert first.shape == (48, 48, 3)
    assert np.abs(np.diff(first.astype(int), axis=-1)).max() <= 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heatmap": "raw"}, "--heatmap of a video is none, overlay or side"),
        ({"report": True}, "--report True is for images"),
        ({"shard": "1/2"}, "--shard is for folders of images"),
    ],
)
def test_what_videos_do_not_have_is_refused(model, original, tmp_path, options, message):
    with pytest.raises(Failure, match=message):
        translated(model, original, tmp_path, **options)
    assert os.listdir(tmp_path) == []


def test_a_video_that_is_there_is_refused_kept_or_replaced(model, original, tmp_path):
    (tmp_path / "out.mp4").write_bytes(b"older")
    with pytest.raises(Failure, match="out.mp4 already exists"):
        translated(model, original, tmp_path)
    assert translated(model, original, tmp_path, resume_output=True)[1] == 0
    assert (tmp_path / "out.mp4").read_bytes() == b"older"
    copy = shutil.copy(original, tmp_path / "me.mp4")
    with pytest.raises(Failure, match="is the video to translate"):
        translated(model, copy, tmp_path, "me.mp4", overwrite=True)
    assert translated(model, original, tmp_path, overwrite=True)[1] == 50


def test_the_video_of_its_attention_replaces_nothing_either(model, original, tmp_path):
    source = shutil.copy(original, tmp_path / "me_attention.mp4")
    with pytest.raises(Failure, match="me_attention.mp4 is the video to translate"):
        translated(model, source, tmp_path, "me.mp4", heatmap="overlay", overwrite=True)
    with pytest.raises(Failure, match="me_attention.mp4 already exists"):
        translated(model, original, tmp_path, "me.mp4", heatmap="overlay")
    (tmp_path / "me.mp4").write_bytes(b"older")
    os.remove(source)
    path, count, *_ = translated(
        model, original, tmp_path, "me.mp4", heatmap="overlay", resume_output=True
    )
    assert count == video_file.open_video(path).num_frames == 50


def test_a_video_that_would_be_scaled_beyond_bounds_is_refused(model, original, tmp_path):
    message = r"me.mp4: it would be scaled to 684 x 512 pixels; --max_pixels is 100000"
    with pytest.raises(Failure, match=message):
        translated(model, original, tmp_path, size=512, max_pixels=100_000)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "out.avi"}, "videos are not written as .avi. Expected one of .mp4, .gif"),
        ({"output": "out.png"}, "videos are not written as .png"),
        ({"max_pixels": 100}, "64 x 48 pixels; --max_pixels is 100"),
    ],
)
def test_a_video_that_cannot_be_written_is_refused(model, original, tmp_path, options, message):
    with pytest.raises(Failure, match=message):
        translated(model, original, tmp_path, **options)


def test_a_face_that_is_lost_for_a_moment_stays_where_it_was(
    model, original, tmp_path, monkeypatch
):
    found = iter([None, (0, 0, 24)] + [(20, 30, 24), None] * 24)
    monkeypatch.setattr(video.face, "find", lambda pixels: next(found))
    path, count, *_ = translated(model, original, tmp_path, face=True, smooth=0.2)
    assert count == video_file.open_video(path).num_frames == 50
    assert video._next_region((0, 0, 24), (20, 30, 24)) == (6, 9, 24)
    assert video._next_region((24, 0, 24), (23, 0, 25)) == (23, 0, 24)  # of an image of 48 x 64
    assert video._next_region((5, 6, 24), None) == (5, 6, 24)
    assert video._next_region(None, (1, 2, 3)) == (1, 2, 3)


def test_an_error_in_the_middle_leaves_no_video(model, original, tmp_path):
    calls = []

    def failing(network):
        def run(x):
            calls.append(1)
            if len(calls) == 3:
                raise RuntimeError("in the middle")
            return network(x)

        return run

    with pytest.raises(RuntimeError, match="in the middle"):
        translated(runs.with_networks(model, failing), original, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_generator_of_nan_makes_no_video(model, original, tmp_path):
    with pytest.raises(Failure, match="the generator a2b gives numbers that are not finite"):
        translated(runs.with_networks(model, runs.blind), original, tmp_path, size=0)
    assert os.listdir(tmp_path) == []


def test_the_command_translates_a_video_and_names_one_that_is_broken(
    config, original, tmp_path, capsys
):
    words = ["--phase=translate", "--dataset=tiny", f"--checkpoint_dir={config.checkpoint_dir}"]
    target = tmp_path / "out" / "me.mp4"
    assert main.main([*words, f"--input={original}", f"--output={tmp_path / 'out'}"]) == 0
    out = capsys.readouterr().out
    assert f"{target}: 50 frames in" in out
    assert "at scale 0.167 (training size 8 px; --size native keeps" in out  # 48 to 8 pixels
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(original.read_bytes()[:500])
    assert main.main([*words, f"--input={broken}", f"--output={tmp_path / 'b.mp4'}"]) == 1
    assert "broken.mp4" in capsys.readouterr().err
    assert not (tmp_path / "b.mp4").exists()
    with pytest.raises(UnreadableImage):
        video_file.open_video(broken)
