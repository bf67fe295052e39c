"""What is refused before anything is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from retarget.pipeline.errors import OptionError, RetargetError, VideoWriteError
from retarget.pipeline.usage import MOST_MOMENTS, check_film, check_plot, check_preview, check_roles, check_table


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "plate.mov"
    path.write_bytes(b"x")
    return path


def checks(output: Path, source: Path, *, overwrite: bool) -> list[Callable[[], None]]:
    """Every check of an output, with a suffix of its own."""
    return [
        lambda: check_film(output.with_suffix(".mov"), source, [source], overwrite=overwrite),
        lambda: check_table(output.with_suffix(".csv"), source, overwrite=overwrite),
        lambda: check_preview(output.with_suffix(".png"), None, [source], moments=6, overwrite=overwrite),
        lambda: check_plot(output.with_suffix(".svg"), [source], (), overwrite=overwrite),
    ]


def test_what_can_be_written_is_let_pass(tmp_path: Path, source: Path) -> None:
    for check in checks(tmp_path / "out", source, overwrite=False):
        check()
    check_preview(tmp_path / "a.jpg", tmp_path / "a.mkv", [source], moments=MOST_MOMENTS, overwrite=False)
    check_film(tmp_path / "out.%04d.png", source, [], overwrite=False)


def test_what_is_there_is_replaced_only_if_that_is_said(tmp_path: Path, source: Path) -> None:
    for suffix in (".mov", ".csv", ".png", ".svg"):
        (tmp_path / f"out{suffix}").write_text("precious")
    for check in checks(tmp_path / "out", source, overwrite=False):
        with pytest.raises(VideoWriteError, match="exists already; name another file or use --overwrite"):
            check()
    for check in checks(tmp_path / "out", source, overwrite=True):
        check()


def test_an_input_is_never_replaced(source: Path) -> None:
    with pytest.raises(VideoWriteError, match="is the source itself"):
        check_film(source, source, [], overwrite=True)
    with pytest.raises(VideoWriteError, match="is one of the files it is made from"):
        check_film(source, source.with_name("other.mov"), [source], overwrite=True)


@pytest.mark.parametrize("moments", [0, MOST_MOMENTS + 1])
def test_a_number_of_moments_that_makes_no_sheet(tmp_path: Path, moments: int) -> None:
    with pytest.raises(OptionError, match=f"{moments} moments make no contact sheet; use 1 to 24"):
        check_preview(tmp_path / "a.png", None, [], moments=moments, overwrite=False)


def test_what_no_plot_can_be_made_of(tmp_path: Path, source: Path) -> None:
    with pytest.raises(OptionError, match="no file to plot"):
        check_plot(tmp_path / "c.png", [], (), overwrite=False)
    with pytest.raises(RetargetError, match="unknown action unit 'AU99'"):
        check_plot(tmp_path / "c.png", [source], ("AU99",), overwrite=False)


@pytest.mark.parametrize(
    ("source", "driver", "said"),
    [
        ("smile.yaml", "plate.mov", "is keyframed curves, which drives and is not edited; .* look swapped"),
        ("take.csv", "plate.mov", "is text, such as a capture, which drives and is not edited; .* look swapped"),
        ("take.json", "smile.yaml", "name a film or pictures as the source"),
    ],
)
def test_a_driver_is_no_source(tmp_path: Path, source: str, driver: str, said: str) -> None:
    with pytest.raises(OptionError, match=f"{source}: .*{said}"):
        check_roles(tmp_path / source, [tmp_path / driver])


def test_a_film_is_a_source(source: Path) -> None:
    check_roles(source, [source.with_name("take.csv")])
    check_roles(source.with_name("shot.####.png"), [])
