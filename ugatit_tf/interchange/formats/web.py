"""`--format web`: a folder of static files, a page that translates images in the browser.

The page is ugatit_tf/web; the model is an ONNX file of each direction, run by ONNX Runtime Web, of
which the folder has a copy. Nothing is loaded from elsewhere. `config.json` says what the page
must know of the model.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ugatit_tf.config import Config
from ugatit_tf.directions import DIRECTIONS
from ugatit_tf.interchange.formats import comparison, onnx_file
from ugatit_tf.interchange.formats.format import Exported, Format, Model
from ugatit_tf.interchange.formats.npm_package import NpmPackage
from ugatit_tf.sizes import MULTIPLE, SMALLEST

SOURCES = Path(__file__).parents[2] / "web"
PAGE = (
    "index.html", "style.css", "icon.svg", "app.js", "camera.js", "colors.js", "fit.js",
    "images.js", "onnx_backend.js", "report.js", "stage.js", "words.js", "worker.js",
)  # fmt: skip
FOLDER, RUNTIME = "web", "onnxruntime"
ONNXRUNTIME_WEB = NpmPackage(
    "onnxruntime-web",
    "1.30.0",
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
)
BUILDS = {  # what runs the model -> its files in dist/ of the package
    "wasm": {
        "module": "ort.wasm.min.mjs",
        "glue": "ort-wasm-simd-threaded.mjs",
        "wasm": "ort-wasm-simd-threaded.wasm",
    },
    "webgpu": {
        "module": "ort.webgpu.min.mjs",
        "glue": "ort-wasm-simd-threaded.asyncify.mjs",
        "wasm": "ort-wasm-simd-threaded.asyncify.wasm",
    },
}
# The npm package says "MIT" without the text. The Python package, which wrote the ONNX files, is
# built from the same sources and has it.
LICENSES = ("LICENSE", "ThirdPartyNotices.txt")


def _check(config: Config) -> None:
    onnx_file.ONNX.check(config)
    ONNXRUNTIME_WEB.require()


def _write(exported: Exported, folder: str) -> Iterator[Model]:
    site = os.path.join(folder, FOLDER)
    os.makedirs(os.path.join(site, RUNTIME))
    _copy_runtime(os.path.join(site, RUNTIME))  # first: it may fail, and a model takes long
    for name in PAGE:
        shutil.copyfile(SOURCES / name, os.path.join(site, name))
    kept = {}
    for model in onnx_file.ONNX.write(exported, site):
        if exported.half and model.notes["weights"] != "float16":
            os.remove(os.path.join(site, model.file))
            continue
        kept[model.direction] = model.file
        yield dataclasses.replace(model, file=f"{FOLDER}/{model.file}")
    path = os.path.join(site, "config.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(page_config(exported, kept, site), indent=2) + "\n")


def page_config(exported: Exported, files: dict[str, str], site: str) -> dict:
    """The content of config.json.

    Args:
        files: direction -> name of its ONNX file in the folder `site`.
    """
    config = exported.config
    return {
        "backend": "onnx",
        "title": _title(config),
        "privacy": "No image leaves this computer: the model runs in your browser.",
        "about": ". ".join(filter(None, [_model_words(exported), _license_words(exported)])),
        "directions": {
            direction: {
                "title": direction_title(config, direction),
                "file": file,
                "bytes": os.path.getsize(os.path.join(site, file)),
            }
            for direction, file in files.items()
        },
        "any_size": config.any_size,
        "size": config.img_size,
        "channels": config.img_ch,
        "multiple": MULTIPLE,
        "smallest": SMALLEST,
        "bytes_per_pixel": bytes_per_pixel(config),
        "names": {"images": "images", "translated": "translated", "heatmap": "heatmap"},
        "runtime": {
            device: {
                **{part: f"{RUNTIME}/{file}" for part, file in build.items()},
                "bytes": os.path.getsize(os.path.join(site, RUNTIME, build["wasm"])),
            }
            for device, build in BUILDS.items()
        },
    }


def _title(config):
    names = _domains(config)
    return f"{names[0]} and {names[1]}".capitalize() if names else config.run_name


def _domains(config):
    """("selfie", "anime") of a dataset selfie2anime, else None."""
    names = re.fullmatch(r"([A-Za-z]+)2([A-Za-z]+)", config.dataset)
    return names and names.groups()


def direction_title(config: Config, direction: str) -> str:
    """For people: "Selfie to anime" of a dataset selfie2anime, else "A to B"."""
    names = _domains(config)
    if not names:
        return DIRECTIONS[direction].title
    source, target = names if direction == "a2b" else reversed(names)
    return f"{source} to {target}".capitalize()


def bytes_per_pixel(config: Config) -> int:
    """About as much memory as the runtime takes for each pixel of an image."""
    return 13 * config.ch + 60


def _model_words(exported):
    kind = "light" if exported.config.light else "full"
    trained = re.match(r"step_(\d+)", os.path.basename(exported.source))
    size = exported.config.img_size
    return f"U-GAT-IT, {kind} model, trained with images of {size} × {size} pixels" + (
        f" for {int(trained[1])} steps" if trained else ""
    )


def _license_words(exported):
    return f"License of the model: {exported.license}" if exported.license else ""


def _copy_runtime(folder):
    """Copies ONNX Runtime Web and its license into the folder."""
    files = [file for build in BUILDS.values() for file in build.values()]
    names = {f"dist/{file}": file for file in files}
    ONNXRUNTIME_WEB.extract({**names, "package.json": "package.json"}, folder)
    package = importlib.util.find_spec("onnxruntime").submodule_search_locations[0]
    for name in LICENSES:
        shutil.copyfile(os.path.join(package, name), os.path.join(folder, name))


WEB = Format(
    "web",
    "a folder of static files, a page that translates images in the browser (needs npm)",
    _write,
    comparison.verifier(onnx_file.LOAD, "ONNX Runtime alone"),
    _check,
    packages=onnx_file.ONNX.packages,
    extra=onnx_file.ONNX.extra,
    options=onnx_file.ONNX.options,
)
