"""Attacks on whole commands: what would let somebody in, or lose something."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retarget.pipeline.commands.main import main

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
CURVES = SAMPLES / "smile.yaml"
ENTRY = [sys.executable, "-m", "retarget.pipeline.commands.entry"]


def _run(*arguments: object, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    how = {"capture_output": True, "text": True, "timeout": 60, **options}
    if "stdout" in how or "stderr" in how:
        how.pop("capture_output")
    return subprocess.run([*ENTRY, *map(str, arguments)], cwd=cwd, **how)  # type: ignore[call-overload, no-any-return]


def _held_up(*_: object) -> None:
    raise TimeoutError


JOB = ("-s", SAMPLES / "actress.mp4", "-d", CURVES, "--trim-end", "0.1", "--refine", "0", "--device", "cpu")


def test_a_list_of_files_replaces_no_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = tmp_path / "real.mp4"
    film.write_bytes((SAMPLES / "actress.mp4").read_bytes())
    before = film.read_bytes()
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile real.mp4\n")
    assert main(["-s", str(tmp_path / "list.mp4"), "-d", str(CURVES), "-o", str(film), "--overwrite"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert film.read_bytes() == before


def test_whether_anybody_hears_it_changes_nothing(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        loud = _run(*JOB, "-o", "full.mp4", cwd=tmp_path, stdout=full, stderr=full)
    assert loud.returncode == 0
    script = 'exec "$@" >&- 2>&- <&-'
    command = ["sh", "-c", script, "sh", *ENTRY, *map(str, JOB), "-o", "closed.mp4"]
    assert subprocess.run(command, cwd=tmp_path, check=False, timeout=120).returncode == 0
    assert (tmp_path / "full.mp4").read_bytes() == (tmp_path / "closed.mp4").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGHUP", "SIGQUIT"])
def test_a_terminal_that_is_closed_leaves_nothing(tmp_path: Path, name: str) -> None:
    number = getattr(signal, name)
    command = [
        *ENTRY,
        "-s",
        str(SAMPLES / "actress.mp4"),
        "-d",
        str(CURVES),
        "-o",
        "o.mp4",
        "--preset",
        "veryslow",
    ]
    plain = {"preexec_fn": lambda: signal.signal(number, signal.SIG_DFL)}
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, **plain) as run:
        until = time.monotonic() + 100
        while not list(tmp_path.glob(".*.part.*")) and run.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        run.send_signal(number)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("-s", "{}.mp4", "-d", CURVES), ("-s", SAMPLES / "smile.mp4", "-d", "{}.yaml"),
        ("-s", SAMPLES / "smile.mp4", "-d", "{}.csv"), ("batch", "{}.yaml"), ("batch", "{}.otio"),
        ("curves", "{}.json"), ("track", "{}.png"),
    ],
)  # fmt: skip
def test_a_pipe_holds_nothing_up(
    tmp_path: Path,
    arguments: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = [str(argument).replace("{}", str(tmp_path / "pipe")) for argument in arguments]
    os.mkfifo(next(Path(name) for name in named if "pipe" in name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "set_wakeup_fd", lambda *_, **__: -1)
    signal.signal(signal.SIGALRM, _held_up)
    signal.alarm(60)
    try:
        assert main(named) == 2
    finally:
        signal.alarm(0)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_name_commands_no_terminal(tmp_path: Path) -> None:
    done = _run("track", tmp_path / "a\x1b]0;own\x07.mp4", cwd=tmp_path)
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert "\\x1b]0;own" in done.stderr


def test_a_report_that_is_handed_on_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plates").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "plates/a.mp4").symlink_to(SAMPLES / "actress.mp4")
    monkeypatch.chdir(tmp_path)
    job = ["-s", tmp_path / "plates/a.mp4", *JOB[2:], "-q"]
    assert main([*map(str, job), "-o", str(tmp_path / "out/o.mp4"), "--report", "out/run.json", "--portable"]) == 0
    text = (tmp_path / "out/run.json").read_text()
    assert str(tmp_path) not in text
    assert str(Path.home()) not in text or len(str(Path.home())) < 2
    details = json.loads(text)["details"]
    assert (details["source"], details["output"]) == ("../plates/a.mp4", "o.mp4")


@pytest.mark.slow
def test_a_user_without_a_home(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME")}
    done = _run("track", SAMPLES / "astronaut.png", "-o", "t.csv", cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@pytest.mark.slow
def test_the_clock_may_jump(tmp_path: Path) -> None:
    """Files of the future and of the past: only whether they stay the same counts."""
    source = tmp_path / "a.mp4"
    for when in (0, 4_000_000_000):
        source.write_bytes((SAMPLES / "actress.mp4").read_bytes())
        os.utime(source, (when, when))
        done = _run("-s", source, *JOB[2:], "-o", f"{when}.mp4", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "0.mp4").read_bytes() == (tmp_path / "4000000000.mp4").read_bytes()


@pytest.mark.slow
def test_the_clock_may_jump_while_it_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import itertools, time\n"
        "real, jumps = time.time, itertools.cycle((0, 86_400, -86_400, 4e9, -1e9))\n"
        "time.time = lambda: real() + next(jumps)\n"
        "time.time_ns = lambda: int(time.time() * 1e9)\n"
    )
    steady = _run(*JOB, "-o", "steady.mp4", cwd=tmp_path)
    jumping = _run(*JOB, "-o", "jumping.mp4", cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (steady.returncode, jumping.returncode) == (0, 0), jumping.stderr
    assert (tmp_path / "steady.mp4").read_bytes() == (tmp_path / "jumping.mp4").read_bytes()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
