"""What is translated into what: names, formats, and everything that must not be lost."""

import os

import pytest

from ugatit_tf.request import Request
from ugatit_tf.runtime import Failure
from ugatit_tf.translation import sources


def write(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def jobs_of(root, input="in", output="out", **options):
    return sources.jobs(Request(str(root / input), str(root / output), **options))


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
    assert sources.targets(names, kind) == expected


def test_one_picture_goes_to_a_file_or_into_a_folder(tmp_path):
    write(tmp_path, "in/a.jpg")
    assert written(tmp_path, input="in/a.jpg") == {"a.jpg": "a.jpg"}
    (job,) = jobs_of(tmp_path, input="in/a.jpg", output="out/b.webp")
    assert job.target == str(tmp_path / "out/b.webp")


def test_a_pattern_keeps_the_folders_below_what_is_common(tmp_path):
    write(tmp_path, "in/x/a.png", "in/y/b.png", "in/y/c.txt")
    assert written(tmp_path, input="in/*/*.png") == {"x/a.png": "x/a.png", "y/b.png": "y/b.png"}
    assert written(tmp_path, input="in/**/b.*") == {"b.png": "b.png"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": "nothing"}, "nothing: nothing is there. Expected a picture, a folder or a film"),
        ({"input": "in/*.gif"}, r"in/\*.gif: nothing matches"),
        ({"input": "empty"}, "No file in .*empty .--recursive True looks into its folders too."),
        (
            {"input": "in/a.png", "output": "b.doc"},
            "not written as .doc. Expected one of .bmp",
        ),
        ({"output": "in"}, "a.png would take the place of .*a.png. Use another --output"),
        ({"output": "in", "overwrite": True}, "would take the place of"),
        ({"input": "in/a.png", "output": "link.png", "overwrite": True}, "would take the place of"),
        ({"heatmap": "overlay"}, "a_attention.png would take the place of .*a_attention.png"),
    ],
)
def test_what_cannot_be_begun_is_refused(tmp_path, options, message):
    write(tmp_path, "in/a.png", "in/a_attention.png", "empty/x/b.png")
    os.symlink(tmp_path / "in/a.png", tmp_path / "link.png")
    with pytest.raises(Failure, match=message):
        jobs_of(tmp_path, **options)


def test_results_that_exist_are_refused_kept_or_replaced(tmp_path):
    write(tmp_path, *(f"in/{i}.png" for i in range(5)), *(f"out/{i}.png" for i in range(4)))
    with pytest.raises(Failure, match="0.png, .*1.png, .*2.png and 1 more are there already"):
        jobs_of(tmp_path)
    assert list(written(tmp_path, resume_output=True)) == ["4.png"]
    assert len(written(tmp_path, overwrite=True)) == 5


def test_a_heatmap_that_exists_is_refused_too(tmp_path):
    write(tmp_path, "in/a.png", "out/a_side.png")
    assert len(jobs_of(tmp_path, heatmap="overlay")) == 1
    with pytest.raises(Failure, match="a_side.png is there already"):
        jobs_of(tmp_path, heatmap="side")


def test_heatmaps_of_one_stem_have_each_their_name(tmp_path):
    write(tmp_path, "in/a.png", "in/a.jpg", "in/b.png")
    request = Request(str(tmp_path / "in"), str(tmp_path / "out"), heatmap="raw")
    found = [sources.extras(job, request)["local"] for job in sources.jobs(request)]
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
