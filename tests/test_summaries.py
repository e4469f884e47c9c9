"""The readable tags are the official ones without their weights."""

import pytest

from ugatit_tf.config import Config
from ugatit_tf.training.summaries import readable

LOSSES = {"G_A_cycle": 6.0, "G_B_cycle": 3.0, "G_A_cam": 500.0, "G_A_loss": 9.0, "D_A_loss": 1.0}


def test_a_part_is_shown_by_direction_and_without_its_weight():
    shown = readable(LOSSES, Config(cycle_weight=20.0, cam_weight=1000.0))
    assert shown == pytest.approx({"b2a/cycle": 0.3, "a2b/cycle": 0.15, "b2a/cam": 0.5})


def test_a_part_without_weight_is_left_out():
    assert "b2a/cam" not in readable(LOSSES, Config(cam_weight=0.0))


def test_a_step_without_generators_has_no_parts():
    assert readable({"D_A_loss": 1.0}, Config()) == {}
