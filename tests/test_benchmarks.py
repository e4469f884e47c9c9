"""The benchmarks: the plain step is the same program, operations are counted, all of them run."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import (
    cost,
    flops,
    gpu,
    input_pipeline,
    kernels,
    measure,
    plain,
    summaries,
    train_step,
    translate,
)
from tests import fidelity, made
from tests.test_step import BATCH, FIXED, WEIGHTED, trainer_of
from tests.tolerances import drift, of_loss, update
from ugatit_tf.config import Config
from ugatit_tf.networks.model import build_model
from ugatit_tf.training import rewriting

GOLDEN = Path(__file__).parent / "golden"
TINY = ["--img_size", "8", "--n_dis", "2", "--ch", "2", "--n_res", "1", "--img_ch", "1"]
CLEAR = 1e-3  # of the norm of all gradients: far above rounding
CONVOLUTIONS = ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter")


def plain_like(trainer):
    """A plain trainer with the same weights, which from now on are its own."""
    copies = {path: tf.Variable(weight) for path, weight in trainer.model.weights().items()}
    return plain.PlainTrainer(copies, trainer.config)


def norm(arrays):
    return np.sqrt(sum(np.sum(np.square(np.float64(array))) for array in arrays))


def assert_same_gradients(found, expected):
    assert set(found) == set(expected)
    difference = norm(found[path] - expected[path] for path in expected)
    part = fidelity.TOLERANCES["generator gradients"]
    assert difference <= part * norm(expected.values())


def assert_same_losses(found, expected, moved=0.0):
    """Ours tells more than the official tags, which are all that plain has."""
    assert set(found) <= set(expected)
    for tag, value in found.items():
        np.testing.assert_allclose(value, expected[tag], err_msg=tag, **of_loss(tag, moved))


# The formulas of the losses are ours in both; the penalties differ in what they are taken of.
@pytest.mark.parametrize(
    "gan_type", ["lsgan", "wgan-gp", pytest.param("dragan", marks=pytest.mark.slow)]
)
def test_the_plain_step_computes_what_ours_does(gan_type, untraced):
    trainer = trainer_of(gan_type=gan_type, **WEIGHTED)
    twin = plain_like(trainer)
    losses, gradients = trainer.losses_and_gradients(*BATCH, **FIXED)
    plain_losses, plain_gradients = twin.losses_and_gradients(*BATCH, **FIXED)
    assert_same_losses(plain_losses, losses)
    assert_same_gradients(plain_gradients, gradients)

    moved = WEIGHTED["adv_weight"] * drift(trainer.config.lr)
    assert_same_losses(twin.step(*BATCH, **FIXED), trainer.step(*BATCH, **FIXED), moved)
    for kind in ("generator_optimizer", "discriminator_optimizer"):
        ours, theirs = getattr(trainer, kind), getattr(twin, kind)
        assert_same_gradients(theirs.m, ours.m)
        # Adam turns the rounding noise of a gradient that is 0 into a whole step.
        clear = {path: np.abs(m) > CLEAR * norm(ours.m.values()) for path, m in ours.m.items()}
        assert sum(map(np.sum, clear.values())) > 100
        for path, mask in clear.items():
            np.testing.assert_allclose(
                theirs.weights[path].numpy()[mask],
                ours.weights[path].numpy()[mask],
                err_msg=path,
                **update(trainer.config.lr),
            )


@pytest.mark.slow
def test_the_plain_step_as_one_graph_computes_what_the_official_graph_does():
    rewriting.leave_out_remapping()
    errors = fidelity.errors(GOLDEN / "light_lsgan", plain.loaded)
    assert not {k: v for k, v in errors.items() if not v <= fidelity.TOLERANCES[k]}


def test_looking_at_gradients_changes_nothing_and_a_step_moves_every_spectral_state(untraced):
    config = made.tiny_config()
    twin = plain.PlainTrainer(build_model(config).weights(), config)
    before = made.arrays(twin.model.weights())
    twin.losses_and_gradients(*BATCH)
    assert not [k for k, w in twin.model.weights().items() if (w != before[k]).numpy().any()]
    twin.step(*BATCH)
    vectors = [k for k, w in before.items() if k.endswith("/u") and w.shape[-1] > 1]
    assert vectors
    assert all((twin.model.weights()[k] != before[k]).numpy().any() for k in vectors)


def test_the_plain_step_updates_the_generators_in_each_n_critic_th_iteration(untraced):
    twin = plain_like(trainer_of(n_critic=2))
    tags = [set(twin.step(*BATCH)) for _ in range(3)]
    assert ["Generator_loss" in found for found in tags] == [True, False, True]


def needed(function):
    """The operations of a traced function that its results and its updates depend on."""
    todo = [tensor.op for tensor in function.outputs] + list(function.graph.control_outputs)
    found = set()
    while todo:
        operation = todo.pop()
        if operation not in found:
            found.add(operation)
            todo += [tensor.op for tensor in operation.inputs] + list(operation.control_inputs)
    return found


def operations_of(convolution):
    """By the shapes of its kernel and of its map, whatever it computes of the three."""
    kernel, result = {
        "Conv2D": lambda op: (op.inputs[1], op.outputs[0]),
        "Conv2DBackpropInput": lambda op: (op.inputs[1], op.inputs[2]),
        "Conv2DBackpropFilter": lambda op: (op.outputs[0], op.inputs[2]),
    }[convolution.type](convolution)
    return 2 * np.prod(result.shape) * np.prod(kernel.shape[:3])


@pytest.mark.parametrize("gan_type", ["lsgan", pytest.param("wgan-gp", marks=pytest.mark.slow)])
def test_an_iteration_has_the_operations_that_its_graph_has(gan_type):
    options = {"gan_type": gan_type, "sn": False, "img_size": 16, "n_dis": 3}
    config = made.tiny_config(**options)
    twin = plain.PlainTrainer(build_model(config).weights(), config)
    images = tf.TensorSpec([1, 16, 16, 1])
    step = twin._step.get_concrete_function(images, images, tf.TensorSpec([]), None, None, True)
    found = sum(operations_of(op) for op in needed(step) if op.type in CONVOLUTIONS)
    # Of each generator 4 passes forward and 3 backward; the MLP's products are of another type.
    dense = 2 * (4 + 3 * 2) * dict(flops.generator(config, ours=False))["mlp"]
    assert found + dense == flops.iteration(config, ours=False).total


@pytest.mark.parametrize("ours", [False, True])
@pytest.mark.parametrize("light", [False, True])
def test_networks_have_the_operations_that_tensorflow_counts(ours, light):
    config = made.tiny_config(light=light, sn=False)
    model = build_model(config)
    model = model if ours else plain.PlainTrainer(model.weights(), config).model
    networks = {
        model.a2b: flops.generator(config, ours=ours),
        model.discriminator_a: sum(flops.discriminator(config, ours=ours), []),
    }
    for network, products in networks.items():
        function = tf.function(network).get_concrete_function(tf.TensorSpec([1, 8, 8, 1]))
        mlp = dict(products).get("mlp", 0)
        heads = count(function, "MatMul") - mlp
        assert count(function, "Conv2D") == flops.forward(products) - mlp
        assert 0 < heads <= 4 * 2 * 2 * 8  # class activation: at most two of 8 channels


def count(function, kind):
    """What TensorFlow's own profiler says of the operations of one kind."""
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    node = tf.compat.v1.profiler.profile(function.graph, cmd="op", options=options)
    while node.children:  # a chain, in which each node adds those below it
        node = node.children[0]
        if node.name == kind:
            return node.float_ops
    return 0


def test_operations_of_a_small_generator_by_hand():
    config = made.tiny_config()  # 8 px, 1 channel in, ch 2, one block of each sort
    common = {
        "down/0": 2 * 4 * 4 * 9 * 2 * 4,
        "down/1": 2 * 2 * 2 * 9 * 4 * 8,
        "residual": 2 * (2 * 2 * 2 * 9 * 8 * 8),
        "mlp": 4 * (2 * 8 * 8),
        "adaptive": 2 * (2 * 2 * 2 * 9 * 8 * 8),
    }
    official = {"mixer": 2 * 2 * 2 * 16 * 8, "up/0": 2 * 4 * 4 * 9 * 8 * 4}
    official["up/1"] = 2 * 8 * 8 * 9 * 4 * 2
    official["stem"] = official["to_image"] = 2 * 8 * 8 * 49 * 1 * 2
    ours = {
        "stem": 2 * 4 * 4 * 64 * 1 * 8,  # two by two pixels at once
        "to_image": 2 * 4 * 4 * 64 * 2 * 4,
        "mixer": 2 * 2 * 2 * 8 * 8,
        "up/0": 2 * 3 * 3 * 4 * 8 * 16,
        "up/1": 2 * 5 * 5 * 4 * 4 * 8,
    }
    assert dict(flops.generator(config, ours=False)) == {**common, **official}
    assert dict(flops.generator(config, ours=True)) == {**common, **ours}


def test_the_official_iteration_at_256_pixels_is_the_known_one():
    config = Config(light=True)
    assert flops.forward(flops.generator(config, ours=False)) == pytest.approx(105e9, rel=0.01)
    official, ours = (flops.iteration(config, ours=o).total for o in (False, True))
    assert official == pytest.approx(2.4e12, rel=0.02)
    assert official > 1.2 * ours


def test_an_iteration_on_squares_is_that_of_images_as_small():
    squares, images = Config(light=True, crop_size=128), Config(light=True, img_size=128)
    for ours in (False, True):
        totals = [flops.iteration(config, ours=ours).total for config in (squares, images)]
        assert totals[0] == totals[1]


def test_competitors_run_in_turn_and_their_ratio_is_that_of_neighbours():
    order = []
    seconds = measure.in_turn({name: lambda name=name: order.append(name) for name in "AB"}, 2)
    assert order == ["A", "B", "A", "B"]
    assert {name: len(values) for name, values in seconds.items()} == {"A": 2, "B": 2}
    assert measure.ratios([2.0, 9.0], [1.0, 3.0]) == [2.0, 3.0]


def test_options_of_the_program_are_options_of_a_benchmark():
    parser = measure.parser("benchmarks.none", "")
    parser.add_argument("--rounds", type=int)
    own, given = measure.read(parser, ["--rounds", "3", "--gan_type", "hinge", "--ch=8"])
    assert own.rounds == 3
    assert given == {"light": True, "gan_type": "hinge", "ch": 8}


@pytest.mark.parametrize(
    "wrong", [["--lihgt", "True"], ["--img_size", "9"], ["--memory", "yes"], ["--rounds", "0"]]
)
def test_a_wrong_option_is_one_line_and_exit_code_2(wrong, capsys):
    with pytest.raises(SystemExit) as stopped:
        train_step.main([*TINY, *wrong])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("python -m benchmarks.train_step: ")


def test_flops_shows_both_structures_and_hours(capsys):
    assert flops.main([*TINY, "--utilisation", "0.5"]) == 0
    told = capsys.readouterr().out
    assert "ratio" in told
    assert "50% of the peak" in told
    assert "A100" in told


@made.needs_half
def test_the_train_step_benchmark_runs_and_shows_a_ratio(untraced, capsys):
    argv = [*TINY, "--rounds", "2", "--memory", "False", "--ema", "0.9"]
    assert train_step.main(argv) == 0
    told = capsys.readouterr().out
    assert "ratio plain / ours: " in told
    assert "matrix product: bfloat16 " in told


class OneLayer:
    """A competitor whose kernels can be counted by hand."""

    def __init__(self, given):
        self.kernel = tf.Variable(made.numbers(3, 3, 1, 8))
        self._step = tf.function(self._update, jit_compile=given.get("xla"))

    def step(self, *batch):
        self._step(*batch)

    def lowered(self, *batch_and_stage):
        *batch, stage = batch_and_stage
        return self._step.experimental_get_compiler_ir(*batch)(stage)

    def _update(self, real_a, real_b):
        x = tf.reshape(tf.concat([real_a, real_b], 0), [2, 8, 8, 1])
        y = tf.tanh(tf.nn.conv2d(x, self.kernel, 1, "VALID"))
        self.kernel.assign_sub(self.kernel * tf.reduce_mean(y))
        return tf.shape(x)[0] + 1


@pytest.mark.parametrize("xla", ["False", "True"])
def test_kernels_are_counted_by_kind(xla, monkeypatch, capsys):
    monkeypatch.setattr(kernels, "COMPETITORS", {"ours": OneLayer})
    monkeypatch.setenv("XLA_FLAGS", "")
    assert kernels.main([*TINY, "--xla", xla]) == 0
    table = [line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines()[2:]]
    counts = {kind: int(number) for kind, number in table}
    assert counts.pop("all") == sum(counts.values())
    assert counts["convolution"] == 1
    if xla == "False":
        others = {"element-wise": 2, "reduction": 1, "data movement": 1, "update": 1}
        assert counts == {"convolution": 1, **others}
    else:
        assert sum(counts.values()) <= 5


def test_what_ran_between_two_counts_is_in_neither():
    layer, batch = OneLayer({}), [tf.zeros([1, 8, 8, 1])] * 2
    kinds = []
    for _ in range(2):
        kinds.append([node.op for node in kernels.executed(layer, batch)])
        layer = OneLayer({})
        layer.kernel.assign(-tf.random.normal(layer.kernel.shape))
    assert kinds[0] == kinds[1] and "RandomStandardNormal" not in kinds[0]


def test_kernels_of_accumulated_updates_are_not_counted(capsys):
    with pytest.raises(SystemExit) as stopped:
        kernels.main([*TINY, "--accumulate", "2"])
    assert stopped.value.code == 2
    assert "--accumulate" in capsys.readouterr().err


@made.needs_half
def test_a_row_of_the_gpu_table_runs_on_a_processor_too(untraced, capsys, monkeypatch):
    monkeypatch.setattr(kernels, "kernels_of", lambda name, given: {"fusion": 3, "update": 4})
    assert gpu.main([*TINY, "--rounds", "1", "--steps_per_call", "2", "--only", "True"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["seconds"] > 0 and told["first"] > 0 and told["peak"] > 1e7
    assert told["kernels"] == 7


def test_the_gpu_table_has_all_ways_to_run_a_step(monkeypatch, capsys):
    asked = []

    def alone(module, argv):
        asked.append(Config(**measure.read(train_step._parser(), argv[:-1])[1]))
        return {"first": 9.0, "seconds": 0.2, "peak": 3e9, "kernels": 17}

    monkeypatch.setattr(measure, "alone", alone)
    assert gpu.main([*TINY, "--sizes", "16", "32", "--steps_per_call", "5"]) == 0
    ways = {(c.img_size, c.precision, c.xla, c.steps_per_call) for c in asked}
    assert len(ways) == len(asked) == 2 * 2 * 2 * 2
    assert {c.steps_per_call for c in asked} == {1, 5}
    head, _, *lines = capsys.readouterr().out.splitlines()[2:]
    assert head.count("|") == 1 + len(gpu.TITLES)
    assert all(line.split(" | ")[4:] == ["200.0", "9", "3.00", "17 |"] for line in lines)
    assert len(lines) == len(asked)


@pytest.mark.parametrize(
    "words",
    [
        ["--only", "plain"],
        ["--only", "ours", "--light", "True", "--img_size", "16", "--crop_size", "8"],
    ],
    ids=["plain", "ours on squares"],
)
def test_a_competitor_alone_tells_its_peak_memory(words, untraced, capsys):
    assert train_step.main([*TINY, *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["peak"] > 1e7
    assert told["first"] > 0 and told["seconds"] > 0


@pytest.mark.slow
def test_peak_memory_is_measured_in_processes_of_their_own(untraced, capsys):
    assert train_step.main([*TINY, "--rounds", "1"]) == 0
    rows = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith(("ours", "plain"))
    ]
    assert len(rows) == 2
    assert all(float(row.split()[-3]) > 0.01 for row in rows)


def test_the_translation_benchmark_runs_and_shows_a_ratio(untraced, capsys):
    argv = [*TINY, "--images", "3", "--rounds", "1"]
    assert translate.main(argv) == 0
    assert "ratio phase / bare: " in capsys.readouterr().out


def test_the_summaries_benchmark_runs_and_shows_ratios(untraced, capsys):
    assert summaries.main([*TINY, "--rounds", "1"]) == 0
    told = capsys.readouterr().out
    for name in (
        "the sums to their step",
        "a summary to the 100 steps",
        "a sample to the 1000 steps",
    ):
        assert f"ratio of {name}" in told


@pytest.mark.slow
def test_the_replicas_benchmark_runs_and_shows_a_ratio():
    """In a process of its own, whose processor can still be made two devices."""
    command = [sys.executable, "-m", "benchmarks.replicas", *TINY, "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "2 devices, a global batch of 2" in done.stdout
    assert "ratio together / one: " in done.stdout


def test_the_input_benchmark_runs_and_shows_ratios(capsys, monkeypatch):
    monkeypatch.setattr(train_step, "step_of", lambda name, given: lambda: None)
    argv = [*TINY, "--batches", "3", "--rounds", "1", "--measure_step", "True"]
    assert input_pipeline.main(argv) == 0
    told = capsys.readouterr().out
    assert "ratio ours / plain: " in told
    assert "ratio ours / step: " in told


def test_the_plain_input_gives_batches_like_ours(tmp_path):
    paths = translate.draw_images(tmp_path, 2, 8)
    config = made.tiny_config(batch_size=3)
    for batch in next(input_pipeline.plain_batches(paths, paths, config)):
        assert batch.shape == (3, 8, 8, 1)
        assert batch.dtype == np.float32
        assert -1 <= batch.min() <= batch.max() <= 1


def test_the_table_of_costs_varies_one_thing_at_a_time(monkeypatch, capsys):
    """And asks the step's benchmark, each time with options that it takes."""
    asked = []

    def alone(module, argv):
        asked.append(Config(**measure.read(train_step._parser(), argv)[1]))
        return {"first": 9.0, "seconds": 2.0, "peak": 3e9}

    monkeypatch.setattr(measure, "alone", alone)
    assert cost.main(["--precision", "bfloat16"]) == 0
    assert {config.precision for config in asked} == {"bfloat16"}
    assert len(set(asked)) == len(asked) == len(cost.rows())
    assert {c.img_size for c in asked if c.light} == set(cost.SIZES)
    assert {c.ch for c in asked} == set(cost.WIDTHS)
    assert {c.batch_size for c in asked} == set(cost.BATCHES)
    lines = capsys.readouterr().out.splitlines()[2:]
    assert len(lines) == len(asked)
    assert all(line.split()[-5::3] == ["2.00", "3.00"] for line in lines)
