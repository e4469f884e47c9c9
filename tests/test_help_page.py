"""`--help` is one screen; that of a phase has each option that has an effect, and no other."""

import dataclasses
import re

import pytest

import main
from ugatit_tf import command_line, help_page, options
from ugatit_tf.config import Config
from ugatit_tf.phases import PHASES

ALL = {
    field.name: field
    for kind in (command_line.ProgramOptions, Config, *(p.options for p in PHASES.values()))
    for field in dataclasses.fields(kind)
}


def shown(argv, capsys):
    """What the program prints with these words."""
    assert main.main(argv) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def lines_of(page):
    """--name -> its line in a page; further lines of an option are joined to the first."""
    rows = re.sub(r"\n +", " ", page)
    return {line.split()[0]: line for line in rows.splitlines() if line.startswith("--")}


def headings(page):
    return [line[:-1] for line in page.splitlines() if line.endswith(":")]


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_the_help_of_the_program_fits_a_screen_and_names_every_phase(word, capsys):
    lines = shown([word], capsys).splitlines()
    assert len(lines) < 24 and max(map(len, lines)) <= 80
    rows = [line.split(None, 1) for line in lines if line.startswith("  ")]
    assert rows == [[phase.name, phase.help] for phase in PHASES.values()]


def test_the_commands_in_the_help_are_understood():
    commands = [
        line.split()[2:] for line in help_page.of_program(80).splitlines() if " --dataset " in line
    ]
    parsed = [command_line.parse(words).phase.name for words in commands]
    assert parsed == ["train", "test", "translate"]


@pytest.mark.parametrize(
    "argv",
    [
        ["test", "--help"],
        ["--phase", "test", "--help"],
        ["--phase=test", "-h"],
        ["--help", "test"],
        ["--help", "--dataset", "x", "--phase", "test"],
        ["test", "--lihgt", "--help"],
    ],
    ids=" ".join,
)
def test_the_help_of_a_phase_is_found_wherever_its_name_is(argv, capsys):
    assert shown(argv, capsys).startswith("usage: python main.py --phase test ")


@pytest.mark.parametrize(
    "argv",
    [["--help"], ["tset", "--help"], ["--phase", "--help"], ["--dataset", "test", "-h"]],
    ids=" ".join,
)
def test_the_help_without_a_phase_is_that_of_the_program(argv, capsys):
    assert "usage: python main.py PHASE " in shown(argv, capsys)


@pytest.mark.parametrize("name", PHASES)
def test_the_help_of_a_phase_has_the_options_with_an_effect_and_their_defaults(name, capsys):
    phase = PHASES[name]
    lines = lines_of(shown([name, "--help"], capsys))
    own = {field.name: field for field in dataclasses.fields(phase.options)}
    program = ["config", "dry_run", "completion"]
    program += ["preset"] * (name in ("train", "ablate", "import", "doctor"))
    expected = {*own, *phase.uses(phase.options()), *program}
    assert set(lines) == {f"--{option}" for option in expected}
    for option in expected:
        field, line = {**ALL, **own}[option], lines[f"--{option}"]
        assert options.rule_of(field).help in line
        if field.default is None:
            assert "(default True; False with --flavor pytorch)" in line
        elif field.default != "":
            assert line.endswith(f"(default {field.default})")


def test_the_pages_of_all_phases_have_every_option():
    found = {name for phase in PHASES.values() for name in lines_of(help_page.of_phase(phase, 80))}
    assert found == {f"--{name}" for name in ALL if name != "phase"}


def test_the_most_used_options_come_first_and_only_once():
    page = help_page.of_phase(PHASES["train"], 1000)
    names = re.findall("^--([^ ]+)", page, re.MULTILINE)
    assert len(names) == len(set(names))
    assert headings(page)[0] == "most used"
    first = [name for name, field in ALL.items() if options.rule_of(field).common]
    first = [name for name in first if name in names]
    assert names[: len(first)] == first
    assert {"dataset", "light", "img_size", "ch", "batch_size", "epoch", "run"} <= set(first)


def test_a_phase_of_a_finished_run_does_not_begin_with_the_networks():
    for phase in ("test", "export", "translate"):
        first = dict(help_page.sections(PHASES[phase]))["most used"]
        assert "dataset" in [row.name for row in first]
        assert not [row.name for row in first if row.rule.kind == "architecture"]


def test_what_a_phase_needs_is_in_its_usage_and_first():
    page = help_page.of_phase(PHASES["translate"], 1000)
    assert page.startswith(
        "usage: python main.py --phase translate --output ... [--option value ...]\n"
    )
    assert list(lines_of(page))[:2] == ["--input", "--output"]


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("name", PHASES)
def test_a_help_page_fits_and_breaks_between_words(width, name):
    page = help_page.of_phase(PHASES[name], width)
    assert max(map(len, page.splitlines()[1:])) <= width
    assert page.split() == help_page.of_phase(PHASES[name], 1000).split()
