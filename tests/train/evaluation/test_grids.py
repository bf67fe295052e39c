"""Grids have names that any file system takes."""

from __future__ import annotations

from retarget.train.evaluation.grids import file_name, safe_name


def test_grids_have_names_any_file_system_takes() -> None:
    assert file_name("worst", "paper w/o v_rel (k=3)") == "worst-paper-w-o-v_rel-k-3.png"
    assert file_name("worst", "///") == "worst-method.png"
    assert [safe_name(label) for label in ("..", ".", "a/../b", ".hidden")] == [
        "method",
        "method",
        "a-..-b",
        "hidden",
    ]
