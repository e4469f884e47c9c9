"""The scripts of `--completion` complete phases, options and values in real shells."""

import shutil
import subprocess

import pytest

import main
from ugatit_tf import command_line, completion
from ugatit_tf.phases import PHASES

# Each program gets the words after the script's path; the last one is completed.
PROGRAMS = {
    "bash": """
        source "$0"
        COMP_WORDS=(ugatit "$@") COMP_CWORD=$#
        _ugatit
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    "zsh": """
        compdef() { : }
        compset() { typed=${typed#*=} }
        compadd() { shift; for word in "$@"; do [[ $word == $typed* ]] && print -- $word; done }
        _files() { : }
        source "$0"
        words=(ugatit "$@") CURRENT=$(($# + 1)) typed=${@[-1]}
        _ugatit
    """,
    "fish": """
        source $argv[1]
        complete -C "ugatit $argv[2..-1]" | string replace -r '\\t.*' '' |
            string replace -r '^--.*=' ''
    """,
}
SHELLS = [shell for shell in PROGRAMS if shutil.which(shell)]


@pytest.fixture
def completed(tmp_path):
    """completed(shell, *words): what may stand in the place of the last word; no files."""

    def run(shell, *words):
        path = tmp_path / shell
        path.write_text(completion.script(shell))
        (tmp_path / "empty").mkdir(exist_ok=True)
        if shell == "bash":  # which takes the sign for a word
            words = [part for word in words for part in parts_of(word)]
        done = subprocess.run(
            [shell, "-c", PROGRAMS[shell], str(path), *words],
            capture_output=True, text=True, check=False, cwd=tmp_path / "empty",
        )  # fmt: skip
        assert done.stderr == ""
        return sorted(done.stdout.split())

    return run


def parts_of(word):
    name, sign, value = word.partition("=")
    return [part for part in (name, sign, value) if part] or [""]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["tr"], ["train", "translate"]),
        (["train", "--gan_"], ["--gan_type"]),
        (["--gan_type", "w"], ["wgan-gp", "wgan-lp"]),
        (["--gan_type=w"], ["wgan-gp", "wgan-lp"]),
        (["test", "--light", ""], ["False", "True"]),
        (["translate", "--format", ""], ["jpg", "png", "same", "webp"]),
        (["translate", "--input", ""], []),
        (["translate", "--input", "x", "--fi"], ["--fit"]),
        (["export", "--format", ""], []),
        (["export", "--ha"], ["--half"]),
        (["--phase", "export", "--ha"], ["--half"]),
        (["--phase=export", "--ha"], ["--half"]),
        (["train", "--ha"], []),
        (["pack", "--xl"], []),
        (["--phase", "te"], ["test"]),
        (["--completion", "b"], ["bash"]),
        (["fetch", "ho"], ["horse2zebra"]),
        (["--phase", "fetch", "ph"], ["photo2portrait", "photo2vangogh"]),
        (["fetch", "--swap", ""], ["False", "True"]),
        (["train", "ho"], []),
    ],
    ids=str,
)
def test_a_word_is_completed(shell, words, expected, completed):
    assert completed(shell, *words) == expected


def test_bash_offers_the_phases_and_the_options_where_nothing_is_typed(completed):
    offered = completed("bash", "")
    assert set(PHASES) < set(offered)
    assert {"--help", "--dataset"} < set(offered)
    assert not set(PHASES) & set(completed("bash", "train", ""))


def test_bash_completes_files_where_the_function_offers_nothing():
    script = 'eval "$1"; complete -p ugatit'
    done = subprocess.run(
        ["bash", "-c", script, "bash", completion.script("bash")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "complete -o default -F _ugatit ugatit\n"


@pytest.mark.parametrize("name", PHASES)
def test_bash_offers_every_option_that_has_an_effect_on_a_phase(name, completed):
    rows = sum(command_line.rows_of(PHASES[name]), [])
    assert completed("bash", name, "--") == sorted(
        ["--help", "--phase", *(f"--{row.name}" for row in rows)]
    )


@pytest.mark.parametrize("shell", command_line.SHELLS)
def test_the_program_prints_the_script_and_does_nothing_else(shell, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main.main(["--completion", shell]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == (completion.script(shell), "")
    assert "@" not in out.replace('"$@"', "").replace("[@]", "").replace("(@)", "")
    assert list(tmp_path.iterdir()) == []


def test_a_shell_without_a_script_is_refused(capsys):
    assert main.main(["--completion", "tcsh"]) == 2
    assert "one of bash, zsh, fish" in capsys.readouterr().err
