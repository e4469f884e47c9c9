"""A video is read frame by frame as people see it, and written whole, with its sound."""

import os
import re
import subprocess
import sys

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from ugatit_tf.images import video_colors, video_file
from ugatit_tf.images.errors import UnreadableImage

WHITE, RED = (255, 255, 255), (255, 0, 0)
TONE = ["-f", "lavfi", "-i", "sine=frequency=440:duration=2"]


def ffmpeg(*arguments):
    """Runs ffmpeg itself, as a witness beside the module; returns (output, messages)."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout, done.stderr.decode(errors="replace")


def drawn(number, height=48, width=64):
    """Frame `number` of a video that every codec keeps almost as it is."""
    y, x = np.mgrid[0:height, 0:width]
    frame = np.stack([x * 3, y * 4, np.full_like(x, 4 * number)], -1).astype(np.uint8)
    frame[8:24, number % 40 : number % 40 + 16] = 200, 100, 50
    return frame


def counted(number, height=48, width=64):
    """Frame `number` in a code that can be read back: one white block in a grid of 6 by 10."""
    frame = np.zeros([height, width, 3], np.uint8)
    row, column = number // 10 * 8, number % 10 * 6
    frame[row : row + 8, column : column + 6] = 255
    return frame


def read_back(frame):
    blocks = frame[:48, :60].mean(-1).reshape(6, 8, 10, 6).mean((1, 3))
    return int(blocks.argmax())


def source(path, *options, rate="25", num_frames=50, sound=True, paint=drawn):
    """A video made without the module: images, and a tone of two seconds."""
    pixels = path.with_suffix(".pixels")
    pixels.write_bytes(b"".join(paint(i).tobytes() for i in range(num_frames)))
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-r", rate, "-i", pixels]
    ffmpeg(*raw, *(TONE if sound else []), "-pix_fmt", "yuv420p", *options, path)
    pixels.unlink()
    return path


def sound_of(path):
    """The sound as floats, 8000 a second."""
    output, _ = ffmpeg("-i", path, "-map", "0:a", "-ac", "1", "-ar", "8000", "-f", "s16le", "-")
    return np.frombuffer(output, "<i2") / 32768


def length_of(path):
    hours, minutes, seconds = re.search(
        r"Duration: (\d+):(\d+):([\d.]+)", ffmpeg("-i", path, "-f", "null", "-")[1]
    ).groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def write(path, images, *, fps=25, sound_of=None):
    height, width = images[0].shape[:2]
    with video_file.writer(path, width=width, height=height, fps=fps, sound_of=sound_of) as append:
        for image in images:
            append(image)
    return path


def durations(path):
    with Image.open(path) as image:
        values = []
        for number in range(image.n_frames):
            image.seek(number)
            values.append(image.info["duration"])
        return values, image.info.get("loop")


def refusal(path):
    with pytest.raises(UnreadableImage) as caught:
        video_file.open_video(path)
    return caught.value.reason


@pytest.fixture
def children(monkeypatch):
    """The processes that the module starts and does not wait for at once."""
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(video_file.subprocess, "Popen", Recorded)
    return started


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mov", ".mkv", ".m4v"])
def test_a_video_comes_back_with_its_frames_rate_length_and_sound(tmp_path, suffix):
    video = video_file.open_video(source(tmp_path / f"a{suffix}"))
    assert video == video_file.Video(str(tmp_path / f"a{suffix}"), 64, 48, 25.0, 50, True)
    path = write(tmp_path / "new" / "b.mp4", list(video_file.frames(video)), sound_of=video)
    again = video_file.open_video(path)
    assert again == video_file.Video(str(path), 64, 48, 25.0, 50, True)
    assert abs(length_of(path) - 2) < 1 / 25
    assert abs(len(sound_of(path)) / 8000 - 2) < 1 / 25
    peak = np.abs(np.fft.rfft(sound_of(path)[:8000])).argmax()
    assert abs(peak - 440) <= 1  # Hz: still the tone
    for number, frame in enumerate(video_file.frames(again)):
        assert frame.dtype == np.uint8
        assert frame.shape == (48, 64, 3)
        assert np.abs(frame - drawn(number).astype(int)).mean() < 4, number  # halved chroma, twice
    assert os.listdir(tmp_path / "new") == ["b.mp4"]


def test_an_avi_is_read(tmp_path):
    video = video_file.open_video(source(tmp_path / "a.avi", sound=False))
    assert (video.num_frames, video.fps, video.has_sound) == (50, 25.0, False)
    assert len(list(video_file.frames(video))) == 50


def test_the_written_video_keeps_plain_colors(tmp_path):
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (90, 160, 40)]
    images = [np.full([32, 32, 3], color, np.uint8) for color in colors]
    path = write(tmp_path / "a.mp4", images)
    for frame, image in zip(video_file.frames(video_file.open_video(path)), images):
        np.testing.assert_allclose(frame, image, atol=2)
    messages = ffmpeg("-i", path, "-f", "null", "-")[1]
    assert re.search(r"Video: h264.*yuv420p\(tv, bt709", messages)


def test_a_video_without_sound_is_written_without_sound(tmp_path):
    video = video_file.open_video(source(tmp_path / "a.mp4", sound=False))
    assert not video.has_sound
    path = write(tmp_path / "b.mp4", [drawn(i) for i in range(3)], sound_of=video)
    assert not video_file.open_video(path).has_sound


@pytest.mark.parametrize("num_frames", [5, 75])
def test_the_sound_is_never_cut_nor_the_images(tmp_path, num_frames):
    path = source(tmp_path / "a.mp4")
    path = write(tmp_path / "b.mp4", [drawn(i) for i in range(num_frames)], sound_of=path)
    assert abs(len(sound_of(path)) / 8000 - 2) < 1 / 25
    ffmpeg("-i", path, "-map", "0:v", "-c", "copy", tmp_path / "silent.mp4")
    assert video_file.open_video(tmp_path / "silent.mp4").num_frames == num_frames


def test_sound_that_starts_late_stays_with_its_images(tmp_path):
    both = source(tmp_path / "a.mp4")
    ffmpeg("-i", both, "-itsoffset", "0.5", "-i", both, "-map", "0:v", "-map", "1:a", "-c", "copy",
           tmp_path / "late.mp4")  # fmt: skip
    ffmpeg("-itsoffset", "0.4", "-i", both, "-i", both, "-map", "0:v", "-map", "1:a", "-c", "copy",
           tmp_path / "early.mkv")  # fmt: skip
    video = video_file.open_video(tmp_path / "late.mp4")
    assert video.num_frames == 50
    sound = sound_of(write(tmp_path / "b.mp4", list(video_file.frames(video)), sound_of=video))
    assert np.abs(sound[: int(0.45 * 8000)]).max() < 0.01
    assert np.abs(sound[int(0.55 * 8000) :]).max() > 0.05
    video = video_file.open_video(tmp_path / "early.mkv")  # the first image waits for 0.4 s
    assert abs(video.num_frames - 60) <= 1


def test_odd_sizes_lose_one_pixel_in_mp4_and_none_in_gif(tmp_path):
    images = [drawn(i, 47, 63) for i in range(4)]
    video = video_file.open_video(write(tmp_path / "a.mp4", images))
    assert (video.height, video.width, video.num_frames) == (46, 62, 4)
    for frame, image in zip(video_file.frames(video), images):
        assert np.abs(frame - image[:46, :62].astype(int)).mean() < 4
    video = video_file.open_video(write(tmp_path / "a.gif", images))
    assert (video.height, video.width, video.num_frames) == (47, 63, 4)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [("30000/1001", 30000 / 1001), ("24000/1001", 24000 / 1001), ("12.5", 12.5), ("60", 60)],
)
def test_a_rate_stays_exactly_what_it_was(tmp_path, rate, expected):
    path = source(tmp_path / "a.mp4", rate=rate, paint=counted, sound=False)
    video = video_file.open_video(path)
    assert (video.fps, video.num_frames) == (expected, 50)
    video = video_file.open_video(
        write(tmp_path / "b.mp4", list(video_file.frames(video)), fps=video.fps)
    )
    assert (video.fps, video.num_frames) == (expected, 50)
    assert [read_back(frame) for frame in video_file.frames(video)] == list(range(50))


def test_a_variable_rate_becomes_constant_with_its_length(tmp_path):
    chosen = ["-vf", "select='not(eq(mod(n,7),3))'", "-fps_mode", "vfr"]  # as a telephone does
    path = source(tmp_path / "a.mp4", *chosen, rate="30", paint=counted, sound=False)
    video = video_file.open_video(path)
    assert (video.fps, video.num_frames) == (30, 50)
    numbers = [read_back(frame) for frame in video_file.frames(video)]
    assert numbers == [i - (i % 7 == 3) for i in range(50)]  # the one before stands longer


def test_a_video_of_a_telephone_is_seen_upright(tmp_path):
    source(tmp_path / "a.mp4")
    ffmpeg("-display_rotation", "90", "-i", tmp_path / "a.mp4", "-c", "copy", tmp_path / "b.mp4")
    video = video_file.open_video(tmp_path / "b.mp4")
    assert (video.height, video.width) == (64, 48)
    frame = next(frames := video_file.frames(video))
    frames.close()
    assert np.abs(frame - np.rot90(drawn(0)).astype(int)).mean() < 4


def test_pixels_that_are_not_square_are_stretched(tmp_path):
    video = video_file.open_video(source(tmp_path / "a.mp4", "-vf", "setsar=3/2"))
    assert (video.height, video.width) == (48, 96)
    assert next(iter(video_file.frames(video))).shape == (48, 96, 3)


@pytest.mark.parametrize("fps", [30, 24, 12.5, 10, 50])
def test_a_gif_keeps_frames_durations_and_length(tmp_path, fps):
    path = write(tmp_path / "a.gif", [drawn(i) for i in range(30)], fps=fps)
    values, loop = durations(path)
    assert loop == 0  # for ever
    assert len(values) == 30
    assert max(values) - min(values) <= 10  # 1/100 s
    assert abs(sum(values) - 30_000 / fps) <= 10
    video = video_file.open_video(path)
    assert (video.num_frames, video.has_sound) == (30, False)
    assert abs(video.fps - fps) < 0.02 * fps
    for number, frame in enumerate(video_file.frames(video)):
        assert np.abs(frame - drawn(number).astype(int)).mean() < 4, number  # 256 colors


def test_a_gif_above_fifty_a_second_keeps_its_length(tmp_path):
    values, _ = durations(write(tmp_path / "a.gif", [drawn(i) for i in range(30)], fps=60))
    assert values == [20] * 25


def test_a_gif_with_held_drawings_loses_none_and_is_on_white(tmp_path):
    images = [Image.new("RGBA", (20, 10)) for _ in range(6)]
    for number, image in enumerate(images):
        image.paste(RED, (number * 3, 0, number * 3 + 3, 5))
    held = [100, 200, 50, 100, 300, 500]
    options = {"duration": held, "disposal": 2, "save_all": True, "append_images": images[1:]}
    images[0].save(tmp_path / "a.gif", **options)
    video = video_file.open_video(tmp_path / "a.gif")
    assert (video.fps, video.num_frames) == (20, 25)
    expected = np.repeat(np.arange(6), np.array(held) // 50)
    for number, frame in zip(expected, video_file.frames(video)):
        wanted = np.full([10, 20, 3], WHITE, np.uint8)
        wanted[:5, number * 3 : number * 3 + 3] = RED
        np.testing.assert_array_equal(frame, wanted)


def test_a_moving_gif_is_a_video_and_a_still_one_is_not(tmp_path):
    still, moving, broken = (tmp_path / f"{name}.GIF" for name in ("still", "moving", "broken"))
    Image.fromarray(drawn(0)).save(still)
    Image.fromarray(drawn(0)).save(moving, save_all=True, append_images=[Image.new("RGB", (9, 9))])
    broken.write_bytes(b"GIF89a")
    assert video_file.is_video(moving)
    for path in (still, broken, tmp_path / "missing.gif", tmp_path / "a.png", tmp_path / "mp4"):
        assert not video_file.is_video(path)
    for suffix in video_file.SUFFIXES:
        assert video_file.is_video(tmp_path / f"a{suffix.upper()}")


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv", ".avi", ".gif"])
def test_a_video_that_is_cut_off_is_refused(tmp_path, suffix):
    options = ["-movflags", "+faststart"] if suffix == ".mp4" else []
    path = tmp_path / f"a{suffix}"
    if suffix == ".gif":
        write(path, [drawn(i) for i in range(20)])
    else:
        source(path, *options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    assert "cut off" in refusal(path)


def test_an_avi_that_is_cut_after_a_whole_frame_is_refused(tmp_path):
    data = source(tmp_path / "a.avi", "-g", "1", sound=False, num_frames=6).read_bytes()
    path = tmp_path / "cut.avi"
    for position in [actual.start() for actual in re.finditer(b"00dc", data)][1:6]:
        path.write_bytes(data[:position])  # to ffmpeg this is a whole video, only shorter
        assert refusal(path) == "the video is cut off before its end"
    path.write_bytes(data[:4] + bytes(4) + data[8:])  # a pipe cannot say how much will come
    assert video_file.open_video(path).num_frames == 6


def test_an_mp4_in_pieces_that_is_cut_inside_one_is_refused(tmp_path):
    pieces = ["-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-g", "2"]
    data = source(tmp_path / "a.mp4", *pieces, sound=False, num_frames=6).read_bytes()
    positions = [actual.start() - 4 for actual in re.finditer(b"moof", data)]
    assert len(positions) == 3
    path = tmp_path / "cut.mp4"
    for position in (positions[1] + 4, positions[1] + 90, positions[2] + 4):
        path.write_bytes(data[:position])
        assert "cut off" in refusal(path)
    path.write_bytes(data)
    assert video_file.open_video(path).num_frames == 6


HEVC = ["-c:v", "libx265", "-x265-params", "log-level=none:lossless=1"]


def gray_ramp():
    return np.tile(np.linspace(0, 248, 64).astype(np.uint8)[None, :, None], (48, 1, 3))


def video_of_light(path, curve, *, size="64x48", primaries="bt2020"):
    """A video of `gray_ramp`, whose white is reference white, in BT.2020 with another curve."""
    pixels = path.with_suffix(".pixels")
    pixels.write_bytes(2 * gray_ramp().tobytes())
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-r", "5", "-i", pixels]
    screen = "color_trc=iec61966-2-1:color_primaries=bt709:colorspace=gbr:range=pc"
    light = f"zscale=p=bt2020:t={curve}:m=bt2020nc:r=tv:npl=203,format=yuv444p10le,scale={size}"
    light += f",setparams=color_primaries={primaries}"
    filters = f"format=gbrp,setparams={screen},format=gbrpf32le,{light}"
    ffmpeg(*raw, "-vf", filters, *HEVC, path)
    return path


@pytest.mark.parametrize("curve", ["arib-std-b67", "smpte2084"])
def test_a_video_of_high_dynamic_range_is_seen_as_on_a_screen(tmp_path, curve):
    video = video_file.open_video(video_of_light(tmp_path / "a.mp4", curve))
    for frame in video_file.frames(video):
        np.testing.assert_allclose(frame[..., 0], frame[..., 2], atol=2)
        ordinary = gray_ramp() < 215  # 70% of the light of reference white
        np.testing.assert_allclose(frame[ordinary], gray_ramp()[ordinary], atol=4)
        assert 225 < frame[24, -1, 0] < 240
        assert (np.diff(frame[24, :, 0].astype(int)) >= 0).all()


def test_reference_white_in_hlg_is_nearly_white(tmp_path):
    hlg = "setparams=color_trc=arib-std-b67:color_primaries=bt2020:colorspace=bt2020nc:range=tv"
    level = 64 + round(0.75 * 876)  # 75% of the signal, in 10 bits
    filters = f"color=black:s=64x48:r=5:d=0.6,format=yuv420p10le,geq=lum={level}:cb=512:cr=512"
    ffmpeg("-f", "lavfi", "-i", f"{filters},{hlg}", *HEVC, tmp_path / "a.mp4")
    for frame in video_file.frames(video_file.open_video(tmp_path / "a.mp4")):
        assert 230 <= frame.min() <= frame.max() <= 245


def test_odd_sizes_and_tags_that_are_missing_do_not_stop_the_conversion(tmp_path):
    video = video_file.open_video(video_of_light(tmp_path / "a.mkv", "smpte2084", size="63x47"))
    assert next(iter(video_file.frames(video))).shape == (47, 63, 3)
    silent = "hevc_metadata=colour_primaries=2:matrix_coefficients=2"  # 2: unknown
    ffmpeg("-i", video_of_light(tmp_path / "b.mp4", "smpte2084"), "-c", "copy", "-bsf:v", silent,
           tmp_path / "c.mp4")  # fmt: skip
    both = [
        next(iter(video_file.frames(video_file.open_video(tmp_path / name))))
        for name in ("b.mp4", "c.mp4")
    ]
    np.testing.assert_array_equal(*both)


def test_wide_colors_of_an_ordinary_video_are_converted_and_its_grays_stay(tmp_path):
    video = video_file.open_video(video_of_light(tmp_path / "a.mp4", "bt709"))
    assert "zscale=p=bt709" in video.filters and "tonemap" not in video.filters
    gray = next(iter(video_file.frames(video)))
    plain = video_file.open_video(video_of_light(tmp_path / "b.mp4", "bt709", primaries="bt709"))
    assert plain.filters == ""
    np.testing.assert_allclose(gray, next(iter(video_file.frames(plain))), atol=2)


def test_a_video_whose_colors_cannot_be_converted_is_refused_as_that(tmp_path, monkeypatch):
    path = video_of_light(tmp_path / "a.mp4", "arib-std-b67")
    monkeypatch.setattr(video_colors, "_has_filters", lambda program: False)
    assert re.match(r"this is an HDR video \(HLG\), and .* has no filter zscale or", refusal(path))
    stream = "Stream #0:0: Video: hevc, yuv420p10le(tv), 64x48\n  Side data:\n    DOVI "
    stream += "configuration record: version: 1.0, profile: {}, level: 1"
    with pytest.raises(video_colors.UnsupportedColors, match="Dolby Vision of profile 5"):
        video_colors.filters(stream.format(5), "ffmpeg")
    assert video_colors.filters(stream.format(8), "ffmpeg") == ""


def test_what_is_no_video_is_refused_with_a_reason(tmp_path):
    source(tmp_path / "a.mp4", "-g", "1")
    ffmpeg("-i", tmp_path / "a.mp4", "-vn", tmp_path / "sound.mp4")
    assert refusal(tmp_path / "sound.mp4") == "there is no moving image in it"
    assert refusal(tmp_path / "missing.mp4") == "there is no such file"
    assert refusal(tmp_path) == "there is no such file"
    data = (tmp_path / "a.mp4").read_bytes()
    Image.new("RGB", (9, 9)).save(tmp_path / "image.png")
    for name, content in [
        ("text", b"hello\n" * 99),
        ("image", (tmp_path / "image.png").read_bytes()),
        ("playlist", b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.mp4\n#EXT-X-ENDLIST\n"),
    ]:
        (tmp_path / f"{name}.mp4").write_bytes(content)
        assert refusal(tmp_path / f"{name}.mp4") == "this is not a video, or it is cut off"
    (tmp_path / "without_end.mp4").write_bytes(data[:5000])
    assert refusal(tmp_path / "without_end.mp4") == "the video is cut off before its end"
    (tmp_path / "empty.mp4").write_bytes(b"")
    assert "\n" not in refusal(tmp_path / "empty.mp4")
    start = data.index(b"mdat") + 2000
    (tmp_path / "bad.mp4").write_bytes(data[:start] + b"\xaa" * 3000 + data[start + 3000 :])
    assert refusal(tmp_path / "bad.mp4").startswith("the video is damaged")


def test_names_that_look_like_protocols_and_options_are_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("-y: partial file.mp4", [drawn(0), drawn(1)])
    assert video_file.open_video("-y: partial file.mp4").num_frames == 2


def test_a_missing_package_tells_the_command(tmp_path, monkeypatch):
    path = write(tmp_path / "a.mp4", [drawn(0)])
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert "pip install -r requirements-video.txt" in refusal(path)
    with pytest.raises(ImportError, match="pip install -r requirements-video.txt"):
        write(path, [drawn(0)])
    assert os.listdir(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize("suffix", video_file.WRITTEN)
def test_an_error_in_the_middle_leaves_nothing_and_keeps_an_older_video(tmp_path, suffix, children):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"older")
    writing = video_file.writer(path, width=64, height=48, fps=25)
    with pytest.raises(BrokenPipeError, match="mine"), writing as append:
        append(drawn(0))
        raise BrokenPipeError("mine")
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_bytes() == b"older"
    assert len(children) == 1
    assert children[0].returncode is not None


def test_a_video_that_ffmpeg_cannot_write_is_an_error_with_its_reason(tmp_path):
    (tmp_path / "text.mp4").write_bytes(b"hello")
    with pytest.raises(OSError, match="ffmpeg: .*Invalid data"):
        write(tmp_path / "a.mp4", [drawn(i) for i in range(50)], sound_of=tmp_path / "text.mp4")
    with pytest.raises(UnreadableImage, match="no such file"):
        write(tmp_path / "a.mp4", [drawn(0)], sound_of=tmp_path / "missing.mp4")
    assert os.listdir(tmp_path) == ["text.mp4"]


def test_closing_the_frames_early_ends_the_process(tmp_path, children):
    video = video_file.open_video(source(tmp_path / "a.mp4", "-s", "640x480"))
    children.clear()
    frames = video_file.frames(video)
    next(frames)
    assert children[0].poll() is None
    frames.close()
    assert children[0].returncode is not None
    assert children[0].stdout.closed


def test_a_video_that_changed_meanwhile_is_refused(tmp_path):
    video = video_file.open_video(source(tmp_path / "a.mp4"))
    source(tmp_path / "a.mp4", num_frames=20)
    with pytest.raises(UnreadableImage, match="only 20 of 50 frames"):
        list(video_file.frames(video))


def test_wrong_arguments_are_value_errors(tmp_path):
    with pytest.raises(ValueError, match=r"Expected one of .*'.mp4', '.gif'.*Received: '.avi'"):
        write(tmp_path / "a.avi", [drawn(0)])
    for wrong in (drawn(0)[1:], drawn(0)[:, :, :1], drawn(0).astype(np.float32)):
        with pytest.raises(ValueError, match=r"Expected uint8 \[48, 64, 3\]. Received: "):
            write(tmp_path / "a.mp4", [drawn(0), wrong])
    nothing = video_file.writer(tmp_path / "a.mp4", width=64, height=48, fps=25)
    with pytest.raises(ValueError, match="at least one frame"), nothing:
        pass
    assert os.listdir(tmp_path) == []


def test_ffmpeg_says_nothing_on_the_terminal(tmp_path, capfd):
    video = video_file.open_video(source(tmp_path / "a.mp4"))
    write(tmp_path / "b.mp4", list(video_file.frames(video)), sound_of=video)
    write(tmp_path / "b.gif", list(video_file.frames(video)))
    assert capfd.readouterr() == ("", "")
