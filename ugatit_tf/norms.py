"""The normalizations of the decoder. No TensorFlow: options are checked with them.

`layers.normalization` has their classes.
"""

from typing import NamedTuple


class DecoderNorm(NamedTuple):
    """One value of `--decoder_norm`."""

    is_adaptive: bool  # whether scale and shift come from the attention's MLP
    weights: int  # of each channel: gamma, beta, rho


DECODER_NORMS = {
    "adalin": DecoderNorm(True, 1),
    "adain": DecoderNorm(True, 0),
    "in": DecoderNorm(False, 2),
    "ln": DecoderNorm(False, 2),
    "gn": DecoderNorm(False, 2),
}
LIN_WEIGHTS = 3  # of each channel after upsampling, where the decoder is adaptive
