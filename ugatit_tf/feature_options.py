"""How images become the features of KID and FID: options of every run."""

import dataclasses
import functools

from ugatit_tf.options import ConfigError, Options, option

INCEPTIONS = ("keras", "graph", "random")
RESIZES = ("bilinear", "antialias")
LARGEST_SIZE = 4096
evaluation = functools.partial(option, kind="evaluation")


@dataclasses.dataclass(frozen=True)
class FeatureOptions(Options):
    """The network of KID and FID, and what it is given."""

    inception: str = evaluation(
        "keras",
        "network for KID and FID; graph: the one of 2015 that papers use; random: a rehearsal "
        "without weights",
        choices=INCEPTIONS,
    )
    inception_weights: str = evaluation(
        "", "file with the weights of that network: .h5 for keras, .pb for graph"
    )
    inception_resize: str = evaluation(
        "bilinear",
        "how images are resized for the network; bilinear: as TensorFlow 1",
        choices=RESIZES,
    )
    features: str = evaluation(
        "",
        "an ONNX file of any feature network, instead of --inception; its figures compare only "
        "among themselves",
    )
    features_size: int = evaluation(
        0,
        "side in pixels of the images for --features; 0: as the file says",
        at_least=0,
        at_most=LARGEST_SIZE,
    )
    features_mean: str = evaluation(
        "",
        "what --features wants subtracted from RGB values of 0 to 255, one number or three, e.g. "
        "127,127,127",
    )
    features_std: str = evaluation(
        "", "by what the differences are then divided, one number or three, e.g. 128,128,128"
    )

    def check_pairs(self) -> None:
        if not self.features:
            for name in ("features_size", "features_mean", "features_std"):
                if getattr(self, name):
                    raise ConfigError(f"--{name} has no effect without --features. Leave it out.")
            return
        if self.inception == "random":
            raise ConfigError(
                "--inception random and --features name two networks. Use one of them."
            )
        channels("features_mean", self.features_mean)
        if min(channels("features_std", self.features_std)) <= 0:
            raise ConfigError(f"--features_std must be above 0. Received: {self.features_std!r}")


def channels(name: str, text: str) -> tuple:
    """Three floats, for R, G and B: of a text of one number or three, separated by commas.

    Args:
        name: of the option.

    Raises:
        ConfigError: the text is something else.
    """
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 3) or not all(abs(number) <= 1e6 for number in numbers):
        raise ConfigError(
            f"--features needs --{name}, one number or three with commas between them: for values "
            f"of 0 to 255, 127.5 makes -1 to 1 as mean and deviation. Received: {text!r}"
        )
    return tuple(numbers * (3 // len(numbers)))
