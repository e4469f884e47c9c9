"""The time of a run: what it has used over all its starts, and what `--minutes` leaves of it."""

from __future__ import annotations

import time

from ugatit_tf.training import checkpoints

NOTE = "time.json"  # the file in a checkpoint with the seconds that were used until it
FIRST_WRITING = 0.05, 20.0  # part of the limit, and at most seconds, kept before one is measured


class Budget:
    """Counts the seconds of training, and ends it in time to write the last checkpoint.

    The clock starts when this is made.

    Args:
        minutes: float. The limit over all starts of the run; 0: none.
        used: float. Seconds of earlier starts.
    """

    def __init__(self, minutes: float = 0.0, used: float = 0.0) -> None:
        self.limit = 60.0 * minutes
        self.used = used
        self._began = self._mark = time.monotonic()
        self._step = None  # seconds of a step in the last call; None before the first call
        part, most = FIRST_WRITING
        self._writing = min(part * self.limit, most)  # that the slowest writing took
        self.ended = False

    @property
    def seconds(self) -> float:
        """Seconds of training so far; all of them after `end`."""
        used = self.used + time.monotonic() - self._began
        return max(used, self.limit) if self.ended else used

    @property
    def left(self) -> float:
        """Seconds until the limit."""
        return max(0.0, self.limit - self.seconds)

    @property
    def gone(self) -> float:
        """The part of the time that is used up, in [0, 1]; 0 without a limit."""
        return min(1.0, self.seconds / self.limit) if self.limit else 0.0

    def is_up(self, steps: int = 1) -> bool:
        """Whether there is no time for a call of so many steps and for writing what is due."""
        call = steps * (self._step or 0.0)
        return bool(self.limit) and self.left <= call + self._writing

    def steps_end(self, steps: int = 1) -> None:
        """A call of so many steps has ended; what is due after them begins."""
        seconds = self._lap()
        self._step = 0.0 if self._step is None else seconds / steps  # the first built the graph

    def writing_ends(self) -> None:
        """What was due after a step is written."""
        self._writing = max(self._writing, self._lap())

    def end(self) -> None:
        """The run ends because its time is up: the seconds left over are not given back."""
        self.ended = True

    def notes(self) -> dict[str, dict]:
        """The file, by its name, that goes into a checkpoint."""
        return {NOTE: {"seconds": self.seconds}}

    def _lap(self) -> float:
        before, self._mark = self._mark, time.monotonic()
        return self._mark - before


def used_seconds(run_folder: str, step: int) -> float:
    """The seconds that the run had used at its checkpoint of `step`; 0 where none are noted."""
    try:
        note = checkpoints.note(checkpoints.saved(run_folder).get(step, ""), NOTE)
    except FileNotFoundError:
        return 0.0
    seconds = note.get("seconds") if isinstance(note, dict) else None
    return float(seconds) if isinstance(seconds, (int, float)) else 0.0
