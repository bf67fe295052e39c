"""The real command line on real clips: what it writes, what it says, and what it leaves behind when it cannot."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.commands.main import main
from retarget.pipeline.drivers import read_series
from retarget.pipeline.media import open_video

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
ACTRESS, SMILE, CURVES = SAMPLES / "actress.mp4", SAMPLES / "smile.mp4", SAMPLES / "smile.yaml"
ASTRONAUT = SAMPLES / "astronaut.png"


def _run(*arguments: object, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "retarget.pipeline.commands.main", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload]


def _expression(clip: Path, folder: Path) -> np.ndarray:
    """(n, C) action units measured on a clip, through the command line."""
    table = folder / f"{clip.stem}.csv"
    assert main(["track", str(clip), "-o", str(table), "--overwrite", "-q"]) == 0
    return read_series(table).series.values


def test_the_first_command_of_the_readme(tmp_path: Path) -> None:
    done = _run("--source", ACTRESS, "--driver", SMILE, "--report", "run.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    output = tmp_path / "actress--smile.mp4"
    assert done.stdout.startswith("actress--smile.mp4: 78 frames, ")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["actress--smile.mp4", "run.json"]
    with open_video(ACTRESS) as before, open_video(output) as after:
        assert [f.pts * f.time_base for f in after] == [f.pts * f.time_base for f in before]

    # Her laugh gives way to his sober face, and comes back with his smile.
    smile = list(action_units.resolve("AU12"))
    own, driven = (_expression(clip, tmp_path)[:, smile].mean(axis=1) for clip in (ACTRESS, output))
    sober = slice(4, 14)
    assert driven[sober].mean() < 0.5 * own[sober].mean()
    assert driven[30:45].mean() > 3 * driven[sober].mean()

    report = json.loads((tmp_path / "run.json").read_text())
    assert report["frames"] == 78
    assert report["frames_edited"] > 60
    assert {"decode", "track", "render", "blend", "encode", "elapsed"} <= set(report["seconds"])
    assert "AU12L" in report["details"]["faces"][0]["v_rel"]


def test_a_tracked_clip_drives_like_the_clip(tmp_path: Path) -> None:
    table = tmp_path / "smile.csv"
    assert main(["track", str(SMILE), "-o", str(table), "-q"]) == 0
    reports = []
    for i, driver in enumerate((SMILE, table)):
        report, output = tmp_path / f"{i}.json", tmp_path / f"{i}.mp4"
        assert main(["-s", str(ACTRESS), "-d", str(driver), "-o", str(output), "--report", str(report), "-q"]) == 0
        reports.append(json.loads(report.read_text())["details"]["faces"][0]["v_rel"])
    for name in ("AU12L", "AU25", "AU06R"):
        np.testing.assert_allclose(reports[0][name], reports[1][name], atol=0.02)


def test_curves_and_preview_write_pictures(tmp_path: Path) -> None:
    assert main(["curves", str(CURVES), "-o", str(tmp_path / "c.png"), "-q"]) == 0
    sheet = [
        "preview",
        "-s",
        str(ACTRESS),
        "-d",
        str(CURVES),
        "-o",
        str(tmp_path / "p.png"),
        "--moments",
        "3",
        "-q",
    ]
    assert main([*sheet, "--trim-end", "1", "--debug", "--side-by-side", str(tmp_path / "s.mp4")]) == 0
    for name in ("c.png", "p.png"):
        assert cv2.imread(str(tmp_path / name)).std() > 10
    with open_video(tmp_path / "s.mp4") as reader:
        assert reader.info.width >= 1280
        assert sum(1 for _ in reader) == 24


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_it_explains_itself(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([flag])
    assert stop.value.code == 0
    assert "retarget" in capsys.readouterr().out


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A folder of everything that can be wrong with a file."""
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a film")
    (folder / "noise.mp4").write_bytes(bytes(np.random.default_rng(0).integers(0, 256, 5000, np.uint8)))
    (folder / "cut short.mp4").write_bytes(ACTRESS.read_bytes()[:2000])
    (folder / "folder.mp4").mkdir()
    cv2.imwrite(str(folder / "wall.png"), np.full((240, 320, 3), 120, np.uint8))
    astronaut = cv2.imread(str(SAMPLES / "astronaut.png"))
    cv2.imwrite(str(folder / "far.png"), cv2.resize(astronaut, (128, 128), interpolation=cv2.INTER_AREA))
    (folder / "unknown.yaml").write_text("curves: {AU13: 0.5}\n")
    (folder / "time.yaml").write_text("curves:\n  AU12:\n    soon: 0.5\n")
    (folder / "twice.yaml").write_text("curves:\n  AU12: 0.5\n  AU12: 0.6\n")
    (folder / "nan.yaml").write_text("curves: {AU12: .nan}\n")
    (folder / "object.yaml").write_text("!!python/object/apply:os.system [echo hi]\n")
    (folder / "columns.csv").write_text("a,b\n1,2\n")
    (folder / "no units.csv").write_text("frame,timestamp,confidence,success\n1,0,1,1\n")
    (folder / "weights.safetensors").write_bytes(b"\x80\x04pickle?")
    return folder


BAD: list[tuple[str, list[str], str]] = [
    ("missing source", ["-s", "{bad}/none.mp4", "-d", "{curves}"], r"none\.mp4: no such file"),
    ("missing driver", ["-s", "{actress}", "-d", "{bad}/none.mp4"], r"none\.mp4: no such file"),
    ("empty", ["-s", "{bad}/empty.mp4", "-d", "{curves}"], r"empty\.mp4.*empty"),
    ("text", ["-s", "{bad}/text.mp4", "-d", "{curves}"], r"text\.mp4"),
    ("noise", ["-s", "{bad}/noise.mp4", "-d", "{curves}"], r"noise\.mp4"),
    ("cut short", ["-s", "{bad}/cut short.mp4", "-d", "{curves}"], r"cut short\.mp4"),
    ("a folder", ["-s", "{bad}/folder.mp4", "-d", "{curves}"], r"folder\.mp4.*folder"),
    ("no sequence", ["-s", "{bad}/shot.%04d.png", "-d", "{curves}"], r"shot\.%04d\.png"),
    ("no face", ["-s", "{bad}/wall.png", "-d", "{curves}"], r"wall\.png: no face found"),
    ("no face in the driver", ["-s", "{actress}", "-d", "{bad}/wall.png"], r"wall\.png: no face found"),
    ("a face too small", ["-s", "{bad}/far.png", "-d", "{curves}"], r"far\.png: the largest face is \d+ px.*--min-face"),
    ("unknown unit", ["-s", "{actress}", "-d", "{bad}/unknown.yaml"], r"unknown\.yaml.*AU13.*did you mean AU12"),
    ("bad time", ["-s", "{actress}", "-d", "{bad}/time.yaml"], r"time\.yaml, line 3.*soon"),
    ("duplicate key", ["-s", "{actress}", "-d", "{bad}/twice.yaml"], r"twice\.yaml, line 3.*AU12"),
    ("not a number", ["-s", "{actress}", "-d", "{bad}/nan.yaml"], r"nan\.yaml"),
    ("yaml with objects", ["-s", "{actress}", "-d", "{bad}/object.yaml"], r"object\.yaml"),
    ("foreign csv", ["-s", "{actress}", "-d", "{bad}/columns.csv"], r"columns\.csv"),
    ("csv without units", ["-s", "{actress}", "-d", "{bad}/no units.csv"], r"no units\.csv"),
    ("not a checkpoint", ["-s", "{actress}", "-d", "{curves}", "--checkpoint", "{bad}/weights.safetensors"], r"weights"),
    ("no checkpoint", ["-s", "{actress}", "-d", "{curves}", "--checkpoint", "{bad}/x.safetensors"], r"x\.safetensors"),
    ("output is source", ["-s", "{actress}", "-d", "{curves}", "-o", "{actress}", "--overwrite"], r"actress\.mp4.*source"),
    ("output is driver", ["-s", "{actress}", "-d", "{smile}", "-o", "{smile}", "--overwrite"], r"smile\.mp4.*made from"),
    ("report is source", ["-s", "{actress}", "-d", "{curves}", "--report", "{actress}", "--overwrite"], r"actress\.mp4"),
    ("report is output", ["-s", "{actress}", "-d", "{curves}", "-o", "o.mp4", "--report", "o.mp4"], r"o\.mp4"),
    ("report exists", ["-s", "{actress}", "-d", "{curves}", "--report", "{bad}/text.mp4"], r"text\.mp4.*--overwrite"),
    ("report nowhere", ["-s", "{actress}", "-d", "{curves}", "--report", "{bad}/deep/r.json"], r"r\.json.*folder"),
    ("no such folder", ["-s", "{actress}", "-d", "{curves}", "-o", "{bad}/deep/er/o.mp4"], r"o\.mp4.*folder"),
    ("no such format", ["-s", "{actress}", "-d", "{curves}", "-o", "o.xyz"], r"o\.xyz.*\.mp4"),
    ("prores in mp4", ["-s", "{actress}", "-d", "{curves}", "-o", "o.mp4", "--encoder", "prores"], r"prores.*\.mov"),
    ("no such encoder", ["-s", "{actress}", "-d", "{curves}", "-o", "o.mp4", "--encoder", "magic"], r"magic"),
    ("pixel format", ["-s", "{actress}", "-d", "{curves}", "-o", "o.mp4", "--pix-fmt", "rgb48le"], r"rgb48le.*yuv420p"),
    ("region", ["-s", "{actress}", "-d", "{curves}", "--region", "nose"], r"region 'nose'.*upper, lower, eyes, mouth"),
    ("gain", ["-s", "{actress}", "-d", "{curves}", "--gain", "AU99=1"], r"AU99"),
    ("strength", ["-s", "{actress}", "-d", "{curves}", "--strength", "nan"], r"strength nan"),
    ("trim", ["-s", "{actress}", "-d", "{curves}", "--trim-start", "99"], r"actress\.mp4.*99 s"),
    ("trim end", ["-s", "{actress}", "-d", "{curves}", "--trim-end", "-1"], r"trim from 0 to -1 s is empty"),
    ("smallest face", ["-s", "{actress}", "-d", "{curves}", "--min-face", "-3"], r"-3 px"),
    ("time", ["-s", "{actress}", "-d", "{curves}", "--trim-start", "later"], r"--trim-start 'later'.*HH:MM:SS"),
    ("neutral", ["-s", "{actress}", "-d", "{curves}", "--neutral", "x.png"], r"--driver-neutral 'x\.png'"),
    ("face", ["-s", "{actress}", "-d", "{curves}", "--face", "5"], r"--face"),
    ("face words", ["-s", "{actress}", "-d", "{curves}", "--face", "pretty"], r"'pretty'.*left-right"),
    ("device", ["-s", "{actress}", "-d", "{curves}", "--device", "warp9"], r"'warp9'"),
    ("no reference", ["-s", "{actress}", "-d", "{curves}", "--reference", "{bad}/none.mp4"], r"none\.mp4: no such file"),
    ("empty references", ["-s", "{actress}", "-d", "{curves}", "--reference", "{bad}/folder.mp4"], r"folder\.mp4: has no films or pictures"),
    ("text as reference", ["-s", "{actress}", "-d", "{curves}", "--reference", "{bad}/text.mp4"], r"text\.mp4"),
    ("nobody to refer to", ["-s", "{actress}", "-d", "{curves}", "--reference", "{bad}/wall.png"], r"wall\.png: no face found in any frame"),
    ("another's face", ["-s", "{actress}", "-d", "{curves}", "--trim-end", "0.1", "--reference", "{actress}", "{astronaut}"],
     r"astronaut\.png: shows nobody who is edited; the nearest is at a distance of 0\.\d\d, where 0\.6 is the limit"),
    ("output is reference", ["-s", "{actress}", "-d", "{curves}", "-o", "{smile}", "--overwrite", "--reference", "{smile}"], r"smile\.mp4.*made from"),
    ("output in references", ["-s", "{actress}", "-d", "{curves}", "-o", "{samples}/o.mp4", "--reference", "{samples}"], r"o\.mp4: lies in .*samples, which is"),
    ("no arguments", [], r"required.*--help"),
    ("track to png", ["track", "{actress}", "-o", "t.png"], r"t\.png"),
    ("track to nowhere", ["track", "{actress}", "-o", "{bad}/deep/t.csv"], r"t\.csv.*folder"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_bad_input_gets_one_line_and_leaves_nothing(
    arguments: list[str],
    message: str,
    bad: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    before = ACTRESS.read_bytes(), SMILE.read_bytes()
    files = {"actress": ACTRESS, "smile": SMILE, "curves": CURVES, "astronaut": ASTRONAUT, "samples": SAMPLES}
    filled = [a.format(bad=bad, **files) for a in arguments]
    try:
        status = main(filled)
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr()
    assert status == 2, said.err
    assert said.out == ""
    assert len(said.err.splitlines()) == 1, said.err
    assert said.err.startswith(("retarget: ", "retarget track: "))
    assert re.search(message, said.err), said.err
    assert list(here.iterdir()) == []
    assert (ACTRESS.read_bytes(), SMILE.read_bytes()) == before


def test_an_existing_output_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "o.mp4"
    output.write_text("precious")
    assert main(["-s", str(ACTRESS), "-d", str(CURVES), "-o", str(output)]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert output.read_text() == "precious"


def test_interrupting_leaves_nothing(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "retarget.pipeline.commands.main",
        "-s",
        str(ACTRESS),
        "-d",
        str(SMILE),
        "-o",
        "o.mp4",
    ]
    with subprocess.Popen(
        [*command, "--preset", "veryslow"], cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 120
        while not list(tmp_path.iterdir()) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)  # until the output is being written under its hidden name
        assert process.poll() is None, "ended before it could be interrupted"
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.strip() == "retarget: interrupted; nothing was written"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("after_seconds", [0.3, 1.0])
def test_interrupting_while_it_starts_is_quiet_too(after_seconds: float, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "retarget.pipeline.commands.entry", "-s", str(ACTRESS), "-d", str(SMILE)]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(after_seconds)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors.strip() == "retarget: interrupted; nothing was written"
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_fails_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    done = _run(
        "-s", ACTRESS, "-d", CURVES, "-o", "o.mkv", "--encoder", "ffv1", cwd=tmp_path, preexec_fn=small_files
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("retarget: ")
    assert list(tmp_path.iterdir()) == []
