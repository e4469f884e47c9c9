"""What is known of an image takes little memory, whatever holds it."""

import os
import tracemalloc

import pytest

from benchmarks import listing
from ugatit_tf.data import folders, packing
from ugatit_tf.data.image_table import ImageInfo, ImagePaths, ImageTable

COUNT = 3000


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    listing.write(str(folder / "set" / "trainA"), COUNT)
    packing.pack(str(folder / "set"), str(folder / "packed"))
    return folder


@pytest.mark.parametrize("kind", ["set", "packed"])
def test_a_split_keeps_less_than_150_bytes_an_image(dataset, kind):
    folders.examine(dataset / kind / "trainA")  # what is made once
    tracemalloc.start()
    split = folders.examine(dataset / kind / "trainA")
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(split.images) == COUNT
    assert size < 150 * COUNT
    assert peak < 400 * COUNT


def test_a_table_gives_back_what_it_was_given():
    names = ["été 夏.png", os.fsdecode(b"latin-1 \xe9.png"), "", 'q"\n.png']
    images = [
        ImageInfo(name, (2 * i + 1, 70_000), 10**12 + i, f"{i:064x}", i / 3)
        for i, name in enumerate(names)
    ]
    table = ImageTable()
    for image in images:
        table.append(image)
    assert list(table) == images
    assert (table[-1], table[1:3], len(table)) == (images[-1], images[1:3], len(images))
    with pytest.raises(IndexError):
        table[len(images)]


def test_paths_are_made_when_they_are_asked_for_and_equal_a_list():
    made = []
    paths = ImagePaths(1_000_000, lambda index: made.append(index) or str(index))
    assert (paths[7], paths[-1], paths[2:4]) == ("7", "999999", ["2", "3"])
    assert made == [7, 999_999, 2, 3]
    assert ImagePaths(2, str) == ["0", "1"] == ImagePaths(2, str)
    assert ImagePaths(2, str) != ["0", "2"]
    assert ImagePaths(2, str) != ["0"]
    assert ImagePaths(2, str) != ("0", "1")
    assert repr(ImagePaths(2, str)) == "['0', '1']"


def test_the_benchmark_shows_time_and_memory_of_every_row(capsys, monkeypatch):
    def alone(module, argv):
        options = listing._parser().parse_args(argv)
        return listing._measured(options.row, options.folder)

    monkeypatch.setattr(listing.measure, "alone", alone)
    assert listing.main(["--count", "30"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[3:]] == list(listing.ROWS)
