"""Runs training steps: data in, then summaries, samples and checkpoints when it is time."""

import contextlib
import functools
import os
import signal
import sys
import threading
import time

from tqdm import tqdm

from ugatit_tf.config import about as options_of
from ugatit_tf.data import pipeline
from ugatit_tf.networks.model import build_model
from ugatit_tf.pictures import files
from ugatit_tf.training import checkpoints, guards, history, samples
from ugatit_tf.training.optimizer import learning_rate
from ugatit_tf.training.step import Trainer
from ugatit_tf.training.summaries import Summaries, readable

SAMPLE_ROWS = 3  # images of each domain on a sample sheet
REALS = 8  # training images of each domain that are shown before step 1
SECONDS_BETWEEN_LINES = 30  # of progress where the output is not a terminal


def train(config, paths_a, paths_b):
    """Trains the run that `config` describes, from its newest checkpoint if there is one.

    Args:
        paths_a, paths_b: lists of the readable pictures of both domains.

    Raises:
        Failure: the checkpoint cannot be used, another process trains the same
            run, the losses are no longer finite, or the disk or the memory is full.
    """
    paths = paths_a, paths_b
    os.makedirs(config.run_folder, exist_ok=True)
    with guards.only_one(config.run_folder), guards.memory_explained():
        trainer = Trainer(build_model(config), config)
        done = _resume(trainer, config)
        if done >= config.total_steps:
            print(f"All {done} steps are done. A larger --epoch or --iteration goes on.")
            return
        with contextlib.closing(Run(config, trainer, paths, done)) as run, _stop_asked() as asked:
            done = run.steps(done, asked)
    if done < config.total_steps:
        print(f"Stopped and saved after step {done}. The same command goes on.")


def is_time(done, every, total) -> bool:
    """Whether something that happens each `every` steps, and at the end, happens now."""
    return done % every == 0 or done == total


class Run:
    """What one training process of a run writes, and when.

    Args:
        paths: (of trainA, of trainB).
        done: int. Steps that are done already.
    """

    def __init__(self, config, trainer, paths, done):
        self.config, self.trainer, self.paths = config, trainer, paths
        self.shown = [[_shown(path, config) for path in part[:SAMPLE_ROWS]] for part in paths]
        self.summaries = Summaries(os.path.join(config.log_dir, config.run_name))
        self.samples = os.path.join(config.sample_dir, config.run_name)
        self.watch = guards.Watch(config.gan_type)
        self.about = history.about(config, *paths, options_of(config.run_folder), done)
        history.cut(config.run_folder, done)
        self.summaries.text(done)
        if done == 0:
            self._write_reals()
            self._write_sample(0)

    def steps(self, done, stop_asked):
        """Runs steps until all are done or a stop is asked for. Returns the number done."""
        config, total = self.config, self.config.total_steps
        dataset = pipeline.batches(*self.paths, config, first_step=done)
        print("Building the training graph; the first step takes longer.", flush=True)
        with _progress(done, total) as bar:
            began, timed_from = time.perf_counter(), done
            for real_a, real_b in dataset:
                scalars = self.trainer.step(real_a, real_b)
                done += 1
                guards.check_finite(done, scalars, functools.partial(self._pictures, done))
                bar.tell(scalars)
                stopping = stop_asked()
                if is_time(done, config.summary_freq, total):
                    seconds = (time.perf_counter() - began) / (done - timed_from)
                    self._write_scalars(done, scalars, seconds)
                    began, timed_from = time.perf_counter(), done
                if is_time(done, config.print_freq, total):
                    self._write_sample(done)
                epoch_ends = done % config.iteration == 0
                if stopping or epoch_ends or is_time(done, config.save_freq, total):
                    self._save(done)
                if stopping or done == total:
                    return done
        return done

    def close(self):
        self.summaries.close()

    def _pictures(self, done):
        return pipeline.names_of_step(*self.paths, self.config, done - 1)

    def _save(self, done):
        """The options go with each checkpoint: until there is one, a run can be any other."""
        self.config.save(self.config.run_folder, self.about)
        checkpoints.save(self.config.run_folder, done, self.trainer.state())

    def _write_reals(self):
        pictures = {"A": [], "B": []}
        for batch_a, batch_b in pipeline.batches(*self.paths, self.config):
            pictures["A"].extend(batch_a)
            pictures["B"].extend(batch_b)
            if len(pictures["A"]) >= REALS:
                break
        image = samples.reals(pictures["A"][:REALS], pictures["B"][:REALS])
        files.write(os.path.join(self.samples, "reals.png"), image)

    def _write_sample(self, done):
        image, translations = samples.sheet(self.trainer.model, *self.shown)
        for sources, fakes in zip(self.shown, translations):
            self.watch.translations(done, sources, fakes)
        files.write(os.path.join(self.samples, f"{checkpoints.folder_name(done)}.png"), image)
        self.summaries.picture(done, "samples", image)

    def _write_scalars(self, done, scalars, seconds):
        losses = {tag: value for tag, value in scalars.items() if tag != "finite"}
        self.watch.losses(done, losses)
        extra = {
            "learning_rate": learning_rate(done - 1, self.config),
            "seconds_per_step": seconds,
            "images_per_second": 2 * self.config.batch_size / seconds,
        }
        parts = readable(losses, self.config)
        self.summaries.scalars(done, {**losses, **parts, **extra})
        self.summaries.rho(done, self.trainer.model.generator_weights())
        history.append(self.config.run_folder, done, {**losses, **extra})


def _resume(trainer, config):
    """Restores the newest checkpoint, if there is one. Returns the number of steps done."""
    found = checkpoints.saved(config.run_folder)
    if found:
        path = found[max(found)]
        state = trainer.state()
        if "average" in state and "average" not in checkpoints.groups(path):
            del state["average"]  # --ema is new in this run: the average starts here
        checkpoints.restore(path, state)
        if "average" not in state:
            trainer.start_average()
        print(f"Going on from {path}")
    return int(trainer.steps_done.numpy())


def _shown(path, config):
    """A picture for the samples: the same each time, so that they can be compared."""
    return pipeline.load(path, size=config.img_size, channels=config.img_ch)


class _Progress(tqdm):
    """A progress line with the losses of the last step that was looked at."""

    last_told = 0.0

    def tell(self, losses):
        """Counts a step, and every second shows its losses."""
        self.update()
        if time.perf_counter() - self.last_told < 1.0:
            return
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
