"""The command line: wrong use is one line and the right exit code; right use does the work."""

import dataclasses
import fcntl
import functools
import glob
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import termios

import numpy as np
import pytest
import tensorflow as tf

import main
from tests import made, reference, runs
from ugatit_tf.data import demo
from ugatit_tf.images.errors import UnreadableImage
from ugatit_tf.phases import PHASES
from ugatit_tf.sizes import smallest_image

TINY = ["--dataset", "tiny", "--light", "True", "--img_size", "8", "--n_dis", "2"]
TINY += ["--ch", "2", "--n_res", "1", "--epoch", "1", "--iteration", "3"]
RUN = ["--dataset", "tiny", "--phase"]
PROGRAM = os.path.abspath(main.__file__)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a dataset and a run on it."""
    folder = tmp_path_factory.mktemp("trained")
    runs.write_dataset(folder / "dataset" / "tiny", count=2)
    runs.make_run(runs.config_in(folder))
    return folder


@pytest.fixture
def with_run(trained, tmp_path):
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def with_data(tmp_path):
    runs.write_dataset(tmp_path / "dataset" / "tiny", count=2)


def refusal(argv, code, capsys):
    """Runs `argv`, which must fail with `code` and one line; returns that line."""
    assert main.main(argv) == code
    err = capsys.readouterr().err
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, err
    assert err.endswith(f"{errors[0]}\n")
    return errors[0]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--lihgt", "True"], ["lihgt"]),
        (["--nolight"], ["nolight"]),
        (["tset", "--light", "True"], ["tset", "--name value", "train, report"]),
        (["--light", "True", "train"], ["train", "--name value"]),
        (["train", "test"], ["test", "--name value"]),
        (["train", "--phase", "test"], ["first word says train", "--phase says test"]),
        (["--decay_flag", "False", "True"], ["True", "--name value"]),
        (["--light", "maybe"], ["light", "maybe"]),
        (["--light"], ["light"]),
        (["--dataset"], ["dataset"]),
        (["--ch", "--light", "True"], ["ch", "--light"]),
        (["--phase", "tset"], ["tset", "train", "test", "export", "import"]),
        (["--phase", "import"], ["--official_checkpoint"]),
        (["--phase", "test", "--official_checkpoint", "x"], ["--phase import"]),
        (["--img_size", "257"], ["multiple of 4", "257", "256"]),
        (["--img_size", "130", "--n_dis", "5"], ["multiple of 4", "130"]),
        (["--img_size", "64"], ["too small", "--n_dis 6", "--img_size 96"]),
        (["--gan_type", "lsgna"], ["lsgan", "wgan-gp", "dragan", "lsgna"]),
        (["--img_ch", "4"], ["img_ch", "1", "3", "4"]),
        (["--epoch", "0"], ["epoch", "at least 1"]),
        (["--lr", "nan"], ["lr", "nan"]),
        (["--dataset", "a/b"], ["--dataset", "a/b", "--dataset_dir"]),
        (["--dataset", ""], ["--dataset"]),
    ],
    ids=" ".join,
)
def test_a_command_that_cannot_be_understood_is_one_line_and_exit_code_2(argv, words, capsys):
    line = refusal(argv, 2, capsys)
    assert [word for word in words if word not in line] == []
    assert os.listdir() == []


@pytest.mark.parametrize("n_dis", [2, 3, 4, 5, 6, 7])
def test_the_smallest_image_that_is_named_works(n_dis, capsys):
    line = refusal(["--n_dis", str(n_dis), "--img_size", "4"], 2, capsys)
    named = int(line.split("Use --img_size ")[1].split()[0])
    assert named >= smallest_image(n_dis)
    made.tiny_config(n_dis=n_dis, img_size=named)


@pytest.mark.parametrize("phase", ["train", "test", "export"])
def test_options_that_contradict_the_run_are_listed(with_run, phase, capsys):
    argv = [*RUN, phase, "--ch", "4", "--light", "False", "--n_res", "1", "--lr", "0.1"]
    line = refusal(argv, 2, capsys)
    assert "--ch is 2 there, 4 on the command line" in line
    assert "--light is True there, False on the command line" in line
    assert "n_res" not in line
    assert "--lr" not in line
    assert "--run NAME" in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["not valid JSON"]),
        ("[]", ["Expected an object"]),
        ('{"chanels": 3}', ["chanels"]),
        ('{"ch": "three"}', ["ch", "three"]),
    ],
)
def test_a_config_file_that_cannot_be_used_is_named(with_run, text, words, capsys):
    with open("checkpoint/tiny/config.json", "w") as file:
        file.write(text)
    line = refusal([*RUN, "test"], 2, capsys)
    assert [word for word in words if word not in line] == []


def test_a_config_file_that_cannot_be_opened_is_one_line(with_run, capsys):
    os.remove("checkpoint/tiny/config.json")
    os.mkdir("checkpoint/tiny/config.json")
    assert "config.json" in refusal([*RUN, "test"], 1, capsys)


def test_training_without_a_dataset_says_what_is_expected(capsys):
    line = refusal(TINY, 1, capsys)
    assert os.path.join("dataset", "tiny", "trainA") in line
    assert "trainB" in line
    assert os.listdir() == []


def test_training_with_an_empty_folder_names_it(with_data, capsys):
    shutil.rmtree("dataset/tiny/trainB")
    os.mkdir("dataset/tiny/trainB")
    assert os.path.join("dataset", "tiny", "trainB") in refusal(TINY, 1, capsys)
    assert os.listdir() == ["dataset"]


@pytest.mark.parametrize("phase", ["test", "export"])
def test_what_needs_a_checkpoint_says_so_where_there_is_none(with_data, phase, capsys):
    line = refusal([*TINY, "--phase", phase], 1, capsys)
    assert "No checkpoint" in line
    assert "--phase train" in line
    assert os.listdir() == ["dataset"]


def test_testing_without_test_folders_says_what_is_expected(with_run, capsys):
    for part in ("testA", "testB"):
        shutil.rmtree(f"dataset/tiny/{part}")
    line = refusal([*RUN, "test"], 1, capsys)
    assert "Neither testA nor testB" in line
    assert not os.path.exists("results")


@pytest.mark.parametrize(
    ("phase", "folder"),
    [
        ("test", "results"),
        ("test", "results/tiny"),
        ("export", "export"),
        ("train", "checkpoint"),
        ("train", "samples"),
        ("train", "logs"),
    ],
)
def test_a_file_in_the_place_of_a_folder_for_results_is_named(
    with_run, phase, folder, capsys, tmp_path
):
    if phase == "train":
        shutil.rmtree("checkpoint")
    os.makedirs(os.path.dirname(tmp_path / folder), exist_ok=True)
    (tmp_path / folder).write_text("I was here first")
    options = TINY if phase == "train" else RUN[:2]
    assert folder in refusal([*options, "--phase", phase], 1, capsys)
    assert (tmp_path / folder).read_text() == "I was here first"


@pytest.mark.parametrize("phase", ["train", "test", "export"])
def test_a_checkpoint_of_another_architecture_is_refused(with_run, phase, capsys):
    path = "checkpoint/tiny/config.json"
    with open(path) as file:
        recorded = json.load(file)
    with open(path, "w") as file:
        json.dump({**recorded, "n_res": 2}, file)
    line = refusal([*RUN, phase], 1, capsys)
    assert "is of another architecture" in line
    assert "residual/1" in line or "adaptive/1" in line
    assert sorted(os.listdir()) == ["checkpoint", "dataset"]


def test_importing_from_nowhere_names_the_prefix(capsys):
    argv = ["--phase", "import", "--official_checkpoint", "official/UGATIT.model-7"]
    line = refusal(argv, 1, capsys)
    assert "No checkpoint at official/UGATIT.model-7" in line
    assert os.listdir() == []


def test_importing_what_is_no_checkpoint_names_the_prefix(tmp_path, capsys):
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8 not a checkpoint" * 50)
    line = refusal(["--phase", "import", "--official_checkpoint", "photo.jpg"], 1, capsys)
    assert "photo.jpg" in line


def test_importing_another_program_s_checkpoint_says_what_is_missing(capsys):
    write_variables("other-1", {"dense/kernel": np.zeros([2, 2], np.float32)})
    line = refusal(["--phase", "import", "--official_checkpoint", "other-1"], 1, capsys)
    assert "generator_B/conv/conv2d/kernel" in line
    assert not os.path.exists("checkpoint")


def test_importing_a_checkpoint_that_was_cut_off_is_one_line(capsys):
    write_variables("cut-1", official_arrays())
    with open("cut-1.data-00000-of-00001", "r+b") as file:
        file.truncate(1000)
    argv = ["--phase", "import", "--official_checkpoint", "cut-1", "--img_size", "8"]
    refusal(argv, 1, capsys)
    assert not os.path.exists("checkpoint")


def test_importing_into_a_run_that_has_checkpoints_is_refused(with_run, capsys):
    before = runs.bytes_below("checkpoint")
    write_variables("official-7", official_arrays())
    argv = [*RUN, "import", "--official_checkpoint", "official-7", "--img_size", "8"]
    assert "--run NAME" in refusal(argv, 1, capsys)
    assert runs.bytes_below("checkpoint") == before


def test_options_that_contradict_an_official_checkpoint_are_listed(capsys):
    write_variables("official-7", official_arrays())
    argv = [*RUN, "import", "--official_checkpoint", "official-7", "--ch", "4", "--img_size", "8"]
    assert "--ch is 2 there, 4 on the command line" in refusal(argv, 2, capsys)
    assert not os.path.exists("checkpoint")


def test_an_interrupt_ends_without_a_traceback(with_run, capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    phase = dataclasses.replace(PHASES["test"], run=interrupted)
    monkeypatch.setitem(PHASES, "test", phase)
    try:
        code = main.main([*RUN, "test"])
    except KeyboardInterrupt:  # let through, it would end pytest instead of failing this test
        code = None
    assert code == 130
    assert capsys.readouterr().err.count("\n") <= 1


def test_an_image_that_breaks_after_the_first_look_is_one_line(with_run, capsys, monkeypatch):
    from ugatit_tf.translation import testing

    def broken(*_, **__):
        raise UnreadableImage("testA/x.png", "the image is damaged")

    monkeypatch.setattr(testing.pipeline, "load", broken)
    assert "testA/x.png: the image is damaged" in refusal([*RUN, "test"], 1, capsys)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("phase", ["test", "translate", "pack", "export"])
def test_what_a_signal_ends_leaves_nothing_half_written(
    with_run, phase, number, capsys, monkeypatch
):
    from ugatit_tf import atomic
    from ugatit_tf.interchange import export

    def written(generator, config, folder):
        os.makedirs(os.path.join(folder, "variables"))
        return {}

    sent = []

    def ended(real):
        def call(*paths):
            if not sent:
                sent.append(number)
                os.kill(os.getpid(), number)
            return real(*paths)

        return call

    handlers = [signal.getsignal(signal.SIGTERM), signal.signal(signal.SIGHUP, signal.SIG_DFL)]
    monkeypatch.setattr(export, "export", written)
    monkeypatch.setattr(atomic.os, "replace", ended(os.replace))
    more = ["--input", "dataset/tiny/testA", "--output", "out", "--direction", "a2b"]
    try:
        line = refusal([*RUN, phase, *more * (phase == "translate")], 128 + number, capsys)
    finally:
        signal.signal(signal.SIGTERM, handlers[0])
        signal.signal(signal.SIGHUP, handlers[1])
    assert line == f"error: ended by {number.name}"
    left = [name for _, folders, names in os.walk(".") for name in folders + names]
    assert [name for name in left if "unfinished" in name or name.startswith(".export")] == []
    assert not os.path.isdir("export/tiny") or os.listdir("export/tiny") == []


def test_what_a_killed_process_left_is_removed_by_the_next(with_run, capsys, monkeypatch):
    from ugatit_tf.interchange import export

    monkeypatch.setattr(export, "export", lambda *_: {})
    hidden = f".{'0' * 32}.unfinished"
    places = ["results/tiny/step_0000002/a2b", "export/tiny", "out", "dataset/tiny_packed/trainA"]
    for place in places:
        os.makedirs(os.path.join(place, hidden) if place == "export/tiny" else place)
        if place != "export/tiny":
            open(os.path.join(place, hidden), "w").close()
    more = ["--input", "dataset/tiny/testA", "--output", "out", "--direction", "a2b"]
    for phase in ("test", "export", "pack", "translate"):
        with runs.unchecked_exports():
            assert main.main([*RUN, phase, *more * (phase == "translate")]) == 0, phase
    assert [path for path in runs.bytes_below(".") if "unfinished" in path] == []
    assert os.listdir("export/tiny") == ["step_0000003"]


def has_printed(terminal, words):
    """Function that reads what the terminal has by now, and says whether these words came."""
    printed = bytearray()

    def read():
        while select.select([terminal], [], [], 0)[0]:
            try:
                printed.extend(os.read(terminal, 4096))
            except OSError:  # no process has it open any more
                break
        return words in printed

    return read


def begin_session():
    """Makes standard input the terminal of the process, as if no `nohup` were above the tests."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.slow
@pytest.mark.parametrize("prefix", [(), ("nohup",)], ids=["closed", "nohup"])
def test_a_closed_terminal_saves_and_nohup_goes_on(with_data, prefix):
    ours, theirs = os.openpty()
    steps = 150 if prefix else 1_000_000  # more than a process can do before it is told to stop
    command = [*prefix, sys.executable, PROGRAM, "--phase", "train", *TINY]
    command += ["--iteration", str(steps)]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=begin_session,
    )  # fmt: skip
    with runs.killed_at_the_end(process):
        os.close(theirs)
        has_begun = has_printed(ours, b"step 1")
        if prefix:  # its output is in nohup.out
            has_begun = functools.partial(glob.glob, "samples/tiny/step*")
        runs.wait_for(has_begun, process)
        os.close(ours)  # the window is closed
        assert process.wait(300) == 0
    (step,) = (name for name in os.listdir("checkpoint/tiny") if name.startswith("step"))
    assert (step == f"step_{steps:07d}") == bool(prefix)


def official_arrays():
    draw = np.random.default_rng(0)
    shapes = reference.official_variables(ch=2, n_res=1, n_dis=2)
    return {name: draw.normal(size=s).astype(np.float32) * 0.1 for name, s in shapes.items()}


def write_variables(prefix, arrays):
    """Writes arrays as a TensorFlow 1 program would."""
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=[tf.constant(array) for array in arrays.values()],
    )


def program(*argv):
    """Runs the program in a process of its own; returns what it printed."""
    done = subprocess.run(
        [sys.executable, PROGRAM, *argv], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "error: " not in done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # no eyes are seen in 8 pixels
def test_train_test_export_and_import_work_one_after_the_other(capsys, untraced):
    """Training and export in processes of their own, what comes between in this one."""

    def here(*argv):
        assert main.main([*argv]) == 0
        told = capsys.readouterr()
        assert "error: " not in told.err
        return told.out

    demo.write_dataset("dataset/demo", size=8, train=3, test=2)
    options = ["--dataset", "demo", *TINY[2:]]
    assert "2 + 2" not in program(*options, "--save_freq", "2")
    assert sorted(os.listdir("checkpoint/demo")) == [
        ".lock",
        "config.json",
        "history.jsonl",
        "step_0000002",
        "step_0000003",
    ]

    assert "All 3 steps are done" in here(*options)
    # What may change while a run goes on does, so that a traced step is of float16 as well.
    half = "float32" if made.half_kernels_are_cut_off() else "float16"
    more = ["--epoch", "2", "--recompute", "True", "--precision", half]
    assert "Continuing from" in program("--dataset", "demo", *more)
    assert "step_0000006" in os.listdir("checkpoint/demo")

    told = here("--dataset", "demo", "--phase", "test")
    page = os.path.join("results", "demo", "step_0000006", "index.html")
    assert f"Report: {page}" in told
    assert "A to B, photographs to cartoons: " in told
    assert os.path.getsize(page) > 1000
    for part in ("a2b", "a2b_attention", "b2a", "b2a_attention"):
        names = os.listdir(os.path.join(os.path.dirname(page), part))
        assert sorted(names) == ["face_00001.png", "face_00002.png"]

    told = program("--dataset", "demo", "--phase", "export")
    for direction in ("a2b", "b2a"):
        folder = os.path.join("export", "demo", "step_0000006", direction)
        assert f"{folder}: largest difference" in told
        assert os.path.exists(os.path.join(folder, "saved_model.pb"))

    write_variables("UGATIT.model-9", official_arrays())
    importing = ["--phase", "import", "--official_checkpoint", "UGATIT.model-9"]
    told = here(*importing, "--dataset", "demo", "--run", "official", "--img_size", "8")
    assert "Imported step 9" in told
    here("--phase", "test", "--run", "official")
    assert os.path.exists(os.path.join("results", "official", "step_0000009", "index.html"))
    more = ["--run", "official", "--iteration", "5", "--epoch", "2"]
    assert "Continuing from" in here(*more)
    assert "step_0000010" in os.listdir("checkpoint/official")


def test_the_command_line_wins_over_the_file_and_the_file_over_the_preset(tmp_path, capsys):
    (tmp_path / "mine.json").write_text(json.dumps({"ch": 8, "cam_weight": 5}))
    argv = ["--config", "mine.json", "--preset", "texture", "--ch", "16", "--dry_run", "True"]
    assert main.main(argv) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["ch"], shown["cam_weight"], shown["cycle_weight"]) == (16, 5.0, 20.0)
    assert shown["lr"] == 1e-4
    assert os.listdir(tmp_path) == ["mine.json"]


def test_a_dry_run_shows_the_options_that_a_run_has_already(with_run, capsys):
    assert main.main(["--dataset", "tiny", "--lr", "0.5", "--dry_run", "True"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["ch"], shown["lr"]) == (made.tiny_config().ch, 0.5)


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("{", 2, "JSON"),
        ('{"chh": 1}', 2, "chh"),
        ('{"ch": "8"}', 2, "--ch"),
        (None, 1, "mine.json"),
    ],
    ids=["not json", "unknown", "wrong type", "missing"],
)
def test_a_file_of_options_that_cannot_be_used_is_refused(text, code, word, tmp_path, capsys):
    if text is not None:
        (tmp_path / "mine.json").write_text(text)
    assert word in refusal(["--config", "mine.json"], code, capsys)


def test_an_unknown_preset_is_refused_with_the_list(capsys):
    assert "one of portrait, texture" in refusal(["--preset", "cartoon"], 2, capsys)


def test_the_doctor_reports_the_computer_and_the_dataset(with_data, capsys):
    assert main.main(["--phase", "doctor", *TINY]) == 0
    told = capsys.readouterr().out
    assert f"TensorFlow {tf.__version__}" in told
    assert "trainA: 2 images, " in told
    assert "Below 100 images" in told
    assert "A checkpoint takes" in told


def test_the_doctor_fails_where_training_would(capsys):
    assert "trainA" in refusal(["--phase", "doctor", *TINY], 1, capsys)
