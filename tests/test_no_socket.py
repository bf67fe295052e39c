"""Nothing is sent and nothing is fetched: every job runs under strace, and no address is asked for or reached.

strace sees what any library does, in any thread and child, through Python or past it. The jobs run with the
trackers and libraries of the installation; a release that reports its use fails here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLES = Path(__file__).resolve().parents[1] / "samples"

CALLS = "connect,sendto,sendmsg,sendmmsg,bind"
LOCAL = ("AF_UNIX", "AF_UNSPEC", "AF_NETLINK")
"""Sockets between processes of one machine, and the kernel's own tables."""

_FAMILY = re.compile(r"sa_family=(AF_\w+)")


def strangers(trace: str) -> list[str]:
    """The calls of a trace that name an address which is not local."""
    return [
        line
        for line in trace.splitlines()
        if any(family not in LOCAL for family in _FAMILY.findall(line)) and not _is_loopback(line)
    ]


def _is_loopback(line: str) -> bool:
    """Whether the only addresses are this machine's own; port 53 of it is a resolver that asks others."""
    addresses = re.findall(r'inet_addr\("([\d.]+)"\)|inet_pton\(AF_INET6, "([^"]+)"', line)
    named = [four or six for four, six in addresses]
    return (
        bool(named) and all(name.startswith("127.") or name == "::1" for name in named) and "htons(53)" not in line
    )


def traced(command: list[str], folder: Path) -> str:
    """What a program says to the network, it and all it starts."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    trace = folder / "trace.txt"
    strace = ["strace", "-f", "-qq", "-e", f"trace={CALLS}", "-o", str(trace)]
    done = subprocess.run([*strace, *command], cwd=folder, capture_output=True, text=True, timeout=600)
    if "ptrace" in done.stderr and not trace.exists():
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    return trace.read_text(encoding="utf-8", errors="replace")


def retarget(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "retarget.pipeline.commands.entry", *arguments]


CLIP, DRIVER = str(SAMPLES / "actress.mp4"), str(SAMPLES / "smile.mp4")
SHORT = ("--trim-end", "0.5")

JOBS = {
    "main job": retarget("-s", CLIP, "-d", DRIVER, "-o", "out.mp4", *SHORT),
    "track": retarget("track", DRIVER, "-o", "out.csv", *SHORT),
    "preview": retarget("preview", "-s", CLIP, "-d", DRIVER, "-o", "out.png", *SHORT),
    "batch": retarget("batch", "-s", CLIP, "-d", DRIVER, "-o", "out", "--cache-dir", "cache", *SHORT),
    "track with mediapipe": retarget("track", DRIVER, "-o", "out.csv", "--tracker", "mediapipe", *SHORT),
}


@pytest.mark.parametrize("job", JOBS)
def test_a_job_speaks_to_nobody(job: str, tmp_path: Path) -> None:
    if "mediapipe" in job:
        pytest.importorskip("mediapipe")
    assert strangers(traced(JOBS[job], tmp_path)) == []


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.getaddrinfo('example.org', 443)",
        "import socket; s = socket.socket(); s.settimeout(0.2); s.connect(('192.0.2.1', 80))",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 80))",
        "import ctypes as c; c.CDLL(None).getaddrinfo(b'example.org', b'443', None, c.byref(c.c_void_p()))",
    ],
)
def test_who_speaks_is_caught(code: str, tmp_path: Path) -> None:
    speaks = f"try:\n    exec({code!r})\nexcept OSError:\n    pass"
    assert strangers(traced([sys.executable, "-c", speaks], tmp_path)) != []


def test_what_counts_as_local() -> None:
    to = "1 connect(3, {sa_family="
    assert strangers(f'{to}AF_UNIX, sun_path="/run/nscd"}}, 110) = -1') == []
    assert strangers(f'{to}AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}}, 16) = 0') == []
    assert strangers(f'{to}AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.53")}}, 16) = 0') != []
    assert strangers(f'{to}AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.1")}}, 16) = 0') != []
    assert (
        strangers(f'{to}AF_INET6, sin6_port=htons(1), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr)}}, 28)') != []
    )
