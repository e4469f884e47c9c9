"""What is translated into what: the files of an input, and where each result goes."""

import collections
import dataclasses
import glob
import itertools
import os

from ugatit_tf.data import storage
from ugatit_tf.errors import Failure
from ugatit_tf.images import image_file

KEPT = (".png", ".jpg", ".jpeg", ".webp")  # of "same"; what else there is becomes a PNG
NAMED = 3  # files in one sentence


@dataclasses.dataclass(frozen=True)
class Job:
    """One image to translate."""

    source: str  # path of the image
    name: str  # its path below the input
    target: str  # path of the result
    aside: str  # what the paths of its heatmaps begin with


def jobs(request) -> list:
    """The jobs of a `TranslateOptions`, in the order of their names; of a shard only its own.

    With `resume_output` without those whose results are there, heatmaps included.

    Raises:
        Failure: as `planned`, or a result exists.
    """
    number, count = request.part
    found = planned(request)[number - 1 :: count]
    if request.resume_output:
        return [job for job in found if not _is_done(job, request)]
    there = [path for path in _written(found, request) if os.path.lexists(path)]
    if there and not request.overwrite:
        raise Failure(
            f"{_some(there)} there already. Use another --output, --resume_output True to make "
            f"what is missing, or --overwrite True to replace."
        )
    return found


def planned(request) -> list:
    """The jobs of all shards, whatever is there already: the same for each of them.

    Raises:
        Failure: there is no input; a result would be written twice, would take the place of a
            source, or would be written outside the output; results would be among the sources of
            another shard.
    """
    base, names = _inputs(request)
    if request.shard and not os.path.isfile(request.input):
        _refuse_growing(base, request)
    if is_file(request):
        _refuse_suffix(request.output)
        paths = [request.output]
    else:
        _refuse_no_folder(request)
        paths = [os.path.join(request.output, name) for name in targets(names, request.format)]
        _refuse_outside(paths, request.output)
    stems = [os.path.splitext(path)[0] for path in paths]
    shared = collections.Counter(stem.lower() for stem in stems)
    found = [
        Job(os.path.join(base, name), name, path, path if shared[stem.lower()] > 1 else stem)
        for name, path, stem in zip(names, paths, stems)
    ]
    _refuse_twice(_written(found, request), [job.source for job in found])
    return found


def is_file(request) -> bool:
    """Whether one image or video is to be written under the very name of the output."""
    named = bool(os.path.splitext(request.output)[1]) and not os.path.isdir(request.output)
    return os.path.isfile(request.input) and named


def _written(jobs, request):
    """The paths of all results, heatmaps included."""
    return [path for job in jobs for path in (job.target, *extras(job, request).values())]


def _is_done(job, request):
    """An empty file is what a power failure can leave of a result, since none is synced."""
    first = list(extras(job, request).values())[:1]  # those of discriminators may be missing
    return all(os.path.isfile(path) and os.path.getsize(path) for path in [job.target, *first])


def extras(job, request) -> dict:
    """kind -> path of the heatmaps that go with a result: `a.jpg` has `a_attention.png`."""
    kinds = {"none": (), "side": ("side",)}.get(request.heatmap, ("attention", "local", "global"))
    suffix = ".npy" if request.heatmap == "npy" else ".png"
    return {kind: f"{job.aside}_{kind}{suffix}" for kind in kinds}


def numbered(path):
    """Yields `path`, then with 2, 3, ... before its suffix."""
    stem, suffix = os.path.splitext(path)
    yield path
    yield from (f"{stem}_{number}{suffix}" for number in itertools.count(2))


def targets(names, kind="same") -> list:
    """The names of the results: as the sources, in the format asked for, and none twice.

    >>> targets(["a.bmp", "a.png", "b/c.jpg"])
    ['a.bmp.png', 'a.png', 'b/c.jpg']
    """
    wanted = {name: _renamed(name, kind) for name in names}
    taken, found = set(), {}
    for name in sorted(names, key=lambda name: wanted[name] != name):  # who keeps a name has it
        suffix = os.path.splitext(wanted[name])[1]
        more = (f"{name}_{number}{suffix}" for number in itertools.count(2))
        tries = itertools.chain([wanted[name], f"{name}{suffix}"], more)
        found[name] = next(one for one in tries if one.lower() not in taken)
        taken.add(found[name].lower())
    return [found[name] for name in names]


def _inputs(request):
    """(folder, names below it) of the images of the input."""
    path = request.input
    if os.path.isfile(path):
        return os.path.dirname(path), [os.path.basename(path)]
    if os.path.isdir(path):
        names = _below(path, request)
        if not names:
            closed = "".join(f"; {name}: {reason}" for name, reason in unreadable(request))
            deeper = "" if request.recursive else " (--recursive True looks into its folders too)"
            raise Failure(f"No file in {path}{deeper}{closed}. Expected images.")
        return path, names
    base, paths = storage.matching(path)
    found = [file for file in paths if os.path.isfile(file)]
    output = os.path.realpath(request.output)
    if output != os.path.realpath(base):  # what an earlier call wrote is no input
        found = [p for p in found if not os.path.realpath(p).startswith(output + os.sep)]
    if not found:
        kind = "matches" if glob.has_magic(path) else "is there"
        raise Failure(f"--input {path}: nothing {kind}. Expected an image, a folder or a video.")
    return base, [os.path.relpath(file, base or ".") for file in found]


def _below(folder, request):
    """Names below a folder, without hidden ones and without those of the output.

    A folder in it that cannot be read is left out here, and named by `unreadable`.
    """
    os.scandir(folder).close()  # an error, where it is the folder itself
    found = []
    for parent, names in _walk(folder, request):
        paths = (os.path.join(parent, name) for name in sorted(names) if not name.startswith("."))
        found += [os.path.relpath(path, folder) for path in paths]
    return found


def _walk(folder, request, onerror=None):
    """Yields (folder, names of the files in it) of all that are looked into."""
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


def unreadable(request) -> list:
    """(name, reason) of each folder of the input that cannot be looked into."""
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
    left_out = "this folder was left out"
    return [
        (os.path.relpath(error.filename, base or "."), f"{error.strerror.lower()}; {left_out}")
        for error in errors
    ]


def _renamed(name, kind):
    stem, suffix = os.path.splitext(name)
    if kind == "same":
        return name if suffix.lower() in KEPT else f"{stem}.png"
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
    if not os.path.isdir(output) and (suffix in image_file.WRITERS or suffix in (".mp4",)):
        raise Failure(
            f"--output {output} is named like a file, and --input may be several. Expected a "
            f"folder."
        )
    place = storage.nearest(output)
    if not os.path.isdir(place):
        raise Failure(f"--output {output}: {place} is a file. Expected a folder.")
    if not os.access(place, os.W_OK | os.X_OK):
        raise Failure(f"--output {output}: no right to write into {place}.")


def _refuse_growing(base, request):
    """What one shard writes must not be found by the next, which would split other images."""
    inside, output = (os.path.realpath(path) + os.sep for path in (base, request.output))
    if inside.startswith(output):
        raise Failure(
            f"--output {request.output} holds the images to translate. With --shard, use another."
        )


def _refuse_outside(paths, output):
    """Names and links in the output must not lead out of it."""
    root = os.path.realpath(output)
    for path in paths:
        parent = os.path.realpath(os.path.dirname(path))
        if os.path.commonpath([root, parent]) != root:
            raise Failure(
                f"{path} leads out of {output}, to {parent}. Remove that link, or use "
                f"another --output."
            )


def _refuse_twice(written, sources):
    """No result may take the place of another, nor of an image that is to be translated."""
    sources, taken = set(map(os.path.realpath, sources)), set()
    for path in written:
        place = os.path.realpath(path)
        if place in sources:
            raise Failure(
                f"{path} is one of the images to translate, and would be lost. Use another "
                f"--output."
            )
        if place in taken:
            raise Failure(f"{path} would be written twice. Translate these images apart.")
        taken.add(place)


def _some(paths):
    paths = list(paths)
    listed = ", ".join(paths[:NAMED])
    rest = f" and {len(paths) - NAMED} more are" if len(paths) > NAMED else ""
    return f"{listed}{rest}" if rest else f"{listed} {'is' if len(paths) == 1 else 'are'}"
