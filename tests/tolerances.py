"""How far a result may be from its witness: one place, so that nobody loosens one in passing.

No bound is what a processor happened to show, for another one adds in another order and leaves
other last bits. A bound is the type's rounding, times the roundings that follow one another, times
the size of the numbers on the way; where Adam has taken a step, also what it makes of a gradient
that is nothing but rounding. One part in a thousand is over every bound (test_tolerances.py),
except in half precision, which cannot tell so little.
"""

UNIT = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}  # of one rounding at most


def rounding(count, dtype="float32"):
    """What `count` roundings come to, one after another and all in the same direction."""
    return count * UNIT[dtype]


LAYER, NETWORK = rounding(160), rounding(1600)  # 1e-5, 1e-4

TOLERANCE = {
    # A few operations on numbers that a person can check.
    "exact": {"rtol": rounding(16)},
    # One layer or loss, numbers of order 1: a sum of up to 160 terms.
    "float32": {"rtol": LAYER, "atol": LAYER},
    # A whole network: about thirty layers in a row, sums of about fifty terms.
    "network": {"rtol": NETWORK, "atol": NETWORK},
    # The way forth and back; central differences in float64 are right to 1e-9.
    "gradient": {"rtol": NETWORK, "atol": NETWORK},
    # A loss that is a sum of what is never negative: a mean keeps what its terms are off by.
    "objective": {"rtol": NETWORK},
    # The norm of all gradients of an objective: forth and back through three networks in a row.
    "slope": {"rtol": 5 * NETWORK},
    "addons": {"rtol": LAYER, "atol": LAYER},
}

# Adam's first rate holds the root of 1 - 0.999: 0.999 has a rounding of 6e-8, or 6e-5 of 0.001.
OF_A_STEP = 1e-4
# The longest second step is 1.06 rates: of gradients that are as 1 to 2.
LONGEST_STEP = 1.06


def update(*rates):
    """For weights of order 1 after steps of these rates along the same gradients."""
    return {"rtol": rounding(2 * len(rates)), "atol": OF_A_STEP * sum(rates)}


def drift(rate, steps=1):
    """How far apart two runs may take a weight whose gradient is nothing but rounding.

    Adam makes such a gradient a whole step, in either direction. A bias before an instance
    normalization has none other; nor has the last bias of a discriminator with a hinge or
    Wasserstein loss, where real and fake images cancel.
    """
    return 2 * LONGEST_STEP * rate * steps


NEVER_NEGATIVE = ("cycle", "identity", "cam")


def of_loss(tag, moved=0.0):
    """For the loss called `tag`: relative, and absolute as well where terms of both signs cancel.

    The absolute part is that of a logit. After updates of the discriminators it is `moved` more:
    the four logits of one may each have shifted by a bias' `drift`.
    """
    of_generator = tag.startswith(("G_", "a2b/", "b2a/")) and tag.endswith(NEVER_NEGATIVE)
    if of_generator or tag.startswith("weight_decay"):
        return TOLERANCE["objective"]
    return {"rtol": NETWORK, "atol": NETWORK + 4 * moved}
