"""Randomness that can be repeated: every seed is a function of the run's seed and of words."""

import hashlib
import struct


def seed_of(seed, *parts):
    """A pair of int32 for TensorFlow's stateless random ops: a pure function of its arguments.

    All 64 bits depend on every argument. Two CRCs would not do: the CRC of a text with another
    start is a fixed function of the first.
    """
    words = "/".join(str(part) for part in (seed, *parts)).encode()
    return list(struct.unpack("<2i", hashlib.blake2b(words, digest_size=8).digest()))
