"""Official checkpoints, made here by the names of their variables."""

import numpy as np
import tensorflow as tf

from tests import made, reference
from ugatit_tf.phases.ablate import ABLATED

LEFT_OUT = ("flavor", "smoothing", *ABLATED)  # of which its variables tell nothing


def write(path, arrays):
    """A checkpoint as TensorFlow 1 wrote it: names and arrays, nothing of Keras."""
    tf.raw_ops.SaveV2(
        prefix=str(path),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=[tf.constant(array) for array in arrays.values()],
    )
    return str(path)


def arrays(config, *, slots=False):
    """official name -> array, all different; with Adam's slots on request."""
    options = {k: v for k, v in config.architecture().items() if k not in LEFT_OUT}
    shapes = reference.official_variables(**{"img_size": config.img_size, **options})
    found = {name: made.numbers(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}
    if slots:
        trained = [name for name in found if not name.endswith("/u")]
        for kind, sign in (("Adam", 1.0), ("Adam_1", -1.0)):
            found.update({f"{name}/{kind}": sign * found[name] + 0.5 for name in trained})
        powers = ("beta1_power", "beta2_power", "beta1_power_1", "beta2_power_1")
        found.update({name: np.float32(0.1 * (i + 1)) for i, name in enumerate(powers)})
    return found
