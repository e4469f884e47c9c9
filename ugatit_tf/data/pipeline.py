"""Images of two folders as endless batches: decoded, augmented, paired at random.

As in the paper, every image is flipped with probability 0.5, enlarged and cropped at random (the
official TensorFlow program decides once for a whole run whether to flip). The order of the images
and their augmentation are pure functions of (seed, sample number). A run on several devices takes
a batch on each; a `Share` is the samples that one process loads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Union

import numpy as np
import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.data import cache, storage
from ugatit_tf.flavors import FLAVORS
from ugatit_tf.images import image_array, image_file
from ugatit_tf.images.decoding import ImagePath
from ugatit_tf.seeds import seed_of

Number = Union[int, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Share:
    """The samples of every step that one process loads.

    Training runs on R = `replicas` devices, each with `batch_size`. A step takes
    accumulate * R * batch_size samples of each domain, and the next step continues their numbers.
    They are ordered by micro-batch, then by replica:

        sample = ((step * accumulate + micro_batch) * R + replica) * batch_size + index in the batch

    So all processes together see the samples of one process whose batch is R times as large.

    Args:
        first: the first replica of this process, counted from 0.
        mine: the number of its replicas, from that one on.
        replicas: the number of replicas in all processes.

    Raises:
        ValueError: there are no such replicas.
    """

    first: int = 0
    mine: int = 1
    replicas: int = 1

    def __post_init__(self) -> None:
        if not (self.first >= 0 and self.mine >= 1 and self.first + self.mine <= self.replicas):
            raise ValueError(
                f"Expected replicas from 0 to {self.replicas - 1}, at least one. "
                f"Received: {self.mine} from {self.first} on"
            )

    def per_step(self, config: Config) -> int:
        """Returns how many samples of each domain this process takes in one step."""
        return self.mine * config.samples_per_step

    def sample(self, number: Number, config: Config) -> Number:
        """Converts the number of a sample in this process to its number in the whole run.

        Args:
            number: int64 tensor or number, counted from 0.
        """
        samples = self.mine * config.batch_size  # of each micro-batch
        micro_batch, index = number // samples, number % samples
        return (micro_batch * self.replicas + self.first) * config.batch_size + index


WHOLE = Share()  # one process with one device


def batches(
    paths_a: Sequence[ImagePath],
    paths_b: Sequence[ImagePath],
    config: Config,
    *,
    first_step: int = 0,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """Returns endless batches of both domains.

    Args:
        paths_a, paths_b: the images of domain A and of domain B.
        first_step: the step, counted from 0, of the first batch.
        share: the samples that this process takes.

    Returns:
        tf.data.Dataset of (real_a, real_b), float32
        [mine * samples_per_step, side, side, img_ch] in [-1, 1]; the side is
        `config.training_size`.
    """
    domains = [
        _domain(paths, config, name, first_step, share)
        for name, paths in (("A", paths_a), ("B", paths_b))
    ]
    return tf.data.Dataset.zip(tuple(domains)).prefetch(4)


def on_device(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The same batches, copied ahead of their turn to the GPU, if there is one."""
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus:
        return batches
    return batches.apply(tf.data.experimental.prefetch_to_device(gpus[0].name, 2))


def load(path: ImagePath, *, size: int, channels: int, antialias: bool) -> tf.Tensor:
    """Reads an image as the networks take it: float32 [size, size, channels] in [-1, 1]."""
    pixels = image_file.read(storage.image_at(path), channels=channels)
    return as_square(pixels, size, antialias)


def as_square(pixels: np.ndarray, size: int, antialias: bool) -> tf.Tensor:
    """Resizes bilinearly, whatever the shape was, as the official programs do.

    Args:
        pixels: uint8 [height, width, channels].
        antialias: bool. As in the PyTorch program, by Pillow. Without it, as in the TensorFlow one.

    Returns:
        float32 [size, size, channels] in [-1, 1].
    """
    if antialias:
        return tf.constant(image_array.to_float(image_array.resized_by_pillow(pixels, size)))
    return resized(tf.constant(pixels), size)


def resized(image: tf.Tensor, size: int) -> tf.Tensor:
    """uint8 [..., height, width, channels] to float32 [..., size, size, channels] in [-1, 1]."""
    return tf.image.resize(tf.cast(image, tf.float32), [size, size]) / 127.5 - 1.0


def _domain(paths, config, name, first_step, share):
    flavor, size = FLAVORS[config.flavor], config.img_size
    enlarged, crop = flavor.enlarged(size), config.training_size
    side = enlarged if flavor.antialias and config.augment_flag else size
    load_square = _square_loader(paths, config, side, flavor.antialias)
    first, second = seed_of(config.seed, "augmentation", name)

    def load_sample(number):
        sample = share.sample(number, config)
        image = load_square(image_index(sample, len(paths), config.seed, name))
        if config.augment_flag:
            seed = tf.stack([first, second + tf.cast(sample, tf.int32)])
            image = augment(image, seed, size=crop, enlarged=enlarged)
        return image

    per_step = share.per_step(config)
    numbers = tf.data.Dataset.range(first_step * per_step, tf.int64.max)
    images = numbers.map(load_sample, num_parallel_calls=tf.data.AUTOTUNE)
    return images.batch(per_step, drop_remainder=True)


def _square_loader(paths, config, size, antialias):
    """A function of an image's index to float32 [size, size, img_ch], not augmented."""
    channels = config.img_ch
    options = {"where": config.cache, "antialias": antialias, "as_square": as_square}
    source = cache.source(paths, size=size, channels=channels, **options)
    no_pixels, no_square = np.empty([0, 0, channels], np.uint8), np.empty([0] * 3, np.float32)

    def read(index):
        image = source(index)
        if antialias and image.dtype == np.uint8:
            image = as_square(image, size, antialias).numpy()
        is_square = image.dtype == np.float32
        return (no_pixels, image) if is_square else (image, no_square)

    def load_square(index):
        pixels, square = tf.numpy_function(read, [index], [tf.uint8, tf.float32])
        pixels = tf.ensure_shape(pixels, [None, None, channels])
        image = tf.cond(tf.size(square) > 0, lambda: square, lambda: resized(pixels, size))
        return tf.ensure_shape(image, [size, size, channels])

    return load_square


def image_index(sample: Number, count: int, seed: int, domain: str) -> tf.Tensor:
    """Returns the index of a sample's image: each of `count` images comes once in every pass.

    Args:
        sample: int64 tensor or number, counted from 0 over the whole run.
        domain: "A" or "B"; they are shuffled independently.
    """
    first, second = seed_of(seed, "order", domain)
    sample = tf.cast(sample, tf.int64)
    seed = tf.stack([first, second + tf.cast(sample // count, tf.int32)])
    return tf.random.experimental.index_shuffle(sample % count, seed, count - 1)


def names_of_step(
    paths_a: Sequence[ImagePath],
    paths_b: Sequence[ImagePath],
    config: Config,
    step: int,
    share: Share = WHOLE,
) -> list[str]:
    """Returns the names of the images in the batches of a step, counted from 0."""
    numbers = range(step * share.per_step(config), (step + 1) * share.per_step(config))
    samples = [share.sample(number, config) for number in numbers]
    return [
        storage.folder_and_name(paths[int(image_index(sample, len(paths), config.seed, domain))])
        for domain, paths in (("A", paths_a), ("B", paths_b))
        for sample in samples
    ]


def augment(image: tf.Tensor, seed: tf.Tensor, *, size: int, enlarged: int) -> tf.Tensor:
    """Flips with probability 0.5, enlarges, and crops a square at random.

    Args:
        image: float32 [side, side, channels]; enlarged here, or already.
        seed: int32 [2]; the result is a pure function of it.
        size: int. Side of the result in pixels.
        enlarged: int. Side from which it is cropped.
    """
    flip, crop = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    image = tf.cond(
        tf.random.stateless_uniform([], flip) < 0.5,
        lambda: tf.image.flip_left_right(image),
        lambda: image,
    )
    if image.shape[0] != enlarged:
        image = tf.image.resize(image, [enlarged, enlarged])
    return tf.image.stateless_random_crop(image, [size, size, image.shape[-1]], crop)
