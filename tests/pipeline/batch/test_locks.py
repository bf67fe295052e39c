"""Who works on what, and that a lock goes with its process."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from retarget.pipeline.batch.locks import LockedError, job_lock
from retarget.pipeline.batch.manifest import Manifest


def test_a_second_batch_is_told_who_has_the_first(tmp_path: Path) -> None:
    with Manifest(tmp_path):
        message = f"another batch is running on it .process {os.getpid()} on "
        with pytest.raises(LockedError, match=message) as refusal, Manifest(tmp_path):
            pass
        assert "\n" not in str(refusal.value)
    with Manifest(tmp_path):
        pass


def held_elsewhere(lock: str, folder: Path) -> subprocess.Popen[bytes]:
    """A process that holds the lock of that name in `locks`."""
    program = (
        f"import sys, time\nfrom pathlib import Path\nfrom retarget.pipeline.batch.locks import {lock}\n"
        f"with {lock}(Path(sys.argv[1])):\n    print('locked', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"
    return holder


def killed(holder: subprocess.Popen[bytes]) -> None:
    assert holder.stdout is not None
    holder.kill()
    holder.wait()
    holder.stdout.close()


def test_the_lock_goes_with_its_process(tmp_path: Path) -> None:
    holder = held_elsewhere("job_lock", tmp_path / "a")
    with pytest.raises(LockedError, match="another process still works on this job"):
        job_lock(tmp_path / "a", wait_seconds=0.1).__enter__()
    killed(holder)
    with job_lock(tmp_path / "a", wait_seconds=5):
        pass


def test_a_killed_batch_holds_nothing(tmp_path: Path) -> None:
    holder = held_elsewhere("batch_lock", tmp_path)
    with pytest.raises(LockedError, match=f"process {holder.pid} on .* since "), Manifest(tmp_path):
        pass
    killed(holder)
    with Manifest(tmp_path), pytest.raises(LockedError, match=f"process {os.getpid()} on "), Manifest(tmp_path):
        pass


def test_a_batch_that_has_just_started_has_no_name(tmp_path: Path) -> None:
    with Manifest(tmp_path):
        (tmp_path / ".retarget/.holder.json").unlink()
        with pytest.raises(LockedError, match=r"\(it has just started\); wait for it"), Manifest(tmp_path):
            pass


def test_a_job_that_is_done_soon_is_waited_for(tmp_path: Path) -> None:
    first = job_lock(tmp_path / "a")
    first.__enter__()
    later = threading.Timer(0.2, first.__exit__, (None, None, None))
    later.start()
    with job_lock(tmp_path / "a", wait_seconds=30):
        pass
    later.join()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, recwarn: pytest.WarningsRecorder
) -> None:
    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    pytest.importorskip("fcntl")
    monkeypatch.setattr("fcntl.flock", flock)
    message = r"cannot be locked \(.*\); use an --output-dir on a file system with locks"
    with pytest.raises(LockedError, match=message), Manifest(tmp_path):
        pass
    assert list(recwarn) == []
