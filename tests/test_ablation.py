"""The paper's ablation: each variant against its twin, through every phase, and the table."""

import dataclasses
import json
import os
import time

import numpy as np
import pytest
import tensorflow as tf

import main
from tests import made, reference, runs
from tests.test_evaluate import Small
from tests.tolerances import TOLERANCE, of_loss
from ugatit_tf.config import Config
from ugatit_tf.data import folders
from ugatit_tf.errors import Failure
from ugatit_tf.evaluation import ablation, evaluate
from ugatit_tf.interchange import export, generator_file, official_tf
from ugatit_tf.networks import weight_count
from ugatit_tf.networks.model import build_model
from ugatit_tf.options import ConfigError
from ugatit_tf.phases import ablate
from ugatit_tf.training import checkpoints, samples
from ugatit_tf.training.step import Trainer
from ugatit_tf.translation import loading, testing

VARIANTS = {row.name: row.options for row in ablation.ROWS}
VARIANTS["in_no_cam"] = {"decoder_norm": "in", **VARIANTS["no_cam"]}
each_variant = pytest.mark.parametrize("name", VARIANTS)
NO_CAM = VARIANTS["in_no_cam"]


@each_variant
def test_losses_match_the_twin_and_every_weight_has_a_gradient(name):
    gan_type = "wgan-gp" if name == "no_discriminator_cam" else "hinge"
    config = made.tiny_config(gan_type=gan_type, **VARIANTS[name])
    model = build_model(config)
    trainer = Trainer(model, config)
    weights = made.fill(model.weights())
    real_a, real_b = (made.images(1, 8, 8, 1, seed=seed) for seed in (1, 2))
    found, gradients = trainer.losses_and_gradients(real_a, real_b, alpha=0.5)
    reals = np.float64(real_a), np.float64(real_b)
    expected = {
        **reference.discriminator_losses(weights, *reals, config),
        **reference.generator_losses(weights, *reals, config),
    }
    assert set(found) == set(expected)
    has_cam = config.generator_cam, config.discriminator_cam
    assert ("a2b/cam" in found, "discriminator_a/local_cam" in found) == has_cam
    for tag, value in expected.items():
        np.testing.assert_allclose(found[tag], value, err_msg=tag, **of_loss(tag))
    assert set(gradients) == {path for path in weights if not path.endswith("/u")}
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


@each_variant
def test_weights_are_counted_as_they_are_built(name):
    config = made.tiny_config(light=False, img_size=12, n_res=2, **VARIANTS[name])
    sizes = [np.prod(weight.shape) for weight in build_model(config).weights().values()]
    assert weight_count.num_weights(config) == sum(sizes)


def test_only_the_mlp_of_the_full_model_knows_a_size():
    assert not Config(decoder_norm="adain").any_size
    assert Config(decoder_norm="ln").any_size and Config(light=True).any_size
    assert "img_size" not in Config(decoder_norm="ln").architecture()
    config = made.tiny_config(light=False, decoder_norm="gn", img_size=12)
    image = build_model(config).a2b(made.images(1, 8, 20, 1)).image
    assert image.shape == [1, 8, 20, 1]


@pytest.mark.parametrize("name", ["full", "adain", "gn", "in_no_cam"])
def test_runs_and_generator_files_come_back(name, tmp_path):
    config = runs.config_in(tmp_path, **VARIANTS[name])
    networks = runs.make_run(config)
    path = str(tmp_path / "a2b.npz")
    generator_file.save(networks.a2b, config, "a2b", path)
    image = made.images(8, 12, 3)
    expected = networks.a2b(image[None]).image[0]
    for source in (config.run_folder, path):
        model = loading.load(source)
        assert model.has_heatmap == config.generator_cam
        np.testing.assert_allclose(model.translate(image), expected, **TOLERANCE["network"])
    assert loading.load(config.run_folder).has_discriminators == config.discriminator_cam


def test_an_export_without_attention_has_no_heatmap(tmp_path):
    config = runs.config_in(tmp_path, **NO_CAM)
    model = build_model(config)
    path = str(tmp_path / "a2b")
    with runs.unchecked_exports():
        export.export(model.a2b, config, path)
    loaded = loading.load(path)
    assert not loaded.has_heatmap and loaded.any_size
    assert loaded.translate(made.images(72, 80, 3), size="native", tile_pixels=4096).shape[0] == 72
    image = made.images(8, 8, 3)
    expected = model.a2b(image[None]).image[0]
    np.testing.assert_allclose(loaded.translate(image), expected, **TOLERANCE["network"])


def test_attention_that_is_not_there_is_left_out_or_refused(tmp_path):
    config = runs.config_in(tmp_path, **NO_CAM)
    runs.write_dataset(config.dataset_folder)
    networks = runs.make_run(config)
    report = testing.run_test(config)
    assert sorted(os.listdir(os.path.dirname(report))) == ["a2b", "b2a", "index.html"]
    with open(report, encoding="utf-8") as file:
        assert "Heatmap" not in file.read()

    image = made.images(8, 8, 3)
    sheet, _ = samples.sheet(networks, [image], [image])
    columns = [title for title in samples.COLUMNS if "ttention" not in title]
    assert sheet.shape[1] < 128 * (len(columns) + 2)

    with pytest.raises(ValueError, match="gives no heatmaps"):
        loading.from_run(config).translate(image, heatmap=True)
    source = os.path.join(config.dataset_folder, "testA")
    for heatmap in ("none", "overlay"):
        options = {"input": source, "output": str(tmp_path / "out"), "report": True}
        if heatmap == "none":
            runs.run_phase("translate", config, **options)
            continue
        with pytest.raises(Failure, match="trained with --generator_cam False"):
            runs.run_phase("translate", config, **options, heatmap=heatmap)


def test_discriminators_without_attention_leave_the_generator_s(tmp_path):
    config = runs.config_in(tmp_path, discriminator_cam=False)
    [source] = runs.write_images(tmp_path / "in", ["a.png"])
    runs.make_run(config)
    options = {"input": source, "output": str(tmp_path / "out"), "heatmap": "overlay"}
    runs.run_phase("translate", config, **options)
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png", "a_attention.png"]


def test_an_official_checkpoint_is_of_the_whole_model(tmp_path, monkeypatch):
    found = {"light": True, **ablation.WHOLE}
    monkeypatch.setattr(official_tf, "architecture", lambda prefix: found)
    with pytest.raises(ConfigError, match="--decoder_norm is adalin there, in on the command"):
        runs.run_phase("import", {"decoder_norm": "in"}, official_checkpoint="prefix")


# The phase


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "Extractor", Small)
    config = runs.config_in(tmp_path, inception="random", epoch=1, iteration=2)
    runs.write_dataset(config.dataset_folder, folders.TRAIN, count=1)  # of each, sheets show three
    runs.write_dataset(config.dataset_folder, folders.TEST, count=11)
    tf.config.run_functions_eagerly(True)  # each row would be traced for a few images
    yield config
    tf.config.run_functions_eagerly(False)


SIGNAL_IN_LAST_STEP = 7  # the seed of an ablation that is asked to stop there


@pytest.fixture
def trained(monkeypatch):
    """Rows are not trained but made; returns the names of their runs, in order."""
    names = []

    def train(config, replicas=None, **_):
        names.append(config.run)
        if len(names) == 2 and names.count(config.run) == 1:
            return True  # as after a signal
        runs.make_run(config, config.total_steps)
        return names == ["tiny_ablation_full"] and config.seed == SIGNAL_IN_LAST_STEP

    monkeypatch.setattr(ablate, "train", train)
    return names


@pytest.mark.slow
def test_an_ablation_stops_goes_on_and_ends_with_the_table(config, trained, capsys, monkeypatch):
    monkeypatch.setattr(ablation, "ROWS", ablation.ROWS[:2])
    runs.run_phase("ablate", config)
    assert len(trained) == 2
    output = capsys.readouterr().out
    assert "Stopped. The same command goes on." in output and "1 of 2 rows are done." in output
    folder = os.path.join(config.result_dir, "tiny_ablation")
    with open(os.path.join(folder, "ablation.json"), encoding="utf-8") as file:
        assert list(json.load(file)["rows"]) == ["full"]

    runs.run_phase("ablate", config)
    names = [f"tiny_ablation_{row.name}" for row in ablation.ROWS]
    assert trained == [*names, names[1]]
    assert "A rehearsal: 2 of the paper's 1,000,000 steps" in capsys.readouterr().out
    with open(os.path.join(folder, "ablation.json"), encoding="utf-8") as file:
        assert len(json.load(file)["rows"]) == 2
    before = runs.bytes_below(config.result_dir)
    assert len([path for path in before if path.endswith("metrics.json")]) == 2

    runs.run_phase("ablate", config)  # nothing is left to do
    assert len(trained) == 3
    assert runs.bytes_below(config.result_dir) == before


def test_a_stop_in_the_last_step_of_a_row_begins_no_other(config, trained, capsys):
    runs.run_phase("ablate", dataclasses.replace(config, seed=SIGNAL_IN_LAST_STEP))
    assert trained == ["tiny_ablation_full"]
    assert "Stopped. The same command goes on." in capsys.readouterr().out


def test_the_table_has_the_paper_s_figures_beside_ours(config, trained):
    config_of = ablation.configs(config)
    row = ablation.ROWS[2]
    ablate.train(config_of[row], None)
    found = {row: ablation.measure(config_of[row])}
    table = ablation.table(found)
    assert [cells[0] for cells in table.rows] == [row.title for row in ablation.ROWS]
    assert {len(cells) for cells in (table.header, *table.rows)} == {9}
    numbers = found[row][0]
    assert table.rows[2][1].startswith(f"{100 * numbers['a2b']['paper']['figure']:.4g} +- ")
    assert table.rows[2][3:5] == ["12.39", "13.17"]
    assert table.rows[2][8] == f"{numbers['b2a']['fid']:.4g}"
    assert table.rows[0][1:5] == ["", "", "11.61", "11.52"]
    lines = ablation.text(table).splitlines()
    assert len(lines) == 10 and len({len(line) for line in lines[1:2] + lines[4:5]}) == 1


def test_a_row_that_was_trained_anew_is_translated_anew(config, trained):
    run = next(iter(ablation.configs(config).values()))
    ablate.train(run, None)
    _, folder = ablation.measure(run)
    assert ablation.measure(run)[1] == folder
    later = time.time() + 10
    os.utime(checkpoints.newest(run.run_folder), (later, later))
    assert ablation.measure(run)[1] == f"{folder}_2"


def test_another_protocol_has_a_page_of_its_own(config, trained):
    runs_of = ablation.configs(config)
    row, run = next(iter(runs_of.items()))
    ablate.train(run, None)
    pages = []
    for resize in ("bilinear", "antialias", "bilinear"):
        measured = ablation.measure(dataclasses.replace(run, inception_resize=resize))
        pages.append(ablation.write(config, runs_of, {row: measured}))
    assert pages[0] == pages[2] != pages[1]
    assert os.path.dirname(pages[1]).endswith("tiny_ablation_2")


def test_rows_of_other_options_are_not_mixed(config, trained):
    run = next(iter(ablation.configs(config).values()))
    ablate.train(run, None)
    ablation.configs(dataclasses.replace(config, print_freq=7, cache="memory"))
    with pytest.raises(ConfigError, match="--lr is 0.0001 there, 0.1 now. Repeat those, or begin"):
        ablation.configs(dataclasses.replace(config, lr=0.1))


def test_a_row_sets_its_own_options(capsys):
    assert main.main(["--phase=ablate", "--dataset=demo", "--decoder_norm=in"]) == 2
    assert "--decoder_norm has no effect in this use of --phase ablate" in capsys.readouterr().err


def test_rows_train_and_stand_in_the_table(config, capsys, monkeypatch):
    monkeypatch.setattr(ablation, "ROWS", ablation.ROWS[::4])
    config = dataclasses.replace(config, summary_freq=1)
    runs.run_phase("ablate", config)
    output = capsys.readouterr().out
    assert all(f"{row.title} " in output for row in ablation.ROWS)
    with open(os.path.join(config.result_dir, "tiny_ablation", "index.html")) as file:
        page = file.read()
    assert page.count("<svg viewBox") == 4 and page.count("<img") == 2 * 4 * (1 + 2)
