"""What an error says, in one line."""

import pytest
import tensorflow as tf

from ugatit_tf import errors


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("{{function_node __wrapped__X}} no such op [Op:X]", "no such op"),
        (
            "UnreadableImage: a.png: cut off\nTraceback (most recent call last):\n",
            "a.png: cut off",
        ),
        ("MemoryError: too large\n\t [[{{node PyFunc}}]]", "too large"),
        (
            "Graph execution error:\n\nDetected at node Assert defined at\n  File x, line 1\n"
            "\nassertion failed: [no]\n\t [[{{node Assert}}]] [Op:x]",
            "assertion failed: [no]",
        ),
    ],
)
def test_the_reason_of_an_error_has_no_node_and_no_class(message, expected):
    error = tf.errors.InvalidArgumentError(None, None, message)
    assert errors.reason(error) == expected
    assert errors.reason(ValueError("")) == "ValueError"


def test_a_count_has_its_plural():
    assert [errors.counted(n, "image") for n in (0, 1, 60)] == [
        "0 images", "1 image", "60 images",
    ]  # fmt: skip


def test_a_long_list_names_the_first_and_says_how_many_more():
    assert errors.listed(["a", "b", "c"], most=3) == "a, b, c"
    assert errors.listed(["a", "b", "c"], most=2) == "a, b, and 1 more"
    assert errors.listed([]) == ""
