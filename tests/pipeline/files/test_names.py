"""Names: paths as people write them, and such as no file has."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from retarget.pipeline.errors import OptionError
from retarget.pipeline.files import UniqueNames, check_name, home_expanded


def test_home_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert home_expanded("~/a.mov", Path("/jobs")) == Path("/home/ann/a.mov")
    assert home_expanded("a.mov", Path("/jobs")) == Path("/jobs/a.mov")
    assert home_expanded("~x.mov", Path("/jobs")) == Path("/jobs/~x.mov"), "a name may begin like that"


def test_an_unknown_user() -> None:
    with pytest.raises(OptionError, match="there is no home folder ~nobody_here; write the path out"):
        home_expanded("~nobody_here/a.mov", Path("/jobs"))


@pytest.mark.parametrize("name", ["a\0b.mov", "\ud800.mov", "x" * 256, "folder/" + "x" * 300])
def test_what_no_file_is_called(name: str) -> None:
    with pytest.raises(OptionError, match=r"has a character that no file name|is longer than a file name"):
        check_name(name)


def test_unique_names_take_no_time() -> None:
    names, started = UniqueNames("-"), time.perf_counter()
    found = [names.of("A" if i % 2 else "a") for i in range(20_000)]
    assert found[:3] == ["a", "A-2", "a-3"]
    assert len(set(map(str.casefold, found))) == len(found)
    assert time.perf_counter() - started < 2
