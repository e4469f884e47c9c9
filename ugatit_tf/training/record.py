"""The numbers of a run over time: in TensorBoard, in history.jsonl, and for its best checkpoint."""

import os

from ugatit_tf import machine
from ugatit_tf.training import checkpoints, history, summaries
from ugatit_tf.training.means import Means, StepTimer
from ugatit_tf.training.optimizer import learning_rate

NOTE = "means.json"  # in a checkpoint: sums over steps, so that a run that goes on records the same


class Record:
    """What is recorded of each step, and written every `summary_freq` steps as means.

    A checkpoint has the sums of the period that it lies in (`notes`), so that the first summary
    after it is over the same steps as in a run that never stopped.

    Args:
        done: int. Steps that are done already; what is recorded of later ones is removed.
    """

    def __init__(self, config, trainer, done):
        self.config, self.trainer = config, trainer
        sums = _sums(config.run_folder, done)
        self.means = Means(sums.get("since_summary"))
        self.rated = Means(sums.get("since_checkpoint"))  # of `best_by`
        self.states = {}  # numbers of which the last counts
        self.timer = StepTimer()
        folder = os.path.join(config.log_dir, config.run_name)
        history.cut(config.run_folder, done)
        summaries.cut(folder, done or -1)  # what comes before step 1 is written again
        self.summaries = summaries.Summaries(folder)
        if done == 0:
            self.summaries.text(done)

    def step_begins(self):
        self.timer.step_begins()

    def step_ends(self, scalars):
        """Args: scalars: what `Trainer.step` returned."""
        self.timer.step_ends()
        numbers = {tag: value for tag, value in scalars.items() if tag != "finite"}
        self.states = {t: numbers.pop(t) for t in [*numbers] if t.startswith("loss_scale/")}
        self.means.add(numbers)
        name = self.config.best_metric
        self.rated.add({name: numbers[name]} if name in numbers else {})

    def write(self, done) -> dict:
        """Writes the means since the last summary, and returns those of the losses.

        At the end, which a longer run moves, the period goes on.
        """
        config, seconds = self.config, self.timer.taken()
        losses, images = self.means.means(), 2 * self.trainer.replicas.count
        numbers = {
            **losses,
            **{tag: float(value) for tag, value in self.states.items()},
            "learning_rate": learning_rate(done - 1, config),
            "seconds_per_step": seconds,
            "images_per_second": images * config.samples_per_step / seconds,
            "memory_gb": machine.peak_memory() / 1e9,
        }
        if done % config.summary_freq == 0:
            self.means.clear()
        self.summaries.scalars(done, {**numbers, **summaries.weighted(losses, config)})
        self.summaries.rho(done, self.trainer.model.generator_weights())
        history.append(config.run_folder, done, numbers)
        return losses

    def measured(self, done, values):
        """Writes numbers that were measured after step `done`: dict tag -> number."""
        self.summaries.scalars(done, values)
        history.append(self.config.run_folder, done, values)

    def since_checkpoint(self) -> dict:
        """{`best_by`: its mean since this was last called}; empty where it is no loss."""
        means = self.rated.means()
        self.rated.clear()
        return {tag: mean for tag, mean in means.items() if tag == self.config.best_metric}

    def notes(self) -> dict:
        """What goes into a checkpoint."""
        sums = {"since_summary": self.means.state(), "since_checkpoint": self.rated.state()}
        return {NOTE: sums}

    def sync(self):
        """Waits until the disk has all that was written."""
        self.summaries.sync()
        history.sync(self.config.run_folder)

    def close(self):
        self.summaries.close()


def _sums(run_folder, done):
    """What the checkpoint of step `done` says of the steps before; nothing in older versions."""
    path = checkpoints.saved(run_folder).get(done, "")
    try:
        return checkpoints.note(path, NOTE)
    except FileNotFoundError:
        return {}
