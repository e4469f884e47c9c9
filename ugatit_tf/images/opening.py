"""Opens an image file for a decoder, and tells what is wrong with the file from what is not.

Only what a decoder makes of a file's bytes is held against the file. Where the computer does not
give them, or has no memory for them, nothing is known of it, and that is another error.
"""

import contextlib
import errno
import io
import os
import pathlib
import stat

from PIL import Image, PngImagePlugin

from ugatit_tf.images import profiles
from ugatit_tf.images.pillow_warnings import quiet

MAX_PIXELS = 64_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")  # nothing that starts a program
METADATA = 2**24  # bytes of one text or profile in a PNG; Pillow's own limit is 2**20

IMAGE_WIDTH, IMAGE_LENGTH = 256, 257  # TIFF tags
NO_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)
NO_MEMORY = "out of memory error"  # so begins what Pillow says, as an OSError
ADVICE = {
    errno.EMFILE: "too many files are open: raise the limit (`ulimit -n`)",
    errno.ENFILE: "too many files are open on this computer: close some programs",
    errno.ENOMEM: "the memory is not enough: close other programs",
    errno.EACCES: "permission denied: give the right to read it",
}

Image.init()  # Pillow loads its decoders at first use, which two threads must not do at once
PngImagePlugin.MAX_TEXT_CHUNK = max(PngImagePlugin.MAX_TEXT_CHUNK, METADATA)


class RemotePath(str):
    """The path of an image that is no file on this computer; it can stand for one here."""

    def read_bytes(self) -> bytes:
        """The content of the image's file; an error is not taken for one of the image."""
        raise NotImplementedError


class UnreadableImage(ValueError):  # noqa: N818
    """A file at `path` that is not a whole image; `reason` says why in one line."""

    def __init__(self, path, reason):
        super().__init__(path, reason)  # both, so that it can be pickled between processes
        self.path = path if isinstance(path, RemotePath) else pathlib.Path(path)
        self.reason = " ".join(str(reason).split())

    def __str__(self):
        return f"{self.path}: {self.reason}"


class ReadError(OSError):
    """This computer could not read an image, of which therefore nothing is known.

    Arguments as of OSError: its number, the reason, the path.
    """

    def __str__(self):
        reason = ADVICE.get(self.errno, f"{self.strerror.lower()}: look at its disk or line")
        return f"{self.filename} could not be read; {reason}, and start again"


class Content:
    """A file for a decoder, which remembers what the computer answered in place of bytes."""

    def __init__(self, file):
        self.file = file
        self.length = file.seek(0, io.SEEK_END)
        self.error = None
        self.tell, self.seek = file.tell, file.seek
        file.seek(0)

    def read(self, length=-1):
        rest = max(0, self.length - self.tell())
        try:  # at most what is there: a damaged file can name any length
            return self.file.read(rest if length is None or length < 0 else min(length, rest))
        except (OSError, MemoryError) as error:
            self.error = error
            raise


@contextlib.contextmanager
def opened(path, max_pixels=MAX_PIXELS):
    """Opens an image for the body; what a decoder says there is an `UnreadableImage`.

    Raises:
        UnreadableImage: also of what is no file.
        ReadError: the computer could not read it.
    """
    bytes_read = path.read_bytes() if isinstance(path, RemotePath) else None
    with quiet(), _file(path, bytes_read) as file:
        content = Content(file)
        try:
            with Image.open(content, formats=FORMATS) as image:
                check_size(path, *stored_size(image), max_pixels)
                yield image
        except UnreadableImage:
            raise
        except Exception as error:  # a broken file can bring any error out of a decoder
            error = content.error or error
            if _is_shortage(error):
                raise shortage(path, error) from error
            raise UnreadableImage(path, reason(file, error)) from error
        if content.error:  # which the decoder kept to itself
            raise shortage(path, content.error)


@contextlib.contextmanager
def _file(path, content):
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
        raise shortage(path, error) from error
    with file:
        yield file


def _is_shortage(error):
    """Whether an error is this computer's: a decoder's own have no number of the system.

    EINVAL is a damaged file's, which sent its decoder to a place before its start.
    """
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
        return True
    return isinstance(error, MemoryError) or NO_MEMORY in str(error)


def shortage(path, error) -> ReadError:
    """Returns an error of the system, or of no memory, as one that says what to do."""
    if isinstance(error, OSError) and error.errno:
        return ReadError(error.errno, error.strerror, os.fspath(path))
    return ReadError(errno.ENOMEM, "not enough memory", os.fspath(path))


def check_size(path, width, height, max_pixels=MAX_PIXELS):
    if width * height > max_pixels:
        most = f"{max_pixels / 1e6:g} million" if max_pixels >= 10**6 else str(max_pixels)
        raise UnreadableImage(path, f"{width} x {height} pixels; at most {most} are read")


def reason(file, error):
    """Returns why the content of `file` is not an image that can be read, for people."""
    if isinstance(error, profiles.UnknownColours):
        return str(error)
    if isinstance(error, Image.DecompressionBombError):
        return f"far too many pixels; at most {MAX_PIXELS // 10**6} million are read"
    if isinstance(error, Image.UnidentifiedImageError):
        file.seek(0)
        return what_else(file.read(512))
    if "MAX_TEXT_" in str(error) or "data too large" in str(error).lower():
        most = f"{PngImagePlugin.MAX_TEXT_CHUNK / 1e6:.0f} MB"
        return f"its metadata (texts, profile) is too large; at most {most} of each are read"
    return f"the image is damaged or cut off ({error or type(error).__name__})"


def what_else(start):
    """Returns what a file is instead of an image that can be read."""
    if not start:
        return "the file is empty"
    if start[4:8] == b"ftyp":  # what telephones write, often under a .jpg name
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


def stored_size(image):
    """Returns (width, height) before turning; newer versions of Pillow swap a TIFF's."""
    if image.format == "TIFF":
        return image.tag_v2[IMAGE_WIDTH], image.tag_v2[IMAGE_LENGTH]
    return image.size
