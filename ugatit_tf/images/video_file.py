"""Reads a video frame by frame as people see it, and writes one with the sound of another.

ffmpeg, of the package `imageio-ffmpeg`, works in a process beside ours, frame by frame. A video
is told by content, and read whole or refused. A rate that varies (of a telephone, of a GIF)
comes out constant, and the length stays. High dynamic range is brought to that of a screen.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import subprocess
import tempfile
from fractions import Fraction

import numpy as np

from ugatit_tf.images import containers, files, video_colours

SUFFIXES = (".mp4", ".webm", ".mov", ".mkv", ".avi", ".m4v")  # read; GIF too when it moves
WRITTEN = (".mp4", ".gif")
CUT = "the video is cut off before its end"
REASONS = {  # what ffmpeg says: what people should know
    "matches no streams": "there is no moving image in it",
    "partial file|ended prematurely": CUT,
    "moov atom|header parsing|whitelist": "this is not a video, or it is cut off",
    "corrupt|containing master|LZW": "the video is damaged or cut off",
}
NO_MEMORY = "Cannot allocate memory"  # so ffmpeg says it
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
# Without these tags every player guesses the colours in its own way.
TAGS = "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv"
MP4 = f"-map 0:v -vf {EVEN},format=yuv420p -c:v libx264 -crf 18 {TAGS} -movflags +faststart -f mp4"
# Browsers show a frame of 1/100 s for 1/10 s, hence at most 50 a second.
PALETTE = "[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1"
GIF = f"-filter_complex fps={{}},split[a][b];{PALETTE} -loop 0 -f gif"


@dataclasses.dataclass(frozen=True)
class Video:
    """A video that was read once to its end: what `frames` will give."""

    path: str
    width: int  # as seen: upright, with square pixels
    height: int
    fps: float  # frames per second, constant
    num_frames: int
    has_sound: bool
    filters: str = ""  # that bring its colours to sRGB, as `video_colours` has them


def is_video(path):
    """Returns whether a file has the suffix of a video or is a GIF of two frames or more."""
    suffix = pathlib.Path(path).suffix.lower()
    if suffix == ".gif":
        with contextlib.suppress(files.UnreadableImage), files.opened(path) as image:
            return image.format == "GIF" and image.n_frames > 1
    return suffix in SUFFIXES


def opened(path):
    """Returns the `Video` in a file. All of it is decoded once, to count and to check.

    Raises:
        UnreadableImage: missing, damaged, cut off, not a video, too large, of colours that
            cannot be shown; no imageio-ffmpeg.
    """
    local(path)
    if containers.is_cut(path):
        raise files.UnreadableImage(path, CUT)
    image, said = run(path, FIRST)
    width, height = map(int, re.match(rb"P6\s+(\d+)\s+(\d+)\s", image).groups())
    files.check_size(path, width, height)
    # Each with the lines after it, which say more about it.
    streams = re.split(r"(?m)^ +(?=Stream #0:)", said.split("\nOutput #0")[0])[1:]
    stream = next(x for x in streams if ": Video: " in x and "(attached pic)" not in x)
    try:
        filters = video_colours.filters(stream, program())
    except video_colours.UnshowableColours as error:
        raise files.UnreadableImage(path, error) from error
    stream = stream.split("\n")[0]
    rate = constant_rate(path, stream)
    progress, _ = run(path, COUNT.format(rate))
    num_frames = int(re.findall(rb"^frame= *(\d+)", progress, re.MULTILINE)[-1])
    has_sound = any(": Audio: " in x for x in streams)
    return Video(os.fspath(path), width, height, float(rate), num_frames, has_sound, filters)


def frames(video):
    """Yields the `num_frames` frames of a `Video`, uint8 [height, width, 3], in order.

    The first is where the sound begins, too. A GIF is on white. Closing the generator ends the
    process that decodes. An `UnreadableImage` if the file was changed and frames are missing.
    """
    rate = Fraction(video.fps).limit_denominator(1001)
    options = FRAMES.format(rate, video.filters, video.width, video.height, NICELY).split()
    command = [program(), *READ.split(), local(video.path), *options, "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            for number in range(video.num_frames):
                frame = np.empty([video.height, video.width, 3], np.uint8)
                if process.stdout.readinto(frame) < frame.nbytes:
                    why = f"only {number} of {video.num_frames} frames came; was the file changed?"
                    raise files.UnreadableImage(video.path, why)
                yield frame
        finally:
            process.kill()


@contextlib.contextmanager
def writing(path, *, width, height, fps, sound_of=None):
    """Writes a video: yields a function `append(frame)`, frame uint8 [height, width, 3].

    The video appears whole or not at all, in place of an older one; its folder is created. MP4
    is H.264 (yuv420p, crf 18) with all the sound of `sound_of`, a `Video` or a path, as AAC. Its
    sizes must be even: of an odd width or height, the last pixel is cut off. GIF loops for
    ever without sound. Its durations, in 1/100 s, are rounded so that the length stays right;
    frames above 50 a second are left out.

    Raises:
        ValueError: a suffix that is not in `WRITTEN`, no frames, or not such a frame.
        UnreadableImage: there is no file `sound_of`.
        OSError, ImportError: with ffmpeg's reason; the package `imageio-ffmpeg` is missing.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in WRITTEN:
        raise ValueError(f"Unknown video suffix. Expected one of {WRITTEN}. Received: {suffix!r}")
    rate = Fraction(fps).limit_denominator(1001)
    command = [program(), *DRAW.format(width, height, rate).split()]
    if suffix == ".mp4" and sound_of is not None:
        command += [*SAFE.split(), local(getattr(sound_of, "path", sound_of)), *AAC.split()]
    command += (MP4 if suffix == ".mp4" else GIF.format(min(rate, 50))).split()
    count = 0
    with files.replacing(path) as file, tempfile.TemporaryFile() as said:
        command.append(f"file:{file.name}")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=said)

        def append(frame):
            nonlocal count
            frame = np.asarray(frame)
            if frame.dtype != np.uint8 or frame.shape != (height, width, 3):
                received = f"{frame.dtype} {list(frame.shape)}"
                raise ValueError(f"Expected uint8 [{height}, {width}, 3]. Received: {received}")
            try:
                process.stdin.write(frame.tobytes())
                process.stdin.flush()
            except OSError:  # ffmpeg has ended before us
                finish(process, said)
            count += 1

        try:
            yield append
            if not count:
                raise ValueError(f"Expected at least one frame for {path}. Received: none")
            finish(process, said)
        finally:
            process.kill()
            process.communicate()


def finish(process, said):
    process.communicate()  # closes the pipe, whether or not somebody reads, and waits
    if process.returncode:
        said.seek(0)
        raise OSError("ffmpeg: " + " ".join(said.read().decode(errors="replace").split()))


def program():
    """Returns the path of ffmpeg; an ImportError that says what to do if there is none."""
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise ImportError("videos need `pip install -r requirements-video.txt`") from error


def local(path):
    """Returns a name for ffmpeg that is a file's for certain: a colon could be a protocol."""
    if not os.path.isfile(path):
        raise files.UnreadableImage(path, "there is no such file")
    try:
        open(path, "rb").close()
    except OSError as error:  # ffmpeg's words for it sound like damage
        raise files.shortage(path, error) from error
    return f"file:{os.fspath(path)}"


def run(path, options):
    """Reads a video to its end; returns the standard output and the text of the messages."""
    try:
        command = [program(), *READ.split(), local(path), *options.split(), "-"]
    except ImportError as error:
        raise files.UnreadableImage(path, error) from error
    done = subprocess.run(command, capture_output=True, check=False)
    said = done.stderr.decode(errors="replace")
    if done.returncode and NO_MEMORY in said:
        raise files.shortage(path, MemoryError())
    # Only in its own lines: a title or a file name may say anything.
    known = [REASONS[x] for x in REASONS if re.search(rf"(?m)^(\[|Stream map).*({x})", said)]
    if known or done.returncode or not done.stdout:
        known.append("the video is damaged: " + said.strip().rpartition("\n")[2])
        raise files.UnreadableImage(path, known[0])
    return done.stdout, said


def constant_rate(path, stream):
    """Returns one rate for all of a video; `stream` is what ffmpeg says about it."""
    if ": Video: gif" in stream:
        table, _ = run(path, PACKETS)
        durations = [int(x) for x in re.findall(rb"(?m)^0,[^,]*,[^,]*, *(\d+),", table)]  # 1/100 s
        if max(durations) - min(durations) > 1:  # more than rounding: drawings are held
            return usual(100 / min(durations))  # so that none is lost
        rate = 100 * len(durations) / sum(durations)
        return usual(rate, tolerance=rate / 2 / sum(durations))
    rates = [float(x) for x in re.findall(r" ([\d.]+) (?:fps|tbr)\b", stream)] or [30.0]  # unsaid
    mean, nominal = rates[0], rates[-1]
    # Telephones leave frames out: 29.4 in the mean, 30 by the clock. Far off, it is noise.
    return usual(nominal if 0.9 * mean < nominal < 1.2 * mean else mean)


def usual(rounded, tolerance=0.005):
    """Returns the simplest rate within a tolerance, 29.97 -> 30000/1001 and 33.33 -> 100/3."""
    simple = [Fraction(rounded).limit_denominator(n) for n in range(1, 101)]
    simple.insert(1, Fraction(round(rounded * 1.001) * 1000, 1001))
    return next((x for x in simple if abs(x - rounded) <= tolerance), simple[-1])
