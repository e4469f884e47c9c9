"""The rules of the house, read from the source: who imports whom, and how long things are."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "ugatit_tf").rglob("*.py"))
FLOORS = [  # a room uses only rooms on floors before its own
    {"invocation"},
    {
        "atomic",
        "directions",
        "errors",
        "flavors",
        "jsonfile",
        "lazy",
        "norms",
        "seeds",
        "signals",
        "sizes",
    }
    | {"streams", "threads"},
    {"cluster", "gpu", "images", "keras_registration", "keras_settings", "losses"}
    | {"options", "progress", "shipped", "tf_paths"},
    {"checkpoint_options", "feature_options", "gpu_diagnosis", "machine"},
    {"config"},
    {"config_file"},
    {"data", "layers"},
    {"networks", "tensorflow_start"},
    {"training", "interchange"},
    {"translation"},
    {"evaluation", "reporting", "serving"},
    {"doctor"},
    {"phases"},
    {"command_line"},
    {"completion", "help_page"},
    {"program"},
    {"__main__"},
]
LONGEST_FILE, LONGEST_FUNCTION = 300, 50


def name_of(path):
    """ugatit_tf/layers/cam.py -> ugatit_tf.layers.cam."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {name_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
MODULES = sorted(TREES)


def imports_of(name, *, top_level_only=False):
    """Full names of all that a module imports, ours down to the module."""
    found = set()
    nodes = TREES[name].body if top_level_only else ast.walk(TREES[name])
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in TREES else node.module)
    return found


def room_of(name):
    return (name.split(".") + [""])[1]


def floor_of(room):
    return next(floor for floor, rooms in enumerate(FLOORS) if room in rooms)


def test_every_room_has_a_floor():
    rooms = {room_of(name) for name in MODULES} - {""}
    assert rooms <= set().union(*FLOORS)


@pytest.mark.parametrize("name", [n for n in MODULES if room_of(n) not in ("",)])
def test_imports_go_strictly_downward(name):
    room = room_of(name)
    for imported in imports_of(name):
        if imported.split(".")[0] == "ugatit_tf" and room_of(imported) != room:
            assert room_of(imported), f"{name} imports the whole package"
            assert floor_of(room_of(imported)) < floor_of(room), f"{name} imports {imported}"


def test_only_the_command_line_knows_absl():
    for name in MODULES:
        if room_of(name) != "command_line":
            assert not {i for i in imports_of(name) if i.startswith("absl")}, name


def test_no_imports_go_in_a_circle():
    done = set()

    def visit(name, path):
        assert name not in path, " -> ".join([*path, name])
        if name in done:
            return
        for imported in sorted(imports_of(name, top_level_only=True) & set(TREES)):
            visit(imported, [*path, name])
        done.add(name)

    for name in MODULES:
        visit(name, [])


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in MODULES
        if room_of(name) in ("layers", "evaluation")
        or name.endswith((".generator", ".discriminator", ".losses"))
    ],
)
def test_layers_networks_losses_and_metrics_take_plain_arguments(name):
    if not name.endswith(".evaluate") and not name.endswith(".ablation"):
        assert "ugatit_tf.config" not in imports_of(name)


def test_losses_are_functions_of_tensors():
    ours = {name for name in imports_of("ugatit_tf.losses") if name.startswith("ugatit_tf")}
    assert ours == {"ugatit_tf.lazy"}


def test_a_step_touches_no_file():
    assert not imports_of("ugatit_tf.training.step") & {"os", "pathlib", "json", "time", "shutil"}
    called = {n.func.id for n in ast.walk(TREES["ugatit_tf.training.step"]) if is_plain_call(n)}
    assert not called & {"open", "print"}


def is_plain_call(node):
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


@pytest.mark.parametrize(
    "name",
    [
        n
        for n in MODULES
        if room_of(n) in ("images", "options", "config", "config_file", "command_line")
        or room_of(n) in ("feature_options", "reporting")
        or room_of(n) in ("completion", "help_page", "invocation")
    ],
)
def test_images_and_options_work_without_tensorflow(name):
    assert not {i for i in imports_of(name) if i.split(".")[0] in ("tensorflow", "keras")}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("name", MODULES)
def test_no_function_is_long(name):
    for node in ast.walk(TREES[name]):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno + 1 <= LONGEST_FUNCTION, node.name


@pytest.mark.parametrize("name", MODULES)
def test_asserts_are_for_tests(name):
    assert not [node.lineno for node in ast.walk(TREES[name]) if isinstance(node, ast.Assert)]


def unannotated(body, owner=""):
    """The names of public functions in `body` with an argument or a result without a type."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from unannotated(node.body, f"{node.name}.")
        is_public = isinstance(node, ast.FunctionDef) and (
            not node.name.startswith("_") or node.name == "__init__"
        )
        if is_public:
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            bare = [
                a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")
            ]
            if bare or node.returns is None:
                yield f"{owner}{node.name}"


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_say_what_they_take_and_return(name):
    assert list(unannotated(TREES[name].body)) == []
