"""What a training process tells a person while it runs."""

import sys
import time

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 30  # of progress where the output is not a terminal


class Progress(tqdm):
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


def progress(done, total, *, quiet=False):
    """The line of a run of `total` steps of which some are done."""
    terminal = sys.stderr.isatty()
    return Progress(
        total=total,
        initial=done,
        unit="step",
        disable=quiet,
        dynamic_ncols=terminal,
        mininterval=0.2 if terminal else SECONDS_BETWEEN_LINES,
        maxinterval=10 if terminal else SECONDS_BETWEEN_LINES,
        bar_format="step {n}/{total} |{bar}| {elapsed}<{remaining}, {rate_inv_fmt}{postfix}",
    )
