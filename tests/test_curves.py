"""Curves: ticks are round and enclose the values, lines are where their points are."""

import math
import re

import pytest

from ugatit_tf.images import curves


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (3, 1000, [0, 200, 400, 600, 800, 1000]),
        (0.011, 0.019, [0.01, 0.012, 0.014, 0.016, 0.018, 0.02]),
        (-0.3, 0.1, [-0.3, -0.2, -0.1, 0.0, 0.1]),
        (5, 5, [5, 6]),
        (0, 0, [0.0, 0.2]),
        (7.5e5, 1e6, [750_000, 800_000, 850_000, 900_000, 950_000, 1_000_000]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(low, high, expected):
    actual = curves.ticks(low, high)
    assert actual == pytest.approx(expected)
    assert actual[0] <= low and actual[-1] >= high and len(actual) >= 2


def test_a_line_runs_from_corner_to_corner():
    drawn = curves.chart("t", {"a": [(0, 0), (100, 10)], "b": [(0, 10), (100, math.nan)]})
    right, bottom = curves.WIDTH - curves.RIGHT, curves.HEIGHT - curves.BOTTOM
    assert f'd="M{curves.LEFT:.1f} {bottom:.1f}L{right:.1f} {curves.TOP:.1f}"' in drawn
    assert drawn.count("<li>") == 2
    assert "nan" not in drawn


@pytest.mark.parametrize("lines", [{}, {"a": []}, {"a": [(1, 2)], "b": [(1, 3)]}])
def test_less_than_two_places_are_no_curve(lines):
    assert curves.chart("t", lines) == ""


def test_names_are_text_and_each_line_has_a_look_of_its_own():
    lines = {f"<{number}>": [(0, number), (1, number)] for number in range(8)}
    drawn = curves.chart("a & b", lines)
    assert "<3>" not in drawn and "&lt;3&gt;" in drawn and "a &amp; b" in drawn
    styles = re.findall(r"<g><title>[^<]*</title><path d=\"[^\"]*\" fill=\"none\" ([^/]*)/>", drawn)
    assert len(set(styles)) == 8
