"""What people compare, and what their answers say."""

import json

import pytest

import main
from tests import runs
from ugatit_tf.errors import Failure
from ugatit_tf.evaluation import votes

ANSWERS = [
    {"person": "x", "picture": "1", "choice": "ours", "shown": ["ours", "other"], "seconds": 2.5},
    {"person": "x", "picture": "2", "choice": "other", "shown": ["other", "ours"], "seconds": 1},
    {"person": "y", "picture": "1", "choice": "ours", "shown": ["ours", "other"], "seconds": 3},
]
AS_CSV = 'person,picture,choice,shown,seconds\n"z","1","ours","other|ours","1.5"\n'


def write(folder, name, content):
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return str(path)


def test_answers_of_several_people_are_read_from_json_and_csv(tmp_path):
    write(tmp_path, "a.json", json.dumps(ANSWERS))
    write(tmp_path, "b.csv", AS_CSV)
    found = votes.read(str(tmp_path / "*"))
    assert [vote["person"] for vote in found] == ["x", "x", "y", "z"]
    assert found[3]["shown"] == ["other", "ours"]
    assert votes.summary(found)["ours"]["chosen"] == 3


def as_csv(answers, separator=","):
    """Answers as the page writes them."""
    rows = [["person", "picture", "choice", "shown", "seconds"]]
    for vote in answers:
        rows.append([*list(vote.values())[:3], json.dumps(vote["shown"]), str(vote["seconds"])])
    quoted = (['"' + cell.replace('"', '""') + '"' for cell in row] for row in rows)
    return "".join(separator.join(row) + "\n" for row in quoted)


def test_answers_in_two_files_of_one_person_count_once(tmp_path):
    write(tmp_path, "a.json", json.dumps(ANSWERS))
    write(tmp_path, "b.csv", as_csv(ANSWERS[:2]))
    write(tmp_path, "c.CSV", as_csv(ANSWERS + ANSWERS))
    alone = votes.read(str(tmp_path / "a.json"))
    assert votes.read(str(tmp_path / "*")) == alone
    assert len(alone) == 3


@pytest.mark.parametrize(
    "other",
    [
        [{**ANSWERS[0], "choice": "other"}, ANSWERS[1]],
        [ANSWERS[0], {**ANSWERS[1], "picture": "02"}],
        ANSWERS[:1],
    ],
    ids=["another choice", "another image", "fewer"],
)
def test_two_files_that_differ_in_a_person_s_answers_are_refused(tmp_path, other):
    write(tmp_path, "a.json", json.dumps(ANSWERS))
    write(tmp_path, "b.json", json.dumps(other))
    with pytest.raises(Failure, match="b.json hold different answers of one person, x"):
        votes.read(str(tmp_path / "*.json"))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_a_csv_file_may_have_been_saved_by_a_spreadsheet(tmp_path, separator, start):
    content = start + as_csv(ANSWERS, separator) + separator * 4 + "\n"
    found = votes.read(write(tmp_path, "a.csv", content.replace("\n", "\r\n")))
    assert found == votes.read(write(tmp_path, "a.json", json.dumps(ANSWERS)))


def test_the_name_of_a_method_may_have_any_sign(tmp_path):
    names = ["a|b", 'the "best", really;', "[c]", "été"]
    answers = [{**ANSWERS[0], "choice": name, "shown": names, "picture": name} for name in names]
    found = votes.read(write(tmp_path, "a.csv", as_csv(answers, ";")))
    assert [vote["choice"] for vote in found] == names
    assert all(vote["shown"] == names for vote in found)


def test_a_folder_with_brackets_is_no_pattern(tmp_path):
    (tmp_path / "votes [2020]").mkdir()
    write(tmp_path / "votes [2020]", "a[1].json", json.dumps(ANSWERS))
    for pattern in ("*.json", "a[1].json"):
        assert len(votes.read(str(tmp_path / "votes [2020]" / pattern))) == 3


@pytest.mark.parametrize(
    ("successes", "count", "expected"),
    [  # Agresti and Coull, The American Statistician 52, 1998; and by hand: z^2 / (n + z^2)
        (0, 10, (0.0, 0.2775)),
        (10, 10, (0.7225, 1.0)),
        (5, 10, (0.2366, 0.7634)),
        (81, 263, (0.2553, 0.3662)),
    ],
)
def test_the_interval_is_wilson_s(successes, count, expected):
    assert votes.wilson(successes, count) == pytest.approx(expected, abs=1e-4)


def test_the_ends_of_the_interval_solve_its_equation():
    for end in votes.wilson(30, 80):
        assert abs(30 / 80 - end) == pytest.approx(votes.Z * (end * (1 - end) / 80) ** 0.5)


def test_the_most_preferred_comes_first_and_a_share_is_of_what_was_shown():
    more = [*ANSWERS, {"person": "y", "picture": "2", "choice": "new", "shown": ["new", "ours"]}]
    found = votes.summary(more)
    assert list(found) == ["new", "ours", "other"]
    assert found["ours"]["share"] == 0.5 and found["ours"]["shown"] == 4


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "no JSON"),
        ("a.json", '{"person": 1}'),
        ("a.json", '[{"person": "x", "picture": "1", "choice": "a"}]'),
        ("a.json", '[{"person": "x", "picture": "1", "choice": "a", "shown": ["b"]}]'),
        ("a.csv", "no,answers\n1,2\n"),
        ("a.csv", ""),
        ("a.json", "{}"),
        ("a.json", "[[1]]"),
        ("a.json", '["person"]'),
        ("a.json", "[" * 100_000),
        ("a.json", '[{"person": "x", "picture": "1", "choice": "a", "shown": {"a": 1}}]'),
        ("a.json", '[{"person": {"x": 1}, "picture": "1", "choice": "a", "shown": ["a"]}]'),
        ("a.json", '[{"person": "x", "picture": "1", "choice": "a", "shown": ["a", ["b"]]}]'),
        ("a.csv", 'person,picture,choice,shown\nx,1,a,"{""a"": 1}"\n'),
        ("a.csv", "person,picture,choice,shown\nx,1,a\n"),
        ("a.csv", "person,picture,choice,shown\nx,1,a,a|b\nx,1,b,a|b\n"),
    ],
)
def test_what_holds_no_answers_is_refused(tmp_path, name, content):
    with pytest.raises(Failure, match="no answers"):
        votes.read(write(tmp_path, name, content))


def test_without_a_file_it_is_said_what_was_expected(tmp_path):
    with pytest.raises(Failure, match="no such file. Expected files that the page saved"):
        votes.read(str(tmp_path / "*.json"))


@pytest.fixture
def study(tmp_path):
    """Words of a command for a study of two methods; one image has but one result."""
    for folder, names in (("in", "abc"), ("ours", "abc"), ("other", "ab")):
        suffix = "jpg" if folder == "in" else "png"
        runs.write_images(tmp_path / folder, [f"{name}.{suffix}" for name in names])
    methods = f"--methods=ours={tmp_path / 'ours'},other={tmp_path / 'other'}"
    page = f"--page={tmp_path / 'study.html'}"
    return ["--phase=study", f"--sources={tmp_path / 'in'}", methods, page]


def test_the_command_makes_a_page_of_what_all_methods_have(study, tmp_path, capsys):
    assert main.main(study) == 0
    assert "2 questions" in capsys.readouterr().out
    assert (tmp_path / "study.html").read_text(encoding="utf-8").count("data-image=") == 2
    assert main.main(study) == 1
    assert "study.html already exists" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--methods=ours"], 2, "must be NAME=FOLDER,NAME=FOLDER"),
        (["--methods=a=x,a=y"], 2, "with at least two names"),
        (["--methods=a=x,b="], 2, "must be NAME=FOLDER"),
        (["--sources=nowhere"], 1, "No folder nowhere"),
    ],
)
def test_what_makes_no_study_is_refused(study, words, code, message, capsys):
    assert main.main([*study, *words]) == code
    assert message in capsys.readouterr().err


def test_images_without_common_names_make_no_study(tmp_path):
    for folder, name in (("in", "a"), ("x", "b"), ("y", "a")):
        runs.write_images(tmp_path / folder, [f"{name}.png"])
    with pytest.raises(Failure, match="No image of .*in has a result of the same name"):
        votes.questions(str(tmp_path / "in"), {n: str(tmp_path / n) for n in "xy"})


def test_the_command_says_what_people_preferred(tmp_path, capsys):
    path = write(tmp_path, "a.json", json.dumps(ANSWERS))
    assert main.main(["--phase=evaluate", f"--votes={path}"]) == 0
    out = capsys.readouterr().out
    assert "3 answers of 2 people on 2 images" in out
    assert "66.7%  20.8% to 93.9%" in out
