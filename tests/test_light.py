"""Light stays light: what reads text or fills options loads no decoder, no network and no plots."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "torch",
    "av",
    "cv2",
    "ai_edge_litert",
    "mediapipe",
    "scipy",
    "matplotlib",
    "opentimelineio",
    "kornia",
    "scenedetect",
)

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


def loaded_by(statement: str, cwd: Path) -> list[str]:
    """The heavy libraries that are loaded in a fresh process once the statement has run."""
    code = f"{statement}\nimport sys\nprint('\\n'.join(m for m in {HEAVY!r} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    "statement",
    [
        "import retarget.pipeline, retarget.model, retarget.train",
        "from retarget.pipeline import RetargetOptions, EncodeOptions, FaceSelection, Report, RetargetError",
        "from retarget.pipeline import RetargetOptions as R; R(strength=0.5, regions=('mouth',), gains={'AU12': 2})",
        "import retarget.pipeline.options, retarget.pipeline.report, retarget.pipeline.usage",
        "import retarget.pipeline.records, retarget.pipeline.errors, retarget.pipeline.timecode",
        "import retarget.pipeline.commands.main, retarget.pipeline.commands.option_flags",
        "import retarget.pipeline.jobs.sheet, retarget.pipeline.jobs.sheet_yaml, retarget.pipeline.jobs.sheet_table",
        "import retarget.pipeline.jobs.job_settings, retarget.pipeline.jobs.job",
        "import retarget.pipeline.batch.manifest, retarget.pipeline.batch.records, retarget.pipeline.batch.paths",
        "from retarget.pipeline.batch import BatchOptions; from retarget.pipeline.jobs import Job, load_sheet",
        "from retarget.pipeline.drivers import DriverOptions, Measuring",
        "from retarget.pipeline.edit import FaceEdit, FaceRequest, PlanOptions",
        "from retarget.model import action_units, crop_spec, errors, face_chip, files, mesh, network_configs",
        "from retarget.train.gan import as_yaml, check_folder, load_options; as_yaml(load_options('paper'))",
    ],
)
def test_what_is_light(statement: str, tmp_path: Path) -> None:
    assert loaded_by(statement, tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--version"], 0, ""),
        (["--help"], 0, ""),
        (["batch", "--help"], 0, ""),
        (["preview", "--help"], 0, ""),
        (["track", "--help"], 0, ""),
        (["curves", "--help"], 0, ""),
        (["faces", "--help"], 0, ""),
        (["faces", "nowhere.mp4"], 2, "nowhere.mp4: no such file"),
        (["-s", "SAMPLE", "-d", "CURVES", "--face", "anna.png"], 2, "anna.png: no such file"),
        (["-s", "SAMPLE", "-d", "CURVES", "--driver-face", "person:0"], 2, "person:0 is nobody"),
        ([], 2, "the following arguments are required"),
        (["-s", "a.mp4", "-d", "b.yaml", "--strenght", "2"], 2, "unrecognized arguments: --strenght"),
        (["-s", "nowhere.mp4", "-d", "b.yaml"], 2, "nowhere.mp4: no such file"),
        (["-s", "SAMPLE", "-d", "nowhere.mp4"], 2, "nowhere.mp4: no such file"),
        (["-s", "SAMPLE", "-d", "CURVES", "--mode", "replace"], 2, "invalid choice: 'replace'"),
        (["-s", "SAMPLE", "-d", "CURVES", "--strength", "99"], 2, "strength 99.0 makes no sense"),
        (["-s", "SAMPLE", "-d", "CURVES", "--gain", "AU12"], 2, "'AU12' is not AU=NUMBER"),
        (["-s", "SAMPLE", "-d", "CURVES", "--gain", "AU99=1"], 2, "unknown action unit 'AU99'"),
        (["-s", "SAMPLE", "-d", "CURVES", "--region", "chin"], 2, "region 'chin' is none of"),
        (["-s", "SAMPLE", "-d", "CURVES", "--face", "tallest"], 2, "face 'tallest' is unknown"),
        (["-s", "SAMPLE", "-d", "CURVES", "--trim-start", "soon"], 2, "--trim-start 'soon'"),
        (["-s", "SAMPLE", "-d", "CURVES", "--frame-rate", "0"], 2, "frame rate '0' makes no sense"),
        (["-s", "SAMPLE", "-d", "CURVES", "-o", "out.avi"], 2, "out.avi: cannot write .avi"),
        (["-s", "SAMPLE", "-d", "CURVES", "-o", "nowhere/out.mp4"], 2, "the folder nowhere does not exist"),
        (["-s", "SAMPLE", "-d", "CURVES", "-o", "SAMPLE"], 2, "is the source itself"),
        (["track", "SAMPLE", "-o", "table.txt"], 2, "cannot write a tracking table as .txt"),
        (["track", "SAMPLE", "-o", "SAMPLE"], 2, "cannot write a tracking table"),
        (["preview", "-s", "SAMPLE", "-d", "CURVES", "--moments", "0"], 2, "0 moments make no contact sheet"),
        (["preview", "-s", "SAMPLE", "-d", "CURVES", "-o", "p.gif"], 2, "cannot write a contact sheet as .gif"),
        (["preview", "-s", "SAMPLE", "-d", "CURVES", "--side-by-side", "b.gif"], 2, "cannot write a comparison"),
        (["curves", "CURVES", "-o", "c.bmp"], 2, "cannot write a plot as .bmp"),
        (["curves", "CURVES", "--units", "AU99"], 2, "unknown action unit 'AU99'"),
        (["batch"], 2, "name either a sheet of jobs or --source"),
    ],
)
def test_usage_errors_come_before_anything_heavy(
    arguments: list[str], status: int, said: str, tmp_path: Path
) -> None:
    names = {"SAMPLE": str(SAMPLES / "actress.mp4"), "CURVES": str(SAMPLES / "smile.yaml")}
    given = [names.get(word, word) for word in arguments]
    code = (
        "import sys, contextlib, io\n"
        "from retarget.pipeline.commands.main import main\n"
        f"out, given = io.StringIO(), {given!r}\n"
        "try:\n"
        "    with contextlib.redirect_stdout(out):\n"
        "        status = main(given)\n"
        "except SystemExit as leaving:\n"
        "    status = leaving.code\n"
        f"print(status, *(m for m in {HEAVY!r} if m in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(status)]
    assert said in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []
