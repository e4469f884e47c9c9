"""Repeatable randomness: every seed is a function of the run's seed and of names."""

from __future__ import annotations

import hashlib
import struct


def seed_of(seed: int, *names: object) -> list[int]:
    """A pair of int32 for TensorFlow's stateless random ops, a pure function of the arguments.

    All 64 bits depend on every argument. Two CRCs would not do: the CRC of a text with another
    start is a fixed function of the first.
    """
    words = "/".join(str(name) for name in (seed, *names)).encode()
    return list(struct.unpack("<2i", hashlib.blake2b(words, digest_size=8).digest()))
