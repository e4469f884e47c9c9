"""Benchmarks: each runs this program beside a plain way to do the same, in one process."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported anywhere
