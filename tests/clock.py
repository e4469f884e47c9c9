"""A clock that stands still until a test moves it."""


class Clock:
    """Takes the place of the module `time` in a module under test; `now` is in seconds."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now

    perf_counter = monotonic
