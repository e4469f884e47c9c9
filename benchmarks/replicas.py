"""One step on several devices beside the same global batch on one, in turn in one process.

    python -m benchmarks.replicas --img_size 128 --ch 16

Without several GPUs the processor plays the part of two devices: they share its cores, so that
the ratio is what working together costs, not what it gains. Then how fast a network must be so
that two machines beat one: arithmetic, from the bytes of the gradients and the measured step.
"""

import sys

import tensorflow as tf

from benchmarks import measure
from benchmarks.train_step import images_of
from ugatit_tf.config import Config
from ugatit_tf.networks.model import build_model
from ugatit_tf.training.replicas import Replicas, strategy_of
from ugatit_tf.training.step import Trainer


def main(argv) -> int:
    parser = measure.parser("benchmarks.replicas", "One step on several devices, and on one.")
    parser.add_argument("--rounds", type=measure.positive, default=5)
    options, given = measure.read(parser, argv)
    if not tf.config.list_physical_devices("GPU"):
        [processor] = tf.config.list_physical_devices("CPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(processor, parts)
    together = Replicas(strategy_of("mirrored"))
    config = Config(**given)
    batch = together.count * config.batch_size
    steps = {
        "one": step_of({**given, "batch_size": batch}, Replicas()),
        "together": step_of(given, together),
    }
    print(f"{measure.described(config)}; {together.count} devices, a global batch of {batch}")
    first = {name: measure.seconds_of(step) for name, step in steps.items()}
    seconds = measure.in_turn(steps, options.rounds)
    for name, values in seconds.items():
        print(f"{name:9} {measure.spread(values, 3)} s a step, the first {first[name]:.1f} s")
    ratios = measure.ratios(seconds["together"], seconds["one"])
    print(f"ratio together / one: {measure.spread(ratios)}")
    print("\n".join(arithmetic(config, min(seconds["one"]) / together.count)))
    return 0


def step_of(given, replicas):
    """A function that runs one iteration of a new trainer, of all its replicas' batches."""
    config = Config(**given)
    with replicas.scope():
        trainer = Trainer(build_model(config), config, replicas)
    whole = Config(**{**given, "batch_size": config.batch_size * replicas.mine})
    real_a, real_b = images_of(whole)

    def step():
        return [float(value) for value in trainer.step(real_a, real_b).values()]

    return step


def arithmetic(config, seconds):
    """Lines on how much a step sends, and the bandwidth from which on two machines beat one.

    With a ring each of n machines sends 2 (n - 1) / n times the gradients in every step, for two
    machines as many bytes as there are. Two machines do two batches in the time of one and of
    sending; one needs that of two.
    """
    sent = gradient_bytes(config)
    needed = sent / seconds
    yield f"Gradients: {sent / 1e6:.0f} MB a step."
    yield (
        f"At {seconds:.2f} s for a batch of {config.batch_size}, two machines beat one from "
        f"{needed / 1e6:.0f} MB/s ({8 * needed / 1e9:.2g} Gbit/s) on."
    )


def gradient_bytes(config) -> int:
    """Bytes of all gradients of a step, float32: one number for each trained weight."""
    weights = build_model(config).weights()
    return 4 * sum(int(tf.size(w)) for path, w in weights.items() if not path.endswith("/u"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
