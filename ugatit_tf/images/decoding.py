"""Opens an image file for a decoder, and separates faults of the file from those of the computer.

Only what a decoder makes of a file's bytes is an `UnreadableImage`. Where the computer does not
deliver the bytes, or has no memory for them, nothing is known about the image: a `ReadError`.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, Callable, Union

from PIL import Image, PngImagePlugin

from ugatit_tf.images.color_profiles import UnknownColors
from ugatit_tf.images.errors import NO_FILE, UnreadableImage, read_error
from ugatit_tf.images.pillow_warnings import quiet

MAX_PIXELS = 64_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")  # nothing that starts a program
METADATA = 2**24  # bytes of one text or profile in a PNG; Pillow's own limit is 2**20

IMAGE_WIDTH, IMAGE_LENGTH = 256, 257  # TIFF tags
NO_MEMORY = "out of memory error"  # the start of Pillow's message, of an OSError

Image.init()  # Pillow loads its decoders at first use, which two threads must not do at once
PngImagePlugin.MAX_TEXT_CHUNK = max(PngImagePlugin.MAX_TEXT_CHUNK, METADATA)


class RemoteImage(os.PathLike):
    """An image that is not a file of its own on this computer: its path, and how to read it.

    Takes the place of a path wherever images are read. It is not a string, so no string operation
    can turn it into the path of a file that does not exist.

    Args:
        path: str. For messages, names and comparisons.
        read_bytes: function without arguments that returns the content of the image's file.
    """

    path: str
    read_bytes: Callable[[], bytes]

    def __init__(self, path: str, read_bytes: Callable[[], bytes]) -> None:
        self.path = path
        self.read_bytes = read_bytes

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"RemoteImage({self.path!r})"


ImagePath = Union[str, os.PathLike]  # a `RemoteImage` too


class GuardedFile:
    """A file for a decoder that remembers an error of the computer which the decoder hides."""

    error: Exception | None

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.length = file.seek(0, io.SEEK_END)
        self.error = None
        self.tell, self.seek = file.tell, file.seek
        file.seek(0)

    def read(self, length: int = -1) -> bytes:
        """Reads at most `length` bytes; all that follow if it is negative."""
        rest = max(0, self.length - self.tell())
        try:  # at most what is there: a damaged file can name any length
            return self.file.read(rest if length is None or length < 0 else min(length, rest))
        except (OSError, MemoryError) as error:
            self.error = error
            raise


@contextlib.contextmanager
def open_image(path: ImagePath, max_pixels: int = MAX_PIXELS) -> Iterator[Image.Image]:
    """Opens an image for the body of a `with`; errors of a decoder become `UnreadableImage`.

    Raises:
        UnreadableImage: the file is missing, or is not a whole image of at most `max_pixels`.
        ReadError: this computer could not read it.
    """
    content = path.read_bytes() if isinstance(path, RemoteImage) else None
    with quiet(), _open_file(path, content) as file:
        guarded = GuardedFile(file)
        try:
            with Image.open(guarded, formats=FORMATS) as image:
                check_size(path, *stored_size(image), max_pixels)
                yield image
        except UnreadableImage:
            raise
        except Exception as error:  # a broken file can bring any error out of a decoder
            error = guarded.error or error
            if _is_of_computer(error):
                raise read_error(path, error) from error
            raise UnreadableImage(path, _reason(file, error)) from error
        if guarded.error:  # which the decoder kept to itself
            raise read_error(path, guarded.error)


def check_size(path: ImagePath, width: int, height: int, max_pixels: int = MAX_PIXELS) -> None:
    """Raises `UnreadableImage` for an image of more than `max_pixels`."""
    if width * height > max_pixels:
        most = f"{max_pixels / 1e6:g} million" if max_pixels >= 10**6 else str(max_pixels)
        raise UnreadableImage(path, f"{width} x {height} pixels; at most {most} are read")


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Returns (width, height) before turning; newer versions of Pillow swap a TIFF's."""
    if image.format == "TIFF":
        return image.tag_v2[IMAGE_WIDTH], image.tag_v2[IMAGE_LENGTH]
    return image.size


@contextlib.contextmanager
def _open_file(path, content):
    try:
        if content is not None:
            file = io.BytesIO(content)
        elif stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for a writer
            file = open(path, "rb")  # noqa: SIM115
        else:
            kind = "a folder" if os.path.isdir(path) else "not a file"
            raise UnreadableImage(path, f"this is {kind}, not an image")
    except (OSError, MemoryError) as error:
        if getattr(error, "errno", None) in NO_FILE:
            raise UnreadableImage(path, error.strerror.lower()) from error
        raise read_error(path, error) from error
    with file:
        yield file


def _is_of_computer(error):
    """Whether an error is the computer's: errors of a decoder have no number of the system.

    EINVAL is a damaged file's, which sent its decoder to a position before its start.
    """
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
        return True
    return isinstance(error, MemoryError) or NO_MEMORY in str(error)


def _reason(file, error):
    """Why the content of `file` cannot be read as an image."""
    if isinstance(error, UnknownColors):
        return str(error)
    if isinstance(error, Image.DecompressionBombError):
        return f"far too many pixels; at most {MAX_PIXELS // 10**6} million are read"
    if isinstance(error, Image.UnidentifiedImageError):
        file.seek(0)
        return _kind_of_file(file.read(512))
    if "MAX_TEXT_" in str(error) or "data too large" in str(error).lower():
        most = f"{PngImagePlugin.MAX_TEXT_CHUNK / 1e6:.0f} MB"
        return f"its metadata (texts, profile) is too large; at most {most} of each are read"
    return f"the image is damaged or cut off ({error or type(error).__name__})"


def _kind_of_file(start):
    """What a file is that begins with these bytes, which no image begins with."""
    if not start:
        return "the file is empty"
    if start[4:8] == b"ftyp":  # phones write it, often under a .jpg name
        return "this is HEIC, AVIF or a video; save it as JPEG or PNG first"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "this is a web page, not an image; the download went wrong"
    if start.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return (
            "this is a TIFF of a kind that is not read, or damaged at its start; save it with "
            "8 bits a channel, or as PNG"
        )
    return "not a JPEG, PNG, WebP, BMP, GIF or TIFF image, or damaged at its start"
