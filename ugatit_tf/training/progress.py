"""What a training process tells a person while it runs, and how it is told to stop."""

import contextlib
import signal
import threading
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


@contextlib.contextmanager
def stop_asked():
    """Within it SIGINT and SIGTERM set a mark, so that the step is finished and saved.

    Yields a function that says whether they did. The second signal does what it does elsewhere.
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
