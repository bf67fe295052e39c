"""What stands in YAML means the same in a curve file, a job sheet and `--set`."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from retarget.pipeline.drivers import Driver, DriverOptions, FaceDrivers, load_curves
from retarget.pipeline.errors import DriverError
from retarget.pipeline.jobs import Job, JobSheetError, load_sheet, value_of

OPEN = object()
"""Not compared: out of range somewhere, or not the same kind of text."""

SCALARS = [
    # written, as a time in seconds (at 29.97), as a number, as a count, as text; None: refused
    ("012", 12, OPEN, 12, "012"),
    ("02", 2, 2, 2, "02"),
    ("2e0", 2, 2, 2, "2e0"),
    ("1e3", 1000, OPEN, 1000, "1e3"),
    ("5e-1", 0.5, 0.5, None, "5e-1"),
    ("'012'", 12, OPEN, 12, "012"),
    ("0.5", 0.5, 0.5, None, OPEN),
    (".5", 0.5, 0.5, None, OPEN),
    ("10:00:00:00", 36036, None, None, "10:00:00:00"),
    ("00:01:30", 90, None, None, "00:01:30"),
    ("1:30", None, None, None, "1:30"),
    ("no", None, None, None, "no"),
    ("on", None, None, None, "on"),
    ("2001-01-01", None, None, None, "2001-01-01"),
    ("0x10", None, None, None, "0x10"),
    (".inf", None, None, None, OPEN),
    ("nan", None, None, None, "nan"),
    ("true", None, None, None, None),
]
WAYS = ("curves", "sheet", "--set")


@pytest.fixture
def meaning(tmp_path: Path, samples: Path) -> Callable[..., object]:
    """`meaning(way, kind, written)`: the time, number, count or text that is understood; None if it is refused."""

    def of_curves(kind: str, written: str) -> object:
        named: list[str] = []

        def load_driver(path: Path, options: DriverOptions) -> Driver:
            named.append(path.name)
            return FaceDrivers(())

        (tmp_path / written.strip("'")).touch()
        text = {
            "time": f"offset: {written}\ncurves: {{AU12: 0.5}}\n",
            "number": f"curves: {{AU12: {{blend: add, gain: {written}, keys: {{0: 0.001}}}}}}\n",
            "count": f"faces: [{{face: {written}, curves: {{AU12: 0.5}}}}]\n",
            "text": f"driver: {{file: {written}}}\n",
        }[kind]
        path = tmp_path / "edit.yaml"
        path.write_text(text)
        driver = load_curves(path, frame_rate=Fraction(30000, 1001), load_driver=load_driver)
        if kind == "count":
            return next(iter(driver.faces))
        assert driver.everyone is not None
        if kind == "time":
            return driver.everyone.offset_seconds
        return named[0] if kind == "text" else 1000 * float(driver.everyone.layers[0].values[0, 0])

    def of_job(kind: str, written: str, line: str, defaults: dict[str, object]) -> object:
        path = tmp_path / "jobs.yaml"
        path.write_text(f"jobs:\n- source: {samples / 'actress.mp4'}\n  driver: smile.csv\n{line}")
        (tmp_path / "smile.csv").write_text("timestamp,AU12_r\n0,0\n1,2\n")
        job: Job = load_sheet(path, output_dir=tmp_path / "out", defaults=defaults).jobs[0]
        options = job.options
        text = job.name.replace("_", ":") if ":" in written else job.name  # as names of files have it
        return {
            "time": options.driver_offset_seconds,
            "number": options.strength,
            "count": options.min_face_px,
            "text": text,
        }[kind]

    def mean(way: str, kind: str, written: str) -> object:
        key = {"time": "driver_offset", "number": "strength", "count": "min_face", "text": "name"}[kind]
        try:
            if way == "curves":
                return of_curves(kind, written)
            if way == "sheet":
                return of_job(kind, written, f"  {key}: {written}\n", {})
            return of_job(kind, written, "", {key: value_of(written)})
        except (DriverError, JobSheetError):
            return None

    return mean


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("row", SCALARS, ids=[str(row[0]) for row in SCALARS])
def test_a_scalar_means_the_same(meaning: Callable[..., object], way: str, row: tuple[object, ...]) -> None:
    written, *wanted = row
    for kind, value in zip(("time", "number", "count", "text"), wanted, strict=True):
        if value is not OPEN:
            approximately = pytest.approx(value) if isinstance(value, int | float) else value
            assert meaning(way, kind, written) == approximately, kind
