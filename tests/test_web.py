"""`--format web`: the folder that it writes. The page itself is tested in test_web_page.py.

The ONNX files and ONNX Runtime Web are stand-ins here, so that the tests need neither network nor
packages beside those of the stack.
"""

import base64
import dataclasses
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import types

import pytest

from tests import runs
from ugatit_tf.errors import Failure
from ugatit_tf.interchange.formats import FORMATS, npm_package, web
from ugatit_tf.interchange.formats.format import Exported, Model

SVG = "http://www.w3.org/2000/svg"  # a name, which nobody loads
RUNTIME_FILES = sorted({file for build in web.BUILDS.values() for file in build.values()})


def archive(files):
    """The bytes of an npm package with these files: path -> content."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as opened:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            opened.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def package_of(content):
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode()
    return npm_package.NpmPackage("onnxruntime-web", "1.2.3", f"sha512-{digest}")


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    """A stand-in of ONNX Runtime Web in the working folder, and of the Python package."""
    files = {f"dist/{name}": name.encode() for name in RUNTIME_FILES}
    content = archive({**files, "package.json": b'{"license": "MIT"}'})
    package = package_of(content)
    here = tmp_path / "here"
    here.mkdir()
    (here / package.file).write_bytes(content)
    monkeypatch.chdir(here)
    monkeypatch.setattr(web, "ONNXRUNTIME_WEB", package)
    installed = tmp_path / "onnxruntime"
    installed.mkdir()
    for name in web.LICENSES:
        (installed / name).write_text(f"text of {name}")
    spec = types.SimpleNamespace(submodule_search_locations=[str(installed)])
    monkeypatch.setattr(web.importlib.util, "find_spec", lambda name: spec)
    return package


@pytest.fixture
def written(runtime, tmp_path, monkeypatch):
    """written(config, **options) -> (folder, models): what the format writes of a run."""

    def write(exported, folder):
        weights = ("float32", "float16") if exported.half else ("float32",)
        for direction in exported.generators:
            for kind in weights:
                file = f"{direction}{'' if kind == 'float32' else '_float16'}.onnx"
                with open(os.path.join(folder, file), "wb") as opened:
                    opened.write(kind.encode() * 3)
                yield Model(file, direction, notes={"weights": kind})

    row = dataclasses.replace(FORMATS["onnx"], write=write)
    monkeypatch.setattr(web.onnx_file, "ONNX", row)

    def call(directions=("a2b", "b2a"), half=False, license="", source="step_0000300", **options):
        config = runs.config_in(tmp_path, **options)
        generators = dict.fromkeys(directions)
        given = Exported(config, None, generators, source, half=half, license=license)
        models = list(web.WEB.write(given, str(tmp_path)))
        return tmp_path / "web", models

    return call


def config_of(folder):
    return json.loads((folder / "config.json").read_text(encoding="utf-8"))


# The folder


def test_the_folder_has_the_page_the_models_and_the_runtime(written):
    folder, models = written()
    found = set(runs.bytes_below(folder))
    runtime = {
        os.path.join("onnxruntime", name)
        for name in (*RUNTIME_FILES, "package.json", "LICENSE", "ThirdPartyNotices.txt")
    }
    assert found == {*web.PAGE, "config.json", "a2b.onnx", "b2a.onnx", *runtime}
    assert [(m.file, m.direction) for m in models] == [
        ("web/a2b.onnx", "a2b"),
        ("web/b2a.onnx", "b2a"),
    ]


def test_the_files_of_the_runtime_are_those_of_the_package(written):
    folder, _ = written()
    for name in RUNTIME_FILES:
        assert (folder / "onnxruntime" / name).read_text() == name
    assert (folder / "onnxruntime" / "LICENSE").read_text() == "text of LICENSE"


def test_the_config_says_what_the_page_must_know(written):
    folder, _ = written(dataset="selfie2anime", license="CC BY 4.0")
    config = config_of(folder)
    assert config["backend"] == "onnx"
    assert config["title"] == "Selfie and anime"
    assert "for 300 steps. License of the model: CC BY 4.0" in config["about"]
    assert "No image leaves this computer" in config["privacy"]
    assert config["directions"] == {
        "a2b": {"title": "Selfie to anime", "file": "a2b.onnx", "bytes": 21},
        "b2a": {"title": "Anime to selfie", "file": "b2a.onnx", "bytes": 21},
    }
    assert (config["any_size"], config["size"], config["channels"]) == (True, 8, 3)
    for build in config["runtime"].values():
        assert (folder / build["wasm"]).stat().st_size == build["bytes"]
        assert (folder / build["module"]).exists()
        assert (folder / build["glue"]).exists()


def test_directions_have_the_names_of_the_domains_only_where_the_dataset_says_them(tmp_path):
    config = runs.config_in(tmp_path, dataset="tiny")
    assert web.direction_title(config, "b2a") == "B to A"


def test_one_direction_is_enough(written):
    folder, _ = written(directions=("b2a",), source="a_run")
    assert list(config_of(folder)["directions"]) == ["b2a"]
    assert "steps" not in config_of(folder)["about"]


def test_half_writes_the_short_files_alone(written):
    folder, models = written(half=True)
    assert {m.file for m in models} == {"web/a2b_float16.onnx", "web/b2a_float16.onnx"}
    assert not (folder / "a2b.onnx").exists()
    assert config_of(folder)["directions"]["a2b"]["file"] == "a2b_float16.onnx"


def test_the_sides_that_the_page_may_use_are_those_of_the_generator():
    from ugatit_tf.networks import generator

    assert (web.MULTIPLE, web.SMALLEST) == (generator.MULTIPLE, generator.SMALLEST)


def test_the_colors_of_the_page_are_those_of_the_program():
    from ugatit_tf.images import panels

    source = (web.SOURCES / "colors.js").read_text()
    numbers = [int(n) for n in re.findall(r"\d+", source.split("COLORS = [")[1].split("];")[0])]
    assert numbers == [int(value) for value in panels.COLORS.ravel()]


# The page, as a text


def test_the_policy_allows_this_folder_alone():
    html = (web.SOURCES / "index.html").read_text()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'self'"
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert rules["worker-src"] == "'self'"
    assert rules["img-src"] == "'self' blob: data:"
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*"} & set(policy.replace(";", " ").split())


def test_the_page_has_no_script_or_style_of_its_own_inside():
    html = (web.SOURCES / "index.html").read_text()
    assert re.findall(r"<script[^>]*>[^<]", html) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", html) == []


@pytest.mark.parametrize("name", web.PAGE)
def test_no_file_of_the_page_names_an_address_elsewhere(name):
    text = (web.SOURCES / name).read_text(encoding="utf-8")
    assert set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", text)) <= {SVG}
    assert len(text.splitlines()) <= 300


def test_all_that_the_page_imports_is_in_its_folder():
    for name in web.PAGE:
        text = (web.SOURCES / name).read_text(encoding="utf-8")
        for imported in re.findall(r'(?:from|src=|href=|URL\() ?"(?:\./)?([\w.]+)"', text):
            assert imported in web.PAGE, name


# The package


def test_without_npm_and_the_file_it_is_said_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(npm_package.shutil, "which", lambda name: None)
    with pytest.raises(Failure) as error:
        web.ONNXRUNTIME_WEB.require()
    message = str(error.value)
    assert "npm to fetch it is not installed" in message
    assert f"npm pack onnxruntime-web@{web.ONNXRUNTIME_WEB.version}" in message
    assert str(tmp_path) in message
    assert "\n" not in message


def test_the_file_in_the_working_folder_needs_no_npm(runtime, monkeypatch):
    monkeypatch.setattr(npm_package.shutil, "which", lambda name: None)
    runtime.require()


def test_a_run_is_refused_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(npm_package.shutil, "which", lambda name: None)
    monkeypatch.setattr(web.onnx_file.importlib.metadata, "version", lambda name: "2.21.0")
    with pytest.raises(Failure, match="needs onnxruntime-web"):
        web.WEB.check(runs.config_in(tmp_path))


def test_a_package_with_other_content_is_refused(runtime, tmp_path):
    with open(runtime.file, "ab") as file:
        file.write(b"more")
    with pytest.raises(Failure, match="is not onnxruntime-web 1.2.3 as it was published"):
        runtime.extract({"package.json": "package.json"}, str(tmp_path))
    assert not (tmp_path / "package.json").exists()


def test_a_package_without_a_file_is_refused(runtime, tmp_path):
    with pytest.raises(Failure, match="has no file dist/other"):
        runtime.extract({"dist/other": "other"}, str(tmp_path))


def test_npm_is_asked_for_one_version(tmp_path, monkeypatch):
    content = archive({"package.json": b"{}"})
    package, asked = package_of(content), []

    def run(command, **_):
        asked.append(command[1:3])
        with open(os.path.join(command[-1], package.file), "wb") as file:
            file.write(content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(npm_package.shutil, "which", lambda name: "/bin/npm")
    monkeypatch.setattr(npm_package.subprocess, "run", run)
    package.extract({"package.json": "package.json"}, str(tmp_path))
    assert asked == [["pack", "onnxruntime-web@1.2.3"]]
    assert (tmp_path / "package.json").read_bytes() == b"{}"


def test_npm_without_a_network_is_one_line(tmp_path, monkeypatch):
    said = (
        "npm error code ENOTFOUND\nnpm error network request to the registry failed\n"
        "npm error A complete log of this run can be found in: /home/x\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(npm_package.shutil, "which", lambda name: "/bin/npm")
    monkeypatch.setattr(
        npm_package.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", said)
    )
    with pytest.raises(Failure) as error:
        package_of(b"").extract({}, str(tmp_path))
    expected = "npm cannot fetch onnxruntime-web 1.2.3: network request to the registry failed."
    assert str(error.value).startswith(expected)
    assert "npm pack onnxruntime-web@1.2.3" in str(error.value)
