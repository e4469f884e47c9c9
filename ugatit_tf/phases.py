"""What `--phase` runs. Each program takes a Config, prints its results, and writes files."""

import contextlib
import dataclasses
import gc
import os
import shutil

import tensorflow as tf

from ugatit_tf import atomic, machine, tf_paths
from ugatit_tf.config import Config, check_architecture
from ugatit_tf.data import demo, doctor, packing, presence, storage
from ugatit_tf.data.presence import BUILT_IN
from ugatit_tf.errors import Failure, counted
from ugatit_tf.evaluation import ablation, evaluate, votes
from ugatit_tf.images.study import write_study
from ugatit_tf.interchange import export as saved_model
from ugatit_tf.interchange import generator_file, official_tf
from ugatit_tf.networks.model import build_model
from ugatit_tf.training import checkpoints, guards, loop
from ugatit_tf.training.replicas import Replicas, strategy_of
from ugatit_tf.training.step import Trainer
from ugatit_tf.translation import image_files, paths, testing, video, video_paths
from ugatit_tf.translation.loading import from_run, load, load_networks


def train(config):
    with _together(config) as replicas:
        _train(config, replicas)
    if replicas.is_chief:
        print(f"Checkpoints: {config.run_folder}")
        print(f"Samples:     {os.path.join(config.sample_dir, config.run_name)}")
        print(f"TensorBoard: tensorboard --logdir {config.log_dir}")


def examine(config):
    """The report of `--phase doctor`: this computer, and the dataset."""
    _draw_built_in(config)
    report = doctor.check(config, thorough=True)
    print("\n".join([*machine.environment(), *report.lines()]))
    _refuse(report)


def test(config, which="latest"):
    _draw_built_in(config)
    report = testing.run_test(config, which)
    print(f"Report: {report}")
    if config.dataset == BUILT_IN:
        print(*demo.how_far(config.dataset_folder, os.path.dirname(report)), sep="\n")


def translate_images(config, request, which="latest"):
    """`--phase translate`: an image, a folder, a pattern or a video.

    Args:
        config: of the run; None with `request.model`.
        request: `Request`.
    """
    translator = load(request.model, which) if request.model else from_run(config, which)
    try:
        heatmap = request.heatmap != "none"
        translator.check(request.direction or None, request.fit, request.size, heatmap)
    except ValueError as error:
        raise Failure(str(error)) from None
    if video_paths.is_video(request):
        print(video.translate_video(translator, request).line(translator, request))
        return
    summary = image_files.translate_files(translator, request)
    print(*summary.lines(translator, request), sep="\n")
    summary.raise_failures()


def measure(config, asked, which="latest"):
    """`--phase evaluate`: KID and FID of both directions, or the answers of a study.

    Args:
        config: None with `asked.votes`.
        asked: `Evaluation`.
    """
    if asked.votes:
        print(votes.table(votes.read(asked.votes)))
        return
    _draw_built_in(config)
    found, path = evaluate.evaluate(config, fake_dir=asked.fake_dir, which=which)
    print(evaluate.table(found))
    print(f"Written: {path}")


def ablate(config):
    """`--phase ablate`: trains and measures the rows of the paper's ablation."""
    runs, found, page, quiet = ablation.configs(config), {}, "", False
    with _together(config) as replicas:
        for number, (row, run) in enumerate(runs.items(), 1):
            print(f"\nRow {number} of {len(runs)}: {row.title}", flush=True)
            if not ablation.is_trained(run):
                stopped = _train(run, replicas, quiet=quiet)
                quiet = True  # the dataset of all rows is the same
                replicas.any(False)  # the chief has saved what it will
                if stopped:  # even in the row's last step
                    print("Stopped. The same command goes on.")
                    break
            if replicas.is_chief:
                found[row] = ablation.measure(run)
                page = ablation.write(config, runs, found)
            tf.keras.backend.clear_session()
            gc.collect()  # networks are circles of references
    if page:
        print("", ablation.text(ablation.table(found)), *ablation.notes(config, found), sep="\n")
        print(f"Page: {page}")


def study(asked):
    """`--phase study`: a page that asks people which translation they prefer.

    Args:
        asked: `Study`.
    """
    if os.path.lexists(asked.page):
        raise Failure(f"{asked.page} is there already. Use another --page.")
    questions = votes.questions(asked.sources, asked.folders())
    count = write_study(asked.page, questions, question=asked.question)
    print(f"{counted(count, 'question')}: {asked.page}")


def export(config, which="latest"):
    """Writes a SavedModel and a generator file for each direction."""
    model, checkpoint = load_networks(config, which)
    parent = os.path.join(config.export_dir, config.run_name)
    atomic.remove_abandoned(parent)
    folder = paths.free_path(os.path.join(parent, os.path.basename(checkpoint)))
    with atomic.folder(folder) as unfinished:
        for direction, generator in (("a2b", model.a2b), ("b2a", model.b2a)):
            path = os.path.join(unfinished, direction)
            difference = saved_model.export(generator, config, path)
            generator_file.save(generator, config, direction, path + generator_file.SUFFIX)
            path = os.path.join(folder, direction)
            print(f"{path}: largest difference from the original {difference:g} of 255 levels")
    if not tf_paths.is_plain(folder):
        print(
            "Other programs load the SavedModels from a copy without "
            f"{' '.join(tf_paths.MAGIC)} in its path: TensorFlow takes these for a pattern."
        )


def pack(config, asked):
    """`--phase pack`: the dataset in a few large files, which train alike.

    Args:
        asked: `Packing`.
    """
    _draw_built_in(config)
    target = os.path.join(config.dataset_dir, asked.pack_to or f"{config.dataset}_packed")
    options = {"count": asked.shards, "megabytes": asked.shard_mb}
    parts, there = packing.pack(config.dataset_folder, target, **options)
    print(f"{target} is there already." if there else f"Packed into {target}")
    for name, part in parts.items():
        images, shards = len(part.images), len(part.pack.shards)
        print(f"{name}: {counted(images, 'image')} in {counted(shards, 'shard')}")
    print(f"To use it: --dataset {os.path.basename(target)}")


def import_official(given, path):
    """Makes a run folder from a checkpoint of the official TensorFlow program.

    Args:
        given: dict of the options that were named; the checkpoint knows the architecture.
        path: str, as in `official_tf.chosen`.

    Raises:
        ConfigError: a named option contradicts the checkpoint.
        Failure: the checkpoint does not fit, or the run has checkpoints already.
    """
    prefix = official_tf.chosen(path)
    found = official_tf.architecture(prefix)
    check_architecture(given, found, prefix)
    config = Config(**{**given, **found})
    if checkpoints.saved(config.run_folder):
        raise Failure(
            f"{config.run_folder} has checkpoints already. Choose another name with --run NAME."
        )
    official_tf.check_room(prefix, doctor.num_weights(config))
    trainer = Trainer(build_model(config), config)
    optimizers = trainer.generator_optimizer, trainer.discriminator_optimizer
    official_tf.restore(trainer.model, prefix, optimizers)
    step = official_tf.step_of(prefix)
    if step is None:
        print(
            f"The name of {prefix} says no step, e.g. NAME-1000: it is taken for step 0, and the "
            f"learning rate starts from the beginning."
        )
        step = 0
    trainer.steps_done.assign(step)
    existed = os.path.isdir(config.run_folder)
    try:
        os.makedirs(config.run_folder, exist_ok=True)
        config.save(config.run_folder)
        saved = checkpoints.save(config.run_folder, step, trainer.state())
    except BaseException:
        if not existed:
            shutil.rmtree(config.run_folder, ignore_errors=True)
        raise
    print(f"Imported step {step} of {prefix} into {saved}")


def _refuse(report):
    if report.errors:
        raise Failure(report.errors[0])


@contextlib.contextmanager
def _together(config):
    """The devices that train together, which have the built-in dataset if it is asked for."""
    replicas = Replicas(strategy_of(config.strategy))  # before anything is computed
    with guards.lost_worker_explained(config.run_folder, replicas.workers):
        if replicas.is_chief:
            _draw_built_in(config)
        replicas.any(False)  # the others wait for it
        yield replicas


def _train(config, replicas, *, quiet=False) -> bool:
    """Trains a run; `quiet` does not tell what the dataset is like. Returns as `loop.train`."""
    with tf_paths.plain_path(config.run_folder):
        pass  # a name below which no checkpoint could be read is refused now
    # This rewriting of graphs gives up on ours with a line that looks like an error; without it
    # a step takes the same time.
    tf.config.optimizer.set_experimental_options({"remapping": False})
    report = doctor.check(config)
    _refuse(report)
    if replicas.is_chief and not quiet:
        print("\n".join(report.lines()), flush=True)
    if config.eval_freq and not config.best_by:
        config = dataclasses.replace(config, best_by=evaluate.KID_TAG)
    watches = config.eval_freq and replicas.is_chief
    evaluation = evaluate.ValidationKID(config, report.parts) if watches else None
    return loop.train(config, report.parts, evaluation, replicas)


def _draw_built_in(config):
    if presence.is_drawn(config):
        if storage.is_remote(config.dataset_folder):
            raise Failure(f"{BUILT_IN} is drawn on this computer; copy it to {config.dataset_dir}.")
        print(f"Drawing the built-in faces into {config.dataset_folder}", flush=True)
        demo.write_dataset(config.dataset_folder, size=config.img_size, seed=config.seed)
