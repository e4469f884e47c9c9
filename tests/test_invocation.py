"""Messages show commands in the form in which the program was started."""

import os
import shlex
import subprocess
import sys

import pytest

import main
from ugatit_tf import invocation, streams
from ugatit_tf.config import Config
from ugatit_tf.errors import Failure, OptionNames
from ugatit_tf.training import checkpoints, loop

ROOT = os.path.dirname(os.path.abspath(main.__file__))


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """As if the package lay in site-packages, without main.py beside it."""
    monkeypatch.setattr(invocation, "PACKAGE", str(tmp_path / "ugatit_tf"))


@pytest.mark.parametrize(
    ("path", "program"),
    [
        ("main.py", "python main.py"),
        ("/somewhere/main.py", "python main.py"),
        ("/somewhere/bin/ugatit", "ugatit"),
        ("/somewhere/ugatit_tf/__main__.py", "python -m ugatit_tf"),
        ("/somewhere/pytest/__main__.py", "python main.py"),
        ("", "python main.py"),
    ],
)
def test_the_program_is_called_as_it_was_started(path, program, monkeypatch):
    monkeypatch.setattr(sys, "argv", [path])
    assert invocation.program() == program


def test_a_notebook_with_the_installed_package_is_told_the_command(installed, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["ipykernel_launcher.py"])
    assert invocation.program() == "ugatit"


def test_the_phase_is_the_first_word_except_in_the_official_form(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["main.py"])
    assert invocation.command("test", "--run", "a b") == "python main.py --phase test --run 'a b'"
    monkeypatch.setattr(sys, "argv", ["bin/ugatit"])
    assert invocation.command("test", "--run", "a b") == "ugatit test --run 'a b'"


def test_messages_show_the_command_of_the_installed_package(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["bin/ugatit"])
    assert loop.resume_command(Config(dataset="x")) == "ugatit train --dataset x"
    with pytest.raises(Failure, match="Train first: ugatit train, with the same --dataset"):
        checkpoints.newest(str(tmp_path))
    monkeypatch.setattr(OptionNames, "on_command_line", False)
    assert str(Failure("--lr: ugatit train --lr 1, or --lr 2")) == (
        "`lr`: ugatit train --lr 1, or `lr` 2"
    )


def test_a_line_with_the_command_stays_whole_and_a_sentence_on_it_does_not(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bin/ugatit"])
    words = "train " * 20
    assert streams.wrapped(f"  ugatit {words}", 40).count("\n") == 0
    assert streams.wrapped(f"ugatit_tf {words}", 40).count("\n") > 0


def test_a_package_that_is_missing_comes_from_a_file_or_as_an_extra(request):
    assert invocation.install("video") == "pip install -r requirements-video.txt"
    request.getfixturevalue("installed")
    assert invocation.install("video") == "pip install 'ugatit-tf[video]'"


@pytest.mark.parametrize("start", ["main.py", "-m ugatit_tf"])
def test_the_program_starts_in_both_forms_without_being_installed(start, tmp_path):
    environment = {**os.environ, "PYTHONPATH": ROOT}
    words = shlex.split(start.replace("main.py", shlex.quote(main.__file__)))
    done = subprocess.run(
        [sys.executable, *words, "--help"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"usage: python {start} PHASE" in done.stdout
    refused = subprocess.run(
        [sys.executable, *words, "train", "--phase", "test"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (refused.returncode, refused.stdout) == (2, "")
