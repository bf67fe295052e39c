"""As if on Windows: what a batch needs is imported without the modules that only POSIX systems have."""

from __future__ import annotations

import subprocess
import sys

POSIX_ONLY = ("fcntl", "grp", "pty", "pwd", "resource", "termios")


def test_the_batch_is_imported_without_posix() -> None:
    code = (
        "import sys, multiprocessing, subprocess, tempfile, pathlib\n"  # which have parts of their own for each
        f"sys.modules.update(dict.fromkeys({POSIX_ONLY!r}))\n"
        "from retarget.pipeline.commands import batch, entry, main\n"
        "from retarget.pipeline.batch import attempt, cluster, executor, locks, manifest, run, workers\n"
        "from retarget.pipeline.batch import worker_process\n"
        "from retarget.pipeline.jobs import load, sheet\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
