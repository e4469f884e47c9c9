"""Fixtures that all tests share."""

import importlib.util
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # before TensorFlow is imported anywhere
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")  # tiny tensors: threads only cost

import pytest

# Not a skip: a test that cannot run on a stack does not belong to its suite.
collect_ignore = [] if importlib.util.find_spec("tensorflow_addons") else ["test_addons.py"]


@pytest.fixture(params=["eager", "graph"])
def run(request):
    """run(function, *arrays, **options) -> arrays: eager, then in a tf.function."""
    import tensorflow as tf

    def called(function, *inputs, **options):
        inputs = [tf.constant(x) for x in inputs]

        def with_options(*tensors):
            return function(*tensors, **options)

        chosen = with_options if request.param == "eager" else tf.function(with_options)
        return tf.nest.map_structure(lambda x: x if x is None else x.numpy(), chosen(*inputs))

    return called
