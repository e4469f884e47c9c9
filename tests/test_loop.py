"""A run does everything at its time, stops cleanly, and goes on as if it never had stopped.

Tracing the training step takes most of the time of a tiny run, so all runs here share one
traced `Trainer`, which each of them gets with the weights and counters of a new one. A state
that a checkpoint forgets would leak from run to run, and the runs would differ.
"""

import contextlib
import dataclasses
import io
import json
import os
import shlex
import signal
import types

import numpy as np
import pytest
import tensorflow as tf

from tests import runs
from tests.clock import Clock
from ugatit_tf import command_line, tf_paths
from ugatit_tf.config import Config
from ugatit_tf.data import folders
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_file
from ugatit_tf.training import budget, checkpoints, history, loop, metrics, samples
from ugatit_tf.training.step import Trainer

# Every period another prime, so that no one of them can stand in for another.
PERIODS = {"save_freq": 3, "print_freq": 5, "iteration": 7, "summary_freq": 11, "epoch": 2}
SAVED = [3, 6, 7, 9, 12, 14]  # each third step, the end of each epoch
SAMPLES = [0, 5, 10, 14]
SUMMARIES = [11, 14]

OFFICIAL_TAGS = ["Generator_loss", "Discriminator_loss", "D_A_loss", "D_B_loss"] + [
    f"G_{side}_{part}" for side in "AB" for part in ("loss", "gan", "cycle", "identity", "cam")
]


@pytest.fixture(scope="module")
def start():
    """start(config, before_step) trains and returns what was printed.

    `before_step(number)` is called before each step, counted from 1. By the clock one second passes
    in each step, and 100 in each sample and checkpoint.
    """
    shared, clock, hook = [], Clock(), []

    def trainer_of(model, config, replicas):
        if not shared:
            shared.append(Trainer(model, config))
            fresh.update(values(shared[0].state()))
        (trainer,) = shared
        trainer.config, trainer.time_gone = config, 0.0
        assign(
            trainer.state(), {**fresh, "weights": values({"weights": model.weights()})["weights"]}
        )
        given = types.SimpleNamespace(
            time_gone=0.0,
            model=trainer.model,
            state=trainer.state,
            steps_done=trainer.steps_done,
            start_average=trainer.start_average,
            replicas=replicas,
            step=lambda real_a, real_b: step(trainer, given, real_a, real_b),
        )
        return given

    def step(trainer, given, real_a, real_b):
        hook[-1](int(trainer.steps_done) + 1)
        trainer.time_gone = given.time_gone
        clock.now += 1.0
        return trainer.step(real_a, real_b)

    def started(config, before_step=lambda number: None):
        hook.append(before_step)
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()):
            splits = {
                name: folders.examine(os.path.join(config.dataset_folder, name))
                for name in folders.TRAIN
            }
            loop.train(config, splits)
        return output.getvalue()

    fresh = {}

    def slowly(real):
        def call(*arguments, **options):
            clock.now += 100.0
            return real(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "Trainer", trainer_of)
        patch.setattr(checkpoints, "save", slowly(checkpoints.save))
        patch.setattr(samples, "sheet", slowly(samples.sheet))
        patch.setattr(metrics, "time", clock)
        patch.setattr(budget, "time", clock)
        yield started


def values(state):
    return {group: {n: v.numpy() for n, v in named.items()} for group, named in state.items()}


def assign(state, arrays):
    for group, named in state.items():
        for name, variable in named.items():
            variable.assign(arrays[group][name])


def below(folder):
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


@pytest.fixture(scope="module")
def straight(start, tmp_path_factory):
    """A run from the first step to the last, and what it had saved before each step."""
    root = tmp_path_factory.mktemp("straight")
    runs.write_dataset(root / "dataset" / "tiny", ("trainA", "trainB"))
    config = runs.config_in(root, **PERIODS)
    before = {}

    def list_files(number):
        before[number] = {
            "saved": list(checkpoints.saved(config.run_folder)),
            "samples": below(root / "samples" / "tiny"),
        }

    output = start(config, list_files)
    return types.SimpleNamespace(root=root, config=config, output=output, before=before)


@pytest.fixture(scope="module")
def interrupted(start, tmp_path_factory):
    """The same run, stopped by signals in step 4 and in step 8, and started again each time.

    It is meant to have one epoch at first, and a second one only after that.
    """
    root = runs.odd(tmp_path_factory.mktemp("interrupted"))
    runs.write_dataset(root / "dataset" / "tiny", ("trainA", "trainB"))
    config = runs.config_in(root, **PERIODS)
    ours = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what ignores it would not stop
    handlers = [signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)]

    def ask(number, at):
        return lambda done: os.kill(os.getpid(), number) if done == at else None

    pieces = []
    for epoch, before_step in (
        (1, ask(signal.SIGHUP, 4)),
        (1, lambda number: None),
        (2, ask(signal.SIGTERM, 8)),
        (2, lambda number: None),
    ):
        output = start(runs.config_in(root, **{**PERIODS, "epoch": epoch}), before_step)
        pieces.append((output, list(checkpoints.saved(config.run_folder))))
    after = [signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)]
    signal.signal(signal.SIGHUP, ours)
    return types.SimpleNamespace(
        root=root, config=config, pieces=pieces, handlers=handlers, after=after
    )


def events(config):
    """[(step, tag, kind, array or None)] of all event files of a run, in the order of writing."""
    folder = os.path.join(config.log_dir, config.run_name)
    values = []
    for name in below(folder):
        for record in tf.data.TFRecordDataset(os.fsencode(os.path.join(folder, name))):
            event = tf.compat.v1.Event.FromString(record.numpy())
            values += [
                (event.step, v.tag, v.metadata.plugin_data.plugin_name, tf.make_ndarray(v.tensor))
                for v in event.summary.value
            ]
    return values


def scalars(config):
    """tag -> {step: number}"""
    numbers = {}
    for step, tag, kind, array in events(config):
        if kind == "scalars":
            assert step not in numbers.setdefault(tag, {}), (tag, step)
            numbers[tag][step] = float(array)
    return numbers


def restored(config, step):
    folder = os.path.join(config.run_folder, checkpoints.folder_name(step))
    with tf_paths.plain_path(folder) as plain:
        reader = tf.train.load_checkpoint(os.path.join(plain, checkpoints.FILE))
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def sample_names(steps):
    return sorted(["reals.png", *(f"step_{step:07d}.png" for step in steps)])


def test_reals_and_first_fakes_are_there_before_the_first_step(straight):
    assert straight.before[1]["samples"] == ["reals.png", "step_0000000.png"]
    assert straight.before[1]["saved"] == []


def test_nothing_is_written_outside_the_folders_of_the_run(straight):
    assert below(straight.root) == ["checkpoint", "dataset", "logs", "samples"]


def test_every_step_is_done_once(straight):
    assert list(straight.before) == list(range(1, 15))


def test_checkpoints_come_at_their_period_and_at_the_end_of_each_epoch(straight):
    for number, files_before in straight.before.items():
        assert files_before["saved"] == [step for step in SAVED if step < number][-5:], number
    assert list(checkpoints.saved(straight.config.run_folder)) == SAVED[-5:]


def test_samples_come_at_their_period_and_at_the_end(straight):
    for number, files_before in straight.before.items():
        assert files_before["samples"] == sample_names(s for s in SAMPLES if s < number), number
    assert below(straight.root / "samples" / "tiny") == sample_names(SAMPLES)


def test_a_sample_is_a_sheet_of_three_images_of_each_domain_and_changes(straight):
    folder = straight.root / "samples" / "tiny"
    first, *_, last = (image_file.read(folder / f"step_{step:07d}.png") for step in SAMPLES)
    assert first.shape == last.shape
    assert first.shape[0] > 6 * 8
    assert first.shape[1] > 7 * 8
    assert np.any(first != last)


def test_summaries_come_at_their_period_and_at_the_end(straight):
    for tag, numbers in scalars(straight.config).items():
        assert list(numbers) == SUMMARIES, tag


def test_every_official_scalar_is_there_and_finite(straight):
    written = scalars(straight.config)
    assert [tag for tag in OFFICIAL_TAGS if tag not in written] == []
    for tag in OFFICIAL_TAGS:
        assert np.all(np.isfinite(list(written[tag].values()))), tag
    for side in "AB":
        for step in SUMMARIES:
            parts = (written[f"G_{side}_{p}"][step] for p in ("gan", "cycle", "identity", "cam"))
            assert sum(parts) == pytest.approx(written[f"G_{side}_loss"][step], rel=1e-5)


def test_every_rho_has_its_histogram_and_statistics(straight):
    weights = restored(straight.config, 14)
    rhos = [name for name in weights if name.startswith("weights/") and name.endswith("/rho")]
    paths = [name[len("weights/") :] for name in rhos]
    assert len(paths) == 2 * (2 + 2)  # a generator has one adaptive block, two upsamplings
    histograms = {tag for _, tag, kind, _ in events(straight.config) if kind == "histograms"}
    assert histograms == {f"rho/{path}" for path in paths}
    written = scalars(straight.config)
    for path in paths:
        rho = weights[f"weights/{path}"]
        for name, number in (("min", rho.min()), ("max", rho.max()), ("mean", rho.mean())):
            assert written[f"rho/{path}_{name}"][14] == pytest.approx(number, rel=1e-6), path


def test_learning_rate_and_seconds_per_step_are_written(straight):
    written = scalars(straight.config)
    assert written["learning_rate"] == pytest.approx({11: 1e-4, 14: 1e-4})
    assert written["seconds_per_step"] == pytest.approx({11: 1.0, 14: 1.0})


def test_sample_images_are_in_tensorboard(straight):
    steps = [step for step, tag, kind, _ in events(straight.config) if kind == "images"]
    assert steps == SAMPLES


def test_the_configuration_is_saved_beside_the_checkpoints(straight):
    assert os.path.isfile(os.path.join(straight.config.run_folder, "config.json"))


def test_the_same_command_again_says_that_all_is_done_and_changes_nothing(straight, start):
    before = runs.bytes_below(straight.root)
    output = start(straight.config, lambda number: pytest.fail("a step was done"))
    assert "All 14 steps are done" in output
    assert "--epoch" in output
    assert runs.bytes_below(straight.root) == before


def test_the_command_to_go_on_names_what_the_run_folder_cannot_know():
    assert loop.resume_command(Config(dataset="x")) == "python main.py --phase train --dataset x"
    moved = Config(dataset="x", run="y", checkpoint_dir="my runs", lr=0.5)
    assert loop.resume_command(moved).endswith(" --dataset x --run y --checkpoint_dir 'my runs'")
    words = shlex.split(loop.resume_command(moved))[2:]
    assert command_line.parse(words).named == {
        "dataset": "x",
        "run": "y",
        "checkpoint_dir": "my runs",
    }


def test_a_signal_lets_the_step_finish_and_saves_it(interrupted):
    (output, saved), _, (output_later, saved_later), _ = interrupted.pieces
    assert saved == [3, 4]
    command = loop.resume_command(interrupted.config)
    assert f"Stopped and saved after step 4. To continue:\n{command}" in output
    assert saved_later == [3, 4, 6, 7, 8]
    assert "Stopped and saved after step 8" in output_later


def test_signals_mean_again_what_they_meant_before(interrupted):
    assert interrupted.after == interrupted.handlers


def test_a_run_goes_on_from_its_newest_checkpoint(interrupted):
    outputs = [piece[0] for piece in interrupted.pieces]
    assert "Continuing" not in outputs[0]
    assert "step_0000004" in outputs[1].split("Continuing from ")[1].splitlines()[0]
    assert "step_0000007" in outputs[2].split("Continuing from ")[1].splitlines()[0]
    assert "step_0000008" in outputs[3].split("Continuing from ")[1].splitlines()[0]
    assert interrupted.pieces[3][1][-1] == 14


def test_stopping_and_going_on_equals_running_through_bit_for_bit(straight, interrupted):
    expected, resumed = (restored(run.config, 14) for run in (straight, interrupted))
    assert resumed.keys() == expected.keys()
    assert {name.split("/")[0] for name in resumed} == {
        "weights",
        "generator_optimizer",
        "discriminator_optimizer",
        "progress",
    }
    different = [n for n in expected if not np.array_equal(resumed[n], expected[n])]
    assert different == []


def test_summaries_and_history_are_those_of_a_run_that_never_stopped(straight, interrupted):
    # The run that was interrupted ended once at step 7, so it has a summary and a sample there.
    def repeatable_events(config):
        return [
            (step, tag, kind, array.tolist())
            for step, tag, kind, array in events(config)
            if tag not in runs.UNREPEATABLE and step != 7
        ]

    def lines_of(config):
        with open(os.path.join(config.run_folder, "history.jsonl")) as file:
            lines = [json.loads(line) for line in file]
        lines = runs.repeatable(lines)
        return [line for line in lines if line["step"] != 7]

    assert repeatable_events(interrupted.config) == repeatable_events(straight.config)
    assert lines_of(interrupted.config) == lines_of(straight.config)
    assert [line["step"] for line in lines_of(straight.config)] == SUMMARIES
    in_events = scalars(straight.config)["a2b/cycle"][14]
    assert lines_of(straight.config)[-1]["a2b/cycle"] == pytest.approx(in_events, rel=1e-6)


def test_every_term_is_there_with_and_without_its_weight(straight):
    written = scalars(straight.config)
    for side, direction in (("A", "b2a"), ("B", "a2b")):
        for term in ("adversarial", "cycle", "identity", "cam"):
            weighted = written[f"{direction}/{term}_weighted"]
            official = written[f"G_{side}_{'gan' if term == 'adversarial' else term}"]
            assert weighted == pytest.approx(official), term
            assert f"{direction}/{term}" in written
    logits = ("local", "local_cam", "global", "global_cam")
    for domain in "ab":
        parts = [written[f"discriminator_{domain}/{t}"][14] for t in logits]
        assert sum(parts) == pytest.approx(written[f"D_{domain.upper()}_loss"][14], rel=1e-5)


def test_memory_and_speed_are_written(straight):
    written = scalars(straight.config)
    assert written["memory_gb"][14] > 0.1
    assert written["images_per_second"] == pytest.approx({11: 2.0, 14: 2.0})


def test_a_run_that_goes_on_shows_the_same_samples(straight, interrupted):
    for step in (10, 14):
        name = os.path.join("samples", "tiny", f"step_{step:07d}.png")
        expected = image_file.read(straight.root / name)
        np.testing.assert_array_equal(image_file.read(interrupted.root / name), expected)


def test_weights_move_and_optimizers_count(straight):
    early, late = restored(straight.config, 9), restored(straight.config, 14)
    assert early["progress/steps_done"] == 9
    assert late["progress/steps_done"] == 14
    still = [
        name
        for name in late
        if name.endswith("/kernel") and np.array_equal(early[name], late[name])
    ]
    assert still == []
    for optimizer in ("generator_optimizer", "discriminator_optimizer"):
        power = late[f"{optimizer}/beta_1_power"]
        assert power == pytest.approx(0.5**15)  # TensorFlow's starts at beta


@pytest.mark.parametrize(
    ("step", "period", "expected"),
    [(1, 3, False), (3, 3, True), (4, 3, False), (6, 3, True), (10, 3, True), (9, 10, False)],
)
def test_an_event_is_due_each_period_and_at_the_end(step, period, expected):
    assert loop.is_due(step, period, total=10) is expected


@pytest.fixture(scope="module")
def best_by_loss(start, tmp_path_factory):
    """A run that keeps its best by a term, and what was printed."""
    root = tmp_path_factory.mktemp("best_by_loss")
    runs.write_dataset(root / "dataset" / "tiny", ("trainA", "trainB"), count=1)
    often = {**PERIODS, "summary_freq": 1, "print_freq": 100}
    config = runs.config_in(root, **often, best_by="a2b/cycle")
    return types.SimpleNamespace(config=config, output=start(config))


def test_the_checkpoint_with_the_smallest_mean_since_the_last_one_is_the_best(best_by_loss):
    values = scalars(best_by_loss.config)["a2b/cycle"]
    means = {
        last: np.mean([values[step] for step in range(before + 1, last + 1)])
        for before, last in zip([0, *SAVED], SAVED)
    }
    best = min(means, key=means.get)
    path, metric = checkpoints.best(best_by_loss.config.run_folder)
    assert os.path.basename(path) == checkpoints.folder_name(best)
    assert metric["tag"] == "a2b/cycle"
    assert metric["value"] == pytest.approx(means[best])
    assert f"Best by a2b/cycle: {means[best]:.4g} at {path}" in best_by_loss.output
    assert below(os.path.dirname(path)) == [checkpoints.folder_name(best)]
    assert list(checkpoints.saved(best_by_loss.config.run_folder)) == SAVED[-5:]


def test_a_metric_that_is_not_there_stops_the_run_with_the_list(start, best_by_loss):
    config = dataclasses.replace(best_by_loss.config, run="other", best_by="fid")
    with pytest.raises(Failure, match="--best_by fid is no number .*a2b/cycle"):
        start(config)
    assert not checkpoints.saved(config.run_folder)


def test_other_images_than_before_are_reported(start, tmp_path, caplog):
    runs.write_dataset(tmp_path / "dataset" / "tiny", ("trainA", "trainB"), count=1)
    config = runs.config_in(tmp_path, **{**PERIODS, "epoch": 1, "iteration": 1})
    start(config)
    runs.write_images(os.path.join(config.dataset_folder, "trainB"), ["new.png"])
    assert not caplog.records
    start(dataclasses.replace(config, epoch=2))
    assert "The images in trainB have changed" in caplog.text
    assert "trainA" not in caplog.text


def test_a_run_with_minutes_ends_in_time_with_all_that_is_due_after_the_last_step(start, tmp_path):
    runs.write_dataset(tmp_path / "dataset" / "tiny", ("trainA", "trainB"), count=1)
    periods = {"save_freq": 90, "print_freq": 90, "summary_freq": 30, "iteration": 1000, "epoch": 2}
    config = runs.config_in(tmp_path, **periods, decay_epoch=1, minutes=15)
    output = start(config)
    # 900 seconds: the samples of step 0 take 100, a step 1, samples and a checkpoint 200.
    steps = list(checkpoints.saved(config.run_folder))
    assert steps[:-1] == [90, 180]
    last = steps[-1]
    assert 900 - 100 - 2 * 200 - 200 - last in (0, 1)
    assert f"The 15 minutes are used up, after step {last}." in output
    lines = history.read(config.run_folder)
    assert lines[-1]["step"] == last
    assert lines[-1]["hours"] == 0.25
    assert f"step_{last:07d}.png" in below(tmp_path / "samples" / "tiny")

    # The rate is constant for half of the time, and then falls with it.
    rates = {line["step"]: line["learning_rate"] for line in lines}
    assert rates[90] == config.lr  # 189 of 900 seconds have gone before this step
    for step, gone in ((180, 100 + 200 + 179), (last, 100 + 2 * 200 + last - 1)):
        assert rates[step] == pytest.approx(config.lr * (1 - gone / 900) / 0.5)

    assert "The 15 minutes of this run are used up" in start(config)
    more = start(dataclasses.replace(config, minutes=20))
    assert f"step_{last:07d}" in more.split("Continuing from ")[1].splitlines()[0]
    assert "The 20 minutes are used up" in more
