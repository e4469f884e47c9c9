"""Archives give their images and nothing else, and hostile ones give nothing."""

import io
import os
import stat
import tarfile
import zipfile

import pytest

from tests.loopback import dataset, png, zip_of
from ugatit_tf.data import unpack
from ugatit_tf.errors import Failure

SAME = {split: split for split in ("trainA", "trainB", "testA", "testB")}
COUNTS = {"trainA": 3, "trainB": 2, "testA": 1, "testB": 1}
HOSTILE = [
    "../1.png", "trainA/../../1.png", "/trainA/1.png", "C:/trainA/1.png", "trainA/C:1.png",
    "\\trainA\\1.png", "trainA\\..\\..\\1.png", "//host/trainA/1.png", "trainA/1\n.png",
    "trainA/\x1b[2J.png", "trainA/nul.png", "trainA/1.png.", f"trainA/{'x' * 256}.png",
]  # fmt: skip


def tar_of(files, mode="w", **facts):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in facts.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def unpacked(tmp_path):
    """unpacked(bytes, folders) -> (`Unpacked`, the files below the target)."""

    def run(content, folders=SAME):
        path, target = tmp_path / "archive", tmp_path / "target"
        path.write_bytes(content)
        target.mkdir(exist_ok=True)
        result = unpack.unpack(str(path), folders, str(target))
        return result, {str(p.relative_to(target)): p.read_bytes() for p in target.rglob("*.*")}

    return run


@pytest.fixture
def refused(unpacked, tmp_path):
    """refused(bytes) -> the message; no file may lie outside of the target."""

    def run(content):
        with pytest.raises(Failure) as caught:
            unpacked(content)
        assert sorted(os.listdir(tmp_path)) == ["archive", "target"]
        return str(caught.value)

    return run


@pytest.mark.parametrize("pack", [
    zip_of, tar_of, lambda files: tar_of(files, "w:gz"), lambda files: tar_of(files, "w:xz"),
    lambda files: tar_of(files, "w:bz2"),
])  # fmt: skip
def test_the_images_of_a_dataset_are_written_byte_for_byte(pack, unpacked):
    files = dataset(COUNTS)
    assert unpacked(pack(files)) == ((COUNTS, []), files)


@pytest.mark.parametrize("top", ["x/", "./", "a/b/c/", "trainA/x/"])
def test_the_folders_may_lie_in_others(top, unpacked):
    assert unpacked(zip_of(dataset(COUNTS, top)))[1] == dataset(COUNTS)


def test_folders_of_other_names_become_those_of_a_dataset(unpacked):
    files = dataset({"train/cat": 2, "train/dog": 1, "train/wild": 3, "val/cat": 1})
    result, written = unpacked(zip_of(files), {"trainA": "train/cat", "testA": "val/cat"})
    assert result.counts == {"trainA": 2, "testA": 1}
    assert written["trainA/1.png"] == files["train/cat/1.png"]
    assert written["testA/0.png"] == files["val/cat/0.png"] and len(written) == 3


def test_backslashes_of_windows_are_separators(unpacked):
    files = {name.replace("/", "\\"): content for name, content in dataset(COUNTS).items()}
    assert unpacked(tar_of(files))[1] == dataset(COUNTS)


def test_what_is_no_image_of_the_dataset_is_left_out(unpacked):
    others = {
        "readme.txt": b"", "trainA/notes.txt": b"", "trainA/.DS_Store": b"", "trainA/.1.png": b"",
        "__MACOSX/trainA/1.png": b"", "trainA/deeper/1.png": png(1), "1.png": png(1),
        "trainC/1.png": png(1), "run.py": b"print()",
    }  # fmt: skip
    result, written = unpacked(zip_of({**others, **dataset(COUNTS)}))
    assert written == dataset(COUNTS) and result.broken == []


def test_a_file_that_only_has_the_name_of_an_image_is_removed_and_told(unpacked):
    files = dataset(COUNTS)
    result, written = unpacked(zip_of({**files, "trainA/x.jpg": b"#!/bin/sh", "testB/y.png": b""}))
    assert result == (COUNTS, ["trainA/x.jpg", "testB/y.png"]) and written == files


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_a_name_that_could_do_harm_is_refused(pack, name, refused):
    message = refused(pack({**dataset(COUNTS), name: png(1)}))
    assert "would leave its folder" in message or "is not a name that every system" in message
    assert message.isprintable()


@pytest.mark.parametrize("kind", [
    tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE,
])  # fmt: skip
def test_links_and_devices_of_a_tar_are_refused(kind, refused):
    content = tar_of({"trainA/1.png": b""}, type=kind, linkname="/etc/passwd")
    assert "is a link or a device" in refused(content)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_of_a_zip_are_refused(kind, refused):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("trainA/1.png")
        info.external_attr = (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert "is a link or a device" in refused(buffer.getvalue())


def bomb(kind):
    """A small archive that unpacks to 100 MB."""
    zeros = bytes(100 * 10**6)
    if kind != "zip":
        return tar_of({"trainA/1.png": zeros}, kind)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("trainA/1.png", zeros)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "w:gz"])
def test_an_archive_that_unpacks_to_far_more_than_it_is_is_refused(kind, refused):
    assert "unpacks to more than" in refused(bomb(kind))


def test_an_archive_of_too_many_files_is_refused(refused, monkeypatch):
    monkeypatch.setattr(unpack, "MOST_FILES", 6)
    assert "or 6 files" in refused(zip_of(dataset(COUNTS)))


def test_a_file_longer_than_the_archive_claims_is_refused(refused):
    content = zip_of({"trainA/1.png": png(1)})
    size = len(png(1)).to_bytes(4, "little")
    lie = (len(png(1)) - 1).to_bytes(4, "little")
    at = content.rindex(size, 0, content.index(b"PK\x05\x06"))  # of the central directory
    assert "damaged" in refused(content[:at] + lie + content[at + 4 :])


@pytest.mark.parametrize("pack", [zip_of, lambda files: tar_of(files, "w:gz")])
@pytest.mark.parametrize("where", [0.3, 0.9])
def test_a_damaged_archive_is_refused_in_one_line(pack, where, refused):
    content = pack(dataset({"trainA": 200}))
    cut = int(len(content) * where)
    for damaged in (content[:cut], content[:cut] + bytes(300) + content[cut + 300 :]):
        message = refused(damaged)
        assert "archive" in message and "\n" not in message
        for name in os.listdir(os.path.join(os.path.dirname(message.split()[0]), "target")):
            assert name == "trainA"
        _empty(message.split()[0])


def _empty(path):
    folder = os.path.join(os.path.dirname(path), "target", "trainA")
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        os.unlink(os.path.join(folder, name))


def test_what_is_no_archive_is_refused(refused):
    for content in (b"", b"<html>", png(1)):
        assert "is not an archive. Expected a zip or a tar" in refused(content)


def test_several_datasets_in_an_archive_are_refused(refused):
    files = {**dataset(COUNTS, "a/"), **dataset({"trainB": 1}, "b/")}
    assert "holds several datasets: a, b" in refused(zip_of(files))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice_is_refused(refused):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for _ in range(2):
            archive.writestr("trainA/1.png", png(1))
    assert "holds trainA/1.png twice" in refused(buffer.getvalue())


def test_an_archive_with_a_password_is_refused(refused):
    content = bytearray(zip_of({"trainA/1.png": png(1)}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert "needs a password" in refused(bytes(content))
