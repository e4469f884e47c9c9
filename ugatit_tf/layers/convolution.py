"""Reflect-padded convolution, with optional spectral normalization, and its upsampling form.

As the official U-GAT-IT code: padding by reflection, then a VALID convolution with bias.
"""

from __future__ import annotations

import tensorflow as tf

from ugatit_tf.layers import target
from ugatit_tf.layers.kernel import KernelLayer
from ugatit_tf.layers.precision import add_bias, like, scale_by
from ugatit_tf.layers.spectral import SpectralLayer

LARGE = 4  # a kernel with at least so many times as many outputs as the map has pixels
FEW, WIDE = 4, 5  # outputs at most, and side at least, of a kernel that is slow pixel by pixel
# Nearest upsampling by 2 makes a 3-tap filter see one pixel twice. Rows: the two taps of the
# equal 2-tap filter; columns: the three taps. For the output before the border of two pixels,
# which sees the first of them twice, and for the output after it.
PHASES = (((1.0, 1.0, 0.0), (0.0, 0.0, 1.0)), ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0)))


class Convolution(SpectralLayer):
    """2-D convolution on a reflect-padded input.

    With `spectral_norm` the kernel is divided by its spectral norm (see `layers.spectral`);
    its state moves on by one power iteration in each call with `training=True`.

    Args:
        channels: int. Channels of the output.
        kernel_size, stride: int.
        padding: int, or (int, int). Reflected pixels on all sides; or those on top and left, and
            those on bottom and right.
        spectral_norm, stores_v: as in `SpectralLayer`.
        bias, start: as in `KernelLayer`.

    Call arguments:
        x: [batch, height, width, channels_in].
        training: bool. Whether the spectral state is updated.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int | tuple = 0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = (padding, padding) if isinstance(padding, int) else tuple(padding)

    def build(self, input_shape: object) -> None:
        self.add_kernel([self.kernel_size, self.kernel_size, input_shape[-1], self.channels])
        super().build(input_shape)

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        y = convolve(self._pad(x), like(x, self.kernel), self.stride)
        if self.spectral_norm:  # dividing the map is cheaper than dividing the kernel
            y = scale_by(y, 1.0 / self.sigma(training))
        return add_bias(y, self.bias)

    def _pad(self, x):
        if not any(self.padding):
            return x
        return tf.pad(x, [[0, 0], self.padding, self.padding, [0, 0]], "REFLECT")


class UpsampleConvolution(KernelLayer):
    """Nearest upsampling by 2, then a reflect-padded 3x3 convolution, as one 2x2 convolution.

    Where four pixels of the small map meet, the four pixels of the large one around that corner
    depend on just these: 2x2 kernels whose taps are sums of the 3x3 taps give all four, with
    2.25 times fewer operations and equal up to rounding. Reflection of the large map is symmetric
    padding of the small one; of the corners on its border the outer pixels are cut off.

    Args:
        channels: int. Channels of the output.
        bias, start: as in `KernelLayer`.

    Call arguments:
        x: [batch, height, width, channels_in]; the result is [batch, 2 height, 2 width, channels].
    """

    def __init__(self, channels: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.channels = channels

    def build(self, input_shape: object) -> None:
        self.add_kernel([3, 3, input_shape[-1], self.channels])
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        phases = like(x, self._phase_kernels())
        y = tf.nn.conv2d(_with_border(x), phases, 1, "VALID")  # [B, H + 1, W + 1, 4 C]
        y = tf.nn.depth_to_space(y, 2)  # [B, 2 H + 2, 2 W + 2, C]
        return add_bias(self._without_border(y), self.bias)

    def _without_border(self, y):
        if target.is_portable():
            return y[:, 1:-1, 1:-1]
        # Its gradient pads, several times faster on a CPU than that of y[:, 1:-1, 1:-1].
        y = tf.slice(y, [0, 1, 1, 0], tf.shape(y) - [0, 2, 2, 0])
        y.set_shape([None, None, None, self.channels])  # which the slice forgets
        return y

    def _phase_kernels(self):
        taps = tf.constant(PHASES)  # [phase, tap of 2, tap of 3]
        kernels = tf.einsum("pik,qjl,klcd->ijcpqd", taps, taps, tf.convert_to_tensor(self.kernel))
        return tf.reshape(kernels, [2, 2, self.kernel.shape[2], 4 * self.channels])


def _with_border(x):
    """x with each pixel on its border twice: symmetric padding by 1.

    `tf.pad` and its gradient take a tenth less time than slices and theirs. Without a gradient the
    slices are faster, and ONNX has no symmetric padding.
    """
    if not target.is_portable():
        return tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    x = tf.concat([x[:, :1], x, x[:, -1:]], 1)
    return tf.concat([x[:, :, :1], x, x[:, :, -1:]], 2)


def convolve(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """A VALID convolution, on a CPU in the form that is fastest for its shapes if they are known.

    A GPU's library chooses among forms of its own, and LiteRT has no patches.
    """
    if target.is_portable() or target.is_gpu():
        return tf.nn.conv2d(x, kernel, stride, "VALID")
    size, channels = kernel.shape[0], kernel.shape[-1]
    height, width = (x.shape[axis] and (x.shape[axis] - size) // stride + 1 for axis in (1, 2))
    if None not in (height, width):
        if channels >= LARGE * height * width:
            return _as_matrix_product(x, kernel, stride, height, width)
        if channels <= FEW and size >= WIDE and stride == 1 and height % 2 == width % 2 == 0:
            return _in_phases(x, kernel)
    return tf.nn.conv2d(x, kernel, stride, "VALID")


def _as_matrix_product(x, kernel, stride, height, width):
    """For a large kernel and a small map.

    On a CPU a convolution reorders its kernel in every call. For the 33 million weights of the
    deepest layer that takes longer than its operations; a matrix product takes them as they are.
    """
    size, _, channels_in, channels = kernel.shape
    window, steps = [1, size, size, 1], [1, stride, stride, 1]
    patches = tf.image.extract_patches(x, window, steps, [1, 1, 1, 1], "VALID")
    rows = tf.reshape(patches, [-1, size * size * channels_in])
    y = tf.matmul(rows, tf.reshape(kernel, [-1, channels]))
    return tf.reshape(y, [-1, height, width, channels])


def _in_phases(x, kernel):
    """For few outputs: those of two by two pixels at once, with the kernel shifted for each.

    A CPU computes 16 outputs together, of which 3 would be used; 12 are worth a third more
    operations.
    """
    shifts = [(0, 0), (0, 1), (1, 0), (1, 1)]
    phases = [tf.pad(kernel, [[i, 1 - i], [j, 1 - j], [0, 0], [0, 0]]) for i, j in shifts]
    return tf.nn.depth_to_space(tf.nn.conv2d(x, tf.concat(phases, -1), 2, "VALID"), 2)
