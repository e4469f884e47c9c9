"""Unpacks the images of a dataset from a zip or tar archive that nobody may trust.

No path of the archive is ever used as one: an image goes into a folder of ours, under its last
name. Archives that try to leave a folder, hold links or devices, or unpack to far more than a
dataset has, are refused as a whole.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import pathlib
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Callable, NamedTuple

from ugatit_tf.data.presence import printable
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_file
from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.progress import Progress

MOST_FILES = 500_000
MOST_BYTES = 200 * 10**9  # of all files, unpacked
MOST_OF_AN_IMAGE = 500 * 10**6
RATIO, SLACK = 20, 50 * 10**6  # an archive unpacks to at most RATIO times its bytes and SLACK
LONGEST_NAME = 255  # bytes
DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # of Windows
DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError,
    NotImplementedError, RuntimeError, ValueError, OverflowError,
)  # fmt: skip


class Unpacked(NamedTuple):
    """What came out of an archive."""

    counts: dict[str, int]  # split -> number of images; splits without images are left out
    broken: list[str]  # files with the name of an image that are none, e.g. trainA/1.jpg


class _File(NamedTuple):
    """A file of an archive."""

    name: str
    num_bytes: int  # as the archive claims
    read: Callable[[int], bytes]  # at most so many bytes of it


def unpack(path: str, folders: Mapping[str, str], target: str) -> Unpacked:
    """Writes the images of an archive into folders below `target`, which exists.

    A folder of the archive may lie in others: `x/y/trainA` is `trainA`. Whatever is no image, or
    in none of the folders, is left out.

    Args:
        path: a zip, or a tar with or without compression.
        folders: name of the folder below `target` -> that of the archive, e.g. `train/cat`.

    Raises:
        Failure: not such an archive, damaged, hostile, or ambiguous.
    """
    limit = min(MOST_BYTES, RATIO * os.path.getsize(path) + SLACK)
    counts, broken, tops, files, total = {}, [], set(), 0, 0
    with Progress(unit="image", label="unpacking", patience=2.0) as progress:
        for file in _files(path):
            parts = _parts(file.name, path)
            files, total = files + 1, total + file.num_bytes
            if files > MOST_FILES or total > limit:
                raise Failure(
                    f"{path} unpacks to more than {limit / 1e6:.0f} MB or {MOST_FILES} files, "
                    f"which no dataset of its size does. Nothing was kept."
                )
            place = _place(parts, folders)
            if place is None:
                continue
            split, top = place
            tops.add(top)
            if len(tops) > 1:
                raise Failure(f"{path} holds several datasets: {_shown(tops)}. Expected one.")
            if _write(file, path, os.path.join(target, split), parts[-1]):
                counts[split] = counts.get(split, 0) + 1
            else:
                broken.append(f"{split}/{parts[-1]}")
            progress.update()
    return Unpacked(counts, broken)


def _files(path) -> Iterator[_File]:
    """The files of an archive. Links and devices are refused, folders passed over."""
    with _readable(path):
        is_zip, is_tar = zipfile.is_zipfile(path), tarfile.is_tarfile(path)
    if is_zip:
        yield from _files_of_zip(path)
    elif is_tar:
        yield from _files_of_tar(path)
    else:
        raise Failure(f"{path} is not an archive. Expected a zip or a tar.")


def _files_of_zip(path):
    with _readable(path):
        archive = zipfile.ZipFile(path)
    with archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                raise _hostile(path, info.filename, "is a link or a device")
            if info.flag_bits & 1:
                raise Failure(f"{path} needs a password. Unpack it yourself, and pack it again.")

            def read(most, info=info):
                with archive.open(info) as file:
                    return file.read(most)

            yield _File(info.filename, info.file_size, read)


def _files_of_tar(path):
    with _readable(path):
        archive = tarfile.open(path)  # noqa: SIM115
    with archive:
        while True:
            with _readable(path):
                member = archive.next()
            if member is None:
                _check_end(archive, path)
                return
            if member.isdir():
                continue
            if not member.isfile():
                raise _hostile(path, member.name, "is a link or a device")

            def read(most, member=member):
                with archive.extractfile(member) as file:
                    return file.read(most)

            yield _File(member.name, member.size, read)
            archive.members = []  # which would grow with the archive


def _check_end(archive, path):
    """Refuses a tar that ends early: for `tarfile` whatever is no header is the end."""
    with _readable(path):
        archive.fileobj.seek(archive.offset)
        rest = archive.fileobj.read(int(SLACK))  # a compressed file checks its sum at its end
    if rest.strip(b"\0"):
        raise Failure(f"{path} is damaged: there is no archive any more after some of its files.")


def _parts(name, path):
    """The folders and the name of a file of an archive; refuses those that could do harm."""
    text = name.replace("\\", "/")  # as some programs of Windows write
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if text.startswith("/") or ".." in parts or not parts or any(":" in part for part in parts):
        raise _hostile(path, name, "would leave its folder")
    for part in parts:
        is_long = len(os.fsencode(part)) > LONGEST_NAME
        if is_long or not part.isprintable() or DEVICE.fullmatch(part) or part[-1] in ". ":
            raise _hostile(path, name, "is not a name that every system takes")
    return tuple(parts)


def _place(parts, folders):
    """(split, what its folder lies in) of an image of a dataset; None for all other files."""
    *parents, name = parts
    if name.startswith(".") or parents[:1] == ["__MACOSX"]:
        return None
    if os.path.splitext(name)[1].lower() not in image_file.WRITERS:
        return None
    for split, folder in folders.items():
        wanted = folder.split("/")
        if parents[-len(wanted) :] == wanted:
            return split, tuple(parents[: -len(wanted)])
    return None


def _write(file, path, folder, name):
    """Writes one file; False if it is no image, which then is removed."""
    most = min(file.num_bytes, MOST_OF_AN_IMAGE)
    with _readable(path):
        content = file.read(most + 1)
    if len(content) != file.num_bytes:
        raise Failure(f"{path}: {printable(file.name)} is not as long as the archive claims.")
    os.makedirs(folder, exist_ok=True)
    written = pathlib.Path(folder, name)
    try:
        with open(written, "xb") as target:
            target.write(content)
    except FileExistsError:
        raise Failure(f"{path} holds {printable(file.name)} twice. Expected each once.") from None
    try:
        image_file.size(written)
    except UnreadableImage:
        written.unlink()
        return False
    return True


@contextlib.contextmanager
def _readable(path):
    """Raises a `Failure` where the libraries cannot read an archive."""
    try:
        yield
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except DAMAGED as error:
        raise Failure(f"{path} is damaged, or of an unknown kind: {error}") from None


def _hostile(path, name, problem):
    return Failure(f"{path} is refused: {printable(name)!r} in it {problem}. Nothing was kept.")


def _shown(tops):
    return ", ".join(sorted("/".join(top) or "its top" for top in tops))
