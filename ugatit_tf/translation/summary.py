"""The results of the translate phase, in numbers and sentences."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection
from typing import NamedTuple

from ugatit_tf.data.presence import printable
from ugatit_tf.errors import Failure, counted, listed
from ugatit_tf.translation.options import TranslateOptions
from ugatit_tf.translation.paths import Job
from ugatit_tf.translation.translator import Translator


class Failed(NamedTuple):
    """An image that could not be translated."""

    name: str
    reason: str


class Translated(NamedTuple):
    """An image that was translated and written."""

    job: Job
    images: dict  # title -> uint8 image, for the report
    lacks_face: bool  # whether --face found no face in it
    is_tiled: bool
    is_animated: bool  # whether only its first frame was translated
    scale: float  # `Fit.scale`


@dataclasses.dataclass
class Summary:
    """What was translated and what was not; images are called by their names."""

    num_translated: int = 0
    failures: list = dataclasses.field(default_factory=list)  # of (name, reason)
    without_face: list = dataclasses.field(default_factory=list)
    tiled: list = dataclasses.field(default_factory=list)
    animated: list = dataclasses.field(default_factory=list)
    scales: set = dataclasses.field(default_factory=set)
    seconds: float = 0.0
    report: str = ""  # path of the page

    def add(self, result: Translated | Failed) -> None:
        """Counts one image."""
        if isinstance(result, Failed):
            self.failures.append(tuple(result))
            return
        self.num_translated += 1
        self.scales.add(result.scale)
        for names, applies in (
            (self.without_face, result.lacks_face),
            (self.tiled, result.is_tiled),
            (self.animated, result.is_animated),
        ):
            if applies:
                names.append(result.job.name)

    def count_removed(self, jobs: list[Job]) -> None:
        """Counts as failed the results that were removed since they were written."""
        failed = {name for name, _ in self.failures}
        for job in jobs:
            if job.name not in failed and not os.path.lexists(job.target):
                self.num_translated -= 1
                self.failures.append((job.name, f"its result was removed meanwhile: {job.target}"))

    def lines(self, translator: Translator, request: TranslateOptions) -> list[str]:
        """What was translated, for people."""
        scale = f", {scale_text(translator, request, self.scales)}" if self.scales else ""
        lines = [
            f"Translated {counted(self.num_translated, 'image')} in {self.seconds:.1f} seconds "
            f"into {request.output}{scale}"
        ]
        for sentence, names in (
            ("No face found, translated whole", self.without_face),
            ("In tiles, whose tones may differ (--max_side avoids it)", self.tiled),
            ("Animated; only the first frame was translated", self.animated),
        ):
            if names:
                lines.append(f"{sentence}: {listed([printable(name) for name in names])}")
        return lines + ([f"Report: {self.report}"] if self.report else [])

    def raise_failures(self) -> None:
        """Raises a `Failure` that names the images that could not be translated, if any."""
        if self.failures:
            lines = "\n".join(f"  {printable(name)}: {why}" for name, why in self.failures)
            raise Failure(f"{len(self.failures)} could not be translated:\n{lines}")


class VideoSummary(NamedTuple):
    """What was made of a video."""

    path: str
    num_frames: int = 0  # 0 where the result existed, and --resume_output left it
    seconds: float = 0.0
    scales: Collection = ()

    def line(self, translator: Translator, request: TranslateOptions) -> str:
        """What was translated, for people."""
        if not self.num_frames:
            return f"{self.path}: exists already"
        frames = counted(self.num_frames, "frame")
        scale = scale_text(translator, request, self.scales)
        return f"{self.path}: {frames} in {self.seconds:.1f} seconds, {scale}"


def scale_text(translator: Translator, request: TranslateOptions, scales: Collection) -> str:
    """At which scale the networks saw the images."""
    low, high = (f"{scale:.3g}" for scale in (min(scales), max(scales)))
    text = f"at scale {low}" if low == high else f"at scales from {low} to {high}"
    is_default = translator.known_fit(request.fit) == "keep" and not (request.size or request.face)
    if min(scales) < 1 and is_default:
        text += f" (training size {translator.size} px; --size native keeps the source's own scale)"
    return text
