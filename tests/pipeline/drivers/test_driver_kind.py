"""What a driver is, by its name or by its first bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.drivers.driver_kind import kind_of_driver


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.yaml", b"", "curves"),
        ("a.CSV", b"", "capture"),
        ("a.json", b"", "capture"),
        ("a.mp4", b"a,b\n", "clip"),
        ("a.####.png", b"", "clip"),
        ("a.log", b"timestamp,AU12_r\n", "capture"),
        ("a", "zeit;AU12_r\n".encode("utf-16"), "capture"),
        ("a.bin", b"\x00\x01\x02", "clip"),
        ("a.bin", b"", "clip"),
    ],
)
def test_kinds(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert kind_of_driver(path) == kind


def test_what_is_not_there(tmp_path: Path) -> None:
    assert kind_of_driver(tmp_path / "none.abc") == "clip"
