"""Runs training steps: data in, then summaries, samples and checkpoints when it is time."""

import contextlib
import os
import signal
import sys
import threading
import time

from tqdm import tqdm

from ugatit_tf.data import pipeline
from ugatit_tf.networks.model import build_model
from ugatit_tf.pictures import files
from ugatit_tf.training import checkpoints, samples
from ugatit_tf.training.optimizer import learning_rate
from ugatit_tf.training.step import Trainer
from ugatit_tf.training.summaries import Summaries

SAMPLE_ROWS = 3  # images of each domain on a sample sheet
REALS = 8  # training images of each domain that are shown before step 1
SECONDS_BETWEEN_LINES = 30  # of progress where the output is not a terminal


def train(config):
    """Trains the run that `config` describes, from its newest checkpoint if there is one.

    Raises:
        Failure: the dataset or the checkpoint cannot be used.
    """
    paths_a, paths_b = (
        pipeline.pictures_in(os.path.join(config.dataset_folder, part))
        for part in ("trainA", "trainB")
    )
    print(f"{config.run_name}: {len(paths_a)} + {len(paths_b)} training pictures", flush=True)
    os.makedirs(config.run_folder, exist_ok=True)
    trainer = Trainer(build_model(config), config)
    done = _resume(trainer, config)
    if done >= config.total_steps:
        print(f"All {done} steps are done. A larger --epoch or --iteration goes on.")
        return
    shown = _pictures_to_show(config, paths_a, paths_b)
    summaries = Summaries(os.path.join(config.log_dir, config.run_name))
    if done == 0:
        _write_reals(config, paths_a, paths_b)
        _write_sample(trainer, config, shown, summaries, 0)
    dataset = pipeline.batches(paths_a, paths_b, config, first_step=done)
    with contextlib.closing(summaries), _stop_asked() as stop_asked:
        done = _run(trainer, config, dataset, done, shown, summaries, stop_asked)
    if done < config.total_steps:
        print(f"Stopped and saved after step {done}. The same command goes on.")


def is_time(done, every, total) -> bool:
    """Whether something that happens each `every` steps, and at the end, happens now."""
    return done % every == 0 or done == total


def _run(trainer, config, dataset, done, shown, summaries, stop_asked):
    total = config.total_steps
    print("Building the training graph; the first step takes longer.", flush=True)
    with _progress(done, total) as bar:
        began, timed_from = time.perf_counter(), done
        for real_a, real_b in dataset:
            losses = trainer.step(real_a, real_b)
            done += 1
            if time.perf_counter() - bar.last_told > 1.0:  # reading a loss waits for the step
                bar.tell(losses)
            bar.update()
            stopping = stop_asked()
            if is_time(done, config.summary_freq, total):
                seconds = (time.perf_counter() - began) / (done - timed_from)
                _write_scalars(trainer, config, losses, seconds, summaries, done)
                began, timed_from = time.perf_counter(), done
            if is_time(done, config.print_freq, total):
                _write_sample(trainer, config, shown, summaries, done)
            if stopping or is_time(done, config.save_freq, total) or done % config.iteration == 0:
                _save(trainer, config, done)
            if stopping or done == total:
                return done
    return done


def _resume(trainer, config):
    """Restores the newest checkpoint, if there is one. Returns the number of steps done."""
    found = checkpoints.saved(config.run_folder)
    if found:
        path = checkpoints.newest(config.run_folder)
        checkpoints.restore(path, trainer.state())
        print(f"Going on from {path}")
    return int(trainer.steps_done.numpy())


def _save(trainer, config, done):
    """The options go with each checkpoint: until there is one, a run can be any other."""
    config.save(config.run_folder)
    checkpoints.save(config.run_folder, done, trainer.state())


def _pictures_to_show(config, paths_a, paths_b):
    """The same pictures each time, so that samples can be compared: not augmented."""
    return [
        [
            pipeline.load(path, size=config.img_size, channels=config.img_ch)
            for path in paths[:SAMPLE_ROWS]
        ]
        for paths in (paths_a, paths_b)
    ]


def _write_reals(config, paths_a, paths_b):
    shown = {"A": [], "B": []}
    for batch_a, batch_b in pipeline.batches(paths_a, paths_b, config):
        shown["A"].extend(batch_a)
        shown["B"].extend(batch_b)
        if len(shown["A"]) >= REALS:
            break
    image = samples.reals(shown["A"][:REALS], shown["B"][:REALS])
    files.write(os.path.join(config.sample_dir, config.run_name, "reals.png"), image)


def _write_sample(trainer, config, shown, summaries, step):
    image = samples.sheet(trainer.model, *shown)
    name = f"{checkpoints.folder_name(step)}.png"
    files.write(os.path.join(config.sample_dir, config.run_name, name), image)
    summaries.picture(step, "samples", image)


def _write_scalars(trainer, config, losses, seconds, summaries, done):
    extra = {
        "learning_rate": learning_rate(done - 1, config),
        "seconds_per_step": seconds,
    }
    summaries.scalars(done, {**losses, **extra})
    summaries.rho(done, trainer.model.generator_weights())


class _Progress(tqdm):
    """A progress line with the losses of the last step that was looked at."""

    last_told = 0.0

    def tell(self, losses):
        shown = {"D": losses["Discriminator_loss"], "G": losses.get("Generator_loss")}
        self.set_postfix({k: f"{float(v):.3g}" for k, v in shown.items() if v is not None}, False)
        self.last_told = time.perf_counter()


def _progress(done, total):
    terminal = sys.stderr.isatty()
    return _Progress(
        total=total,
        initial=done,
        unit="step",
        dynamic_ncols=terminal,
        mininterval=0.2 if terminal else SECONDS_BETWEEN_LINES,
        maxinterval=10 if terminal else SECONDS_BETWEEN_LINES,
        bar_format="step {n}/{total} |{bar}| {elapsed}<{remaining}, {rate_inv_fmt}{postfix}",
    )


@contextlib.contextmanager
def _stop_asked():
    """Within it SIGINT and SIGTERM set a mark, so that the step is finished and saved.

    The second signal does what it does elsewhere.
    """
    asked = []
    if threading.current_thread() is not threading.main_thread():  # Python's rule for handlers
        yield lambda: False
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in signals}

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(*_):
        asked.append(True)
        restore()
        print("\nFinishing this step, then saving.", flush=True)

    for number in signals:
        signal.signal(number, ask)
    try:
        yield lambda: bool(asked)
    finally:
        restore()
