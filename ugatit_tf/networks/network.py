"""What makes our networks Keras models: they can be saved, loaded and summarized."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ugatit_tf.layers.precision import MixedLayer

SMALLEST = 48  # pixels of a side where a model was built without knowing any


class Network(MixedLayer, tf.keras.Model):
    """A Keras model of layers that build themselves when they are first called.

    `model.save("a2b.keras")` and `tf.keras.models.load_model("a2b.keras")` work wherever ugatit_tf
    can be imported, and so do `summary()`, `count_params()` and use inside another Keras model.
    """

    def build(self, input_shape: Any = None) -> None:
        """Notes the shape of the images, with which a saved model is built again."""
        if input_shape is not None:
            self.image_shape = tuple(input_shape)
        self.built = True

    def get_build_config(self) -> dict:
        """What Keras saves, to build the model when it is loaded."""
        _, height, width, channels = self.image_shape
        return {"image_shape": [1, height or SMALLEST, width or SMALLEST, channels]}

    def build_from_config(self, config: dict) -> None:
        """Builds all layers, before Keras loads their weights."""
        self(tf.zeros(config["image_shape"]))
