"""The function that other programs compute: one direction, from and to images in [-1, 1]."""

from __future__ import annotations

import dataclasses
from typing import Callable

import tensorflow as tf

from ugatit_tf.config import Config
from ugatit_tf.layers import target
from ugatit_tf.layers.weights import named_weights
from ugatit_tf.networks.generator import Generator
from ugatit_tf.networks.model import build_generator

TINY = 1e-12  # makes 0 of a heatmap without contrast; any other one is not changed by it


def exact(generator: Generator) -> Callable[[tf.Tensor], dict]:
    """A function of images [batch, height, width, img_ch] in [-1, 1].

    It returns `translated`, of the same shape and range, and `heatmap` [batch, height / 4,
    width / 4] from 0 to 1 where the generator has one.
    """

    def translate(images):
        out = generator(images)
        if out.heatmap is None:
            return {"translated": out.image}
        lowest = tf.reduce_min(out.heatmap, [1, 2], keepdims=True)
        highest = tf.reduce_max(out.heatmap, [1, 2], keepdims=True)
        heatmap = (out.heatmap - lowest) / (highest - lowest + TINY)
        return {"translated": out.image, "heatmap": heatmap}

    return translate


def portable_function(generator: Generator, config: Config, shape: tuple) -> tf.Module:
    """`exact` in operations that other programs have, as `.function` of a module.

    Args:
        generator: of any precision; the function computes in float32.
        shape: of the images; None where they may have any.

    Returns:
        A tf.Module, which can be saved.
    """
    plain = in_float32(generator, config)
    translate = exact(plain)

    def traced(images):
        with target.traced_for(portable=True):
            return translate(images)

    module = tf.Module()
    module.weights = list(named_weights(plain).values())
    images = tf.TensorSpec(shape, tf.float32, "images")
    module.function = tf.function(traced, input_signature=[images])
    return module


def in_float32(generator: Generator, config: Config) -> Generator:
    """The same generator, or one with its weights that computes in float32."""
    plain = dataclasses.replace(config, precision="float32", recompute=False)
    if plain == config:
        return generator
    result, weights = build_generator(plain, generator.name), named_weights(generator)
    for path, weight in named_weights(result).items():
        weight.assign(weights[path])
    return result
