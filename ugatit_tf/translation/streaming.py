"""Any number of images through the generators: batches, devices, threads, and images that fail."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from ugatit_tf import threads
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.networks.shapes import refuse_not_finite
from ugatit_tf.translation.fit import CPU, Fit
from ugatit_tf.translation.generators import Generators, Heatmaps, Result

BATCH = 4  # images in one call of the networks; on two cores 15% faster than one by one
LARGE = 2**19  # pixels: a larger image fills the cores by itself, and is not batched
NO_MEMORY = (MemoryError, tf.errors.ResourceExhaustedError)


@dataclasses.dataclass(frozen=True)
class Input:
    """An image to translate, as `load` returns it to `Translator.stream`.

    Attributes:
        image: float32 [height, width, channels] in [-1, 1].
        fit: how it is resized for the networks, and its result back. None: the networks take the
            image as it is, and nothing is resized; heatmaps stay as small as they are computed.
        details: anything that `finish` needs of the image.
    """

    image: np.ndarray
    fit: Fit | None = None
    details: Any = None


@dataclasses.dataclass(frozen=True)
class _Task:
    """One item on its way through `Translator.stream`."""

    item: Any
    x: np.ndarray | None = None  # as the networks take it; None once they are done with it
    fit: Fit | None = None
    details: Any = None
    result: Result | None = None
    error: Exception | None = None

    @property
    def batch_key(self) -> Any:
        """Neighbours with equal keys are translated together."""
        is_alone = self.error is not None or math.prod(self.x.shape[:2]) > LARGE
        return object() if is_alone else self.x.shape


def stream(
    generators: Generators,
    items: Iterable,
    load: Callable[[Any], Input],
    finish: Callable[[Any, Result], Any],
    *,
    direction: str,
    on_error: Callable[[Any, Exception], Any] | None = None,
    **options: Any,
) -> Iterator:
    """`Translator.stream`, with the other options of `Generators.run`."""

    def finish_task(task):
        try:
            if task.error:
                raise task.error
            _refuse_not_finite(task.result, direction, generators.source)
            return finish(task.details, _resized(task.result, task.fit))
        except Exception as error:
            if on_error is None:
                raise
            return on_error(task.item, error)

    return threads.staged(
        items,
        lambda item: _loaded(load, item),
        lambda batch: _translated(batch, generators, direction, options),
        finish_task,
        size=BATCH,
        limit=BATCH + 1,
        key=lambda task: task.batch_key,
        devices=generators.copies.count,
    )


def _loaded(load, item) -> _Task:
    try:
        source = load(item)
        x = source.fit.apply(source.image) if source.fit else source.image
        return _Task(item, x, source.fit, source.details)
    except Exception as error:  # raised, or given to `on_error`, when it is its turn
        return _Task(item, error=error)


def _translated(batch, generators, direction, options) -> list[_Task]:
    """The tasks of a batch with their results; where memory is missing, one by one."""
    if batch[0].error:
        return batch
    try:
        x = np.stack([task.x for task in batch])
        results = generators.run(x, direction, **options)
    except NO_MEMORY as error:
        if len(batch) == 1:
            return [dataclasses.replace(batch[0], x=None, error=error)]
        alone = (_translated([task], generators, direction, options) for task in batch)
        return list(itertools.chain.from_iterable(alone))
    return [
        dataclasses.replace(task, x=None, result=result) for task, result in zip(batch, results)
    ]


def _refuse_not_finite(result, direction, source):
    """Raises `Failure` where a result, or its reconstruction, has NaN."""
    refuse_not_finite(result.image, f"{source}: the generator {direction}")
    if result.reconstruction is not None:
        back = DIRECTIONS[direction].opposite
        refuse_not_finite(result.reconstruction, f"{source}: the generator {back}")


def _resized(result, fit) -> Result:
    """A result, and its heatmaps, in the size that `fit` gives them."""
    if fit is None:
        return result

    def restored(image):
        return None if image is None else np.clip(fit.undo(image), -1, 1)

    def restored_heatmap(heatmap):
        if heatmap is None:
            return None
        with tf.device(CPU):
            large = tf.image.resize(heatmap[..., None], fit.shape).numpy()
        return fit.undo(large)[..., 0]

    heatmaps = Heatmaps(*map(restored_heatmap, result.heatmaps))
    return Result(restored(result.image), heatmaps, restored(result.reconstruction))
