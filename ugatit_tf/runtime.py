"""What differs between the two Keras generations, deterministic randomness, and failure."""

import zlib

import tensorflow as tf


class Failure(RuntimeError):  # noqa: N818
    """Something that a person can set right. The message says what happened and what to do."""


def raw(variable):
    """The `tf.Variable` behind a Keras weight: Keras 3 wraps it, Keras 2 does not."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def seed_of(seed, *parts):
    """A pair of int32 for TensorFlow's stateless random ops: a pure function of its arguments."""
    words = "/".join(str(part) for part in (seed, *parts)).encode()
    return [_int32(zlib.crc32(words)), _int32(zlib.crc32(words, 0x9E3779B9))]


def _int32(unsigned):
    return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned
