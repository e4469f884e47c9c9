"""From a loss to new weights: gradients, loss scale, average over batches, Adam."""

import contextlib

import tensorflow as tf

from ugatit_tf.training.optimizer import Adam

ON_READ = tf.VariableSynchronization.ON_READ


class Learner:
    """The weights that one loss trains.

    Args:
        weights: dict path -> float32 tf.Variable.
        roles: dict path -> `Role`; weights that are not trained are left alone.
        scaled: bool. Scale the loss, which float16 needs.
        accumulate: int. Batches whose gradients are averaged for one update.
    """

    def __init__(self, weights, roles, *, scaled=False, accumulate=1):
        weights = {path: weight for path, weight in weights.items() if roles[path].trained}
        clipped = {path: roles[path].clipped for path in weights if roles[path].clipped}
        self.optimizer = Adam(weights, clipped)
        self.kernels = [weight for path, weight in weights.items() if roles[path].decays]
        self.scale = LossScale() if scaled else None
        self.accumulate = accumulate
        self.sums = {}
        if accumulate > 1:
            # Of several replicas each sums its own
            each = {"synchronization": ON_READ, "aggregation": tf.VariableAggregation.SUM}
            self.sums = {p: tf.Variable(tf.zeros_like(w), **each) for p, w in weights.items()}

    @contextlib.contextmanager
    def watch(self):
        """A tape for the gradients of these weights and of nothing else."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            for weight in self.optimizer.weights.values():
                tape.watch(weight)
            yield tape

    def gradients(self, tape, loss) -> dict:
        """path -> gradient of `loss`, which was computed under `tape`."""
        weights = list(self.optimizer.weights.values())
        if self.scale:
            with tape:
                loss = loss * self.scale.scale
        values = tape.gradient(loss, weights, unconnected_gradients="zero")  # loss weights of 0
        if self.scale:
            values = [value / self.scale.scale for value in values]
        return dict(zip(self.optimizer.weights, values))

    def add(self, gradients):
        """Keeps the gradients of one of several batches until they are `taken`."""
        for path, gradient in gradients.items():
            self.sums[path].assign_add(gradient / self.accumulate)

    def taken(self) -> dict:
        """path -> the mean of the gradients that were added; the next are added to 0."""
        means = {path: total.read_value() for path, total in self.sums.items()}
        for total in self.sums.values():
            total.assign(tf.zeros_like(total))
        return means

    def update(self, gradients, rate):
        """Updates the weights.

        Returns:
            Whether the gradients were finite, or the loss scale has taken care of it.
        """
        # The sum of squares is one pass without a copy, and it is finite only if all terms are.
        sums = [tf.nn.l2_loss(gradient) for gradient in gradients.values()]
        finite = tf.reduce_all(tf.math.is_finite(tf.stack(sums)))
        if not self.scale:
            self.optimizer.apply(gradients, rate)
            return finite
        tf.cond(finite, lambda: self._apply(gradients, rate), lambda: False)
        return tf.logical_or(finite, self.scale.follow(finite))

    def _apply(self, gradients, rate):
        self.optimizer.apply(gradients, rate)
        return True


class LossScale:
    """Keeps small gradients above the smallest float16 number, 6e-8.

    The loss is multiplied by `scale` and the gradients are divided by it. Gradients that are not
    finite show that the scale is too large: it is halved and the update is skipped. After
    `PATIENCE` good updates in a row it is doubled. Micikevicius et al., ICLR 2018,
    arXiv:1710.03740.
    """

    START, SMALLEST, LARGEST, PATIENCE = 2.0**15, 1.0, 2.0**24, 2000

    def __init__(self):
        self.scale = tf.Variable(self.START)
        # int64, for which a GPU has the operations of a replica's variable
        self.good = tf.Variable(0, dtype=tf.int64)  # updates in a row
        self.skipped = tf.Variable(0, dtype=tf.int64)

    def follow(self, finite):
        """Takes note of an update. Returns whether the scale could still be halved."""
        larger = tf.minimum(2.0 * self.scale, self.LARGEST)
        could = self.scale > self.SMALLEST
        none = tf.zeros_like(self.good)
        good = tf.where(finite, self.good + 1, none)
        ripe = good >= self.PATIENCE
        smaller = tf.maximum(self.scale / 2.0, self.SMALLEST)
        scale = tf.where(finite, tf.where(ripe, larger, self.scale), smaller)
        self.skipped.assign_add(tf.cast(tf.logical_not(finite), tf.int64))
        self.good.assign(tf.where(ripe, none, good))
        self.scale.assign(scale)
        return could

    def state(self) -> dict:
        return {"scale": self.scale, "good": self.good, "skipped": self.skipped}
