"""What stops a run that has gone wrong, and what warns of one that is going wrong."""

import errno
import logging
import os

import numpy as np
import pytest
import tensorflow as tf

from ugatit_tf.errors import Failure
from ugatit_tf.losses import ADVERSARIAL
from ugatit_tf.training import guards


def refused(scalars, run_folder="nowhere", names=()):
    with pytest.raises(Failure) as caught:
        guards.check_finite(7, {"finite": False, **scalars}, {7: names}.get, run_folder)
    return str(caught.value)


def test_a_term_that_is_not_finite_is_named_with_the_images_and_the_last_checkpoint(tmp_path):
    scalars = {"a2b/cycle": 1.0, "b2a/cam": np.nan, "G_A_cam": np.nan, "Generator_loss": np.inf}
    names = ["trainA/one.png", "trainB/two.png"]
    for step in (3, 5):
        (tmp_path / f"step_000000{step}").mkdir()
    message = refused(scalars, str(tmp_path), names)
    assert message.startswith(
        "Step 7: not a finite number: b2a/cam. Images: trainA/one.png, trainB/two.png. "
    )
    assert f"{tmp_path / 'step_0000005'} was written before" in message
    assert "--lr" in message


def test_a_sum_that_is_not_finite_is_named_where_its_terms_are():
    message = refused({"a2b/cycle": 3e38, "Generator_loss": np.inf})
    assert "not a finite number: Generator_loss. " in message
    assert "No checkpoint was written before" in message


def test_a_gradient_that_is_not_finite_stops_too():
    assert "a gradient, though all losses are finite" in refused({"D_A_loss": 1.0})


def test_finite_losses_pass_without_finding_the_images():
    guards.check_finite(7, {"finite": True}, lambda step: pytest.fail("called"), "nowhere")


def test_best_by_must_be_a_loss_of_the_run_or_an_evaluation():
    losses = {"finite": True, "D_A_loss": 1.0}
    for best_by in ("", "D_A_loss", "eval/kid", "a2b/cycle"):  # the last: not in this step
        guards.check_best_by(best_by, losses)
    with pytest.raises(Failure, match="--best_by fid .* These are: D_A_loss, Generator_loss$"):
        guards.check_best_by("fid", {**losses, "Generator_loss": 2.0})


def test_a_run_folder_is_for_one_process_at_a_time(tmp_path):
    with guards.only_one(str(tmp_path)):
        refused = pytest.raises(Failure, match="Another process is training in .*--run")
        with refused, guards.only_one(str(tmp_path)):
            pytest.fail("entered")
    with guards.only_one(str(tmp_path)):
        pass


@pytest.mark.parametrize(
    "error",
    [tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"), MemoryError()],
    ids=["tensorflow", "python"],
)
def test_running_out_of_memory_names_the_options_that_help(error):
    with pytest.raises(Failure, match="--light True"), guards.shortage_explained("runs/x"):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "logs/x; No space left on device\nmore"),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "samples/x.png"),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
    ],
    ids=["tensorflow", "python", "quota"],
)
def test_a_full_disk_is_not_mistaken_for_full_memory(error):
    full = pytest.raises(Failure, match="disk is full: .* in runs/x are whole")
    with full as caught, guards.shortage_explained("runs/x"):
        raise error
    assert "more" not in str(caught.value)


@pytest.mark.parametrize(
    "error", [FileNotFoundError(2, "No such file", "x"), tf.errors.NotFoundError(None, None, "x")]
)
def test_other_errors_are_left_as_they_are(error):
    with pytest.raises(type(error)), guards.shortage_explained("runs/x"):
        raise error


@pytest.mark.parametrize(
    "gan_type", [name for name, loss in ADVERSARIAL.items() if loss.of_constant]
)
def test_a_discriminator_that_has_won_for_long_is_reported_once(gan_type, caplog):
    monitor = guards.Monitor(gan_type)
    with caplog.at_level(logging.WARNING):
        for step in range(guards.WON_FOR - 1):
            monitor.check_losses(step, {"D_A_loss": 0.001, "D_B_loss": 0.5})
        assert not caplog.records
        for step in range(5):
            monitor.check_losses(step, {"D_A_loss": 0.001, "D_B_loss": 0.5})
    assert [record.message.split(":")[1].split()[0] for record in caplog.records] == ["D_A_loss"]


def test_a_low_loss_that_recovers_is_no_victory(caplog):
    monitor = guards.Monitor("lsgan")
    for step in range(4 * guards.WON_FOR):
        low = 0.5 if step % guards.WON_FOR == 0 else 0.0
        monitor.check_losses(step, {"D_A_loss": low, "D_B_loss": low})
    assert not caplog.records


def test_a_critic_without_a_bound_never_wins(caplog):
    monitor = guards.Monitor("wgan-gp")
    for step in range(4 * guards.WON_FOR):
        monitor.check_losses(step, {"D_A_loss": -9.0, "D_B_loss": -9.0})
    assert not caplog.records


def of_terms(of_a, of_b, **others):
    """A summary whose terms of a discriminator all are one number."""
    names = {"discriminator_a": of_a, "discriminator_b": of_b}
    terms = {f"{name}/{term}": x for name, x in names.items() for term in guards.TERMS}
    return {"D_A_loss": 4 * of_a, "D_B_loss": 4 * of_b, **terms, **others}


@pytest.mark.parametrize("gan_type", ADVERSARIAL)
def test_a_discriminator_that_is_a_constant_for_long_is_reported_once(gan_type, caplog):
    constant = ADVERSARIAL[gan_type].of_constant
    other = {"discriminator_a/penalty": 9.0}
    values = of_terms(constant or 0.0, 0.9 * (constant or 0.0), **other)
    monitor = guards.Monitor(gan_type)
    for step in range(guards.IDLE_FOR - 1):
        monitor.check_losses(step, values)
    assert not caplog.records
    for step in range(5):
        monitor.check_losses(step, values)
    expected = ["all terms of discriminator_a have been"] if constant else []
    messages = [record.message.split(": ")[1] for record in caplog.records]
    assert [message.split(" within")[0] for message in messages] == expected


@pytest.mark.parametrize("tag", [f"discriminator_a/{term}" for term in guards.TERMS])
def test_one_term_that_learns_is_enough(tag, caplog):
    monitor = guards.Monitor("lsgan")
    for step in range(4 * guards.IDLE_FOR):
        learns = step % guards.IDLE_FOR == guards.IDLE_FOR // 2  # now and then is enough, too
        monitor.check_losses(step, of_terms(0.5, 0.4, **({tag: 0.49} if learns else {})))
    assert not caplog.records


@pytest.mark.parametrize("gan_type", ADVERSARIAL)
def test_no_constant_logit_has_a_smaller_loss_than_what_is_said(gan_type):
    loss = ADVERSARIAL[gan_type]
    logits = np.linspace(-4, 4, 801, dtype=np.float32)
    values = [float(loss.discriminator(tf.constant([x]), tf.constant([x]))) for x in logits]
    if loss.of_constant is None:
        assert not np.any(values)  # and a critic that is none may have any
    else:
        assert min(values) == pytest.approx(loss.of_constant, rel=1e-6)


def test_one_translation_for_all_images_is_reported(caplog):
    rng = np.random.default_rng(0)
    sources = [rng.uniform(-1, 1, [8, 8, 3]) for _ in range(3)]
    monitor = guards.Monitor("lsgan")
    monitor.check_translations(1, sources, sources)
    monitor.check_translations(2, sources[:1], sources[:1])
    monitor.check_translations(
        3, [sources[0]] * 3, [sources[0]] * 3
    )  # the inputs are alike as well
    assert not caplog.records
    monitor.check_translations(4, sources, [np.zeros([8, 8, 3])] * 3)
    assert "translated into the same" in caplog.text
