"""--phase report: the page of a run, from its options, history and samples alone."""

import base64
import dataclasses
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import main
from tests import runs
from tests.test_report import NASTY, Page
from ugatit_tf.errors import Failure
from ugatit_tf.images import curves, image_file, panels, run_page, trend
from ugatit_tf.images.run_page import Strip
from ugatit_tf.phases import PHASES
from ugatit_tf.phases.report import ReportOptions, command, path_of
from ugatit_tf.reporting import health, page
from ugatit_tf.reporting import run as reading
from ugatit_tf.training import checkpoints, guards, history, sheets

ABOUT = {
    "versions": {"ugatit_tf": "0.1.0", "tensorflow": "2.21.0"},
    "git": "abc1234",
    "dataset": {"trainA": {"pictures": 2}, "trainB": {"pictures": 3}},
    "devices": {"replicas": 2},
    "changes": [{"step": 40, "option": "lr", "from": 0.0001, "to": 0.0002}],
}
STEPS = range(10, 1010, 10)


def losses(step):
    """All that a summary says of the losses, from a simple rule."""
    values = dict.fromkeys(health.WATCHED, 2.0 + 0.001 * step)
    return {**values, "seconds_per_step": 0.5, "learning_rate": 1e-4}


@pytest.fixture
def config(tmp_path):
    """A run of 100 summaries and of 5 sheets of samples, made without training."""
    config = runs.config_in(tmp_path, run="a run", lr=2e-4, epoch=2, iteration=1000)
    os.makedirs(config.run_folder)
    config.save(config.run_folder, ABOUT)
    for step in STEPS:
        history.append(config.run_folder, step, losses(step))
    for step in range(0, 1001, 250):
        write_sheet(config, step, [step // 5 + 5 * row for row in range(5)])
    return config


def write_sheet(config, step, grays):
    """A sheet of two images of A and three of B, as `samples.sheet` draws it."""
    rows = [
        [np.full([8, 8, 3], 40 * row if column == 0 else value, np.uint8) for column in range(7)]
        for row, value in enumerate(grays)
    ]
    titles = ["A to B"] * 2 + ["B to A"] * 3
    sheet = panels.grid(rows, column_titles=sheets.COLUMNS, row_titles=titles)
    folder = os.path.join(config.sample_dir, config.run_name)
    image_file.write(os.path.join(folder, f"{checkpoints.folder_name(step)}.png"), sheet)


def made(config, tmp_path, **options):
    """The page of a run as a browser would find it."""
    chosen = ReportOptions(output=str(tmp_path / "page.html"), **options)
    PHASES["report"].check(config, chosen)
    PHASES["report"].run(config, chosen)
    return Page(tmp_path / "page.html")


def facts_of(parsed):
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", parsed.source))


def decoded(image):
    with Image.open(io.BytesIO(base64.b64decode(image["src"].partition(",")[2]))) as opened:
        return np.asarray(opened.convert("RGB"))


def test_the_page_says_how_far_and_how_fast_a_run_is(config, tmp_path):
    facts = facts_of(made(config, tmp_path))
    assert facts["Dataset"] == "tiny: 2 images in trainA, 3 images in trainB"
    assert facts["Progress"] == "step 1,000 of 2,000 (50.0%)"
    assert facts["Speed"] == "0.5 s per step in the last 10 summaries"
    assert facts["Time of the steps so far"] == facts["Estimated rest"].replace(
        " at this speed", ""
    )
    assert facts["Time of the steps so far"] == "8.33 minutes"  # 1000 steps of half a second
    assert facts["Devices"] == "2 that take a step together"
    assert facts["Versions"] == "ugatit_tf 0.1.0, tensorflow 2.21.0"
    assert facts["Revision"] == "abc1234"


def test_the_limit_of_time_says_how_far_a_run_is_that_it_ends(config, tmp_path):
    config = dataclasses.replace(config, minutes=120.0)
    history.append(config.run_folder, 1010, {**losses(1010), "hours": 0.5})
    facts = facts_of(made(config, tmp_path))  # 990 steps of half a second are left
    assert facts["Progress"] == "step 1,010 of 2,000 (50.5%)"
    assert facts["Estimated rest"] == "8.25 minutes at this speed"
    history.append(config.run_folder, 1020, {**losses(1020), "hours": 1.9})
    facts = facts_of(made(config, tmp_path))
    assert facts["Progress"] == "step 1,020, 114 of 120 minutes (95.0%)"
    assert facts["Estimated rest"] == "6 minutes, by --minutes"
    history.append(config.run_folder, 1030, {**losses(1030), "hours": 2.0})
    facts = facts_of(made(config, tmp_path))
    assert facts["Progress"] == "step 1,030, 120 of 120 minutes (100.0%)"
    assert facts["Estimated rest"] == "0 s, by --minutes"


def test_options_that_differ_come_first_and_changes_are_listed(config, tmp_path):
    source = made(config, tmp_path).source
    first, changes, every = source.split("<summary>")[1:4]
    assert "<td>--lr</td><td>0.0002</td><td>0.0001</td>" in first and "--gan_type" not in first
    assert "<td>40</td><td>lr</td><td>0.0001</td><td>0.0002</td>" in changes
    names = {f"--{name}" for name in config.recorded()} - {"--dataset"}
    assert set(re.findall(r"<td>(--\w+)</td>", every)) == names
    assert re.findall("<details( open)?>", source) == [" open", "", "", ""]


def test_the_smoothing_of_a_flavor_is_no_difference(config, tmp_path):
    other = dataclasses.replace(config, flavor="pytorch", smoothing=None)
    other.save(other.run_folder, ABOUT)
    first = made(other, tmp_path).source.split("<summary>")[1]
    assert "--flavor" in first and "--smoothing" not in first


@pytest.mark.parametrize("count", [25, 99, 100, 1234])
def test_windows_are_means_and_percentiles_of_all_points(count):
    values = np.random.default_rng(count).normal(size=count)
    points = [(10 * i, value) for i, value in enumerate(values)]
    line, band = trend.of([*points, (10 * count, float("nan"))])
    start, sizes = 0, []
    for number, (x, mean) in enumerate(line):
        size = count // len(line) + (number < count % len(line))
        window = values[start : start + size]
        assert x == pytest.approx(10 * (start + (size - 1) / 2))
        assert mean == pytest.approx(sum(window) / size)
        ordered = np.sort(window)  # linear between the sorted values
        places = np.array([0.1, 0.9]) * (size - 1)
        expected = np.interp(places, np.arange(size), ordered)
        np.testing.assert_allclose([band.low[number], band.high[number]], expected)
        start += size
        sizes.append(size)
    assert start == count and min(sizes) >= trend.SMALLEST and len(line) <= trend.MOST


def test_few_points_are_drawn_as_they_are():
    points = [(i, i * i) for i in range(24)]
    assert trend.of(points) == (points, None)


def test_charts_have_the_values_of_the_history(config, tmp_path):
    parsed = made(config, tmp_path)
    charts = {}
    for name, figure in zip(
        re.findall(r'role="img" aria-label="(.*?)"', parsed.source),
        (tag for tag in parsed.all("figure") if "data-words" in tag),
    ):
        charts[name] = json.loads(figure["data-words"])
        assert len(json.loads(figure["data-places"])) == len(charts[name])
    titles = ["Adversarial loss", "Discriminators", "Cycle loss", "Identity loss"]
    assert list(charts) == [
        *titles, "Class activation (CAM) loss", "Seconds per step", "Learning rate",
    ]  # fmt: skip
    last = charts["Cycle loss"][-1]  # five summaries, of steps 960 to 1000
    assert last == "980: A to B 2.98 (2.964 to 2.996); B to A 2.98 (2.964 to 2.996)"
    assert len(charts["Cycle loss"]) == 20


def test_the_best_kid_is_named(config, tmp_path):
    for step, value in ((100, 0.3), (200, 0.1), (300, 0.2)):
        kids = {"eval/kid_a2b": value - 0.05, "eval/kid_b2a": value + 0.05, "eval/kid": value}
        history.append(config.run_folder, step, kids)
    source = made(config, tmp_path).source
    assert "Smallest: 0.1 at step 200." in source
    assert "200: mean 0.1; A to B 0.05; B to A 0.15" in source


def test_values_over_many_decades_get_a_logarithmic_axis_and_others_do_not():
    wide = curves.chart("t", {"a": [(0, 1), (1, 1e-3)]})
    assert "Logarithmic axis." in wide
    middle = curves.chart("t", {"a": [(0, 1), (1, 1e-3), (2, 10**-1.5)]})
    bottom = curves.HEIGHT - curves.BOTTOM
    assert f"L{curves.WIDTH - curves.RIGHT:.1f} {(curves.TOP + bottom) / 2:.1f}" in middle
    for line in ([(0, 1), (1, 0.5)], [(0, 1), (1, -1e-3)], [(0, 1), (1, 0)]):
        assert "Logarithmic" not in curves.chart("t", {"a": line})
    forced = curves.chart("t", {"a": [(0, 1), (1, 1e-3)]}, logarithmic=False)
    assert "Logarithmic" not in forced


@pytest.mark.parametrize(("low", "high"), [(1, 1), (0.03, 2), (1e-9, 1e12), (5, 5.01), (1e-3, 1)])
def test_logarithmic_ticks_enclose_the_values(low, high):
    found = curves.log_ticks(low, high)
    assert found[0] <= low * (1 + 1e-9) and found[-1] >= high * (1 - 1e-9)
    assert 2 <= len(found) <= 12 and found == sorted(set(found))


def test_samples_are_the_same_images_over_time(config, tmp_path):
    parsed = made(config, tmp_path)
    images = [decoded(image) for image in parsed.all("img")]
    # Of each direction: inputs, first, five of the slider, last.
    a_to_b, b_to_a = images[:8], images[8:]
    assert len(b_to_a) == 8
    for group, rows in ((a_to_b, (0, 1)), (b_to_a, (2, 3, 4))):
        assert [image.shape for image in group] == [(8 * len(rows), 8, 3)] * 8
        for place, row in enumerate(rows):
            assert abs(int(group[0][8 * place + 4, 4, 0]) - 40 * row) <= 12
        grays = [int(image[4, 4, 0]) for image in group[1:]]
        expected = np.array([0, 0, 50, 100, 150, 200, 200]) + 5 * rows[0]
        np.testing.assert_allclose(grays, expected, atol=3)
    slider = next(tag for name, tag in parsed.tags if tag.get("class") == "slider")
    assert slider["data-steps"] == "0 250 500 750 1000"


def test_a_sheet_that_is_gone_or_cut_off_is_left_out(config, tmp_path, monkeypatch):
    folder = tmp_path / "samples" / "a run"
    whole = (folder / "step_0000250.png").read_bytes()
    (folder / "step_0000250.png").write_bytes(whole[: len(whole) // 2])
    listing = sheets.saved(str(folder))
    monkeypatch.setattr(sheets, "saved", lambda _: listing)
    os.remove(folder / "step_0000750.png")
    assert 'data-steps="0 500 1000"' in made(config, tmp_path).source


def test_sheets_of_another_shape_are_shown_whole(config, tmp_path):
    folder = tmp_path / "samples" / "a run"
    image_file.write(folder / "step_0001000.png", np.zeros([50, 3000, 3], np.uint8))
    images = made(config, tmp_path).all("img")
    assert max(int(image["width"]) for image in images) == run_page.WIDEST


def test_a_run_without_samples_has_a_page(config, tmp_path):
    parsed = made(dataclasses.replace(config, sample_dir=str(tmp_path / "none")), tmp_path)
    assert not parsed.all("img") and "Samples" not in parsed.source


def test_a_run_before_its_first_checkpoint_has_a_page(config, tmp_path):
    os.remove(os.path.join(config.run_folder, "config.json"))
    parsed = made(config, tmp_path)
    facts = facts_of(parsed)
    assert facts["Progress"].startswith("step 1,000; the number of all steps is known from")
    assert "Estimated rest" not in facts and "All options" not in parsed.source
    assert len(parsed.all("img")) == 7  # whole sheets


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b'{"step": 10, "a2b/cyc',
        b"\xff\xfe\n[]\n7\n{}\n",
        b'{"step": "x", "D_A_loss": 1}\n{"step": -1}\n{"step": 1e9}\n',
        b'{"step": 5, "a2b/cycle": "x", "seconds_per_step": null, "D_A_loss": {}}\n',
        b'{"step": 5, "a2b/cycle": 1' + b"0" * 400 + b', "seconds_per_step": NaN}\n',
        b'{"step": 1' + b"0" * 30 + b"}\n",
    ],
    ids=range(7),
)
def test_a_damaged_history_is_read_as_far_as_it_is_whole(config, tmp_path, lines):
    path = os.path.join(config.run_folder, history.FILE)
    with open(path, "rb") as file:
        whole = file.read()
    for content in (lines, whole + lines):
        with open(path, "wb") as file:
            file.write(content)
        facts = facts_of(made(config, tmp_path))
        assert facts["Progress"] == "step 1,000 of 2,000 (50.0%)"
    assert "Speed" in facts


@pytest.mark.parametrize("value", [7, "x", [1], {"trainA": 3}, None])
def test_the_record_of_a_run_may_hold_anything(config, tmp_path, value):
    config.save(config.run_folder, dict.fromkeys(ABOUT, value))
    assert facts_of(made(config, tmp_path))["Progress"] == "step 1,000 of 2,000 (50.0%)"


def test_where_there_is_no_run_it_is_said_where_one_was_looked_for(config, tmp_path):
    other = dataclasses.replace(config, run="none")
    with pytest.raises(Failure, match="There is no run in .*none. Expected its config.json"):
        made(other, tmp_path)
    assert not (tmp_path / "page.html").exists()


def test_hostile_names_are_text(config, tmp_path):
    about = {
        "versions": {NASTY: NASTY},
        "git": NASTY,
        "dataset": {NASTY: {"pictures": NASTY}},
        "changes": [{"step": NASTY, "option": NASTY, "from": NASTY, "to": {NASTY: 1}}],
    }
    config.save(config.run_folder, about)
    history.append(config.run_folder, 1000, {NASTY: 1.0, "eval/" + NASTY: float("nan")})
    parsed = made(config, tmp_path)
    assert "<script>alert" not in parsed.source
    assert len(parsed.all("script")) == 1 and NASTY in parsed.words
    policy = parsed.all("meta")[1]["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_a_page_of_very_many_samples_stays_small_with_the_first_and_the_last():
    strips = {step: [Strip(b"x" * 300_000, 9, 9)] * 2 for step in range(40)}
    kept = run_page.thinned(strips)
    assert list(kept)[0] == 0 and list(kept)[-1] == 39 and 2 < len(kept) < 40
    assert len(kept) * 2 * 400_000 <= run_page.ROOM
    assert list(run_page.thinned(strips, 10)) == [0, 39]
    assert run_page.thinned(strips, 10**9) == strips
    assert run_page.spread(list(range(1000)))[::39] == [0, 999]


def test_images_are_reduced():
    one = run_page.strip([np.zeros([512, 512, 3], np.uint8)] * 3)
    assert (one.width, one.height) == (run_page.TILE, 3 * run_page.TILE)


@pytest.mark.parametrize("size", [8, 100, 128, 200])
def test_a_grid_is_cut_into_the_images_that_it_was_made_of(size):
    draw = np.random.default_rng(size)
    rows = [list(draw.integers(0, 256, [7, size, size, 3], np.uint8)) for _ in range(5)]
    titled = {"column_titles": sheets.COLUMNS, "row_titles": ["A to B"] * 5}
    for titles in ({}, titled):
        np.testing.assert_array_equal(
            panels.cut(panels.grid(rows, **titles), (size, size), 7), rows
        )
        with pytest.raises(ValueError, match="Expected a grid of 9 columns"):
            panels.cut(panels.grid(rows, **titles), (size, size), 9)


def test_a_healthy_run_gives_no_warning(config, tmp_path):
    assert "Warnings" not in made(config, tmp_path).source


def test_the_page_warns_of_what_training_warns_of_and_of_what_shows_over_time(config, tmp_path):
    for step in range(1010, 1010 + 10 * guards.WON_FOR, 10):
        history.append(config.run_folder, step, {**losses(step), "D_B_loss": 0.001})
    won = {**losses(1210), "D_B_loss": 0.001}
    history.append(config.run_folder, 1210, {**won, "b2a/cycle": 30.0})
    history.append(config.run_folder, 1220, {**won, "a2b/cam": float("inf")})
    write_sheet(config, 1250, [9] * 5)
    parsed = made(config, tmp_path)
    warnings = re.search('class="warnings".*?</section>', parsed.source, re.DOTALL)[0]
    found = re.findall("<li>(.*?)</li>", warnings)
    assert found[0].startswith("Step 1,220: not a finite number: a2b/cam.")
    assert found[1].startswith("Step 1200: D_B_loss has been below 0.02 for 20 summaries")
    assert found[2].startswith("Step 1250: different images are translated into the same one")
    assert found[3].startswith("Step 1,210: b2a/cycle was 30, 9.7 times the median of the 20")
    assert len(found) == 4


def test_a_best_checkpoint_that_is_old_is_said(config, tmp_path):
    best = tmp_path / "checkpoint" / "a run" / "best" / "step_0000100"
    best.mkdir(parents=True)
    (best / "metric.json").write_text(json.dumps({"tag": "eval/kid", "value": 0.1}))
    for step in range(100, 100 + 100 * health.OLD, 100):
        history.append(config.run_folder, step, {"eval/kid": 0.1 + step})
    assert "was no better" not in made(config, tmp_path).source
    history.append(config.run_folder, 900, {"eval/kid": 0.3})
    parsed = made(config, tmp_path)
    assert "The best eval/kid is of step 100; the 5 measurements since then" in parsed.source
    assert facts_of(parsed)["Best checkpoint"] == "step 100, eval/kid 0.1"


def test_features_that_were_changed_are_said(config, tmp_path):
    change = {"step": 500, "option": "features", "from": "", "to": "x.onnx"}
    config.save(config.run_folder, {**ABOUT, "changes": [change, {"option": 1}, [7]]})
    assert "Step 500: --features was changed; KID before" in made(config, tmp_path).source


def test_a_page_is_replaced_and_another_file_is_not(config, tmp_path):
    made(config, tmp_path)
    made(config, tmp_path)
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(Failure, match="page.html exists and is no page of a run"):
        made(config, tmp_path)
    assert (tmp_path / "page.html").read_text() == "mine"


def test_nothing_else_is_written(config, tmp_path):
    before = runs.bytes_below(tmp_path)
    made(config, tmp_path)
    after = runs.bytes_below(tmp_path)
    del after["page.html"]
    assert after == before


def test_the_page_says_the_command_that_makes_it_anew(config, tmp_path):
    words = command(config, ReportOptions())
    assert words.startswith("python main.py --phase report --dataset tiny --run 'a run' ")
    assert path_of(config, ReportOptions()).endswith(
        os.path.join("results", "a run", "report.html")
    )
    chosen = ReportOptions(output=str(tmp_path / "page.html"))
    assert command(config, chosen) in "".join(made(config, tmp_path).words)


def test_the_phase_needs_no_tensorflow(config, tmp_path):
    places = [f"--{name}={getattr(config, name)}" for name in ("checkpoint_dir", "sample_dir")]
    argv = ["report", "--dataset=tiny", "--run=a run", *places, f"--output={tmp_path}/x.html"]
    program = (
        f"import sys; from ugatit_tf import program; code = program.main({argv!r}); "
        "sys.exit(code or 'tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    folder = os.path.dirname(main.__file__)
    subprocess.run([sys.executable, "-c", program], check=True, cwd=folder, capture_output=True)
    assert b"Run a run" in (tmp_path / "x.html").read_bytes()


def test_an_output_that_is_no_page_is_refused(capsys):
    assert main.main(["report", "--output=page.png"]) == 2
    assert "--output must be an .html file. Received: 'page.png'" in capsys.readouterr().err


def test_a_run_is_read_while_it_is_written(config):
    run = reading.read(config)
    assert run.steps == 1000 and run.seconds() == 500 and run.seconds_per_step() == 0.5
    assert [line["step"] for line in run.lines] == list(STEPS)
    assert page.facts(run)["Progress"] == "step 1,000 of 2,000 (50.0%)"
