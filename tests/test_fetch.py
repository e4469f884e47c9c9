"""`fetch` makes whole datasets, with A and B the right way round, or nothing."""

import dataclasses
import os
import subprocess
import sys

import pytest

import main
from tests import loopback, runs
from tests.loopback import dataset, sha256, zip_of
from ugatit_tf import command_line
from ugatit_tf.data import download, recipes, unpack
from ugatit_tf.data.recipes import RECIPES, SPLITS, Recipe

COUNTS = {"trainA": 3, "trainB": 2, "testA": 1, "testB": 2}
SWAPPED = {"trainA": "trainB", "trainB": "trainA", "testA": "testB", "testB": "testA"}
PROGRAM = os.path.dirname(os.path.abspath(main.__file__))
COMPLETE = "dataset/tiny is complete already: nothing was done.\n"
ARCHIVE = zip_of(dataset(COUNTS, "tiny/"))
TINY = Recipe(
    "tiny", domains=("photos", "drawings"), license="CC0.", pages=("http://page.invalid",),
    num_bytes=len(ARCHIVE), sha256=sha256(ARCHIVE), counts=COUNTS,
)  # fmt: skip


@pytest.fixture(autouse=True)
def server(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with loopback.serving(monkeypatch) as server:
        yield server


@pytest.fixture
def recipe(server, monkeypatch):
    """recipe(content, **fields): puts a recipe `tiny` into the table; None: no server has it."""

    def put(content=ARCHIVE, **fields):
        if content is not None:
            server.put("/tiny.zip", content)
        urls = fields.pop("urls", [f"{server.address}/tiny.zip"])
        one = dataclasses.replace(TINY, urls=tuple(urls), **fields)
        monkeypatch.setitem(RECIPES, "tiny", one)
        return one

    return put


@pytest.fixture
def run(capsys):
    """run(*words) -> (exit code, output, errors)."""

    def called(*words):
        code = main.main(["fetch", *words])
        return (code, *capsys.readouterr())

    return called


def files_in(folder="dataset"):
    """path -> content of all files below `folder`; None for an empty folder."""
    empty = (parent for parent, folders, names in os.walk(folder) if not folders and not names)
    nothing = {os.path.relpath(parent, folder): None for parent in empty if parent != folder}
    return {**runs.bytes_below(folder), **nothing}


def expected(splits, name="tiny"):
    """The files of the dataset whose split comes from that folder of the archive."""
    files = dataset(COUNTS)
    return {
        f"{name}/{split}/{path.split('/')[1]}": content
        for split, folder in splits.items()
        for path, content in files.items()
        if path.startswith(f"{folder}/")
    }


SAME = expected({split: split for split in SPLITS})


def test_a_dataset_is_downloaded_checked_and_unpacked(recipe, run):
    recipe()
    code, out, err = run("tiny")
    assert (code, err) == (0, "") and files_in() == SAME
    assert f"{sha256(ARCHIVE)}, as expected" in out
    assert "A: photos, 3 to train, 1 to test\nB: drawings, 2 to train, 2 to test\n" in out
    assert "Respecting the license is your responsibility. CC0." in out


def test_a_complete_dataset_is_left_alone_without_a_server(recipe, run, server):
    recipe()
    run("tiny")
    server.requests.clear()
    code, out, _ = run("tiny")
    assert (code, out) == (0, COMPLETE)
    assert server.requests == [] and files_in() == SAME


@pytest.mark.parametrize("removed", ["trainA/0.png", "testB/1.png"])
def test_another_dataset_of_this_name_is_not_overwritten(recipe, run, removed):
    recipe()
    run("tiny")
    os.unlink(f"dataset/tiny/{removed}")
    before = files_in()
    code, _, err = run("tiny")
    assert code == 1 and "already exists and is something else" in err
    assert removed.split("/")[0] in err and files_in() == before


def test_a_recipe_may_exchange_a_and_b(recipe, run):
    counts = {split: COUNTS[other] for split, other in SWAPPED.items()}
    recipe(folders=SWAPPED, counts=counts)
    assert run("tiny")[0] == 0 and files_in() == expected(SWAPPED)


def test_the_user_may_exchange_a_and_b(recipe, run):
    recipe()
    code, out, _ = run("tiny", "--swap", "True")
    assert code == 0 and files_in() == expected(SWAPPED)
    assert "A: drawings, 2 to train, 2 to test" in out
    assert run("tiny", "--swap", "True")[:2] == (
        0,
        COMPLETE,
    )
    assert "something else" in run("tiny")[2]


@pytest.mark.parametrize("is_known", [True, False])
def test_another_number_of_images_is_an_error_and_leaves_nothing(recipe, run, is_known):
    recipe(counts={**COUNTS, "testB": 3}, **({} if is_known else {"sha256": None}))
    code, _, err = run("tiny")
    assert code == 1 and "tiny.zip is not the archive of tiny: testB has 2, expected 3." in err
    assert files_in() == {}


def test_a_wrong_sum_is_an_error_and_leaves_nothing(recipe, run):
    recipe(sha256="0" * 64)
    code, _, err = run("tiny")
    assert code == 1 and f"sha256 {sha256(ARCHIVE)}, expected {'0' * 64}" in err
    assert files_in() == {}


def test_a_sum_that_is_not_known_is_printed_and_what_is_known_is_checked(recipe, run):
    recipe(sha256=None, num_bytes=None, counts={**dict.fromkeys(SPLITS), "trainA": 3})
    code, out, _ = run("tiny")
    assert code == 0 and files_in() == SAME
    assert f"{sha256(ARCHIVE)}, which is not known beforehand" in out


def test_a_dataset_of_unknown_numbers_has_images_to_train(recipe, run):
    content = zip_of(dataset({"trainA": 2}))
    recipe(content, sha256=None, num_bytes=None, counts=dict.fromkeys(SPLITS))
    code, _, err = run("tiny")
    assert code == 1 and "trainB has no image" in err and files_in() == {}


def test_without_a_server_each_address_has_a_line_and_then_comes_what_to_do(recipe, run, server):
    recipe(None, urls=[f"{server.address}/a.zip", f"{server.address}/b.zip"])
    code, _, err = run("tiny")
    assert code == 1 and files_in() == {}
    assert err.splitlines() == [
        "error: a.zip could not be downloaded:",
        f"  {server.address}/a.zip: the server answers 404 Not Found",
        f"  {server.address}/b.zip: the server answers 404 Not Found",
        "To try again, or to continue, start the same command. Or get the file with a browser:",
        "  http://page.invalid",
        "and name it:",
        "python main.py --phase fetch tiny --archive FILE",
    ]


def test_an_interrupted_download_says_how_to_go_on_and_does(recipe, run, server, monkeypatch):
    recipe()
    server.files["/tiny.zip"].cuts[:] = [200]
    read, calls = download._read, []

    def interrupted(response):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return read(response)

    with monkeypatch.context() as patch:
        patch.setattr(download, "_read", interrupted)
        code, _, err = run("tiny")
    assert code == 130 and "The same command continues." in err
    assert set(files_in()) == {".downloads/tiny.zip.part", ".downloads/tiny.zip.part.json"}
    assert run("tiny")[0] == 0 and files_in() == SAME
    assert server.starts == [0, 200]


def test_the_file_is_kept_if_it_is_wanted_and_used_again(recipe, run, server):
    recipe()
    assert run("tiny", "--keep_archive", "True")[0] == 0
    assert files_in() == {**SAME, ".downloads/tiny.zip": ARCHIVE}
    os.rename("dataset/tiny", "dataset/other")
    server.requests.clear()
    code, out, _ = run("tiny")
    assert code == 0 and "tiny.zip is here already" in out and server.requests == []
    assert files_in() == {**SAME, **{f"other{path[4:]}": x for path, x in SAME.items()}}


def test_a_kept_file_of_another_sum_is_downloaded_again(recipe, run):
    recipe()
    os.makedirs("dataset/.downloads")
    with open("dataset/.downloads/tiny.zip", "wb") as file:
        file.write(b"something else")
    assert run("tiny")[0] == 0 and files_in() == SAME


def test_an_archive_of_the_user_stays(recipe, run, server):
    recipe(None)
    with open("mine.zip", "wb") as file:
        file.write(ARCHIVE)
    code, out, _ = run("tiny", "--archive", "mine.zip")
    assert code == 0 and files_in() == SAME and server.requests == []
    assert "as expected" in out and os.path.exists("mine.zip")


def test_a_wrong_archive_of_the_user_stays_too(recipe, run):
    recipe(counts={**COUNTS, "trainA": 4})
    with open("mine.zip", "wb") as file:
        file.write(ARCHIVE)
    code, _, err = run("tiny", "--archive", "mine.zip")
    assert code == 1 and "trainA has 3, expected 4" in err
    assert files_in() == {} and os.path.exists("mine.zip")


def test_another_copy_may_have_a_and_b_the_other_way_round(recipe, run):
    counts = {split: COUNTS[other] for split, other in SWAPPED.items()}
    one = recipe(sha256="0" * 64, other_folders=SWAPPED, counts=counts)
    assert one.folders_of("0" * 64) == one.folders
    with open("mine.zip", "wb") as file:
        file.write(ARCHIVE)
    code, out, _ = run("tiny", "--archive", "mine.zip")
    assert code == 0 and files_in() == expected(SWAPPED)
    assert "look whether A are photos; --swap True exchanges A and B" in out


def test_an_archive_may_be_of_a_dataset_that_no_recipe_knows(run):
    with open("mine.zip", "wb") as file:
        file.write(ARCHIVE)
    assert run("mine", "--archive", "mine.zip")[0] == 0
    assert files_in() == expected({split: split for split in SPLITS}, "mine")
    code, _, err = run("mine", "--archive", "mine.zip")
    assert code == 1 and "dataset/mine already exists. Nothing is overwritten" in err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["none"], 2, "There is no recipe for 'none'. Expected one of selfie2anime, horse2zebra"),
        (["../x"], 2, "--dataset is the name of a folder, not a path"),
        (["tiny", "--archive", "none.zip"], 1, "--archive none.zip: there is no such file"),
        (["tiny", "--archive", "x", "--keep_archive", "1"], 2, "--keep_archive is for downloads"),
        (["--swap", "True"], 2, "needs the name of a dataset"),
        (["tiny", "--dataset_dir", "gs://bucket"], 1, "fetched to this computer"),
        (["tiny", "more"], 2, "Unexpected: tiny more."),
        (["tiny", "--dataset", "tiny"], 2, "Unexpected: tiny."),
        (["tiny", "--ch", "8"], 2, "--ch has no effect in this use of --phase fetch"),
    ],
    ids=str,
)  # fmt: skip
def test_a_mistake_is_told_before_anything_is_done(recipe, run, server, words, code, told):
    recipe()
    found, _, err = run(*words)
    assert found == code and told in err and err.count("\n") == 1
    assert server.requests == [] and not os.path.exists("dataset")


def test_the_name_of_a_dataset_is_a_bare_word_where_a_phase_takes_one():
    for words in (["fetch", "x"], ["--phase", "fetch", "x"], ["fetch", "--swap", "True", "x"]):
        assert command_line.parse(words).named == {"dataset": "x"}
    for words in (["train", "x"], ["x"], ["test", "--light", "True", "x"]):
        with pytest.raises(command_line.ConfigError, match="Unexpected: x"):
            command_line.parse(words)


def test_without_a_name_all_recipes_are_listed(run, server):
    code, out, err = run()
    assert (code, err) == (0, "") and server.requests == []
    for name, one in RECIPES.items():
        assert f"{name}: {one.about}\n" in out and one.license in out and one.home in out
        assert f"\n  python main.py --phase fetch {name}\n" in out
    assert "trainA 1067, trainB 1334, testA 120, testB 140; download: 117 MB" in out


def test_the_recipes_are_plausible():
    assert list(RECIPES) == [
        "selfie2anime", "horse2zebra", "cat2dog", "photo2portrait", "photo2vangogh", "afhq"
    ]  # fmt: skip
    for one in RECIPES.values():
        assert one.about and one.license and one.home.startswith("https://") and one.pages
        assert all(url.startswith(("http://", "https://")) for url in one.urls)
        assert len({recipes.Recipe("x", urls=(url,)).file for url in one.urls}) == 1
        assert set(one.folders) == set(one.counts) == set(SPLITS)
        assert len(set(one.folders.values())) == 4
        assert one.sha256 is None or set(one.sha256) <= set("0123456789abcdef")
        assert one.sha256 is None or len(one.sha256) == 64
        assert one.swapped().swapped() == one


@pytest.mark.parametrize(
    ("name", "train_a"),
    [("selfie2anime", "trainB"), ("photo2vangogh", "trainB"), ("horse2zebra", "trainA"),
     ("cat2dog", "trainA"), ("afhq", "train/cat")],
)  # fmt: skip
def test_a_is_what_the_name_of_the_dataset_says_first(name, train_a, tmp_path):
    one = RECIPES[name]
    path = tmp_path / "x.zip"
    path.write_bytes(zip_of({f"top/{train_a}/1.png": loopback.png(1)}))
    assert unpack.unpack(str(path), one.folders, str(tmp_path)).counts == {"trainA": 1}


@pytest.mark.parametrize("phase", ["train", "doctor"])
def test_a_dataset_that_is_missing_is_told_with_the_command_that_fetches_it(phase, capsys):
    assert main.main([phase, "--dataset", "horse2zebra"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: There is no folder dataset/horse2zebra/trainA. ")
    assert lines[1:] == ["To download it: python main.py --phase fetch horse2zebra"]


@pytest.mark.parametrize("name", ["other", "horse2zebra"])
def test_a_dataset_without_a_recipe_or_with_a_folder_has_no_such_line(name, capsys):
    os.makedirs("dataset/horse2zebra/trainB")
    assert main.main(["train", "--dataset", name]) == 1
    assert "download" not in capsys.readouterr().err


@pytest.mark.parametrize("words", [["fetch"], ["fetch", "x", "--archive", "mine.zip"]])
def test_fetch_needs_no_tensorflow(words, tmp_path):
    (tmp_path / "mine.zip").write_bytes(ARCHIVE)
    script = (
        "import sys\nsys.path.insert(0, sys.argv.pop(1))\nimport main\n"
        "code = main.main(sys.argv[1:])\n"
        "assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules\nsys.exit(code)"
    )
    subprocess.run([sys.executable, "-c", script, PROGRAM, *words], check=True, cwd=tmp_path)
