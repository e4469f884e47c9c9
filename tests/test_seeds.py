"""Seeds: functions of all their arguments, and of nothing else."""

import numpy as np

from ugatit_tf import seeds


def test_the_two_halves_of_a_seed_do_not_tell_each_other():
    """With two CRCs of one text, equal first halves of texts of one length had equal seconds."""
    names = [f"weight {number:06d}" for number in range(200_000)]
    pairs = np.array([seeds.seed_of(0, name) for name in names], np.int32)
    assert len(np.unique(pairs, axis=0)) == len(names)
    firsts, counts = np.unique(pairs[:, 0], return_counts=True)
    assert (counts > 1).any()  # about five of so many 32-bit numbers
    for first in firsts[counts > 1]:
        seconds = pairs[pairs[:, 0] == first, 1]
        assert len(set(seconds)) == len(seconds)


def test_a_seed_depends_on_every_argument_and_on_nothing_else():
    assert seeds.seed_of(3, "order", "A") == [-549716523, 1352470369]
    drawn = [seeds.seed_of(*words) for words in ((3, "a"), (4, "a"), (3, "b"), (3, "a", "b"))]
    assert len({number for seed in drawn for number in seed}) == 8
