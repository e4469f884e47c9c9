"""pyproject.toml: the command, and each file of requirements once."""

import ast
import importlib
import pathlib
import re

import main

ROOT = pathlib.Path(main.__file__).parent
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_command_is_the_program_of_main():
    module, function = re.search('^ugatit = "(.*):(.*)"$', PROJECT, re.MULTILINE).groups()
    assert getattr(importlib.import_module(module), function) is main.main


def test_every_file_of_requirements_is_an_extra_of_its_name():
    files = {path.name for path in ROOT.glob("requirements-*.txt")}
    extras = dict(re.findall(r'^(\w+) = \{ file = \["(requirements-.*)"\] \}$', PROJECT, re.M))
    stacks = {"requirements-tfa.txt"}  # instead of requirements.txt, not beside it
    assert set(extras.values()) == files - stacks
    assert [name for name, file in extras.items() if file != f"requirements-{name}.txt"] == []


def test_main_is_the_program_and_nothing_else():
    tree = ast.parse((ROOT / "main.py").read_text(encoding="utf-8"))
    assert [type(node) for node in tree.body] == [ast.Expr, ast.Import, ast.ImportFrom, ast.If]
    assert "Exit codes: 0 done" in ast.get_docstring(tree)


def test_every_file_that_is_no_module_is_in_the_package():
    patterns = re.search(r"^ugatit_tf = \[(.*)\]$", PROJECT, re.MULTILINE)[1]
    package = ROOT / "ugatit_tf"
    packed = {
        path for pattern in ast.literal_eval(f"[{patterns}]") for path in package.glob(pattern)
    }
    files = {path for path in package.rglob("*.*") if path.suffix not in (".py", ".pyc")}
    assert {path for path in packed if path.is_file()} == {path for path in files if path.is_file()}
