"""A packed dataset is the same dataset, whole, and refuses what is damaged."""

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import re
import uuid
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import main
from tests import made, runs
from ugatit_tf import command_line, doctor
from ugatit_tf.config import Config
from ugatit_tf.data import folders, packing, pipeline, shards, storage
from ugatit_tf.errors import Failure
from ugatit_tf.evaluation import evaluate
from ugatit_tf.images import image_file
from ugatit_tf.options import ConfigError
from ugatit_tf.phases import PHASES
from ugatit_tf.phases.pack import PackOptions
from ugatit_tf.training import checkpoints
from ugatit_tf.translation import testing

NAMES = ["b.png", "été 夏.png", "#a?b&c=d 100%.png", os.fsdecode(b"latin-1 \xe9.png"), 'q"\n.png']


@pytest.fixture
def source(tmp_path):
    """A dataset of three splits, with names of every kind and one file that is no image."""
    folder = runs.odd(tmp_path) / "set"
    for number, split in enumerate(("trainA", "trainB", "testA")):
        paths = runs.write_images(str(folder / split), [f"{i}.png" for i in range(5)], seed=number)
        for path, name in zip(paths, NAMES):
            os.rename(path, folder / split / name)
        runs.write_images(str(folder / split), ["wide.jpg"], height=30, width=70, seed=number)
    (folder / "trainA" / "page.png").write_bytes(b"<html>not found</html>")
    return str(folder)


@pytest.fixture(params=["disk", "ram"])
def target(request, source):
    """Where to pack to: on disk, and on another file system."""
    return f"{source}_packed" if request.param == "disk" else f"ram://{uuid.uuid4().hex}"


def rewrite(path, change):
    """Replaces a file's bytes by `change` of them."""
    write(path, change(storage.read_bytes(path)))


def write(path, content):
    with storage.replacing(path) as temporary, storage.open_file(temporary, "wb") as file:
        file.write(content)


def flipped(content, offset=-30):
    """With another bit, near the end: in the pixels of the last image."""
    content = bytearray(content)
    content[offset] ^= 4
    return bytes(content)


def shard(target, split="trainA", number=0, count=2):
    return storage.join(target, f"{split}/{number:05d}-of-{count:05d}.tfrecord")


def pair(dataset):
    return [folders.images_in(storage.join(dataset, split)) for split in folders.TRAIN]


def test_a_packed_split_is_the_split_that_was_packed(source, target, caplog):
    with caplog.at_level(logging.WARNING):
        splits, existed = packing.pack(source, target, count=2)
    assert not existed
    assert list(splits) == ["trainA", "trainB", "testA"]
    assert len(caplog.records) == 1
    assert "page.png" in caplog.records[0].getMessage()
    for name, split in splits.items():
        plain = folders.examine(os.path.join(source, name))
        assert list(split.images) == list(plain.images)
        assert split.fingerprint == plain.fingerprint
        assert split.refused == []
        assert (split.smallest, split.largest) == (plain.smallest, plain.largest)
        assert split.paths == [storage.join(split.folder, p.name) for p in plain.images]
        for packed, path in zip(split.paths, plain.paths):
            assert packed.read_bytes() == Path(path).read_bytes()
            assert os.path.basename(packed) == os.path.basename(path)


@pytest.mark.parametrize("cache", ["none", "memory", "disk"])
def test_training_from_shards_is_bit_for_bit_training_from_the_folder(source, target, cache):
    packing.pack(source, target, count=2)
    config = made.tiny_config(img_ch=3, batch_size=2, cache=cache)
    actual, named = [], []
    for dataset in (source, target):
        dataset = pipeline.batches(*pair(dataset), config, first_step=3)
        actual.append(list(dataset.take(9).as_numpy_iterator()))
    named = [pipeline.names_of_step(*pair(dataset), config, 2) for dataset in (source, target)]
    np.testing.assert_array_equal(*actual)
    assert named[0] == named[1]


def test_other_programs_read_the_shards(source, target):
    splits, _ = packing.pack(source, target, count=2)
    paths = [os.fsencode(shard(target, number=number)) for number in range(2)]
    kinds = {key: tf.io.FixedLenFeature([], tf.string) for key in ("name", "encoded")}
    records = [tf.io.parse_single_example(r, kinds) for r in tf.data.TFRecordDataset(paths)]
    names = [os.fsdecode(record["name"].numpy()) for record in records]
    assert names == [image.name for image in splits["trainA"].images]
    digests = [hashlib.sha256(record["encoded"].numpy()).hexdigest() for record in records]
    assert digests == [image.digest for image in splits["trainA"].images]


def test_the_manifest_is_json_that_says_where_everything_is(source, target):
    splits, _ = packing.pack(source, target, count=2)
    manifest = json.loads(storage.read_bytes(storage.join(target, "trainA/manifest.json")))
    assert manifest["ugatit_tf_packed"] == 1
    rows = [dict(zip(manifest["columns"], row)) for row in manifest["pictures"]]
    contents = [storage.read_bytes(shard(target, number=number)) for number in range(2)]
    for about, content in zip(manifest["shards"], contents):
        assert about["num_bytes"] == len(content)
        assert about["sha256"] == hashlib.sha256(content).hexdigest()
    assert [about["records"] for about in manifest["shards"]] == [3, 3]
    for row, image in zip(rows, splits["trainA"].images):
        record = contents[row["shard"]][row["offset"] :][: row["length"]]
        assert shards.parse_example(record)[0] == row["name"] == image.name
        assert (row["height"], row["width"]) == image.size
        assert row["deviation"] == image.deviation


@pytest.mark.parametrize(
    ("options", "count"),
    [({}, 1), ({"count": 4}, 4), ({"count": 99}, 6), ({"megabytes": 0.005}, 2)],
)
def test_shards_are_as_many_as_requested_or_as_the_size_needs(source, tmp_path, options, count):
    splits, _ = packing.pack(source, str(tmp_path / "out"), **options)
    assert len(splits["testA"].pack.shards) == count
    assert sum(one.records for one in splits["testA"].pack.shards) == len(splits["testA"].images)


def test_packing_again_says_that_it_is_there_and_writes_nothing(source, target):
    packing.pack(source, target, count=2)
    before = storage.read_bytes(shard(target))
    splits, existed = packing.pack(source, target, count=3)
    assert existed
    assert len(splits["trainA"].pack.shards) == 2
    assert storage.read_bytes(shard(target)) == before


@pytest.mark.parametrize("change", ["an image", "a split"])
def test_another_packed_dataset_is_never_replaced(source, target, change):
    packing.pack(source, target)
    more = os.path.join(source, "trainB" if change == "an image" else "testB")
    runs.write_images(more, ["new.png"], seed=9)
    with pytest.raises(Failure, match="holds another packed dataset.*--pack_to"):
        packing.pack(source, target)


def test_a_folder_of_other_files_is_left_alone(source, target):
    path = storage.join(target, "testA/holiday.png")
    write(path, b"mine")
    with pytest.raises(Failure, match="testA holds holiday.png, which is not part of a packed"):
        packing.pack(source, target)
    assert storage.read_bytes(path) == b"mine"
    assert storage.list_folder(target) == ["testA"]


def test_shards_of_another_program_are_left_alone(source, target):
    path = storage.join(target, "testA/00000-of-00005.tfrecord")
    write(path, b"mine")
    with pytest.raises(Failure, match="00000-of-00005.tfrecord, which is not part of a packed"):
        packing.pack(source, target)
    assert storage.read_bytes(path) == b"mine"
    assert storage.list_folder(target) == ["testA"]


@pytest.mark.parametrize("fails", ["second shard", "second manifest"])
def test_what_fails_in_the_middle_leaves_nothing_and_can_be_repeated(
    source, target, monkeypatch, fails
):
    kind = "_write_shard" if "shard" in fails else "_write_manifest"
    calls, write = [], getattr(packing, kind)

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError("No space left on device")
        return write(*arguments)

    monkeypatch.setattr(packing, kind, failing)
    with pytest.raises(OSError, match="No space left"):
        packing.pack(source, target, count=2)
    for split in ("trainA", "trainB", "testA"):
        folder = storage.join(target, split)
        assert not storage.is_folder(folder) or storage.list_folder(folder) == []
    _, existed = packing.pack(source, target, count=2)
    assert not existed


def test_what_a_killed_process_left_is_cleared_away(source, target):
    for name in (packing.MARK, "00000-of-00007.tfrecord", ".0123abc.unfinished"):
        write(storage.join(target, f"trainA/{name}"), b"half")
    packing.pack(source, target, count=2)
    names = ["00000-of-00002.tfrecord", "00001-of-00002.tfrecord", "manifest.json"]
    assert storage.list_folder(storage.join(target, "trainA")) == names


def test_a_file_that_changes_while_it_is_packed_is_a_failure(source, target, monkeypatch):
    examine = folders.examine

    def changed_after(folder):
        split = examine(folder)
        runs.write_images(source, ["trainA/b.png"], seed=5)
        return split

    monkeypatch.setattr(folders, "examine", changed_after)
    with pytest.raises(Failure, match="b.png was changed while"):
        packing.pack(source, target)


def test_a_packed_dataset_is_not_packed_again(source, target):
    packing.pack(source, target)
    with pytest.raises(Failure, match="packed already"):
        packing.pack(target, f"{target}_again")


def test_a_dataset_without_images_is_not_packed(tmp_path):
    with pytest.raises(Failure, match="No images in .*trainA, trainB, testA, testB"):
        packing.pack(str(tmp_path / "none"), str(tmp_path / "out"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "is missing"),
        (lambda content: content[:-1], "has [0-9]+ bytes, not [0-9]+"),
        (lambda content: content + b"x", "has [0-9]+ bytes, not [0-9]+"),
    ],
)
def test_a_shard_that_is_not_whole_is_a_failure_at_the_start(source, target, change, message):
    packing.pack(source, target, count=2)
    path = shard(target, number=1)
    if change:
        rewrite(path, change)
    else:
        storage.remove(path)
    with pytest.raises(Failure, match=f"00001-of-00002.tfrecord {message}"):
        folders.examine(storage.join(target, "trainA"))


DEEP = b"[" * 100_000 + b"]" * 100_000


def signed(manifest):
    """A changed manifest with the digest that belongs to it: no accident, a stranger made it."""
    body, end = manifest.rsplit(b"\n]", 1)
    digest = hashlib.sha256(body + b"\n").hexdigest()
    return body + b"\n]" + re.sub(b"[0-9a-f]{64}", digest.encode(), end)


@pytest.mark.parametrize("offset", [-30, 14])
def test_a_damaged_record_is_a_failure_that_names_shard_and_image(source, target, offset):
    packing.pack(source, target, count=2)
    rewrite(shard(target), lambda content: flipped(content, offset))
    paths = folders.examine(storage.join(target, "trainA")).paths  # lengths alone are right
    damaged = paths[0 if offset > 0 else 2]
    with pytest.raises(Failure, match="00000-of-00002.tfrecord") as caught:
        image_file.read(damaged)
    assert os.path.basename(damaged) in str(caught.value)
    assert image_file.read(paths[1]).shape == (10, 14, 3)


def test_the_doctor_reads_all_shards_and_training_only_their_lengths(source, target):
    packing.pack(source, target, count=2)
    rewrite(shard(target, "trainB"), flipped)
    folder, name = target.rsplit("/", 1)
    folder = f"{folder}/" if folder.endswith("/") else folder
    config = made.tiny_config(dataset_dir=folder, dataset=name, img_ch=3)
    assert doctor.check(config).errors == []
    (error,) = doctor.check(config, thorough=True).errors
    assert f"{shard(target, 'trainB')} is damaged." in error


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1000],
        lambda content: content[:-2],
        lambda content: content.replace(b"wide", b"tall"),
        lambda content: content.replace(b", 0, 12, ", b", 9, 12, "),
        lambda content: content.replace(b'"columns"', b'"rows"'),
        lambda content: content.replace(b'"records"', b'"record"'),
        lambda content: content[:30],
        lambda content: content + b"x",
        lambda content: signed(content.replace(b", 0, 12, ", b", 7, 12, ")),
        lambda content: signed(content.replace(b", 0, 12, ", b", 18446744073709551615, 12, ")),
        lambda content: signed(content.replace(b", 0, 12, ", b", 0, 99999999, ")),
        lambda content: signed(content.replace(b", 0, 12, ", b", 0, 11, ")),
        lambda content: signed(content.replace(b'"b.png"', b'"../b.png"')),
        lambda content: signed(content.replace(b'"b.png"', b'".."')),
        lambda content: signed(content.replace(b'"b.png"', b"7")),
        lambda content: signed(content.replace(b'"00000-', b'"../00000-')),
        lambda content: signed(content.replace(b'"records": 6', b'"records": 5')),
        lambda content: signed(content.replace(b'"records": 6', b'"records": null')),
        lambda content: signed(content.replace(b'"records": 6', b'"records": ' + DEEP)),
        lambda content: signed(content.replace(b'["b.png"', b'["b.png", ' + DEEP)),
        lambda content: signed(content.replace(b'"b.png"', b'{"b.png": 1}')),
    ],
)
def test_a_damaged_manifest_is_a_failure_that_names_it(source, target, change):
    packing.pack(source, target)
    rewrite(storage.join(target, "trainA/manifest.json"), change)
    with pytest.raises(Failure, match="trainA/manifest.json is damaged"):
        folders.examine(storage.join(target, "trainA"))


def test_a_later_format_is_refused_by_its_number(source, target):
    packing.pack(source, target)
    path = storage.join(target, "trainA/manifest.json")
    rewrite(path, lambda content: content.replace(b'packed": 1', b'packed": 2'))
    with pytest.raises(Failure, match="packed in format 2; this is 1"):
        folders.examine(storage.join(target, "trainA"))


def test_a_manifest_of_something_else_is_one_more_file(tmp_path):
    runs.write_images(str(tmp_path), ["a.png"])
    (tmp_path / "manifest.json").write_text('{"name": "my images"}')
    split = folders.examine(tmp_path)
    assert split.paths == [str(tmp_path / "a.png")]
    assert [name for name, _ in split.refused] == ["manifest.json"]


def test_the_phase_packs_beside_the_dataset_and_says_how_to_use_it(source, capsys):
    folder, name = os.path.split(source)
    argv = ["--phase", "pack", "--dataset", name, "--dataset_dir", folder, "--shards", "2"]
    for message in (f"Packed into {source}_packed", f"{source}_packed already exists."):
        assert main.main(argv) == 0
        out = capsys.readouterr().out
        assert message.encode("utf-8", "backslashreplace").decode() in out
        assert "trainA: 6 images in 2 shards\n" in out
        assert "--dataset set_packed" in out
    assert sorted(os.listdir(f"{source}_packed")) == ["testA", "trainA", "trainB"]
    assert main.main([*argv[:6], "--pack_to", "other"]) == 0
    assert os.path.exists(os.path.join(folder, "other", "trainA", "00000-of-00001.tfrecord"))
    assert "trainA: 6 images in 1 shard\n" in capsys.readouterr().out


def test_the_phase_works_below_a_scheme(source, capsys):
    _, name = os.path.split(source)
    far = f"ram://bucket/{uuid.uuid4().hex}"
    for path, content in runs.bytes_below(source).items():
        if not path.endswith(os.fsdecode(b"\xe9.png")):
            write(f"{far}/{name}/{path}", content)
    assert main.main(["--phase", "pack", "--dataset", name, "--dataset_dir", far]) == 0
    assert f"Packed into {far}/{name}_packed" in capsys.readouterr().out
    split = folders.examine(f"{far}/{name}_packed/trainA")
    assert {image.name for image in split.images} == {*NAMES, "wide.jpg"} - {NAMES[3]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shards": -1}, "--shards must be at least 0"),
        ({"shard_mb": 0}, "--shard_mb must be at least 1"),
        ({"shards": 2, "shard_mb": 64}, "Use one of them"),
        ({"pack_to": "a/b"}, "--pack_to is the name of a folder"),
        ({"pack_to": ".."}, "--pack_to is the name of a folder"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        PackOptions(**options)


def test_the_options_belong_to_the_phase():
    assert command_line.parse(["--phase", "pack", "--shards=3"]).options == PackOptions(shards=3)
    with pytest.raises(ConfigError, match="--shards belongs to --phase pack"):
        command_line.parse(["--shards", "3"])


@pytest.mark.parametrize("where", ["packed", "far"])
def test_test_images_are_translated_and_measured_wherever_they_are(tmp_path, monkeypatch, where):
    config = runs.config_in(tmp_path, inception="random")
    runs.write_dataset(config.dataset_folder, parts=packing.SPLITS, count=7)
    runs.make_run(config)
    other = {"packed": {"dataset": "tiny_packed"}, "far": {}}[where]
    if where == "far":
        other["dataset_dir"] = f"ram://bucket/{uuid.uuid4().hex}"
    other = dataclasses.replace(config, run="tiny", **other)
    packing.pack(config.dataset_folder, other.dataset_folder)
    monkeypatch.setattr(evaluate, "Extractor", Brightness)
    actual = []
    with eagerly():
        for one in (config, other):
            folder = os.path.dirname(testing.run_test(one))
            images = {n: c for n, c in runs.bytes_below(folder).items() if n.endswith(".png")}
            measured, _ = evaluate.evaluate(one)
            actual.append((images, {d: measured[d] for d in ("a2b", "b2a")}))
    assert len(actual[0][0]) == 4 * 7
    assert actual[0] == actual[1]
    cached = tmp_path / ("results" if where == "far" else "dataset/tiny_packed") / ".cache"
    assert len(list(cached.iterdir())) == 2
    assert not os.path.exists("ram:")


class Brightness:
    """Features of an image that take no network."""

    key = "brightness"
    num_features = 6

    def __init__(self, protocol):
        self.protocol = protocol

    def __call__(self, images):
        values = np.float32(images) / 255
        return np.concatenate([values.mean((1, 2)), values.std((1, 2))], -1)


@contextlib.contextmanager
def eagerly():
    """Without tracing, which takes longer than a few small steps."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def test_training_on_a_damaged_record_is_one_line_that_names_it(tmp_path, capsys, monkeypatch):
    config = runs.config_in(tmp_path, ch=2)
    source = str(tmp_path / "source")
    runs.write_dataset(source, parts=folders.TRAIN, count=1)
    packing.pack(source, config.dataset_folder)
    rewrite(shard(config.dataset_folder, count=1), flipped)
    options = {f.name: getattr(config, f.name) for f in dataclasses.fields(config)}
    given = {name: value for name, value in options.items() if value != getattr(Config(), name)}
    words = [f"--{name}={value}" for name, value in given.items()]
    assert main.main(words) == 1
    message = f"{shard(config.dataset_folder, count=1)} is damaged at the image trainA_0.png."
    assert errors(capsys) == [f"error: {message} {shards.PACK_AGAIN}"]
    batches = pipeline.batches(*pair(config.dataset_folder), config)
    phase = dataclasses.replace(PHASES["doctor"], run=lambda *_: next(iter(batches)))
    monkeypatch.setitem(PHASES, "doctor", phase)
    assert main.main(["--phase=doctor", *words]) == 1
    (error,) = errors(capsys)
    assert error.endswith(f" {message} {shards.PACK_AGAIN}")
    assert "{{" not in error


def errors(capsys):
    return [x for x in capsys.readouterr().err.splitlines() if x.startswith("error: ")]


@pytest.mark.slow
def test_training_from_shards_and_from_afar_gives_the_weights_of_the_folder(tmp_path, untraced):
    actual = []
    for where in ("plain", "packed", "far"):
        config = runs.config_in(tmp_path / where, epoch=1, iteration=3)
        if where == "far":
            config = dataclasses.replace(config, dataset_dir=f"ram://bucket/{uuid.uuid4().hex}")
        source = str(tmp_path / where / "source") if where != "plain" else config.dataset_folder
        runs.write_dataset(source)
        if where != "plain":
            packing.pack(source, config.dataset_folder, count=2)
        runs.run_phase("train", config)
        path = checkpoints.chosen(config.run_folder, "latest")
        actual.append({n: c for n, c in runs.bytes_below(path).items() if ".data-" in n})
    assert actual[0]
    assert actual[0] == actual[1] == actual[2]
