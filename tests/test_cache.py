"""Cached images: decoded once, whole or made again, and never an obstacle."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests import made, runs
from ugatit_tf import atomic
from ugatit_tf.data import cache, folders, pipeline
from ugatit_tf.images import image_file
from ugatit_tf.images.errors import UnreadableImage

ROOT = Path(__file__).parent.parent
SIZE = 8
COUNT = 5
SHAPES = {"pixels": (15, 17), "square": (16, 16)}  # just below and at four times 8 x 8 pixels


@pytest.fixture
def paths(tmp_path):
    """Images whose pixels are cached, and one whose square is."""
    names = [f"{i}.png" for i in range(COUNT)]
    folder = str(tmp_path / "trainA")
    small = runs.write_images(folder, names[:-1])
    return small + runs.write_images(folder, names[-1:], height=40, width=30, seed=7)


@pytest.fixture
def reads(monkeypatch):
    """The paths of the images that were decoded, in the order of time."""
    paths, read = [], image_file.read

    def recorded(path, **options):
        paths.append(path)
        return read(path, **options)

    monkeypatch.setattr(image_file, "read", recorded)
    return paths


def source(paths, where, **options):
    options = {"size": SIZE, "channels": 3, "antialias": False, **options}
    return cache.source(paths, where=where, as_square=pipeline.as_square, **options)


def path_of(paths, size=SIZE, channels=3):
    folder = Path(paths[0]).parent
    return folder.parent / cache.FOLDER / f"{folder.name}_{size}x{channels}"


def assert_right(source, paths):
    """Pixels as they are in the file, or the square that the pipeline makes of them."""
    for index, path in enumerate(paths):
        expected = image_file.read(path)
        if expected.size >= 4 * SIZE * SIZE * 3:
            expected = pipeline.load(path, size=SIZE, channels=3, antialias=False).numpy()
        cached = source(index)
        assert cached.dtype == expected.dtype
        np.testing.assert_array_equal(cached, expected)


def batches(paths, where, steps=6):
    dataset = pipeline.batches(paths, paths, made.tiny_config(img_ch=3, cache=where))
    return list(dataset.take(steps).as_numpy_iterator())


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_what_is_cached_is_what_decoding_gives(paths, where):
    assert_right(source(paths, where), paths)


@pytest.mark.parametrize("where", ["memory", "disk"])
@pytest.mark.parametrize(("form", "dtype"), [("pixels", np.uint8), ("square", np.float32)])
def test_the_smaller_form_is_cached(tmp_path, where, form, dtype):
    height, width = SHAPES[form]
    paths = runs.write_images(str(tmp_path / "A"), ["a.png"], height=height, width=width)
    cached = source(paths, where)(0)
    assert cached.dtype == dtype
    assert cached.nbytes == min(height * width, 4 * SIZE * SIZE) * 3


def test_without_a_cache_every_image_is_decoded_each_time_it_comes(paths, reads):
    cached = source(paths, "none")
    for index in (1, 1, 4, 1):
        assert cached(index).dtype == np.uint8
    assert reads == [paths[i] for i in (1, 1, 4, 1)]


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_every_image_is_decoded_once_in_many_passes(paths, reads, where):
    batches(paths[:3], where, steps=20)
    times = 2 if where == "memory" else 1  # here both domains hold the same; the disk knows it
    assert sorted(reads) == sorted(paths[:3] * times)


def test_threads_that_want_the_same_image_decode_it_once(paths, reads):
    wanted = source(paths, "memory")
    threads = [threading.Thread(target=wanted, args=[2]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reads == [paths[2]]


def test_batches_are_copies_of_what_is_cached(paths, monkeypatch):
    square = paths[-1:]
    memory = source(square, "memory")
    before = memory(0).copy()
    monkeypatch.setattr(cache, "source", lambda *_, **__: memory)
    config = made.tiny_config(img_ch=3, augment_flag=False)
    for pair in pipeline.batches(square, square, config).take(3):
        for batch in pair:
            assert not np.shares_memory(np.asarray(memoryview(batch)), memory(0))
    np.testing.assert_array_equal(memory(0), before)


def test_where_memory_ends_the_rest_is_decoded_each_time_with_one_warning(
    paths, reads, monkeypatch, caplog
):
    image = image_file.read(paths[0]).nbytes
    monkeypatch.setattr(cache.machine, "available_bytes", lambda: cache.SHARE * 2.5 * image)
    cached = source(paths[:4], "memory")
    reads.clear()
    for _ in range(3):
        for index in range(4):
            cached(index)
    assert [reads.count(path) for path in paths[:4]] == [1, 1, 3, 3]
    assert len(caplog.records) == 1
    assert_right(cached, paths[:4])


def test_the_next_process_finds_what_this_one_decoded(paths, reads, capsys):
    source(paths, "disk")
    assert f"Decoding {COUNT} images into {path_of(paths)}" in capsys.readouterr().out
    reads.clear()
    cached = source(paths, "disk")
    assert reads == []
    assert capsys.readouterr().out == ""
    assert_right(cached, paths)


def test_images_in_a_folder_of_any_name_are_cached(tmp_path, paths, reads):
    folder = runs.odd(tmp_path)
    os.rename(tmp_path / "trainA", folder / "trainA")
    paths = [str(folder / "trainA" / os.path.basename(path)) for path in paths]
    first = source(paths, "disk")
    reads.clear()
    second = source(paths, "disk")
    for index in range(COUNT):
        np.testing.assert_array_equal(first(index), second(index))
    assert reads == []


def test_a_dataset_that_was_moved_or_copied_keeps_its_file(tmp_path, paths, reads):
    source(paths, "disk")
    reads.clear()
    os.rename(tmp_path / "trainA", tmp_path / "was")
    (tmp_path / "other").mkdir()
    os.rename(tmp_path / "was", tmp_path / "other" / "trainA")
    os.rename(tmp_path / cache.FOLDER, tmp_path / "other" / cache.FOLDER)
    moved = [path.replace("trainA", "other/trainA") for path in paths]
    for path in moved:
        os.utime(path, (1, 1))
    source(moved, "disk")
    assert reads == []


def damage_record(content):
    return content[:100] + bytes([content[100] ^ 1]) + content[101:]


def damage_index(content):
    place = content.index(b'"records"')
    return content[:place] + b"?" + content[place + 1 :]


def damage_end(content):
    return content[: -cache.END.size] + b"\xff" * 12 + cache.MARK


@pytest.mark.parametrize(
    "damaged",
    [
        damage_record,
        damage_index,
        damage_end,
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:1000],
        lambda content: content[1:],
        lambda content: content + b"\0",
        lambda content: b"\0" * len(content),
    ],
    ids=["record", "index", "end", "empty", "cut", "cut short", "start", "longer", "zeros"],
)
def test_a_damaged_file_is_noticed_and_made_again(paths, caplog, damaged):
    path = path_of(paths)
    source(paths, "disk")
    whole = path.read_bytes()
    path.write_bytes(damaged(whole))
    cached = source(paths, "disk")
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} is damaged; it is made again."
    ]
    assert path.read_bytes() == whole
    assert_right(cached, paths)


def with_index(content, change):
    """A file whose index says something else, with the CRC that belongs to it."""
    length, _, mark = cache.END.unpack(content[-cache.END.size :])
    images, index = content[: -cache.END.size - length], content[-cache.END.size - length :]
    header = json.loads(index[:length])
    changed = change(header)
    index = changed if isinstance(changed, bytes) else json.dumps(header).encode()
    return images + index + cache.END.pack(len(index), zlib.crc32(index), mark)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["records"].pop(),
        lambda header: header.update(records={"0": 1}),
        lambda header: header["records"][0].pop("place"),
        lambda header: header["records"][0].update(place="0"),
        lambda header: header["records"][0].update(length=2**46, shape=[2**23, 2**23, 1]),
        lambda header: header["records"][0].update(shape=[1, 1, 3]),
        lambda header: header["records"][0].update(shape=[-1, -1, 630]),
        lambda header: header["records"][0].update(type="object"),
        lambda header: b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_an_index_that_does_not_fit_its_file_is_damage_too(paths, caplog, change):
    path = path_of(paths)
    source(paths, "disk")
    whole = path.read_bytes()
    path.write_bytes(with_index(whole, change))
    assert_right(source(paths, "disk"), paths)
    assert f"{path} is damaged; it is made again." in caplog.text
    assert path.read_bytes() == whole


def change_an_image(paths):
    os.utime(paths[0])
    runs.write_images(os.path.dirname(paths[0]), ["0.png"], seed=5)
    return paths


def rename_an_image(paths):
    os.rename(paths[0], paths[0] + ".png")
    return [paths[0] + ".png", *paths[1:]]


@pytest.mark.parametrize(
    "change",
    [change_an_image, rename_an_image, lambda paths: paths[1:], lambda paths: paths[::-1]],
    ids=["content", "name", "fewer", "order"],
)
def test_a_file_of_other_images_is_made_again(paths, caplog, change):
    source(paths, "disk")
    paths = change(paths)
    assert_right(source(paths, "disk"), paths)
    assert "of other images or versions" in caplog.text
    caplog.clear()
    assert_right(source(paths, "disk"), paths)
    assert caplog.records == []


def test_another_version_makes_the_file_again(paths, reads, monkeypatch):
    source(paths, "disk")
    reads.clear()
    monkeypatch.setattr(cache.PIL, "__version__", "0.0")
    source(paths, "disk")
    assert len(reads) == COUNT


def test_sizes_and_channels_have_files_of_their_own(paths, reads):
    kinds = [(8, 3), (8, 1), (12, 3)]
    for size, channels in kinds:
        source(paths, "disk", size=size, channels=channels)
        assert path_of(paths, size, channels).exists()
    reads.clear()
    for size, channels in kinds:
        assert source(paths, "disk", size=size, channels=channels)(0).shape[-1] == channels
    assert reads == []


def test_a_file_that_is_replaced_meanwhile_changes_nothing(paths):
    cached = source(paths, "disk")
    other = runs.write_images(os.path.dirname(paths[0]), ["x.png", "y.png"], seed=3)
    source(other, "disk")
    assert_right(cached, paths)


def test_a_file_that_is_cut_meanwhile_is_not_missed(paths):
    cached = source(paths, "disk")
    os.truncate(path_of(paths), 500)
    assert_right(cached, paths)


def no_folder(folder):
    folder.write_text("in the way")


def no_name(folder):
    (folder / f"trainA_{SIZE}x3").mkdir(parents=True)


@pytest.mark.parametrize("obstacle", [no_folder, no_name])
def test_where_nothing_can_be_written_a_warning_says_so_and_images_are_decoded(
    paths, caplog, reads, obstacle
):
    expected = batches(paths, "none")
    obstacle(path_of(paths).parent)
    caplog.clear()
    np.testing.assert_array_equal(batches(paths, "disk"), expected)
    assert len(caplog.records) == 2  # one for each domain
    message = caplog.records[0].getMessage()
    assert str(path_of(paths)) in message
    assert "decoded each time" in message


def test_a_full_disk_is_a_warning_and_leaves_nothing_behind(paths, caplog, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cached = source(paths, "disk")
    assert "No space left on device" in caplog.text
    assert os.listdir(path_of(paths).parent) == []
    np.testing.assert_array_equal(cached(0), image_file.read(paths[0]))


def test_an_image_that_has_gone_meanwhile_fails_when_it_comes_as_without_a_cache(paths, caplog):
    os.remove(paths[1])
    cached = source(paths, "disk")
    assert "cannot be used" in caplog.text
    with pytest.raises(UnreadableImage):
        cached(1)
    np.testing.assert_array_equal(cached(0), image_file.read(paths[0]))


def test_an_interrupted_build_leaves_nothing_and_the_next_is_whole(paths, monkeypatch):
    with monkeypatch.context() as patch:

        def interrupted(*_, **__):
            raise KeyboardInterrupt

        patch.setattr(cache.json, "dumps", interrupted)  # all records are written by then
        with pytest.raises(KeyboardInterrupt):
            source(paths, "disk")
    assert os.listdir(path_of(paths).parent) == []
    assert_right(source(paths, "disk"), paths)


def test_unfinished_files_are_removed_once_nobody_writes_them(paths):
    folder = path_of(paths).parent
    folder.mkdir()
    abandoned = folder / f".{'0' * 32}.unfinished"
    abandoned.write_bytes(b"half")
    with atomic.replacing(folder / "other") as written:
        source(paths, "disk")
        assert os.path.exists(written.name)
    assert not abandoned.exists()


def test_two_that_write_at_the_same_time_both_have_a_whole_file(paths):
    cached = []
    threads = [threading.Thread(target=lambda: cached.append(source(paths, "disk"))) for _ in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cached) == 2
    for each in cached:
        assert_right(each, paths)
    assert os.listdir(path_of(paths).parent) == [path_of(paths).name]


def test_cached_images_are_no_images_of_the_dataset(tmp_path, paths):
    before = folders.examine(tmp_path / "trainA").fingerprint
    source(paths, "disk")
    assert folders.examine(tmp_path / "trainA").fingerprint == before
    assert sorted(os.listdir(tmp_path)) == [cache.FOLDER, "trainA"]


SLOWLY = """
import os, sys, time
from ugatit_tf.data import cache, pipeline
cache.CHUNK = 1
read = cache.image_file.read
def slowly(path, **options):
    time.sleep({pause})
    while len(os.listdir({folder!r})) < {writers}:
        time.sleep(0.01)
    return read(path, **options)
cache.image_file.read = slowly
options = dict(size={size}, channels=3, antialias=False, as_square=pipeline.as_square)
made = cache.source(sys.argv[1:], where="disk", **options)
assert isinstance(made, cache.DiskCache)
"""


def started(paths, *, pause=0, writers=1, size=SIZE):
    """A process that writes the cached images, and reads none before so many have begun to."""
    folder = str(path_of(paths, size).parent)
    code = SLOWLY.format(pause=pause, writers=writers, folder=folder, size=size)
    command = [sys.executable, "-c", code, *paths]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


@pytest.mark.slow
def test_a_process_killed_while_it_writes_leaves_no_file_that_could_be_taken_for_one(tmp_path):
    size = 64  # records larger than the buffer of the file, so that they are written at once
    paths = runs.write_images(
        str(tmp_path / "trainA"), [f"{i}.png" for i in range(6)], height=60, width=60
    )
    folder = path_of(paths).parent
    with started(paths, pause=1, size=size) as process:
        deadline = time.time() + 120
        while not any(path.stat().st_size for path in folder.glob(".*.unfinished")):
            assert time.time() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    (unfinished,) = folder.iterdir()
    assert unfinished.stat().st_size > 0
    cached = source(paths, "disk", size=size)
    for index, path in enumerate(paths):
        np.testing.assert_array_equal(cached(index), image_file.read(path))
    assert os.listdir(folder) == [path_of(paths, size).name]


@pytest.mark.slow
def test_two_processes_write_the_same_file_at_the_same_time(paths, reads):
    with started(paths, writers=2) as first, started(paths, writers=2) as second:
        outputs = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0)
    assert [text.count(b"Decoding") for text in outputs] == [1, 1]  # both wrote the file
    cached = source(paths, "disk")
    assert reads == []
    assert_right(cached, paths)
    assert os.listdir(path_of(paths).parent) == [path_of(paths).name]
