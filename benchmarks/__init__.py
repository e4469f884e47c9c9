"""Benchmarks: each runs this program beside a plain way to do the same, in one process."""

from ugatit_tf import tensorflow_start

tensorflow_start.set_environment()  # before TensorFlow is imported anywhere
