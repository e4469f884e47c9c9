"""Faults of a file are distinguished from faults of the computer."""

import errno
import io
import os
import pickle
import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from tests import runs
from ugatit_tf.data import cache, folders, packing, storage
from ugatit_tf.errors import Failure
from ugatit_tf.images import decoding, image_file
from ugatit_tf.images.decoding import open_image
from ugatit_tf.images.errors import ReadError, UnreadableImage
from ugatit_tf.images.pillow_warnings import quiet
from ugatit_tf.interchange import generator_file

SHORTAGES = [errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE, errno.EACCES, errno.ENOMEM]


class Failing(io.BytesIO):
    """A file of which the disk gives nothing any more from some place on."""

    def __init__(self, content, position, error):
        super().__init__(content)
        self.place, self.failure = position, error

    def read(self, length=-1):
        if self.tell() + max(length, 0) > self.place or length < 0:
            raise self.failure
        return super().read(length)


def failing_open(error, position=0):
    def opened(path, mode="r"):
        if position == 0:
            raise error
        with open(path, mode) as file:
            return Failing(file.read(), position, error)

    return opened


def error_of(number):
    return OSError(number, os.strerror(number))


def is_one_line_about(error, path):
    return isinstance(error, OSError) and str(path) in str(error) and "\n" not in str(error)


@pytest.fixture
def images(tmp_path):
    return runs.write_images(str(tmp_path / "trainA"), ["a.png", "b.png", "c.png"])


@pytest.mark.parametrize("number", SHORTAGES)
def test_a_file_that_cannot_be_opened_is_not_called_damaged(images, monkeypatch, number):
    monkeypatch.setattr(decoding, "open", failing_open(error_of(number)), raising=False)
    for look in (image_file.read, image_file.size, image_file.is_animated):
        with pytest.raises(ReadError) as caught:
            look(images[0])
        assert caught.value.errno == number
        assert is_one_line_about(caught.value, images[0])
        assert "damaged" not in str(caught.value) and "remove" not in str(caught.value)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
@pytest.mark.parametrize("error", [error_of(errno.EIO), MemoryError()], ids=["EIO", "memory"])
def test_a_disk_that_fails_in_the_middle_is_not_the_images_fault(
    tmp_path, monkeypatch, format, error
):
    path = tmp_path / "a"
    noise = np.random.default_rng(0).integers(0, 256, [200, 200, 3], dtype=np.uint8)
    compression = {"compression": "tiff_lzw"} if format == "TIFF" else {}
    Image.fromarray(noise).save(path, format, **compression)
    assert path.stat().st_size > 9000
    monkeypatch.setattr(decoding, "open", failing_open(error, position=9000), raising=False)
    with pytest.raises(ReadError, match="could not be read"):
        image_file.read(path)


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError("out of memory error when reading image file")]
)
def test_no_memory_for_the_pixels_is_not_the_images_fault(images, monkeypatch, error):
    def starved(*_):
        raise error

    monkeypatch.setattr(image_file.srgb, "convert", starved)
    with pytest.raises(ReadError, match="a.png could not be read; there is not enough memory"):
        image_file.read(images[0])


def test_no_memory_for_exif_does_not_leave_an_image_on_its_side(images, monkeypatch):
    def starved(_):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "getexif", starved)
    with pytest.raises(ReadError):
        image_file.read(images[0])


def test_an_error_of_a_disk_that_a_decoder_keeps_to_itself_is_raised(images, monkeypatch):
    failed = error_of(errno.EIO)
    monkeypatch.setattr(decoding, "open", failing_open(failed, position=30), raising=False)
    with pytest.raises(ReadError), open_image(images[0]):
        pass


def test_a_damaged_file_that_names_a_huge_length_does_not_take_the_memory(tmp_path):
    content = decoding.GuardedFile(io.BytesIO(b"x" * 10))
    assert content.read(2**62) == b"x" * 10
    assert content.read() == content.read(5) == b""


def test_a_remote_image_is_read_and_named_and_never_becomes_a_string(images):
    with open(images[0], "rb") as file:
        content = file.read()
    remote = decoding.RemoteImage("gs://bucket/a.png", lambda: content)
    np.testing.assert_array_equal(image_file.read(remote), image_file.read(images[0]))
    assert image_file.size(remote) == image_file.size(images[0])
    assert os.path.basename(remote) == "a.png"
    assert (str(remote), os.fspath(remote)) == ("gs://bucket/a.png",) * 2
    for operation in (lambda: remote + ".bak", lambda: remote[:3], lambda: "".join([remote])):
        with pytest.raises(TypeError):
            operation()
    damaged = decoding.RemoteImage("gs://bucket/a.png", lambda: content[:20])
    with pytest.raises(UnreadableImage, match="^gs://bucket/a.png: "):
        image_file.read(damaged)


def test_an_error_of_reading_survives_pickling():
    error = pickle.loads(pickle.dumps(ReadError(errno.EIO, "Input/output error", "a.png")))
    assert (error.errno, error.filename) == (errno.EIO, "a.png")
    assert "a.png could not be read; input/output error" in str(error)


@pytest.mark.parametrize("number", SHORTAGES)
def test_a_dataset_is_not_smaller_because_the_computer_is_short_of_something(
    images, monkeypatch, number
):
    opened = failing_open(error_of(number))

    def sometimes(path, mode="r"):
        return opened(path, mode) if "b.png" in str(path) else open(path, mode)

    monkeypatch.setattr(decoding, "open", sometimes, raising=False)
    with pytest.raises(ReadError, match="b.png could not be read"):
        folders.examine(os.path.dirname(images[0]))


def test_the_second_reading_of_a_file_is_no_verdict_either(images, monkeypatch):
    monkeypatch.setattr(storage, "open", failing_open(error_of(errno.ESTALE)), raising=False)
    with pytest.raises(ReadError, match="a.png could not be read; stale"):
        folders.examine(os.path.dirname(images[0]))


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_folder_that_a_disk_does_not_give_is_not_taken_for_missing(tmp_path, monkeypatch, number):
    def failing(path):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(storage.os, "stat", failing)
    with pytest.raises(OSError, match="trainA"):
        folders.examine(str(tmp_path / "trainA"))


def test_a_cache_does_not_hide_that_an_image_could_not_be_read(images, monkeypatch):
    monkeypatch.setattr(decoding, "open", failing_open(error_of(errno.EMFILE)), raising=False)
    with pytest.raises(ReadError, match="raise the limit"):
        cache.source(images, size=8, channels=3, where="disk", antialias=False, as_square=None)


def test_images_that_another_version_read_otherwise_are_not_taken_from_a_cache(images, monkeypatch):
    before = cache._key(images, {"size": 8, "channels": 3})
    monkeypatch.setattr(image_file, "DECODING", image_file.DECODING + 1)
    assert cache._key(images, {"size": 8, "channels": 3}) != before


def test_a_shard_that_could_not_be_read_is_not_to_be_packed_anew(images, tmp_path, monkeypatch):
    packing.pack(str(tmp_path), str(tmp_path / "packed"))
    (path, *_) = folders.examine(str(tmp_path / "packed" / "trainA")).paths
    monkeypatch.setattr(storage, "open", failing_open(error_of(errno.EMFILE)), raising=False)
    with pytest.raises(ReadError) as caught:
        image_file.read(path)
    assert "anew" not in str(caught.value)


def test_a_generator_file_that_could_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    (tmp_path / "a2b.npz").write_bytes(b"")
    opened = failing_open(error_of(errno.EMFILE))
    monkeypatch.setattr(generator_file, "open", opened, raising=False)
    with pytest.raises(Failure, match="a2b.npz cannot be read: too many open files.$"):
        generator_file.load(tmp_path / "a2b.npz")


def test_pillow_is_silent_while_we_read_and_speaks_to_everybody_else():
    def warn():
        warnings.warn_explicit("broken", UserWarning, "file.py", 1, module="PIL.TiffImagePlugin")

    def elsewhere():
        with pytest.raises(UserWarning, match="broken"):
            warn()
        done.append(True)

    done = []
    with quiet():
        with quiet():
            warn()
        warn()
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        with pytest.raises(UserWarning, match="ours"):
            warnings.warn("ours", stacklevel=1)
    elsewhere()
    assert len(done) == 2
