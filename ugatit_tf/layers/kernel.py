"""What layers with a kernel have in common: its start, and the bias."""

from __future__ import annotations

import math

from ugatit_tf.layers.precision import MixedLayer
from ugatit_tf.layers.weights import Start


class KernelLayer(MixedLayer):
    """A layer with a kernel, which decays, and a bias.

    Args:
        bias: bool. Without it `self.bias` is None.
        start: distribution of the starting weights. "normal": the kernel has the deviation 0.02,
            the bias is 0; "uniform": both lie within 1 / sqrt(fan-in).
    """

    RANK = 4

    def __init__(self, *, bias: bool = True, start: str = "normal", **kwargs) -> None:
        super().__init__(**kwargs)
        self.has_bias = bias
        self.start = start

    def add_kernel(self, shape: list) -> None:
        """Adds the kernel, and the bias of its last dimension."""
        kernel, bias = Start("normal", 0.02), Start()
        if self.start == "uniform":
            kernel = bias = Start("uniform", 1.0 / math.sqrt(math.prod(shape[:-1])))
        self.kernel = self.add_trained("kernel", shape, start=kernel, decays=True)
        self.bias = self.add_trained("bias", shape[-1:], start=bias) if self.has_bias else None
