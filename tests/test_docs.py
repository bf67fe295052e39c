"""What the documents say works: commands run, blocks of YAML load, files that are named are there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from retarget.pipeline import load_driver
from retarget.pipeline.commands.main import main
from retarget.pipeline.media import EncodeOptions, create_video, open_video
from retarget.pipeline.option_table import markdown_table
from retarget.pipeline.options import RetargetOptions

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "samples"
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "pipeline/README.md",
    "train/README.md",
    "model/MODEL_CARD.md",
    "samples/README.md",
)


# Reading documents


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(*languages: str) -> list[Block]:
    found = []
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
            if match[1] in languages:
                found.append(Block(document, text[: match.start()].count("\n") + 1, match[1], match[2]))
    return found


def commands(program: str) -> list[str]:
    """Every line of a shell block that starts that program, without its remark, loops written out once."""
    found: dict[str, None] = {}
    for block in blocks("sh"):
        loop = re.search(r"for (\w+) in (\S+)", block.text)
        for line in block.text.replace("\\\n", " ").splitlines():
            said = " ".join(re.sub(r"\s#\s.*$", "", line).split())
            if loop:
                said = said.replace(f"${loop[1]}", loop[2])
            if said.split(" ")[0] == program:
                found[said.replace("runs/*/", "runs/mine/")] = None
    return list(found)


def inline_modules() -> Iterator[str]:
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        yield from re.findall(r"python -m (retarget\.[\w.]+)", text)


# What the commands are about


def copy(source: Path, target: Path, seconds: float) -> None:
    """The first moments of a clip."""
    options = EncodeOptions(preset="ultrafast") if target.suffix != ".png" else EncodeOptions()
    with (
        open_video(source, trim_end=seconds) as reader,
        create_video(target, like=reader, options=options) as writer,
    ):
        for frame in reader:
            writer.write(frame)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the documents' commands name, as small as it can be."""
    folder = tmp_path_factory.mktemp("stage")
    shutil.copytree(SAMPLES, folder / "samples")
    for name, source, seconds in (
        ("plate.mov", "actress.mp4", 0.5),
        ("two_shot.mov", "actress.mp4", 0.3),
        ("clip.mp4", "actress.mp4", 0.3),
        ("take.mp4", "smile.mp4", 0.6),
        ("other_take.mov", "actress.mp4", 0.2),
    ):
        copy(SAMPLES / source, folder / name, seconds)
    copy(SAMPLES / "actress.mp4", folder / "shot.%04d.png", 0.1)
    (folder / "stills").mkdir()
    shutil.copy(next(folder.glob("shot.*.png")), folder / "stills/her.png")
    (folder / "smile.yaml").write_text("curves:\n  AU12: {0: 0, 0.2s: 0.6}\n")
    (folder / "pair.yaml").write_text(
        "faces:\n  - {face: 0, curves: {AU12: 0.4}}\n  - {face: 1, curves: {AU04: 0.4}}\n"
    )
    shutil.copy(SAMPLES / "smile.csv", folder / "face.csv")
    shutil.copy(SAMPLES / "astronaut.png", folder / "portrait.png")
    job = "{source: plate.mov, driver: smile.yaml}"
    (folder / "jobs.yaml").write_text(f"output_dir: made\njobs: [{job}]\n")
    (folder / "jobs.csv").write_text("source,driver,strength\nplate.mov,smile.yaml,0.5\n")
    (folder / "plates").mkdir()
    shutil.copy(folder / "plate.mov", folder / "plates" / "sh010.mov")
    (folder / "cut.edl").write_text(
        "TITLE: CUT\nFCM: NON-DROP FRAME\n\n"
        "001  SH010    V     C        00:00:00:02 00:00:00:08 01:00:00:00 01:00:00:06\n"
        "* FROM CLIP NAME: sh010.mov\n"
    )
    report = ["-s", "plate.mov", "-d", "smile.yaml", "-o", "made.mp4", "--report", "run.json", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "retarget.pipeline.commands.main", *report], cwd=folder, check=False
    )
    assert done.returncode == 0
    (folder / "made.mp4").unlink()
    return folder


@pytest.fixture
def at(stage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of the stage, as the current folder."""
    folder = tmp_path / "stage"
    shutil.copytree(stage, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


# Commands


@pytest.mark.parametrize("command", [c for c in commands("retarget") if "mine.safetensors" not in c])
def test_a_command_of_the_documents(command: str, at: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = {path for path in at.rglob("*") if path.is_file()}
    assert main(shlex.split(command)[1:]) == 0, capfd.readouterr().err
    assert {path for path in at.rglob("*") if path.is_file()} > before, "and something is there that was not"


def test_there_are_commands() -> None:
    assert len(commands("retarget")) > 10
    assert len(commands("retarget-train")) > 6


@pytest.mark.parametrize("module", sorted(set(inline_modules())))
def test_a_module_that_can_be_run(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_the_command_that_ci_runs_is_the_readme_s() -> None:
    readme, ci = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", ".ci/run"))
    assert "<!-- tests -->" in readme
    assert "<!-- tests -->" in ci, "it is taken from there, not written again"


# Blocks


@pytest.mark.parametrize("block", [b for b in blocks("yaml") if not b.document.startswith("train/")], ids=str)
def test_a_curve_file_of_the_documents(block: Block, at: Path) -> None:
    path = at / "written.yaml"
    path.write_text(block.text)
    driver = load_driver(path, frame_rate=Fraction(24))
    assert driver.target(np.array([0.0, 1.0]), 0).values.shape[0] == 2


def test_the_settings_of_a_curve_file_load_when_pasted(tmp_path: Path) -> None:
    """Alone, in a folder without any of the files that the documents speak of; and they are the defaults."""
    (block,) = [b for b in blocks("yaml") if "version:" in b.text]
    path = tmp_path / "pasted.yaml"
    path.write_text(block.text)
    pasted = load_driver(path, frame_rate=Fraction(24))
    path.write_text("curves: {AU12: 0.5}\n")
    alone = load_driver(path, frame_rate=Fraction(24))
    seconds = np.array([0.0, 1.0, 90.0])
    assert (pasted.target(seconds, 0).values == alone.target(seconds, 0).values).all()
    assert (pasted.target(seconds, 0).weight == alone.target(seconds, 0).weight).all()


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_of_the_documents(block: Block, at: Path) -> None:
    if block.document == "samples/README.md":
        compile(block.text, str(block), "exec")
        return
    exec(compile(block.text, str(block), "exec"), {})  # noqa: S102 - our own documents


# The table of options, and the size of the front page


def options_table() -> str:
    return markdown_table((RetargetOptions, EncodeOptions))


def with_table(text: str) -> str:
    """A document with the table as it is declared now."""
    before, _, rest = text.partition("<!-- options -->\n")
    _, _, after = rest.partition("<!-- /options -->")
    return f"{before}<!-- options -->\n{options_table()}\n<!-- /options -->{after}"


def test_the_table_of_options_is_the_one_that_is_declared() -> None:
    text = (ROOT / "pipeline/README.md").read_text(encoding="utf-8")
    assert text == with_table(text), "python tests/test_docs.py writes it"
    assert "`--strength`" in text


def test_the_readme_is_a_front_page() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 220


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_are_named_are_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:pipeline|model|train|tests|samples|\.ci)/[\w./-]*)`", text))
    folder = (ROOT / document).parent
    missing = [name for name in sorted(named) if not (ROOT / name).exists() and not (folder / name).exists()]
    assert missing == []


if __name__ == "__main__":
    page = ROOT / "pipeline/README.md"
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")
