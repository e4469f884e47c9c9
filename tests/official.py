"""Official checkpoints of both programs, made here by the names in them."""

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


def state_dicts(config):
    """name of a network -> name -> array, all different, as the PyTorch program saves them.

    The vectors of spectral normalization have unit length.
    """
    options = {k: v for k, v in config.architecture().items() if k not in LEFT_OUT}
    shapes = reference.torch_state_dicts(**{"img_size": config.img_size, **options})
    found = {
        network: {
            name: made.numbers(*shape, seed=100 * i + j)
            for j, (name, shape) in enumerate(named.items())
        }
        for i, (network, named) in enumerate(shapes.items())
    }
    for named in found.values():
        for name, array in named.items():
            if name.endswith(("_u", "_v")):
                array /= np.linalg.norm(array)
            elif name.endswith("rho"):
                array[...] = np.abs(np.sin(array))
            elif name.endswith(("weight", "weight_orig")):
                array /= np.sqrt(array[0].size)
    return found
