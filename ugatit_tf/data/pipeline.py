"""Images of two folders as endless batches: decode, augment, pair at random.

U-GAT-IT as the paper says: every image is flipped with probability 0.5, enlarged by 286 / 256
and cropped at random (the official program throws that coin once for a whole run). Which
image comes when, and how it is augmented, is a pure function of (seed, sample number).
A run on several devices takes a batch on each; a `Share` is what one process makes of them.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from ugatit_tf.data import cache, storage
from ugatit_tf.images import files
from ugatit_tf.seeds import seed_of

ENLARGED = 286 / 256


@dataclasses.dataclass(frozen=True)
class Share:
    """Which samples of every step one process takes.

    Training runs on R = `replicas` devices, and `batch_size` is that of each. A step takes
    accumulate * R * batch_size samples of each domain, numbered on from step to step. They lie
    part after part of the accumulation, and in a part replica after replica:

        sample = ((step * accumulate + part) * R + replica) * batch_size + place in the batch

    So all processes together see what one would see whose batch is R times as large.

    Args:
        first: int. The first replica of this process, counted from 0.
        mine: int. How many replicas it has, from that one on.
        replicas: int. How many there are in all processes.

    Raises:
        ValueError: there are no such replicas.
    """

    first: int = 0
    mine: int = 1
    replicas: int = 1

    def __post_init__(self):
        if not (self.first >= 0 and self.mine >= 1 and self.first + self.mine <= self.replicas):
            raise ValueError(
                f"Expected replicas from 0 to {self.replicas - 1}, at least one. "
                f"Received: {self.mine} from {self.first} on"
            )

    def per_step(self, config) -> int:
        """How many samples of each domain this process takes in one step."""
        return self.mine * config.samples_per_step

    def sample(self, number, config):
        """The number of a sample in the whole run, of its number in this process.

        Args:
            number: int64 tensor or number, counted from 0.
        """
        together = self.mine * config.batch_size  # of each part
        part, place = number // together, number % together
        return (part * self.replicas + self.first) * config.batch_size + place


WHOLE = Share()  # one process with one device


def batches(paths_a, paths_b, config, *, first_step=0, share=WHOLE):
    """Endless batches of both domains, from the one of step `first_step` (counted from 0) on.

    Args:
        share: `Share`. The samples that this process takes.

    Returns:
        tf.data.Dataset of (real_a, real_b), float32
        [mine * samples_per_step, img_size, img_size, img_ch] in [-1, 1].
    """
    domains = [
        _domain(paths, config, name, first_step, share)
        for name, paths in (("A", paths_a), ("B", paths_b))
    ]
    return tf.data.Dataset.zip(tuple(domains)).prefetch(4)


def load(path, *, size, channels):
    """One image as the networks take it: float32 [size, size, channels] in [-1, 1].

    Bilinear without antialiasing, whatever its shape was, as in the official program.
    """
    return resized(tf.constant(files.read(storage.at(path), channels=channels)), size)


def resized(image, size):
    """uint8 [..., height, width, channels] to float32 [..., size, size, channels] in [-1, 1]."""
    return tf.image.resize(tf.cast(image, tf.float32), [size, size]) / 127.5 - 1.0


def _domain(paths, config, name, first_step, share):
    square = _squares(paths, config)
    look = seed_of(config.seed, "augmentation", name)

    def augmented(number):
        sample = share.sample(number, config)
        image = square(image_index(sample, len(paths), config.seed, name))
        if config.augment_flag:
            image = augment(image, tf.stack([look[0], look[1] + tf.cast(sample, tf.int32)]))
        return image

    per_step = share.per_step(config)
    numbers = tf.data.Dataset.range(first_step * per_step, tf.int64.max)
    images = numbers.map(augmented, num_parallel_calls=tf.data.AUTOTUNE)
    return images.batch(per_step, drop_remainder=True)


def _squares(paths, config):
    """A function: number of an image to float32 [img_size, img_size, img_ch], not augmented."""
    size, channels = config.img_size, config.img_ch
    source = cache.source(paths, size=size, channels=channels, where=config.cache, resize=resized)
    no_pixels, no_square = np.empty([0, 0, channels], np.uint8), np.empty([0] * 3, np.float32)

    def read(index):
        decoded = source(index)
        is_square = decoded.dtype == np.float32
        return (no_pixels, decoded) if is_square else (decoded, no_square)

    def square(index):
        pixels, kept = tf.numpy_function(read, [index], [tf.uint8, tf.float32])
        pixels = tf.ensure_shape(pixels, [None, None, channels])
        image = tf.cond(tf.size(kept) > 0, lambda: kept, lambda: resized(pixels, size))
        return tf.ensure_shape(image, [size, size, channels])

    return square


def image_index(sample, count, seed, domain):
    """Which of `count` images sample number `sample` is: each once in every pass.

    Args:
        sample: int64 tensor or number, counted from 0 over the whole run.
        domain: "A" or "B"; they are shuffled independently.
    """
    first, second = seed_of(seed, "order", domain)
    sample = tf.cast(sample, tf.int64)
    seed = tf.stack([first, second + tf.cast(sample // count, tf.int32)])
    return tf.random.experimental.index_shuffle(sample % count, seed, count - 1)


def names_of_step(paths_a, paths_b, config, step, share=WHOLE):
    """The names of the images in the batches of step `step`, counted from 0."""
    numbers = range(step * share.per_step(config), (step + 1) * share.per_step(config))
    samples = [share.sample(number, config) for number in numbers]
    return [
        storage.folder_and_name(paths[int(image_index(sample, len(paths), config.seed, domain))])
        for domain, paths in (("A", paths_a), ("B", paths_b))
        for sample in samples
    ]


def augment(image, seed):
    """Flips with probability 0.5, enlarges by 286 / 256, and crops the old size at random.

    Args:
        image: float32 [size, size, channels].
        seed: int32 [2]; the result is a pure function of it.
    """
    size, channels = image.shape[0], image.shape[-1]
    flip, crop = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    image = tf.cond(
        tf.random.stateless_uniform([], flip) < 0.5,
        lambda: tf.image.flip_left_right(image),
        lambda: image,
    )
    enlarged = tf.image.resize(image, [round(size * ENLARGED)] * 2)
    return tf.image.stateless_random_crop(enlarged, [size, size, channels], crop)
