"""The filters that convert a video's colors to sRGB, where ffmpeg itself leaves them unchanged.

Phones record in HLG or PQ (high dynamic range) and in the primaries of BT.2020. Light up to 70% of
reference white (203 cd/m2, ITU-R BT.2408) is unchanged; brighter light, up to 1000 cd/m2, is
compressed into the remaining range. Reference white becomes 239 of 255.
"""

from __future__ import annotations

import functools
import re
import subprocess

HDR = {"arib-std-b67": "HLG", "smpte2084": "PQ"}
WIDE = ("bt2020", "smpte431", "smpte432")  # primaries
NEEDED = ("zscale", "tonemap")  # filters that not every ffmpeg has
WHITE, PEAK = 203, 1000  # cd/m2

# The filters need them again: a container may hold what the frames do not.
TAGS = "setparams=colorspace={}:color_primaries={}:color_trc={}"
# Full chroma first: `zscale` takes no odd sizes of subsampled chroma.
LIGHT = f"format=yuv444p10le,zscale=t=linear:npl={WHITE},format=gbrpf32le,zscale=p=bt709"
TONES = f"tonemap=tonemap=mobius:param=0.7:desat=0:peak={PEAK / WHITE:.3f}"
SCREEN = "zscale=t={}:m=gbr:r=full"


class UnsupportedColors(ValueError):  # noqa: N818
    """The colors of a video cannot be converted; the message says why in one line."""


def filters(stream: str, ffmpeg: str) -> str:
    """Returns the filters before the conversion to RGB, ending in a comma; "" if none is needed.

    Args:
        stream: ffmpeg's line about the video, and the lines below it.
        ffmpeg: path of the program.

    Raises:
        UnsupportedColors: the colors cannot be converted.
    """
    if re.search(r"DOVI configuration record:.*profile: 5\b", stream):
        raise UnsupportedColors(
            "this is an HDR video in Dolby Vision of profile 5, which is not supported; convert it "
            "to SDR first"
        )
    tags = re.search(r"\((?:tv, |pc, )?([\w-]+)/([\w-]+)/([\w-]+)[,)]", stream.split("\n")[0])
    matrix, primaries, curve = tags.groups() if tags else ("unknown",) * 3
    if curve not in HDR and primaries not in WIDE:
        return ""
    if not _has_filters(ffmpeg):
        kind = f"an HDR video ({HDR[curve]})" if curve in HDR else f"a video in {primaries} colors"
        raise UnsupportedColors(
            f"this is {kind}, and {ffmpeg} has no filter {' or '.join(NEEDED)} to convert it; "
            f"convert it to SDR (BT.709) first, or install a newer imageio-ffmpeg"
        )
    matrix = "bt2020nc" if matrix == "unknown" else matrix
    primaries = "bt2020" if primaries == "unknown" else primaries
    curve = "bt709" if curve == "unknown" else curve
    steps = [TAGS.format(matrix, primaries, curve), LIGHT]
    steps += [TONES, SCREEN.format("iec61966-2-1")] if curve in HDR else [SCREEN.format(curve)]
    return ",".join(steps) + ","


@functools.lru_cache(maxsize=4)
def _has_filters(ffmpeg):
    command = [ffmpeg, "-hide_banner", "-filters"]
    output = subprocess.run(command, capture_output=True, check=False).stdout
    table = output.decode(errors="replace")
    return all(re.search(rf"(?m)^ *\S+ +{name} ", table) for name in NEEDED)
