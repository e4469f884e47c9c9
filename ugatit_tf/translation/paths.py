"""Which images are translated, and the paths of their results."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import glob
import itertools
import os
from collections.abc import Iterator

from ugatit_tf.data import storage
from ugatit_tf.errors import Failure, listed
from ugatit_tf.images import image_file
from ugatit_tf.translation.options import TranslateOptions

SAME_FORMAT = (".png", ".jpg", ".jpeg", ".webp")  # with --format same; others become PNG
MOST_NAMED = 3  # files in one message


@dataclasses.dataclass(frozen=True)
class Job:
    """One image to translate.

    Attributes:
        source: path of the image.
        name: its path below the input.
        target: path of the result.
        heatmap_stem: the start of the paths of its heatmaps.
    """

    source: str
    name: str
    target: str
    heatmap_stem: str


def jobs(request: TranslateOptions) -> list[Job]:
    """The jobs of a request, sorted by name; with --shard only those of the shard.

    With --resume_output those whose results exist, heatmaps included, are left out.

    Raises:
        Failure: as `all_jobs`, or a result exists.
    """
    number, count = request.part
    shard = all_jobs(request)[number - 1 :: count]
    if request.resume_output:
        return [job for job in shard if not _is_done(job, request)]
    existing = [path for path in _result_paths(shard, request) if os.path.lexists(path)]
    if existing and not request.overwrite:
        verb = "exists" if len(existing) == 1 else "exist"
        raise Failure(
            f"{listed(existing, MOST_NAMED)} already {verb}. Use another --output, "
            f"--resume_output True to make what is missing, or --overwrite True to replace."
        )
    return shard


def all_jobs(request: TranslateOptions) -> list[Job]:
    """The jobs of all shards, whether their results exist or not: the same for every shard.

    Raises:
        Failure: there is no input; a result would be written twice, replace a source, or be
            written outside the output; results would be among the sources of another shard.
    """
    base, names = _inputs(request)
    if request.shard and not os.path.isfile(request.input):
        _refuse_output_around(base, request)
    if is_file(request):
        _refuse_suffix(request.output)
        targets = [request.output]
    else:
        _refuse_no_folder(request)
        targets = [os.path.join(request.output, n) for n in result_names(names, request.format)]
        _refuse_outside(targets, request.output)
    stems = [os.path.splitext(path)[0] for path in targets]
    counts = collections.Counter(stem.lower() for stem in stems)
    result = [
        Job(os.path.join(base, name), name, path, path if counts[stem.lower()] > 1 else stem)
        for name, path, stem in zip(names, targets, stems)
    ]
    _refuse_lost(_result_paths(result, request), [job.source for job in result])
    return result


def is_file(request: TranslateOptions) -> bool:
    """Whether --output is the path of one image or video, not of a folder."""
    has_suffix = bool(os.path.splitext(request.output)[1])
    return os.path.isfile(request.input) and has_suffix and not os.path.isdir(request.output)


def heatmap_paths(job: Job, request: TranslateOptions) -> dict[str, str]:
    """kind -> path of the heatmaps of a result: `a.jpg` has `a_attention.png`."""
    kinds = {"none": (), "side": ("side",)}.get(request.heatmap, ("attention", "local", "global"))
    suffix = ".npy" if request.heatmap == "npy" else ".png"
    return {kind: f"{job.heatmap_stem}_{kind}{suffix}" for kind in kinds}


def result_names(names: list[str], kind: str = "same") -> list[str]:
    """The names of results: as the sources, in the format `kind`, and no name twice.

    >>> result_names(["a.bmp", "a.png", "b/c.jpg"])
    ['a.bmp.png', 'a.png', 'b/c.jpg']
    """
    wanted = {name: _renamed(name, kind) for name in names}
    used, results = set(), {}
    for name in sorted(names, key=lambda name: wanted[name] != name):  # unchanged names first
        suffix = os.path.splitext(wanted[name])[1]
        more = (f"{name}_{number}{suffix}" for number in itertools.count(2))
        candidates = itertools.chain([wanted[name], f"{name}{suffix}"], more)
        results[name] = next(c for c in candidates if c.lower() not in used)
        used.add(results[name].lower())
    return [results[name] for name in names]


def numbered(path: str) -> Iterator[str]:
    """Yields `path`, then with _2, _3, ... before its suffix."""
    stem, suffix = os.path.splitext(path)
    yield path
    yield from (f"{stem}_{number}{suffix}" for number in itertools.count(2))


def free_path(path: str) -> str:
    """The first path that does not exist: `path`, else `path_2`, `path_3`, ..."""
    return next(candidate for candidate in numbered(path) if not os.path.lexists(candidate))


def make_fresh_folder(path: str) -> str:
    """Makes the folder `free_path(path)`; returns its path."""
    while True:
        folder = free_path(path)
        with contextlib.suppress(FileExistsError):  # another process was faster
            os.makedirs(folder)
            return folder


def unreadable_folders(request: TranslateOptions) -> list[tuple[str, str]]:
    """(name, reason) of each folder of the input that cannot be read, and is left out."""
    path, errors = request.input, []
    if os.path.isdir(path):
        base = path
        for _ in _walk(path, request, errors.append):
            pass
    else:
        base, _ = storage.matching(path)
        for folder in filter(os.path.isdir, storage.matching(os.path.dirname(path) or ".")[1]):
            try:
                os.scandir(folder).close()
            except OSError as error:
                errors.append(error)
    return [
        (
            os.path.relpath(error.filename, base or "."),
            f"{error.strerror.lower()}; this folder was left out",
        )
        for error in errors
    ]


def _result_paths(jobs, request):
    """The paths of all results, heatmaps included."""
    return [path for job in jobs for path in (job.target, *heatmap_paths(job, request).values())]


def _is_done(job, request):
    """Whether the result exists. A power failure can leave empty files, since none is synced."""
    heatmaps = list(heatmap_paths(job, request).values())
    required = [job.target, *heatmaps[:1]]  # those of discriminators may be missing
    return all(os.path.isfile(path) and os.path.getsize(path) for path in required)


def _inputs(request):
    """(folder, names below it) of the images of the input."""
    path = request.input
    if os.path.isfile(path):
        return os.path.dirname(path), [os.path.basename(path)]
    if os.path.isdir(path):
        names = _names_below(path, request)
        if not names:
            closed = "".join(f"; {name}: {why}" for name, why in unreadable_folders(request))
            deeper = "" if request.recursive else " (--recursive True looks into its folders too)"
            raise Failure(f"No file in {path}{deeper}{closed}. Expected images.")
        return path, names
    base, matches = storage.matching(path)
    images = [file for file in matches if os.path.isfile(file)]
    output = os.path.realpath(request.output)
    if output != os.path.realpath(base):  # results of an earlier call are no input
        images = [p for p in images if not os.path.realpath(p).startswith(output + os.sep)]
    if not images:
        problem = "nothing matches" if glob.has_magic(path) else "it does not exist"
        raise Failure(f"--input {path}: {problem}. Expected an image, a folder or a video.")
    return base, [os.path.relpath(file, base or ".") for file in images]


def _names_below(folder, request):
    """Names of the files below a folder, without hidden files and the files of the output.

    Folders in it that cannot be read are left out; `unreadable_folders` names them.
    """
    os.scandir(folder).close()  # raises where the folder itself cannot be read
    return [
        os.path.relpath(os.path.join(parent, name), folder)
        for parent, names in _walk(folder, request)
        for name in sorted(names)
        if not name.startswith(".")
    ]


def _walk(folder, request, onerror=None):
    """Yields (folder, names of its files) for each folder of the input."""
    output = os.path.realpath(request.output)
    for parent, folders, names in os.walk(folder, onerror=onerror):
        folders[:] = sorted(
            name
            for name in folders
            if request.recursive
            and not name.startswith(".")
            and os.path.realpath(os.path.join(parent, name)) != output
        )
        yield parent, names


def _renamed(name, kind):
    stem, suffix = os.path.splitext(name)
    if kind == "same":
        return name if suffix.lower() in SAME_FORMAT else f"{stem}.png"
    return f"{stem}.{kind}"


def _refuse_suffix(path):
    suffix = os.path.splitext(path)[1]
    if suffix.lower() not in image_file.WRITERS:
        raise Failure(
            f"--output {path}: images are not written as {suffix}. Expected one of "
            f"{', '.join(sorted(image_file.WRITERS))}, or a folder."
        )


def _refuse_no_folder(request):
    """The output must be, or become, a folder that can be written to."""
    output, suffix = request.output, os.path.splitext(request.output)[1].lower()
    if not os.path.isdir(output) and (suffix in image_file.WRITERS or suffix == ".mp4"):
        raise Failure(
            f"--output {output} is named like a file, and --input may be several. Expected a "
            f"folder."
        )
    parent = storage.nearest(output)
    if not os.path.isdir(parent):
        raise Failure(f"--output {output}: {parent} is a file. Expected a folder.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise Failure(f"--output {output}: no right to write into {parent}.")


def _refuse_output_around(base, request):
    """The results of one shard must not be among the sources of the next."""
    inside, output = (os.path.realpath(path) + os.sep for path in (base, request.output))
    if inside.startswith(output):
        raise Failure(
            f"--output {request.output} holds the images to translate. With --shard, use another."
        )


def _refuse_outside(targets, output):
    """Names and links in the output must not lead out of it."""
    root = os.path.realpath(output)
    for path in targets:
        parent = os.path.realpath(os.path.dirname(path))
        if os.path.commonpath([root, parent]) != root:
            raise Failure(
                f"{path} leads out of {output}, to {parent}. Remove that link, or use "
                f"another --output."
            )


def _refuse_lost(results, sources):
    """No result may replace another result, nor an image that is to be translated."""
    sources, used = set(map(os.path.realpath, sources)), set()
    for path in results:
        real = os.path.realpath(path)
        if real in sources:
            raise Failure(
                f"{path} is one of the images to translate, and would be lost. Use another "
                f"--output."
            )
        if real in used:
            raise Failure(f"{path} would be written twice. Translate these images apart.")
        used.add(real)
