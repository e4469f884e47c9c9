"""What is translated into what: names, formats, and everything that must not be lost."""

import os

import pytest

from ugatit_tf.errors import Failure
from ugatit_tf.options import ConfigError
from ugatit_tf.translation import paths
from ugatit_tf.translation.options import TranslateOptions


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"image")


def jobs_of(root, input="in", output="out", **options):
    return paths.jobs(TranslateOptions(str(root / input), str(root / output), **options))


def written(root, **options):
    """Name of the source -> result below the output."""
    return {
        job.name: os.path.relpath(job.target, root / options.get("output", "out"))
        for job in jobs_of(root, **options)
    }


def test_a_folder_keeps_its_names_and_only_what_cannot_be_written_becomes_png(tmp_path):
    write(
        tmp_path,
        "in/b.JPG",
        "in/a.png",
        "in/c.webp",
        "in/d.bmp",
        "in/e",
        "in/.hidden",
        "in/x/f.png",
    )
    assert written(tmp_path) == {
        "a.png": "a.png", "b.JPG": "b.JPG", "c.webp": "c.webp", "d.bmp": "d.png", "e": "e.png",
    }  # fmt: skip


def test_recursive_keeps_the_folders(tmp_path):
    write(tmp_path, "in/a.png", "in/x/a.png", "in/x/y/b.jpg", "in/.git/c.png")
    expected = ["a.png", os.path.join("x", "a.png"), os.path.join("x", "y", "b.jpg")]
    assert list(written(tmp_path, recursive=True).values()) == expected


def test_results_are_not_translated_again(tmp_path):
    write(tmp_path, "in/a.png", "in/out/a.png")
    assert list(written(tmp_path, output="in/out", recursive=True, overwrite=True)) == ["a.png"]


@pytest.mark.parametrize(
    ("kind", "names", "expected"),
    [
        ("same", ["a.bmp", "a.png"], ["a.bmp.png", "a.png"]),
        ("same", ["a.png", "a.bmp", "a.bmp.png"], ["a.png", "a.bmp_2.png", "a.bmp.png"]),
        ("same", ["A.bmp", "a.tif"], ["A.png", "a.tif.png"]),
        ("jpg", ["a.jpg", "a.png", "b.png"], ["a.jpg", "a.png.jpg", "b.jpg"]),
        ("png", ["x/a.jpg", "y/a.jpg"], ["x/a.png", "y/a.png"]),
        ("webp", ["no_suffix"], ["no_suffix.webp"]),
    ],
)
def test_no_two_results_have_one_name(kind, names, expected):
    assert paths.result_names(names, kind) == expected


def test_one_image_goes_to_a_file_or_into_a_folder(tmp_path):
    write(tmp_path, "in/a.jpg")
    assert written(tmp_path, input="in/a.jpg") == {"a.jpg": "a.jpg"}
    (job,) = jobs_of(tmp_path, input="in/a.jpg", output="out/b.webp")
    assert job.target == str(tmp_path / "out/b.webp")


def test_a_pattern_keeps_the_folders_below_what_is_common(tmp_path):
    write(tmp_path, "in/x/a.png", "in/y/b.png", "in/y/c.txt")
    assert written(tmp_path, input="in/*/*.png") == {"x/a.png": "x/a.png", "y/b.png": "y/b.png"}
    assert written(tmp_path, input="in/**/b.*") == {"y/b.png": "y/b.png"}


def test_a_folder_in_brackets_is_itself_in_a_pattern(tmp_path):
    write(tmp_path, "ph [2020]/[a]/1.png", "ph [2020]/b.png", "ph 2/c.png", "ph 2/[d].png")
    assert written(tmp_path, input="ph [2020]/*.png") == {"b.png": "b.png"}
    assert written(tmp_path, input="ph [2020]/[a]/*") == {"1.png": "1.png"}
    assert written(tmp_path, input="ph [2020]/*/*.png") == {"[a]/1.png": "[a]/1.png"}
    assert written(tmp_path, input="ph 2/[d].png") == {"[d].png": "[d].png"}
    (tmp_path / "ph [2020]").rename(tmp_path / "elsewhere")  # then the brackets are a pattern
    assert written(tmp_path, input="ph [2020]/c*") == {"ph 2/c.png": "ph 2/c.png"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"input": "nothing"},
            "it does not exist. Expected an image, a folder or a video",
        ),
        ({"input": "in/*.gif"}, r"in/\*.gif: nothing matches"),
        ({"input": "empty"}, "No file in .*empty .--recursive True looks into its folders too."),
        (
            {"input": "in/a.png", "output": "b.doc"},
            "not written as .doc. Expected one of .bmp",
        ),
        ({"output": "in"}, "a.png is one of the images to translate, and would be lost"),
        ({"output": "in", "overwrite": True}, "would be lost. Use another --output"),
        ({"input": "in/a.png", "output": "link.png", "overwrite": True}, "would be lost"),
        ({"heatmap": "overlay"}, "a_attention.png would be written twice"),
    ],
)
def test_what_cannot_be_begun_is_refused(tmp_path, options, message):
    write(tmp_path, "in/a.png", "in/a_attention.png", "empty/x/b.png")
    os.symlink(tmp_path / "in/a.png", tmp_path / "link.png")
    with pytest.raises(Failure, match=message):
        jobs_of(tmp_path, **options)


def test_results_that_exist_are_refused_kept_or_replaced(tmp_path):
    write(tmp_path, *(f"in/{i}.png" for i in range(5)), *(f"out/{i}.png" for i in range(4)))
    with pytest.raises(Failure, match="0.png, .*1.png, .*2.png, and 1 more already exist"):
        jobs_of(tmp_path)
    assert list(written(tmp_path, resume_output=True)) == ["4.png"]
    assert len(written(tmp_path, overwrite=True)) == 5


def names_of_shards(root, count, **options):
    parts = (f"{number}/{count}" for number in range(1, count + 1))
    return [written(root, shard=part, **options) for part in parts]


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_shards_are_together_the_whole_and_none_twice(tmp_path, count):
    write(
        tmp_path, *(f"in/{name}" for name in ("a.png", "a.bmp", "b.jpg", "c", "x/a.png", "x/d.gif"))
    )
    whole = written(tmp_path, recursive=True)
    parts = names_of_shards(tmp_path, count, recursive=True)
    assert sum(map(len, parts)) == len(whole) == 6
    assert {k: v for part in parts for k, v in part.items()} == whole
    assert max(map(len, parts)) - min(map(len, parts)) <= 1  # and 0 where they are more


def test_an_empty_result_as_a_power_failure_leaves_it_is_made_again(tmp_path):
    write(tmp_path, "in/0.png", "in/1.png", "out/0.png", "out/1.png")
    (tmp_path / "out" / "1.png").write_bytes(b"")
    assert list(written(tmp_path, resume_output=True)) == ["1.png"]


def test_a_shard_is_the_same_whatever_others_have_done(tmp_path):
    write(tmp_path, *(f"in/{i}.png" for i in range(5)))
    first, second = names_of_shards(tmp_path, 2)
    write(tmp_path, *(f"out/{name}" for name in first))
    assert written(tmp_path, shard="2/2") == second
    assert written(tmp_path, shard="2/2", resume_output=True) == second
    assert written(tmp_path, shard="1/2", resume_output=True) == {}
    with pytest.raises(Failure, match="4.png already exist"):
        jobs_of(tmp_path, shard="1/2")
    os.remove(tmp_path / "out/2.png")
    assert list(written(tmp_path, shard="1/2", resume_output=True)) == ["2.png"]


def test_a_clash_with_another_shard_is_refused_by_all(tmp_path):
    write(tmp_path, "in/a.png", "in/a_side.png")
    for part in ("1/2", "2/2"):
        with pytest.raises(Failure, match="a_side.png would be written twice"):
            jobs_of(tmp_path, shard=part, heatmap="side")


@pytest.mark.parametrize(("input", "output"), [("in", "in"), ("in", "."), ("in/*.png", "in")])
def test_what_shards_write_must_not_be_among_what_they_read(tmp_path, input, output):
    write(tmp_path, "in/a.png", "in/b.png")
    with pytest.raises(Failure, match="holds the images to translate. With --shard, use"):
        jobs_of(tmp_path, input=input, output=output, format="webp", shard="1/2")
    assert jobs_of(tmp_path, input=input, output="in/out", shard="1/2")
    assert jobs_of(tmp_path, input="in/a.png", output="in", format="webp", shard="1/2")


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1/0", "1", "a/b", "1/2/3", "-1/2", "1 / 2", "/"])
def test_a_shard_that_cannot_be_is_refused(shard):
    with pytest.raises(ConfigError, match=f"I/N with I from 1 to N.*Received: '{shard}'"):
        TranslateOptions("in", "out", shard=shard)


def test_what_an_earlier_call_wrote_is_no_input_of_a_pattern(tmp_path):
    write(tmp_path, "a.png", "x/b.png", "out/a.png", "out/x/b.png")
    for pattern in ("**/*.png", "x/../**/*.png"):
        found = written(tmp_path, input=pattern, overwrite=True)
        assert set(found.values()) == {"a.png", os.path.join("x", "b.png")}
    assert written(tmp_path, input="**/*.png", resume_output=True) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "file"}, "file is a file. Expected a folder"),
        ({"output": "file/below"}, "file is a file. Expected a folder"),
        ({"output": "two.png"}, "two.png is named like a file, and --input may be several"),
        ({"output": "in/a.png"}, "a.png is a file|named like a file"),
    ],
)
def test_an_output_that_cannot_be_a_folder_is_refused_before_the_work(tmp_path, options, message):
    write(tmp_path, "in/a.png", "file")
    with pytest.raises(Failure, match=message):
        jobs_of(tmp_path, **options)


def test_a_folder_named_like_a_file_is_a_folder(tmp_path):
    write(tmp_path, "in/a.png")
    (tmp_path / "out.v2").mkdir()
    assert written(tmp_path, input="in/a.png", output="out.v2") == {"a.png": "a.png"}
    assert written(tmp_path, output="out.v2") == {"a.png": "a.png"}


def test_a_result_without_its_heatmap_is_made_again(tmp_path):
    write(tmp_path, "in/a.png", "in/b.png", "out/a.png", "out/b.png", "out/b_attention.png")
    assert list(written(tmp_path, resume_output=True, heatmap="overlay")) == ["a.png"]


def test_a_folder_that_cannot_be_read_is_named_and_stops_nothing(tmp_path, monkeypatch):
    write(tmp_path, "in/a.png", "in/dark/b.png", "in/light/c.png")
    scandir = os.scandir

    def refusing(path):
        if os.path.basename(path) == "dark":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert list(written(tmp_path, recursive=True)) == ["a.png", "light/c.png"]
    named = [("dark", "permission denied; this folder was left out")]
    for given, options in (("in", {"recursive": True}), ("in/*/*.png", {}), ("in/**/*.png", {})):
        assert (
            paths.unreadable_folders(TranslateOptions(str(tmp_path / given), "out", **options))
            == named
        )
    assert paths.unreadable_folders(TranslateOptions(str(tmp_path / "in"), "out")) == []
    with pytest.raises(PermissionError, match="dark"):
        jobs_of(tmp_path, input="in/dark")
    os.remove(tmp_path / "in/a.png")
    os.remove(tmp_path / "in/light/c.png")
    with pytest.raises(Failure, match="No file in .*in; dark: permission denied"):
        jobs_of(tmp_path, recursive=True)


def test_a_heatmap_that_exists_is_refused_too(tmp_path):
    write(tmp_path, "in/a.png", "out/a_side.png")
    assert len(jobs_of(tmp_path, heatmap="overlay")) == 1
    with pytest.raises(Failure, match="a_side.png already exists"):
        jobs_of(tmp_path, heatmap="side")


def test_heatmaps_of_one_stem_have_each_their_name(tmp_path):
    write(tmp_path, "in/a.png", "in/a.jpg", "in/b.png")
    request = TranslateOptions(str(tmp_path / "in"), str(tmp_path / "out"), heatmap="raw")
    found = [paths.heatmap_paths(job, request)["local"] for job in paths.jobs(request)]
    names = [os.path.basename(path) for path in found]
    assert names == ["a.jpg_local.png", "a.png_local.png", "b_local.png"]


def test_a_link_in_the_output_does_not_lead_out_of_it(tmp_path):
    write(tmp_path, "in/x/a.png", "elsewhere/keep")
    (tmp_path / "out").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "out/x")
    with pytest.raises(Failure, match="leads out of .*out, to .*elsewhere"):
        jobs_of(tmp_path, recursive=True)
    assert os.listdir(tmp_path / "elsewhere") == ["keep"]


def test_a_linked_folder_in_the_input_is_not_entered(tmp_path):
    write(tmp_path, "in/a.png", "elsewhere/b.png")
    os.symlink(tmp_path / "elsewhere", tmp_path / "in/x")
    os.symlink(tmp_path, tmp_path / "in/y")
    assert list(written(tmp_path, recursive=True)) == ["a.png"]
