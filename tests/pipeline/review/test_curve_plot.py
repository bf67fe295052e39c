"""Curves as pictures: what is drawn is looked up in the figure itself, not in its pixels."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import matplotlib.pyplot
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from retarget.model import action_units
from retarget.pipeline.errors import (
    DriverError,
    OptionError,
    UnknownActionUnitError,
    VideoOpenError,
    VideoWriteError,
)
from retarget.pipeline.faces import FaceSelection
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.records import ExpressionSeries
from retarget.pipeline.review import curve_plot as plot
from retarget.pipeline.review import curve_reading
from retarget.pipeline.review.curve_plot import plot_curves

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
AU12L, AU12R = action_units.resolve("AU12")
(AU17,) = action_units.resolve("AU17")

OPENFACE = """frame, face_id, timestamp, confidence, success, AU12_r, AU17_r, AU45_r
1, 0, 0.0, 0.98, 1, 0.0, 1.00, 0.1
2, 0, 0.1, 0.98, 1, 2.5, 1.05, 0.1
3, 0, 0.2, 0.98, 1, 5.0, 1.00, 4.0
"""


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are made."""
    figures: list[Figure] = []
    draw = plot.draw

    def keeping(*args: Any) -> Figure:
        figures.append(draw(*args))
        return figures[-1]

    monkeypatch.setattr(plot, "draw", keeping)
    return figures


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def curve(folder: Path, text: str, name: str = "curve.yaml") -> Path:
    return write(folder, name, f"curves: {text}\n")


def shown(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.get_visible()]


def lines(axes: Axes) -> list[Any]:
    """The curves, without the line at zero."""
    return [line for line in axes.get_lines() if line.get_color() != "#999999"]


def value_at(line: Any, seconds: float) -> float:
    return float(np.interp(seconds, line.get_xdata(), line.get_ydata()))


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


# Drivers


def test_curve_is_drawn_as_keyed(drawn: list[Figure], tmp_path: Path) -> None:
    path = curve(tmp_path, "{AU12: {ease: linear, keys: {0: 0, 1: 0.8}}}")
    assert plot_curves([path], tmp_path / "out.png") == ("AU12",)
    (axes,) = shown(drawn[0])
    (line,) = lines(axes)  # both sides agree: one line
    assert value_at(line, 0.5) == pytest.approx(0.4, abs=1e-6)
    assert value_at(line, 1.0) == pytest.approx(0.8, abs=1e-6)
    assert axes.get_title(loc="left") == r"$\mathbf{AU12}$   lip corner puller"
    assert legend(drawn[0]) == ["curve.yaml"]
    assert axes.get_ylim()[0] == pytest.approx(-0.03)


def test_sides_are_solid_and_dashed_in_one_panel(drawn: list[Figure], tmp_path: Path) -> None:
    path = curve(tmp_path, "{AU12L: {keys: {0: 0.7, 1: 0.7}}, AU12R: {keys: {0: 0.2, 1: 0.2}}}")
    plot_curves([path], tmp_path / "out.png")
    left, right = lines(shown(drawn[0])[0])
    assert (left.get_linestyle(), value_at(left, 0.5)) == ("-", pytest.approx(0.7))
    assert (right.get_linestyle(), value_at(right, 0.5)) == ("--", pytest.approx(0.2))
    assert legend(drawn[0])[1:] == ["left (the subject's)", "right"]


def test_panels_come_most_active_first_and_relaxing_last(drawn: list[Figure], tmp_path: Path) -> None:
    path = curve(tmp_path, "{AU04: {keys: {0: 0}}, AU17: {keys: {0: 0.2}}, AU45: {keys: {0: 0.9}}}")
    assert plot_curves([path], tmp_path / "out.png") == ("AU45", "AU17", "AU04")


def test_at_most_twelve_panels_unless_named(tmp_path: Path) -> None:
    names = [unit.name for unit in action_units.ACTION_UNITS]
    path = curve(tmp_path, "{" + ", ".join(f"{n}: {{keys: {{0: 0.5}}}}" for n in names[:14]) + "}")
    assert len(plot_curves([path], tmp_path / "a.png")) == 12
    assert plot_curves([path], tmp_path / "b.png", units=names[:13]) == tuple(names[:13])


def test_named_units_choose_order_and_side(drawn: list[Figure], tmp_path: Path) -> None:
    path = curve(tmp_path, "{AU12L: {keys: {0: 0.7}}, AU12R: {keys: {0: 0.2}}, AU04: {keys: {0: 0.1}}}")
    assert plot_curves([path], tmp_path / "out.png", units=["chin raiser", "AU12R"]) == ("AU17", "AU12")
    chin, lips = shown(drawn[0])
    assert lines(chin) == []
    assert [(line.get_linestyle(), value_at(line, 0.5)) for line in lines(lips)] == [("--", pytest.approx(0.2))]
    assert lips.get_title(loc="left") == r"$\mathbf{AU12R}$   lip corner puller, right"


def test_weight_below_one_is_shaded_and_breaks_the_line(drawn: list[Figure], tmp_path: Path) -> None:
    path = curve(tmp_path, "{AU12: {keys: {0: 0.5, 2: 0.5}, ranges: [{in: 0.5, out: 1.5}]}}")
    plot_curves([path], tmp_path / "out.png")
    (axes,) = shown(drawn[0])
    line = lines(axes)[0]
    values = dict(zip(np.round(line.get_xdata(), 3).tolist(), line.get_ydata().tolist(), strict=True))
    near = {t: values[min(values, key=lambda x: abs(x - t))] for t in (0.25, 1.0, 1.75)}
    assert [math.isnan(near[t]) for t in (0.25, 1.0, 1.75)] == [True, False, True]
    shaded = [path_.get_extents() for band in axes.collections for path_ in band.get_paths()]
    assert min(box.x0 for box in shaded) == pytest.approx(0.0)
    assert not any(box.x0 < 1.0 < box.x1 for box in shaded)
    assert "weight below 1" in legend(drawn[0])


def test_negative_additions_widen_the_range(drawn: list[Figure], tmp_path: Path) -> None:
    path = curve(tmp_path, "{AU01: {blend: add, keys: {0: -0.4, 1: 0.4}}}")
    plot_curves([path], tmp_path / "out.png")
    (axes,) = shown(drawn[0])
    assert axes.get_ylim()[0] == pytest.approx(-1.06)
    assert [text.get_text() for text in axes.texts] == ["added to the performance"]


def test_faces_of_a_curve_file_have_colours_of_their_own(drawn: list[Figure], tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "two.yaml",
        "faces:\n"
        "  - {face: 0, curves: {AU12: {keys: {0: 0.9}}}}\n"
        "  - {face: 1, curves: {AU12: {keys: {0: 0.3}}}}\n"
        "curves: {AU12: {keys: {0: 0.6}}}\n",
    )
    plot_curves([path], tmp_path / "out.png")
    found = lines(shown(drawn[0])[0])
    assert [value_at(line, 0.5) for line in found] == [pytest.approx(v) for v in (0.9, 0.3, 0.6)]
    assert len({line.get_color() for line in found}) == 3
    assert legend(drawn[0]) == ["two.yaml face 0", "two.yaml face 1", "two.yaml other faces"]


# Measurements


def test_capture_shows_what_was_measured(drawn: list[Figure], tmp_path: Path) -> None:
    path = write(tmp_path, "face.csv", OPENFACE)
    assert plot_curves([path], tmp_path / "out.png") == ("AU12", "AU45")  # AU17 hardly moves
    lips = lines(shown(drawn[0])[0])[0]
    np.testing.assert_allclose(lips.get_ydata(), [0, 0.5, 1.0], atol=1e-6)
    np.testing.assert_allclose(lips.get_xdata(), [0, 0.1, 0.2], atol=1e-6)


def series_of(seconds: list[float], values: list[float]) -> ExpressionSeries:
    table = np.zeros((len(seconds), action_units.COUNT), np.float32)
    table[:, AU17] = values
    return ExpressionSeries(
        np.array(seconds), table, np.ones(action_units.COUNT, np.bool_), np.ones(len(seconds), np.float32)
    )


def test_clip_is_tracked_with_the_driver_face_asked_for(
    drawn: list[Figure], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Path, int | None]] = []

    def fake(path: Path, selection: FaceSelection, options: Any, **_: Any) -> ExpressionSeries:
        asked.append((path, selection.index))
        return series_of([0, 0.1, 0.2, 1.5, 1.6], [0.1, 0.2, 0.4, 0.6, 0.8])

    monkeypatch.setattr(curve_reading, "clip_series", fake)
    options = RetargetOptions(driver_faces=FaceSelection.parse("2"))
    assert plot_curves(["a.mp4"], tmp_path / "out.png", options=options) == ("AU17",)
    assert asked == [(Path("a.mp4"), 2)]
    values = lines(shown(drawn[0])[0])[0].get_ydata()
    np.testing.assert_allclose(values, [0.1, 0.2, 0.4, math.nan, 0.6, 0.8], atol=1e-6)  # lost for a second


def test_picture_is_a_level_line(drawn: list[Figure], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curve_reading, "clip_series", lambda *_, **__: series_of([0.0], [0.6]))
    assert plot_curves(["a.png"], tmp_path / "out.png") == ("AU17",)
    line = lines(shown(drawn[0])[0])[0]
    assert list(line.get_xdata()) == [0.0, 1.0]
    np.testing.assert_allclose(line.get_ydata(), [0.6, 0.6])


def test_real_picture(tmp_path: Path) -> None:
    units = plot_curves([SAMPLES / "astronaut.png", SAMPLES / "smile.yaml"], tmp_path / "out.png")
    assert units[0] in ("AU45", "AU12")  # she smiles broadly
    assert "AU25" in units


# Reports


def test_report_shows_own_requested_and_change(drawn: list[Figure], tmp_path: Path) -> None:
    face = {
        "shot": 0,
        "face": 0,
        "size_px": 100.0,
        "seconds": [0.0, 0.1, 0.2],
        "allowed": [1.0, 0.5, 0.0],
        "own": {"AU12L": [0.1, 0.2, 0.3], "AU04R": [0.5, 0.5, 0.5]},
        "v_rel": {"AU12L": [0.2, 0.4, 0.0], "AU04R": [-0.5, -0.25, 0.0]},
    }
    path = write(tmp_path, "run.json", json.dumps({"frames": 3, "details": {"source": "a.mp4", "faces": [face]}}))
    assert plot_curves([path], tmp_path / "out.png") == ("AU04", "AU12")
    brows, lips = shown(drawn[0])
    own, wanted, change = lines(lips)
    np.testing.assert_allclose(own.get_ydata(), [0.1, 0.2, 0.3])
    np.testing.assert_allclose(wanted.get_ydata(), [0.3, 0.6, 0.3])
    np.testing.assert_allclose(change.get_ydata(), [0.2, 0.4, 0.0])
    assert [line.get_linestyle() for line in lines(brows)] == ["--"] * 3
    assert lips.get_ylim()[0] == pytest.approx(-1.06)
    names = legend(drawn[0])
    assert names[:3] == ["run.json  own expression", "run.json  requested", "run.json  change (v_rel)"]
    assert "weight below 1" in names


# The figure and the file


def test_files_share_panels_in_colours_of_their_own(drawn: list[Figure], tmp_path: Path) -> None:
    a = curve(tmp_path, "{AU12: {keys: {0: 0.5}}}", "a.yaml")
    b = curve(tmp_path, "{AU12: {keys: {0: 0.7}}, AU17: {keys: {0: 0.1}}}", f"{'b' * 80}.yaml")
    plot_curves([a, b], tmp_path / "out.png")
    lips, chin = shown(drawn[0])
    assert [line.get_color() for line in lines(lips)] == list(plot.COLORS[:2])
    assert [line.get_color() for line in lines(chin)] == [plot.COLORS[1]]
    assert legend(drawn[0])[0] == "a.yaml"
    assert len(legend(drawn[0])[1]) == plot.LEGEND_CHARACTERS


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 1), (4, 2), (8, 2), (9, 3), (12, 3)])
def test_panels_lie_on_a_grid(count: int, columns: int, drawn: list[Figure], tmp_path: Path) -> None:
    units = [unit.name for unit in action_units.ACTION_UNITS][:count]
    path = curve(tmp_path, "{AU12: {keys: {0: 0.5}}}")
    plot_curves([path], tmp_path / "out.svg", units=units)
    axes = shown(drawn[0])
    assert len(axes) == count
    assert len({round(a.get_position().x0, 3) for a in axes}) == columns
    assert sum(bool(a.get_xlabel()) for a in axes) == min(columns, count)


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_format_follows_the_suffix(suffix: str, magic: bytes, tmp_path: Path) -> None:
    path = curve(tmp_path, "{AU12: {keys: {0: 0.5}}}")
    plot_curves([path], tmp_path / f"out.{suffix}")
    assert (tmp_path / f"out.{suffix}").read_bytes().startswith(magic)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["curve.yaml", f"out.{suffix}"]


def test_pyplot_is_left_alone(tmp_path: Path) -> None:
    plot_curves([curve(tmp_path, "{AU12: {keys: {0: 0.5}}}")], tmp_path / "out.png")
    assert matplotlib.pyplot.get_fignums() == []


def test_existing_file_needs_overwrite(tmp_path: Path) -> None:
    path, output = curve(tmp_path, "{AU12: {keys: {0: 0.5}}}"), write(tmp_path, "out.png", "mine")
    with pytest.raises(VideoWriteError, match=r"out\.png: exists already; name another file or use --overwrite"):
        plot_curves([path], output)
    assert output.read_text() == "mine"
    plot_curves([path], output, overwrite=True)
    assert output.read_bytes().startswith(b"\x89PNG")


def test_other_suffix_is_refused(tmp_path: Path) -> None:
    path = curve(tmp_path, "{AU12: {keys: {0: 0.5}}}")
    with pytest.raises(OptionError, match=r"out\.jpg: cannot write a plot as \.jpg; use \.png, \.pdf, \.svg"):
        plot_curves([path], tmp_path / "out.jpg")


def test_nothing_to_draw_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"no file to plot; give a curve"):
        plot_curves([], tmp_path / "out.png")
    still = "timestamp, confidence, success, AU12_r\n0, 1, 1, 1.0\n0.1, 1, 1, 1.01\n"
    path = write(tmp_path, "still.csv", still)
    with pytest.raises(DriverError, match=r"still\.csv: no action unit moves; name the ones to draw"):
        plot_curves([path], tmp_path / "out.png")
    assert plot_curves([path], tmp_path / "out.png", units=["AU12"]) == ("AU12",)


def test_unknown_unit_and_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownActionUnitError, match="unknown action unit 'AU99'"):
        plot_curves(["a.yaml"], tmp_path / "out.png", units=["AU99"])
    with pytest.raises(VideoOpenError, match=r"none\.mp4: no such file"):
        plot_curves([tmp_path / "none.mp4"], tmp_path / "out.png")


def test_what_was_assumed_in_reading_is_told(drawn: list[Figure], tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "frame,AU12_r\n1,0\n2,5\n")
    told: list[str] = []
    plot_curves([path, path], tmp_path / "out.png", note=told.append)
    assert told == ["a.csv: no times in it; took 30 frames per second (--driver-frame-rate)"]
    plot_curves(
        [path], tmp_path / "b.png", options=RetargetOptions(driver_frame_rate=Fraction(25)), note=told.append
    )
    assert len(told) == 1


def test_a_capture_in_json_is_drawn(drawn: list[Figure], tmp_path: Path) -> None:
    text = (
        '{"exportFps": 30, "facsNames": ["mouthSmileLeft", "mouthSmileRight"], "weightMat": [[0, 0], [0.9, 0.9]]}'
    )
    assert plot_curves([write(tmp_path, "a.json", text)], tmp_path / "out.png") == ("AU12",)
