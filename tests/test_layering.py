"""The house: imports go one way, rooms speak through their doors, what is shipped is what is declared."""

from __future__ import annotations

import ast
import importlib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("model", "pipeline", "train")
MAY_IMPORT = {"model": set(), "pipeline": {"model"}, "train": {"model", "pipeline"}}

ROOMS = {
    "model": (),
    "pipeline": (
        "errors", "records", "smoothing", "timecode", "option_table", "stream", "files", "media", "faces", "editorial", "drivers", "edit",
        "options", "usage", "report", "resources", "session", "refine", "run", "review", "jobs", "batch", "commands", "benchmarks",
    ),
    "train": ("data", "prepare", "metrics", "fit", "gan", "evaluation", "convert", "commands", "benchmarks"),
}  # fmt: skip
"""From the ground up: a room imports only rooms that stand before it. One without a folder is a file."""
SIDE_BY_SIDE = {
    ("editorial", "faces"), ("batch", "commands"), ("benchmarks", "commands"),
    ("metrics", "prepare"), ("fit", "prepare"), ("gan", "prepare"), ("gan", "fit"), ("evaluation", "fit"),
    ("evaluation", "gan"),
}  # fmt: skip
"""(room, other): stands after the other in the list, and does not know it all the same."""

PIPELINE_IN_TRAIN = (
    "train/prepare/", "train/metrics/crop_meter.py", "train/metrics/expression.py", "train/metrics/face_meter.py",
    "train/evaluation/film.py", "train/evaluation/film_judges.py", "train/evaluation/picture_judges.py",
    "train/commands/",
)  # fmt: skip
"""Training crops and inference crops come from one code, and so does what is measured on them, films go through the
main job, and the command line hands the rest its names and mesh; the rest knows the model alone ..."""
PIPELINE_FOR_ALL_OF_TRAIN = {"files", "stream"}
"""... and these rooms: text that people write, and progress. They know no video, no face, no network."""
ONLY_IN = {
    "av": ("pipeline/media/",),
    "mediapipe": ("pipeline/faces/mediapipe_graphs.py",),
    "ai_edge_litert": ("pipeline/faces/networks.py",),
    "tflite": ("train/convert/",),
    "opentimelineio": ("pipeline/editorial/", "pipeline/timecode.py"),
    "fileseq": ("pipeline/files/sequence.py",),
    "ruamel": ("pipeline/files/text.py", "train/gan/load.py"),
    "ray": ("pipeline/batch/cluster.py",),
    "matplotlib": ("pipeline/review/",),
    "jinja2": ("pipeline/review/report_page.py",),
    "scenedetect": ("pipeline/faces/",),
}
NOT_FOR_MODEL = {"av", "mediapipe", "cv2", "scipy", "scenedetect", "yaml", "matplotlib", "pydantic"}
TORCH_IN_PIPELINE = ("pipeline/edit/render.py",)
NOBODY_IMPORTS = {"pipeline": ["benchmarks"], "train": ["benchmarks", "commands", "convert"]}
MOST_LINES = 520

DATA = {
    "model": (
        "py.typed",
        "__init__.pyi",
        "default.safetensors",
        "face_networks.safetensors",
        "face_descriptor.safetensors",
        "MODEL_CARD.md",
    ),
    "pipeline": ("py.typed", "__init__.pyi"),
    "pipeline.faces": ("face_landmarker.task", "canonical_face.npy", "mesh_triangles.npy", "__init__.pyi"),
    "pipeline.review": ("report_page.html", "report_page.css", "report_page.js", "__init__.pyi"),
    "train": ("py.typed", "__init__.pyi"),
    "train.gan": ("recipes.yaml", "staged_recipes.yaml", "__init__.pyi"),
}


@dataclass(frozen=True)
class Import:
    """One import statement."""

    module: str
    """Absolute: "av.video", "retarget.pipeline.media"."""
    names: tuple[str, ...]
    """What `from` takes from it; empty for a plain import."""
    level: int


def imports(file: str, source: str) -> Iterator[Import]:
    """Every import of a source, wherever in it, made absolute by the file's path."""
    package = ["retarget", *Path(file).parent.parts]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, (), 0) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            names = tuple(alias.name for alias in node.names)
            yield Import(module, names, node.level)


def room_of(module: str) -> str:
    """The room of "retarget.pipeline.media.reader": "media"; "" for the package itself."""
    return [*module.split("."), "", ""][2]


def breaches(file: str, source: str) -> list[str]:
    """What a file of that path ("pipeline/edit/blend.py") may not import, in words."""
    package, *rest = Path(file).with_suffix("").parts
    room = rest[0] if rest[0] != "__init__" else ""
    found = []
    for item in imports(file, source):
        top = item.module.split(".")[0]
        if top in PACKAGES:
            found.append(f"{file} imports the bare folder {top}")
        if top == "retarget":
            found += _own_breaches(file, package, room, item)
        if top in ONLY_IN and not file.startswith(ONLY_IN[top]):
            found.append(f"{file} imports {top}")
        if package == "model" and top in NOT_FOR_MODEL - set(ONLY_IN):
            found.append(f"{file} imports {top}")
        if package == "pipeline" and top in ("torch", "torchvision") and file not in TORCH_IN_PIPELINE:
            found.append(f"{file} imports torch")
    return found


def _own_breaches(file: str, package: str, room: str, item: Import) -> Iterator[str]:
    # `from retarget import pipeline` and `from .. import media` name what they mean after the import
    modules = [item.module]
    if item.module == "retarget" or (item.module == f"retarget.{package}" and item.names and room):
        modules = [f"{item.module}.{name}" for name in item.names]
    for module in modules:
        other = module.split(".")[1]
        if other != package:
            if other not in MAY_IMPORT[package]:
                yield f"{file} imports {other}"
            elif other == "pipeline" and not _may_know_the_pipeline(file, package, room_of(module)):
                yield f"{file} imports pipeline"
            if item.level:
                yield f"{file} leaves its package by a relative import"
        elif not item.level:
            yield f"{file} imports its own package by its full name"
        target = room_of(module)
        if (other, target) != (package, room) and len(module.split(".")) > 3:
            yield f"{file} enters {other}/{target} by {module.split('.')[3]}, not by its door"
        if other == package and target and room and target != room:
            order = ROOMS[package]
            if order and (order.index(target) > order.index(room) or (room, target) in SIDE_BY_SIDE):
                yield f"{file} imports {target}, which stands above {room}"


def _may_know_the_pipeline(file: str, package: str, its_room: str) -> bool:
    return package != "train" or file.startswith(PIPELINE_IN_TRAIN) or its_room in PIPELINE_FOR_ALL_OF_TRAIN


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def setuptools_config() -> dict[str, dict[str, object]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["tool"]["setuptools"]


@pytest.mark.parametrize("path", sources(), ids=shown)
def test_imports_go_one_way(path: Path) -> None:
    assert breaches(shown(path), path.read_text(encoding="utf-8")) == []


def test_there_is_something_to_check() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in sources()} == set(PACKAGES)
    assert len(sources()) > 80


@pytest.mark.parametrize("package", [package for package in PACKAGES if ROOMS[package]])
def test_the_rooms_are_those_of_the_list(package: str) -> None:
    there = {path.name for path in folders(ROOT / package)}
    there |= {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"}
    assert there == set(ROOMS[package])


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("model/blocks.py", "from retarget.pipeline import records", "model/blocks.py imports pipeline"),
        ("model/blocks.py", "from retarget import train", "model/blocks.py imports train"),
        ("model/blocks.py", "import cv2", "model/blocks.py imports cv2"),
        ("model/blocks.py", "import mediapipe", "model/blocks.py imports mediapipe"),
        (
            "pipeline/edit/blend.py",
            "def f():\n    import retarget.train.gan.loop",
            "pipeline/edit/blend.py imports train",
        ),
        ("pipeline/edit/blend.py", "import torch", "pipeline/edit/blend.py imports torch"),
        ("pipeline/edit/blend.py", "from torch import nn", "pipeline/edit/blend.py imports torch"),
        ("pipeline/edit/blend.py", "import av.video", "pipeline/edit/blend.py imports av"),
        (
            "pipeline/media/film.py",
            "from mediapipe.tasks import python",
            "pipeline/media/film.py imports mediapipe",
        ),
        (
            "pipeline/edit/blend.py",
            "import pipeline.color",
            "pipeline/edit/blend.py imports the bare folder pipeline",
        ),
        (
            "pipeline/edit/blend.py",
            "from model import images",
            "pipeline/edit/blend.py imports the bare folder model",
        ),
        ("pipeline/edit/blend.py", "from ...model import images", "leaves its package by a relative import"),
        ("pipeline/edit/blend.py", "from ... import model", "leaves its package by a relative import"),
        ("pipeline/run.py", "from ..model import images", "leaves its package by a relative import"),
        (
            "pipeline/edit/blend.py",
            "from retarget.pipeline import faces",
            "imports its own package by its full name",
        ),
        (
            "pipeline/edit/blend.py",
            "from ..media.color import f",
            "enters pipeline/media by color, not by its door",
        ),
        ("pipeline/edit/blend.py", "from ..review import preview", "imports review, which stands above edit"),
        ("pipeline/edit/blend.py", "from .. import review", "imports review, which stands above edit"),
        ("pipeline/edit/blend.py", "from ..run import Session", "imports run, which stands above edit"),
        ("pipeline/media/film.py", "from ..faces import chain", "imports faces, which stands above media"),
        ("pipeline/editorial/edl.py", "from ..faces import chain", "imports faces, which stands above editorial"),
        (
            "train/gan/losses.py",
            "from retarget.pipeline.faces import chain",
            "train/gan/losses.py imports pipeline",
        ),
        ("train/evaluation/bench.py", "from retarget.pipeline.faces import chain", "bench.py imports pipeline"),
        ("train/gan/configs.py", "from retarget.pipeline.options import chain", "configs.py imports pipeline"),
        ("train/gan/configs.py", "from retarget.pipeline import files", "configs.py imports pipeline"),
        ("train/metrics/meter.py", "from retarget.pipeline.faces import Landmarker", "meter.py imports pipeline"),
        ("train/gan/loop.py", "from ..fit import fit_geometry", "imports fit, which stands above gan"),
        ("train/gan/loop.py", "from ..evaluation import evaluate", "imports evaluation, which stands above gan"),
        ("train/evaluation/bench.py", "from ..gan import train", "imports gan, which stands above evaluation"),
        (
            "train/evaluation/bench.py",
            "from ..prepare.prepare import prepare_dataset",
            "enters train/prepare by prepare",
        ),
        ("train/data/dataset.py", "from ..prepare import Skipped", "imports prepare, which stands above data"),
        (
            "train/prepare/crops.py",
            "from retarget.pipeline.faces.crop import chain",
            "enters pipeline/faces by crop",
        ),
        ("train/prepare/crops.py", "import av", "train/prepare/crops.py imports av"),
    ],
)
def test_a_planted_breach_is_caught(file: str, source: str, complaint: str) -> None:
    assert any(complaint in found for found in breaches(file, source)), breaches(file, source)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("model/blocks.py", "import torch\nfrom . import action_units\nfrom .errors import RetargetError"),
        ("pipeline/edit/render.py", "import torch\nfrom retarget.model import geometry\nfrom ..media import sample_rgb"),
        ("pipeline/edit/render.py", "from ..records import Frame\nfrom .records import FaceEdit"),
        ("pipeline/media/film.py", "import av\nfrom ..records import Frame\nfrom .color import conversion"),
        ("pipeline/faces/mediapipe_graphs.py", "import mediapipe as mp"),
        ("pipeline/run.py", "from .edit import blended\nfrom .errors import OptionError"),
        ("pipeline/commands/main.py", "def f():\n    from ..batch import run_batch"),
        (
            "train/prepare/crops.py",
            "from retarget.pipeline.faces import chain\nfrom retarget.model import images\nimport torch",
        ),
        ("train/gan/configs.py", "from retarget.pipeline.files import read_yaml"),
    ],
)  # fmt: skip
def test_what_is_allowed_is_not_complained_of(file: str, source: str) -> None:
    assert breaches(file, source) == []


# Doors


def folders(package: Path) -> list[Path]:
    return [path for path in sorted(package.iterdir()) if (path / "__init__.py").exists()]


def doors() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("__init__.pyi"))]


@pytest.mark.parametrize("door", doors(), ids=shown)
def test_a_door_gives_what_it_names(door: Path) -> None:
    room = importlib.import_module(".".join(["retarget", *door.relative_to(ROOT).parent.parts]))
    named = [
        (node.module, alias.name, alias.asname)
        for node in ast.parse(door.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert named
    modules = {path.stem for path in door.parent.glob("*.py")}
    for module, name, again in named:
        assert again == name, "`as` makes a type checker see it"
        if module is not None:
            assert name not in modules, "which of the two one gets would hang on what was imported before"
        assert getattr(room, name) is not None
    assert set(room.__all__) == {name for _, name, _ in named}


@pytest.mark.parametrize("package", ["pipeline", "train"])
def test_rooms_that_others_use_have_doors(package: str) -> None:
    without = [path.name for path in folders(ROOT / package) if not (path / "__init__.pyi").exists()]
    assert without == NOBODY_IMPORTS[package]


# Size


@pytest.mark.parametrize("path", sources(), ids=shown)
def test_a_file_is_for_one_thing(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MOST_LINES, "split it by what it does"


def test_tests_mirror_rooms_and_files() -> None:
    lost = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        parts = path.relative_to(ROOT / "tests").parts
        if len(parts) == 1:
            continue
        file = ROOT.joinpath(*parts[:-1], parts[-1].removeprefix("test_"))
        if not file.exists():
            lost.append(shown(path))
    assert lost == [], "which file do they test?"


# What is shipped


def packages() -> set[str]:
    """Every folder that is a package, as setuptools names it."""
    inits = [path.parent for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")]
    return {".".join(["retarget", *path.relative_to(ROOT).parts]) for path in inits}


def test_every_room_is_a_package(setuptools_config: dict[str, dict[str, object]]) -> None:
    declared = setuptools_config["packages"]
    assert isinstance(declared, list)
    assert set(declared) ^ packages() == set(), "a folder that is not declared is silently absent from the wheel"
    assert setuptools_config["package-dir"] == {f"retarget.{package}": package for package in PACKAGES}
    assert "retarget.pipeline.media" in packages()


def patterns_of(package: str, config: dict[str, dict[str, object]]) -> list[str]:
    own, everywhere = (config["package-data"].get(key, []) for key in (f"retarget.{package}", "*"))
    assert isinstance(own, list)
    assert isinstance(everywhere, list)
    return [*own, *everywhere]


@pytest.mark.parametrize(
    ("package", "name"), [(package, name) for package, names in DATA.items() for name in names]
)
def test_data_files_are_there_and_declared(
    package: str, name: str, setuptools_config: dict[str, dict[str, object]]
) -> None:
    assert ROOT.joinpath(*package.split("."), name).is_file()
    patterns = patterns_of(package, setuptools_config)
    assert any(Path(name).match(pattern) for pattern in patterns), f"{package}/{name} would miss from the wheel"


@pytest.mark.parametrize("package", sorted(name.removeprefix("retarget.") for name in packages()))
def test_no_data_file_is_forgotten(package: str, setuptools_config: dict[str, dict[str, object]]) -> None:
    patterns = patterns_of(package, setuptools_config)
    folder = ROOT.joinpath(*package.split("."))
    data = [p.name for p in folder.iterdir() if p.is_file() and p.suffix not in (".py", ".pyc")]
    data = [name for name in data if not name.endswith("README.md")]  # for readers of the source
    assert [name for name in data if not any(Path(name).match(pattern) for pattern in patterns)] == []
