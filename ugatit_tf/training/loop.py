"""Runs training steps: data in, then summaries, samples and checkpoints when it is time."""

import contextlib
import dataclasses
import logging
import os
import shlex
import zlib
from functools import partial

from ugatit_tf.config import OF_A_START, Config
from ugatit_tf.config import about as options_of
from ugatit_tf.data import folders, pipeline
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_file
from ugatit_tf.networks.model import build_model
from ugatit_tf.signals import stop_asked
from ugatit_tf.training import checkpoints, guards, history, samples
from ugatit_tf.training.progress import progress
from ugatit_tf.training.record import Record
from ugatit_tf.training.replicas import Replicas
from ugatit_tf.training.step import Trainer

LOG = logging.getLogger(__name__)
SAMPLE_ROWS = 3  # images of each domain on a sample sheet
REALS = 8  # training images of each domain that are shown before step 1


def train(config, parts, evaluation=None, replicas=None) -> bool:
    """Trains the run that `config` describes, from its newest checkpoint if there is one.

    Args:
        parts: dict name -> `folders.Split`; of trainA and trainB at least.
        evaluation: function of the `UGATIT` to tag -> number, called every `eval_freq` steps.
        replicas: `Replicas`. Of several processes the chief alone writes.

    Returns:
        Whether a signal asked to stop, even if it was in the last step.

    Raises:
        Failure: the checkpoint cannot be used, another process trains the same
            run, the losses are no longer finite, or the disk or the memory is full.
    """
    replicas = replicas or Replicas()
    parts = {name: parts[name] for name in folders.TRAIN}
    os.makedirs(config.run_folder, exist_ok=True)
    with contextlib.ExitStack() as stack:
        if replicas.is_chief:
            stack.enter_context(guards.only_one(config.run_folder))
        stack.enter_context(guards.shortage_explained(config.run_folder))
        _check_alike(replicas, config, parts)
        with replicas.scope():
            trainer = Trainer(build_model(config), config, replicas)
        done = _resume(trainer, config)
        if replicas.is_chief:
            for path in checkpoints.tidy(config.run_folder, done):
                print(f"Removed {path}, which is later than what this run goes on from")
        if done >= config.total_steps:
            print(f"All {done} steps are done. A larger --epoch or --iteration goes on.")
            return False
        run = (Run if replicas.is_chief else Follower)(config, trainer, parts, done, evaluation)
        with contextlib.closing(run), stop_asked() as asked:
            done = run.steps(done, asked)
            stopped = replicas.any(asked())
    if not replicas.is_chief:
        return stopped
    if done < config.total_steps:
        print(f"Stopped and saved after step {done}. To go on:\n{command(config)}")
    best, metric = checkpoints.best(config.run_folder)
    if best:
        print(f"Best by {metric['tag']}: {metric['value']:.4g} at {best}")
    return stopped


def is_time(done, every, total) -> bool:
    """Whether something that happens each `every` steps, and at the end, happens now."""
    return done % every == 0 or done == total


def command(config) -> str:
    """The command that goes on with a run; what it does not name is in the run folder."""
    default = Config()
    names = ["dataset", *(n for n in ("run", *OF_A_START) if vars(config)[n] != vars(default)[n])]
    words = [word for name in names for word in (f"--{name}", vars(config)[name])]
    return shlex.join(["python", "main.py", "--phase", "train", *words])


class Follower:
    """The steps of a process that writes nothing: of every worker but the chief.

    Args:
        parts: {"trainA": `folders.Split`, "trainB": `folders.Split`}.
        done: int. Steps that are done already.
        evaluation: as in `train`.
    """

    def __init__(self, config, trainer, parts, done, evaluation=None):
        del done
        self.config, self.trainer, self.evaluation = config, trainer, evaluation
        self.paths = [part.paths for part in parts.values()]
        replicas = trainer.replicas
        self.share = pipeline.Share(replicas.first, replicas.mine, replicas.count)

    def steps(self, done, asked):
        """Runs steps until all are done or a worker is asked to stop. Returns the number done."""
        total, replicas = self.config.total_steps, self.trainer.replicas
        dataset = pipeline.batches(*self.paths, self.config, first_step=done, share=self.share)
        with progress(done, total, quiet=not replicas.is_chief) as bar:
            for real_a, real_b in dataset:
                scalars = self.trainer.step(real_a, real_b)
                done += 1
                guards.check_finite(done, scalars, partial(self._images, done), self._newest)
                bar.tell(scalars)
                stopping = replicas.any(asked())
                self.after(done, scalars, stopping)
                if stopping or done == total:
                    return done
        return done

    def after(self, done, scalars, stopping):
        """What is done after a step besides training."""

    def close(self):
        """Called when all is done, or nothing more can be."""

    def _images(self, done):
        return pipeline.names_of_step(*self.paths, self.config, done - 1, share=self.share)

    def _newest(self):
        return next(reversed(checkpoints.saved(self.config.run_folder).values()), None)


class Run(Follower):
    """What a run writes, and when: of one process, or of the chief of several."""

    def __init__(self, config, trainer, parts, done, evaluation=None):
        super().__init__(config, trainer, parts, done, evaluation)
        self.shown = [[_shown(path, config) for path in part[:SAMPLE_ROWS]] for part in self.paths]
        count, before = trainer.replicas.count, options_of(config.run_folder)
        self.about = history.about(config, parts, before, done, count)
        _tell_changes(self.about["changes"], done)
        self.samples = os.path.join(config.sample_dir, config.run_name)
        self.watch = guards.Watch(config.gan_type)
        self.record = Record(config, trainer, done)
        if done == 0:
            self._write_reals()
            self._write_sample(0)
        if count > 1:
            samples_per_step = count * config.samples_per_step
            print(f"{count} devices; a step takes {samples_per_step} images of each domain.")
        print("Building the training graph; the first step takes longer.", flush=True)
        self.record.step_begins()

    def after(self, done, scalars, stopping):
        self._check_metric(scalars)
        self.record.step_ends(scalars)
        self._write(done, stopping)
        self.record.step_begins()

    def _write(self, done, stopping):
        """What is due after step `done`."""
        config, total = self.config, self.config.total_steps
        if is_time(done, config.summary_freq, total):
            self.watch.losses(done, self.record.write(done))
        if is_time(done, config.print_freq, total):
            self._write_sample(done)
        if self.evaluation and is_time(done, config.eval_freq, total):
            self._evaluate(done)
        in_turn = done % config.iteration == 0 or is_time(done, config.save_freq, total)
        if in_turn:
            self._rate(done)
        if in_turn or stopping:
            self._save(done)

    def close(self):
        self.record.close()

    def _check_metric(self, scalars):
        name = self.config.best_by
        if name.startswith("eval/"):  # no number of a step
            return
        if name and name not in scalars and "Generator_loss" in scalars:
            tags = ", ".join(sorted(tag for tag in scalars if tag != "finite"))
            raise Failure(f"--best_by {name} is no number of this run. These are: {tags}")

    def _rate(self, done):
        """Keeps the best. A stop that was asked for is no time for it: a run that never stopped
        has no checkpoint there to compare with."""
        for tag, value in self.record.since_checkpoint().items():
            self.config.save(self.config.run_folder, self.about)
            state = self.trainer.state()
            checkpoints.save_if_best(self.config.run_folder, done, state, tag, value)

    def _save(self, done):
        """The options go with each checkpoint: until there is one, a run can be any other.

        The best is kept, and all summaries are written, before the checkpoint is: a process
        that is killed in between does both again when it goes on from the checkpoint before.
        """
        folder = self.config.run_folder
        self.config.save(folder, self.about)
        self.record.sync()
        checkpoints.save(folder, done, self.trainer.state(), notes=self.record.notes())
        checkpoints.remove_older_best(folder)

    def _evaluate(self, done):
        """Measures the weights that a test would use, and keeps them if they are the best."""
        with self.trainer.averaged():
            values = self.evaluation(self.trainer.model)
        self.record.measured(done, values)
        name, folder = self.config.best_by, self.config.run_folder
        if name in values:
            self.config.save(folder, self.about)
            checkpoints.save_if_best(folder, done, self.trainer.state(), name, values[name])
        elif name.startswith("eval/"):
            raise Failure(f"--best_by {name} is not measured. These are: {', '.join(values)}")

    def _write_reals(self):
        images = {"A": [], "B": []}
        for batch_a, batch_b in pipeline.batches(*self.paths, self.config):
            images["A"].extend(batch_a)
            images["B"].extend(batch_b)
            if len(images["A"]) >= REALS:
                break
        image = samples.reals(images["A"][:REALS], images["B"][:REALS])
        image_file.write(os.path.join(self.samples, "reals.png"), image)

    def _write_sample(self, done):
        image, translations = samples.sheet(self.trainer.model, *self.shown)
        for sources, fakes in zip(self.shown, translations):
            self.watch.translations(done, sources, fakes)
        path = os.path.join(self.samples, f"{checkpoints.folder_name(done)}.png")
        image_file.write(path, image, synced=True)
        self.record.summaries.images(done, "samples", image)


def _tell_changes(changes, done):
    """Says what this start changes in the run."""
    for change in changes:
        if change["step"] == done and change["option"] in folders.TRAIN:
            LOG.warning(
                "The images in %s are others than before; from here on they come in another "
                "order. Noted in config.json.",
                change["option"],
            )


def _resume(trainer, config):
    """Restores the newest checkpoint, if there is one. Returns the number of steps done."""
    found = checkpoints.saved(config.run_folder)
    if found:
        path = found[max(found)]
        state = trainer.state()
        for group in {"average", "loss_scale"} - checkpoints.groups(path):
            state.pop(group, None)  # --ema or --precision is new in this run: it starts here
        checkpoints.restore(path, state)
        if "average" not in state:
            trainer.start_average()
        if trainer.replicas.is_chief:
            print(f"Going on from {path}")
    return int(trainer.steps_done.numpy())


def _check_alike(replicas, config, parts):
    """Refuses workers that would not train the same run, before anything is built.

    Raises:
        Failure: on each of them; it names what differs, and its value here.
    """
    options = {f"--{k}": v for k, v in dataclasses.asdict(config).items() if k not in OF_A_START}
    step = max(checkpoints.saved(config.run_folder), default=0)
    prints = [part.fingerprint for part in parts.values()]
    marks = [step, *(zlib.crc32(repr(value).encode()) for value in (prints, *options.values()))]
    names = [f"the step of their newest checkpoint ({step} here)", "their images"]
    names += [f"{name} ({value} here)" for name, value in options.items()]
    of_workers = zip(*replicas.rows(marks))
    differing = [name for name, values in zip(names, of_workers) if len(set(values)) > 1]
    if differing:
        raise Failure(
            f"The workers differ in {', '.join(differing)}. Give all of them the same command, a "
            f"--checkpoint_dir that they share, and a --dataset_dir with the same images."
        )


def _shown(path, config):
    """An image for the samples: the same each time, so that they can be compared."""
    return pipeline.load(path, size=config.img_size, channels=config.img_ch)
