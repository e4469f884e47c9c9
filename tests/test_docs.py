"""Every command that README, docs/ and the notebook show is one that the program takes."""

import json
import pathlib
import re
import shlex

import pytest

from ugatit_tf import command_line

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOK = ROOT / "docs" / "colab.ipynb"
PROGRAM = r"(?:python main\.py|python -m ugatit_tf|ugatit) "
LINE = re.compile(rf"^\s*(?:!|\$ )?(?:[A-Z_]+=\S+ )*{PROGRAM}(.*)", re.MULTILINE)
IN_TEXT = re.compile(rf"`{PROGRAM}([^`]*)`")


def commands_in(text):
    """The words of each command, those that a backslash continues in one."""
    text = text.replace("\\\n", " ")
    return [*LINE.findall(text), *IN_TEXT.findall(text)]


def notebook_cells():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [(cell, "".join(cell["source"])) for cell in cells]


def check(command):
    words = shlex.split(command.replace(" ...", ""), comments=True)
    words = [word for word in words if not word.startswith("$")]  # a variable of the shell
    if not {"--help", "--completion"} & set(words):
        command_line.parse(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_the_page_can_be_typed(page):
    for command in commands_in(page.read_text(encoding="utf-8")):
        check(command)


def test_every_command_of_the_notebook_can_be_typed():
    settings = {}
    found = 0
    for cell, source in notebook_cells():
        if "parameters" in cell["metadata"].get("tags", ()):
            exec(source, settings)
        for command in commands_in(source):
            check(re.sub(r"\$(\w+)", lambda match: str(settings[match[1]]), command))
            found += 1
    assert found >= 5


def test_the_notebook_holds_no_results_of_a_run():
    for cell, _ in notebook_cells():
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
