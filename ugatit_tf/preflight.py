"""What a look at the disk can refuse, before TensorFlow is imported: in a second.

Each phase checks again what it needs, and more; here a wrong name is found early. Nothing is
written, and no image is read.
"""

import glob
import os

from ugatit_tf import cluster
from ugatit_tf.config import OF_A_START, Config
from ugatit_tf.data import presence, storage
from ugatit_tf.data.folders import TEST, TRAIN
from ugatit_tf.errors import Failure
from ugatit_tf.evaluation.fakes import fake_folders
from ugatit_tf.images import video_file
from ugatit_tf.training import checkpoints
from ugatit_tf.translation import face, model_files, paths, video_paths


def check(command, config):
    """Refuses what cannot work.

    Args:
        command: `flags.Command`.
        config: the options of the run; None for a phase without one.

    Raises:
        Failure, OSError: the message is that of the phase itself.
    """
    checks = {
        "train": lambda: _train(config),
        "test": lambda: _test(config, command.which),
        "translate": lambda: _translate(config, command.request, command.which),
        "evaluate": lambda: _evaluate(config, command.request, command.which),
        "ablate": lambda: _ablate(config),
        "study": lambda: _study(command.request),
        "export": lambda: _export(config, command.which),
        "doctor": lambda: _dataset(config, TRAIN),
        "pack": lambda: _pack(config),
        "import": lambda: _import(command.given, command.official_checkpoint),
    }
    checks[command.phase]()


def _train(config):
    if cluster.from_environment(config.strategy).is_chief:
        _dataset(config, TRAIN)
    if config.eval_freq:
        _measurable(config)
    _folder("--checkpoint_dir", config.run_folder)
    for option in ("sample_dir", "log_dir"):
        _folder(f"--{option}", os.path.join(getattr(config, option), config.run_name))


def _ablate(config):
    if cluster.from_environment(config.strategy).is_chief:
        _dataset(config, TRAIN)
    _measurable(config)


def _test(config, which):
    if not presence.is_drawn(config) and not storage.is_remote(config.dataset_folder):
        directions = {"a2b": "testA", "b2a": "testB"}
        presence.test_folders(config.dataset_folder, directions)
    checkpoints.chosen(config.run_folder, which)
    _folder("--result_dir", os.path.join(config.result_dir, config.run_name))


def _translate(config, request, which):
    if request.model:
        if model_files.kind_of(request.model) == model_files.RUN:
            checkpoints.chosen(request.model, which)
    else:
        checkpoints.chosen(config.run_folder, which)
    if request.face:
        face.require()
    if video_paths.is_video(request):
        video_paths.video_paths(request)
        _video_program(request)
    else:
        paths.jobs(request)


def _evaluate(config, request, which):
    if request.votes:
        return
    _measurable(config)
    if request.fake_dir:
        fake_folders(request.fake_dir)
    else:
        checkpoints.chosen(config.run_folder, which)


def _study(request):
    if os.path.lexists(request.page):
        raise Failure(f"{request.page} is there already. Use another --page.")
    for folder in (request.sources, *request.folders().values()):
        if not os.path.isdir(folder):
            raise Failure(f"No folder {folder}. Expected images.")


def _export(config, which):
    checkpoints.chosen(config.run_folder, which)
    _folder("--export_dir", os.path.join(config.export_dir, config.run_name))


def _pack(config):
    folder = config.dataset_folder
    if storage.is_remote(folder) or presence.is_drawn(config):
        return
    if not any(os.path.isdir(os.path.join(folder, part)) for part in TRAIN + TEST):
        raise Failure(
            f"No images in {folder}. Expected the folders {', '.join(TRAIN + TEST)}, or some."
        )


def _import(given, prefix):
    there = os.path.isdir(prefix) or glob.glob(f"{glob.escape(prefix)}*")
    if not there and not storage.is_remote(prefix):
        raise FileNotFoundError(
            f"No TensorFlow checkpoint at {prefix}. Expected the path of its files without "
            f"the ending, e.g. NAME.model-1000 for NAME.model-1000.index."
        )
    named = {k: v for k, v in given.items() if k in ("dataset", "run", *OF_A_START)}
    folder = Config(**named).run_folder
    if checkpoints.saved(folder):
        raise Failure(f"{folder} has checkpoints already. Choose another name with --run NAME.")


def _dataset(config, parts):
    if not presence.is_drawn(config):
        presence.require(config.dataset_folder, parts)


def _measurable(config):
    """What KID needs: test images, and the weights of Inception where they are a file."""
    if not presence.is_drawn(config):
        presence.require(config.dataset_folder, TEST, presence.for_measuring)
    weights = config.inception_weights
    if weights and not os.path.isfile(weights):
        raise Failure(f"--inception_weights {weights}: there is no such file.")
    if config.inception == "graph" and not weights:
        raise Failure(
            "--inception graph needs --inception_weights FILE: the frozen graph of 2015, "
            "classify_image_graph_def.pb from inception-2015-12-05.tgz."
        )


def _folder(option, path):
    """`path` is, or can become, a folder on this computer that can be written to."""
    place = storage.nearest(path)
    if not os.path.isdir(place):
        raise Failure(f"{option}: {place} is a file. Expected a folder for {path}.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise Failure(f"{option}: no right to write into {place}.")


def _video_program(request):
    try:
        video_file.program()
    except ImportError as error:
        raise Failure(f"{request.input}: {error}") from None
