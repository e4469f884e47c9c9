"""TensorFlow's rewriting of graphs: left out on a processor, as it was elsewhere."""

import pytest
import tensorflow as tf

from benchmarks import kernels
from ugatit_tf.layers import target
from ugatit_tf.training import rewriting

OPTION = "disable_meta_optimizer"


class Twice:
    """A step that negates twice, which rewriting takes out."""

    def __init__(self):
        self.run = tf.function(lambda x: tf.negative(tf.negative(x)) + 1.0)

    def step(self, x):
        with rewriting.only_for_gpu():
            return self.run(x)


@pytest.mark.parametrize("device, negations", [("CPU", 2), ("GPU", 0)])
def test_graphs_are_rewritten_for_a_gpu_only(device, negations):
    with target.traced_for(device=device):
        nodes = kernels.executed(Twice(), [tf.zeros([3])])
    assert [node.op for node in nodes].count("Neg") == negations


@pytest.mark.parametrize("before", [False, True])
def test_the_setting_is_afterwards_what_it_was(before):
    options = tf.config.optimizer
    options.set_experimental_options({OPTION: before})
    try:
        with pytest.raises(KeyError), rewriting.only_for_gpu():
            assert options.get_experimental_options()[OPTION]
            raise KeyError
        assert options.get_experimental_options()[OPTION] == before
    finally:
        options.set_experimental_options({OPTION: False})
