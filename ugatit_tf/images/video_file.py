"""Reads a video frame by frame as people see it, and writes one with the sound of another.

ffmpeg, from the package `imageio-ffmpeg`, works in a process of its own, frame by frame. The
content decides the format, and a video is read whole or refused. A variable frame rate (of a
phone, of a GIF) becomes constant, and the length stays. High dynamic range is converted to that
of a screen.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from typing import Callable, Union

import numpy as np

from ugatit_tf import atomic, invocation
from ugatit_tf.images import video_colors, video_container
from ugatit_tf.images.decoding import check_size, open_image
from ugatit_tf.images.errors import UnreadableImage, read_error

SUFFIXES = (".mp4", ".webm", ".mov", ".mkv", ".avi", ".m4v")  # read; animated GIF too
WRITTEN = (".mp4", ".gif")
CUT_OFF = "the video is cut off before its end"
REASONS = {  # pattern of ffmpeg's message -> our message
    "matches no streams": "there is no moving image in it",
    "partial file|ended prematurely": CUT_OFF,
    "moov atom|header parsing|whitelist": "this is not a video, or it is cut off",
    "corrupt|containing master|LZW": "the video is damaged or cut off",
}
NO_MEMORY = "Cannot allocate memory"  # in a message of ffmpeg
# A playlist could name other files and addresses: only these formats, and no network.
SAFE = "-protocol_whitelist file -format_whitelist mov,matroska,avi,gif -i"
READ = f"-hide_banner -nostdin -nostats -xerror {SAFE}"
NICELY = "flags=bicubic+accurate_rnd+full_chroma_int"
SQUARE = f"scale=w='if(lt(abs(sar-1),0.01),iw,round(iw*sar))':h=ih:{NICELY},setsar=1"
FIRST = f"-map 0:V:0 -frames:v 1 -c:v ppm -f image2pipe -vf {SQUARE}"
COUNT = "-v error -map 0:V:0 -progress pipe:1 -f null -vf fps={}:start_time=0"
FRAMES = "-v quiet -map 0:V:0 -f rawvideo -vf fps={}:start_time=0,{}scale={}:{}:{},format=rgb24"
PACKETS = "-v error -map 0:V:0 -c copy -f framecrc"
DRAW = "-v error -y -f rawvideo -pix_fmt rgb24 -video_size {}x{} -framerate {} -i pipe:0"
# Silence fills a late start and gaps, so that sound and image stay together everywhere.
AAC = "-map 1:a:0? -af aresample=async=1:first_pts=0 -c:a aac -b:a 192k"
EVEN = f"crop=iw-mod(iw\\,2):ih-mod(ih\\,2):0:0,scale=out_color_matrix=bt709:out_range=tv:{NICELY}"
# Without these tags every player guesses the colors in its own way.
TAGS = "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv"
MP4 = f"-map 0:v -vf {EVEN},format=yuv420p -c:v libx264 -crf 18 {TAGS} -movflags +faststart -f mp4"
# Browsers show a frame of 1/100 s for 1/10 s, hence at most 50 a second.
PALETTE = "[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1"
GIF = f"-filter_complex fps={{}},split[a][b];{PALETTE} -loop 0 -f gif"


Path = Union[str, os.PathLike]


@dataclasses.dataclass(frozen=True)
class Video:
    """A video that was decoded once to its end: what `frames` will give."""

    path: str
    width: int  # as people see it: upright, with square pixels
    height: int
    fps: float  # frames per second, constant
    num_frames: int
    has_sound: bool
    filters: str = ""  # of ffmpeg, from its colors to sRGB, as in `video_colors`


def is_video(path: Path) -> bool:
    """Whether a file has the suffix of a video or is a GIF of two frames or more."""
    suffix = pathlib.Path(path).suffix.lower()
    if suffix == ".gif":
        with contextlib.suppress(UnreadableImage), open_image(path) as image:
            return image.format == "GIF" and image.n_frames > 1
    return suffix in SUFFIXES


def open_video(path: Path) -> Video:
    """Describes the video in a file. All of it is decoded once, to count and to check.

    Raises:
        UnreadableImage: missing, damaged, cut off, not a video, too large, of colors that
            cannot be converted; imageio-ffmpeg is missing.
        ReadError: this computer could not read it.
    """
    _input_name(path)
    if video_container.is_cut_off(path):
        raise UnreadableImage(path, CUT_OFF)
    image, messages = _decode(path, FIRST)
    width, height = map(int, re.match(rb"P6\s+(\d+)\s+(\d+)\s", image).groups())
    check_size(path, width, height)
    # Each stream with the lines below it, which describe it further.
    streams = re.split(r"(?m)^ +(?=Stream #0:)", messages.split("\nOutput #0")[0])[1:]
    stream = next(x for x in streams if ": Video: " in x and "(attached pic)" not in x)
    try:
        filters = video_colors.filters(stream, ffmpeg_path())
    except video_colors.UnsupportedColors as error:
        raise UnreadableImage(path, error) from error
    stream = stream.split("\n")[0]
    rate = _constant_rate(path, stream)
    progress, _ = _decode(path, COUNT.format(rate))
    num_frames = int(re.findall(rb"^frame= *(\d+)", progress, re.MULTILINE)[-1])
    has_sound = any(": Audio: " in x for x in streams)
    return Video(os.fspath(path), width, height, float(rate), num_frames, has_sound, filters)


def frames(video: Video) -> Iterator[np.ndarray]:
    """Yields the `num_frames` frames of a `Video`, uint8 [height, width, 3], in order.

    The sound begins with the first frame. A GIF is put on white. Closing the generator ends the
    process that decodes.

    Raises:
        UnreadableImage: frames are missing because the file was changed.
    """
    rate = Fraction(video.fps).limit_denominator(1001)
    options = FRAMES.format(rate, video.filters, video.width, video.height, NICELY).split()
    command = [ffmpeg_path(), *READ.split(), _input_name(video.path), *options, "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            for number in range(video.num_frames):
                frame = np.empty([video.height, video.width, 3], np.uint8)
                if process.stdout.readinto(frame) < frame.nbytes:
                    raise UnreadableImage(
                        video.path,
                        f"only {number} of {video.num_frames} frames could be read; was the file "
                        f"changed?",
                    )
                yield frame
        finally:
            process.kill()


@contextlib.contextmanager
def writer(
    path: Path,
    *,
    width: int,
    height: int,
    fps: float,
    sound_of: Video | Path | None = None,
) -> Iterator[Callable[[np.ndarray], None]]:
    """Writes a video: yields a function `append(frame)`, frame uint8 [height, width, 3].

    The video appears whole or not at all, and replaces an older one; its folder is created. MP4
    is H.264 (yuv420p, crf 18) with all the sound of `sound_of`, a `Video` or a path, as AAC. Its
    width and height must be even: the last pixel of an odd one is cut off. GIF loops forever,
    without sound. Its durations, in 1/100 s, are rounded so that the total length stays right;
    frames beyond 50 a second are left out.

    Raises:
        ValueError: a suffix that is not in `WRITTEN`, no frames, or not such a frame.
        UnreadableImage: there is no file `sound_of`.
        OSError, ImportError: with ffmpeg's message; the package `imageio-ffmpeg` is missing.
    """
    command = _encoder(pathlib.Path(path).suffix.lower(), width, height, fps, sound_of)
    with atomic.replacing(path) as file, tempfile.TemporaryFile() as messages:
        command = [*command, f"file:{file.name}"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=messages)
        count = 0

        def append(frame):
            nonlocal count
            frame = np.asarray(frame)
            if frame.dtype != np.uint8 or frame.shape != (height, width, 3):
                received = f"{frame.dtype} {list(frame.shape)}"
                raise ValueError(f"Expected uint8 [{height}, {width}, 3]. Received: {received}")
            try:
                process.stdin.write(frame.tobytes())
                process.stdin.flush()
            except OSError:  # ffmpeg ended early
                _finish(process, messages)
            count += 1

        try:
            yield append
            if not count:
                raise ValueError(f"Expected at least one frame for {path}. Received: none")
            _finish(process, messages)
        finally:
            process.kill()
            process.communicate()


def ffmpeg_path() -> str:
    """Returns the path of ffmpeg.

    Raises:
        ImportError: there is none; the message says how to install it.
    """
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise ImportError(f"videos need `{invocation.install('video')}`") from error


def _encoder(suffix, width, height, fps, sound_of):
    """The command of ffmpeg that encodes raw frames, without the file to write."""
    if suffix not in WRITTEN:
        raise ValueError(f"Unknown video suffix. Expected one of {WRITTEN}. Received: {suffix!r}")
    rate = Fraction(fps).limit_denominator(1001)
    command = [ffmpeg_path(), *DRAW.format(width, height, rate).split()]
    if suffix == ".gif":
        return command + GIF.format(min(rate, 50)).split()
    if sound_of is not None:
        source = sound_of.path if isinstance(sound_of, Video) else sound_of
        command += [*SAFE.split(), _input_name(source), *AAC.split()]
    return command + MP4.split()


def _finish(process, messages):
    process.communicate()  # closes the pipe, whether or not anything reads it, and waits
    if process.returncode:
        messages.seek(0)
        raise OSError("ffmpeg: " + " ".join(messages.read().decode(errors="replace").split()))


def _input_name(path):
    """A name that ffmpeg takes for a file in any case: a colon could stand for a protocol."""
    if not os.path.isfile(path):
        raise UnreadableImage(path, "there is no such file")
    try:
        open(path, "rb").close()
    except OSError as error:  # ffmpeg's message for it sounds like damage
        raise read_error(path, error) from error
    return f"file:{os.fspath(path)}"


def _decode(path, options):
    """Reads a video to its end. Returns ffmpeg's standard output and its messages."""
    try:
        command = [ffmpeg_path(), *READ.split(), _input_name(path), *options.split(), "-"]
    except ImportError as error:
        raise UnreadableImage(path, error) from error
    result = subprocess.run(command, capture_output=True, check=False)
    messages = result.stderr.decode(errors="replace")
    if result.returncode and NO_MEMORY in messages:
        raise read_error(path, MemoryError())
    # Only in ffmpeg's own lines: a title or a file name may contain any text.
    patterns = [x for x in REASONS if re.search(rf"(?m)^(\[|Stream map).*({x})", messages)]
    if patterns:
        raise UnreadableImage(path, REASONS[patterns[0]])
    if result.returncode or not result.stdout:
        last_line = messages.strip().rpartition("\n")[2]
        raise UnreadableImage(path, f"the video is damaged: {last_line}")
    return result.stdout, messages


def _constant_rate(path, stream):
    """One frame rate for all of a video; `stream` is ffmpeg's line about it."""
    if ": Video: gif" in stream:
        packets, _ = _decode(path, PACKETS)
        durations = [
            int(x) for x in re.findall(rb"(?m)^0,[^,]*,[^,]*, *(\d+),", packets)
        ]  # 1/100 s
        if max(durations) - min(durations) > 1:  # more than rounding: some drawings stay longer
            return _simplest_rate(100 / min(durations))  # so that none is lost
        rate = 100 * len(durations) / sum(durations)
        return _simplest_rate(rate, tolerance=rate / 2 / sum(durations))
    rates = [float(x) for x in re.findall(r" ([\d.]+) (?:fps|tbr)\b", stream)] or [30.0]  # unknown
    mean, nominal = rates[0], rates[-1]
    # Phones leave out frames: 29.4 in the mean, 30 by the clock. Far off, it is noise.
    return _simplest_rate(nominal if 0.9 * mean < nominal < 1.2 * mean else mean)


def _simplest_rate(rounded, tolerance=0.005):
    """The simplest rate within a tolerance, 29.97 -> 30000/1001 and 33.33 -> 100/3."""
    candidates = [Fraction(rounded).limit_denominator(n) for n in range(1, 101)]
    candidates.insert(1, Fraction(round(rounded * 1.001) * 1000, 1001))
    return next((x for x in candidates if abs(x - rounded) <= tolerance), candidates[-1])
