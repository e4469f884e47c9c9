"""What a training process tells a person while it runs."""

import time

from ugatit_tf.progress import Progress


class Steps(Progress):
    """The progress of a run, with the losses of the last step that was looked at."""

    last_told = 0.0

    def tell(self, losses):
        """Counts a step, and every second notes its losses."""
        self.update()
        if time.perf_counter() - self.last_told < 1.0:
            return
        named = {"D": losses["Discriminator_loss"], "G": losses.get("Generator_loss")}
        self.postfix = ", ".join(f"{k}={float(v):.3g}" for k, v in named.items() if v is not None)
        self.last_told = time.perf_counter()


def progress(done, total, *, quiet=False):
    """The progress of a run of `total` steps of which some are done."""
    return Steps(total, unit="step", label="step", done=done, quiet=quiet)
