"""The rooms depend one way, train -> pipeline -> model, and what is shipped is what is declared."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("model", "pipeline", "train")
MAY_IMPORT = {"model": set(), "pipeline": {"model"}, "train": {"model", "pipeline"}}

PIPELINE_IN_TRAIN = {"prepare.py", "labels.py", "film.py", "cli.py"}
"""Training crops and inference crops come from one code, and the command line hands the rest its names
and mesh; the rest knows the model alone."""
ONLY_IN = {
    "av": {"pipeline/video.py"},
    "mediapipe": {"pipeline/track.py"},
    "opentimelineio": {"pipeline/editorial.py"},
    "ray": {"pipeline/cluster.py"},
}
NOT_FOR_MODEL = {"av", "mediapipe", "cv2", "scipy", "scenedetect", "yaml", "matplotlib", "pydantic"}
TORCH_IN_PIPELINE = {"render.py"}

DATA = {
    "model": ("py.typed", "default.safetensors", "MODEL_CARD.md"),
    "pipeline": ("py.typed", "face_landmarker.task", "canonical_face.npy"),
    "train": ("py.typed", "recipes.yaml"),
}


def imported(source: str) -> set[str]:
    """Every module a source imports, absolute, wherever in it; relative ones begin with a dot."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names.add(module)
            # `from retarget import pipeline`, `from .. import pipeline`
            joint = "" if module.endswith(".") or not module else "."
            names.update(f"{module}{joint}{alias.name}" for alias in node.names)
    return names


def breaches(file: str, source: str) -> list[str]:
    """What a file of that path ("pipeline/blend.py") may not import, in words."""
    room, name = file.split("/")
    out = []
    modules = imported(source)
    rooms = {m.split(".")[1] for m in modules if m.startswith("retarget.")}
    for other in sorted(rooms - {room} - MAY_IMPORT[room]):
        out.append(f"{file} imports {other}")
    if room == "train" and "pipeline" in rooms and name not in PIPELINE_IN_TRAIN:
        out.append(f"{file} imports pipeline")
    if room in rooms:
        out.append(f"{file} imports its own room by its full name")
    if any(m.startswith("..") for m in modules):
        out.append(f"{file} leaves its room by a relative import")
    top = {m.split(".")[0] for m in modules}
    for bare in sorted(top & set(ROOMS)):
        out.append(f"{file} imports the bare folder {bare}")
    for library, places in ONLY_IN.items():
        if library in top and file not in places:
            out.append(f"{file} imports {library}")
    if room == "model":
        out += [f"{file} imports {library}" for library in sorted(top & (NOT_FOR_MODEL - set(ONLY_IN)))]
    if room == "pipeline" and top & {"torch", "torchvision"} and name not in TORCH_IN_PIPELINE:
        out.append(f"{file} imports torch")
    return out


def sources() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).glob("*.py"))]


def undeclared(packages: list[str], folders: list[str]) -> set[str]:
    """Rooms that are not packages and packages that are no rooms."""
    return {f"retarget.{folder}" for folder in folders} ^ set(packages)


@pytest.fixture(scope="module")
def setuptools_config() -> dict[str, dict[str, object]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["tool"]["setuptools"]


@pytest.mark.parametrize("path", sources(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_imports_go_one_way(path: Path) -> None:
    assert breaches(f"{path.parent.name}/{path.name}", path.read_text(encoding="utf-8")) == []


def test_there_is_something_to_check() -> None:
    assert {path.parent.name for path in sources()} == set(ROOMS)
    assert len(sources()) > 20


@pytest.mark.parametrize(
    ("file", "source", "complaint"),
    [
        ("model/blocks.py", "from retarget.pipeline import records", "model/blocks.py imports pipeline"),
        ("model/blocks.py", "from retarget import train", "model/blocks.py imports train"),
        ("model/blocks.py", "import cv2", "model/blocks.py imports cv2"),
        ("model/blocks.py", "import mediapipe", "model/blocks.py imports mediapipe"),
        ("pipeline/blend.py", "def f():\n    import retarget.train.loop", "pipeline/blend.py imports train"),
        ("pipeline/blend.py", "import torch", "pipeline/blend.py imports torch"),
        ("pipeline/blend.py", "from torch import nn", "pipeline/blend.py imports torch"),
        ("pipeline/blend.py", "import av.video", "pipeline/blend.py imports av"),
        ("pipeline/video.py", "from mediapipe.tasks import python", "pipeline/video.py imports mediapipe"),
        ("pipeline/blend.py", "import pipeline.color", "pipeline/blend.py imports the bare folder pipeline"),
        ("pipeline/blend.py", "from model import images", "pipeline/blend.py imports the bare folder model"),
        (
            "pipeline/blend.py",
            "from ..model import images",
            "pipeline/blend.py leaves its room by a relative import",
        ),
        ("pipeline/blend.py", "from .. import model", "pipeline/blend.py leaves its room by a relative import"),
        (
            "pipeline/blend.py",
            "from retarget.pipeline import crop",
            "pipeline/blend.py imports its own room by its",
        ),
        ("train/losses.py", "from retarget.pipeline.faces.crop import chain", "train/losses.py imports pipeline"),
        ("train/prepare.py", "import av", "train/prepare.py imports av"),
    ],
)
def test_a_planted_breach_is_caught(file: str, source: str, complaint: str) -> None:
    assert any(found.startswith(complaint) for found in breaches(file, source))


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("model/blocks.py", "import torch\nfrom . import action_units\nfrom .errors import RetargetError"),
        ("pipeline/render.py", "import torch\nfrom retarget.model import geometry\nfrom .color import sample_rgb"),
        ("pipeline/video.py", "import av\nfrom .records import Frame"),
        ("pipeline/track.py", "import mediapipe as mp"),
        (
            "train/prepare.py",
            "from retarget.pipeline import crop\nfrom retarget.model import images\nimport torch",
        ),
    ],
)
def test_what_is_allowed_is_not_complained_of(file: str, source: str) -> None:
    assert breaches(file, source) == []


def test_every_room_is_a_package(setuptools_config: dict[str, dict[str, object]]) -> None:
    packages = setuptools_config["packages"]
    assert isinstance(packages, list)
    assert undeclared(packages, list(ROOMS)) == set()
    assert setuptools_config["package-dir"] == {f"retarget.{room}": room for room in ROOMS}
    assert undeclared(["retarget.model"], ["model", "train"]) == {"retarget.train"}  # planted


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_flat(room: str) -> None:
    folders = [path.name for path in (ROOT / room).iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert folders == [], "a folder within a room is silently absent from the wheel"


@pytest.mark.parametrize(("room", "name"), [(room, name) for room, names in DATA.items() for name in names])
def test_data_files_are_there_and_declared(
    room: str, name: str, setuptools_config: dict[str, dict[str, object]]
) -> None:
    assert (ROOT / room / name).is_file()
    patterns = setuptools_config["package-data"][f"retarget.{room}"]
    assert isinstance(patterns, list)
    assert any(Path(name).match(pattern) for pattern in patterns), f"{room}/{name} would be missing from the wheel"


@pytest.mark.parametrize("room", ROOMS)
def test_no_data_file_is_forgotten(room: str, setuptools_config: dict[str, dict[str, object]]) -> None:
    patterns = setuptools_config["package-data"][f"retarget.{room}"]
    assert isinstance(patterns, list)
    data = [p.name for p in (ROOT / room).iterdir() if p.is_file() and p.suffix not in (".py", ".pyc")]
    assert [name for name in data if not any(Path(name).match(pattern) for pattern in patterns)] == []
