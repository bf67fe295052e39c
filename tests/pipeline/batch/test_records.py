"""Plain values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any


def test_entries_compare_by_value(entry: Any) -> None:
    assert entry(1) != replace(entry(1), key="")
