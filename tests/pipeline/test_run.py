"""The jobs: what they refuse, and what they leave."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from retarget.pipeline.edit import Fade
from retarget.pipeline.errors import NoFaceError, OptionError, VideoOpenError, VideoReadError
from retarget.pipeline.faces import FaceSelection, TrackingCache
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.resources import Resources
from retarget.pipeline.run import (
    Tally,
    _notes_on_fades,
    check_count,
    check_whole,
    retarget_video,
    track_ahead,
    track_video,
)


@pytest.fixture
def curve(samples: Path) -> Path:
    return Path(samples / "smile.yaml")


@pytest.fixture(autouse=True)
def _no_prefetch_thread_is_left() -> Iterator[None]:
    yield
    assert [t.name for t in threading.enumerate() if t.name == "prefetch"] == []


# Refusals


def test_a_clip_without_a_face(disc_clip: Path, curve: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    with pytest.raises(NoFaceError, match="no face found in any frame; check that a face is seen") as refusal:
        retarget_video(disc_clip, curve, output, RetargetOptions(device="cpu"))
    assert str(disc_clip) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == [], "neither an output nor a part of one"


def test_a_driver_without_a_face(disc_clip: Path, samples: Path, tmp_path: Path) -> None:
    with pytest.raises(NoFaceError, match=r"disc\.mp4: no face found in any frame"):
        retarget_video(samples / "astronaut.png", disc_clip, tmp_path / "out.mp4", RetargetOptions(device="cpu"))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_source(curve: Path, tmp_path: Path) -> None:
    with pytest.raises(VideoOpenError, match=r"nowhere\.mp4"):
        retarget_video(tmp_path / "nowhere.mp4", curve, tmp_path / "out.mp4")


def test_a_source_that_changes_between_the_readings(samples: Path) -> None:
    class Analysis:
        frame_count = 10

    class Stub:
        analysis = Analysis()
        source = samples / "actress.mp4"

    check_count(Stub(), Stub(), 10)  # type: ignore[arg-type]
    with pytest.raises(VideoReadError, match=r"actress\.mp4: changed while it was read \(10 frames, then 9\)"):
        check_count(Stub(), Stub(), 9)  # type: ignore[arg-type]


# Drivers for several faces


def test_several_drivers_choose_all_faces_and_those_left_over_are_named(samples: Path, tmp_path: Path) -> None:
    options = RetargetOptions(trim_end=0.2, device="cpu")
    drivers = [samples / "smile.yaml", samples / "smile.csv"]
    report = retarget_video(samples / "actress.mp4", drivers, tmp_path / "a.mp4", options, resources=Resources())
    assert report.details["driver"] == [str(driver) for driver in drivers]
    assert f"{drivers[1]}: not used; no shot has more than 1 face" in report.notes
    single = retarget_video(samples / "actress.mp4", drivers[0], tmp_path / "b.mp4", options)
    assert single.details["driver"] == str(drivers[0])
    assert single.details["tracker"] == "own"
    assert len(single.details["model_sha256"]) == 64
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_several_drivers_for_one_face(samples: Path, tmp_path: Path) -> None:
    options = RetargetOptions(faces=FaceSelection("left-right", 1))
    with pytest.raises(OptionError, match=r"2 drivers are for as many faces, .*; use --face left-right:all"):
        retarget_video(samples / "actress.mp4", [samples / "smile.yaml"] * 2, tmp_path / "a.mp4", options)
    with pytest.raises(OptionError, match="no driver is given"):
        retarget_video(samples / "actress.mp4", [], tmp_path / "a.mp4")


def test_what_is_checked_last_leaves_nothing(samples: Path, tmp_path: Path) -> None:
    def refuse() -> None:
        raise OptionError("no")

    options = RetargetOptions(trim_end=0.2, device="cpu")
    with pytest.raises(OptionError, match="no"):
        retarget_video(samples / "actress.mp4", samples / "smile.yaml", tmp_path / "a.mp4", options, check=refuse)
    assert list(tmp_path.iterdir()) == []


# Tracking alone


def test_a_table_has_a_row_a_face_and_frame(samples: Path, tmp_path: Path) -> None:
    table = tmp_path / "cut.csv"
    report = track_video(samples / "cut.mov", table)
    rows = list(csv.DictReader(table.open(newline="")))
    assert len(rows) == report.frames == 51
    assert sum(row["success"] == "0" for row in rows) == report.frames_without_face
    with pytest.raises(OptionError, match="cannot write a tracking table as"):
        track_video(samples / "cut.mov", tmp_path / "cut.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["cut.csv"]


def test_what_was_tracked_ahead_is_not_tracked_again(samples: Path, tmp_path: Path) -> None:
    cache, options = TrackingCache(tmp_path / "cache"), RetargetOptions(trim_end=0.2, device="cpu")
    source, driver = samples / "actress.mp4", samples / "astronaut.png"
    track_ahead(source, [driver], options, cache=cache)
    report = retarget_video(source, driver, tmp_path / "a.mp4", options, resources=Resources(cache=cache))
    assert "track" not in report.seconds
    track_ahead(driver, [driver], options, cache=cache)  # a still depends on its driver's length: left alone


def test_the_report_says_what_of_the_references_was_used(samples: Path, tmp_path: Path) -> None:
    """Three frames of a shut mouth that opens as the rest of the take shows; then hardly at all."""
    take, curve = samples / "smile.mp4", tmp_path / "open.yaml"
    curve.write_text("curves: {AU25: {0: 0.8, 1: 0.8}, AU12: {0: 0.5, 1: 0.5}}\n")
    options = RetargetOptions(device="cpu", trim_end=0.1, references=(take,))
    resources = Resources(cache=TrackingCache(tmp_path / "cache"))
    track_ahead(take, [curve], options, cache=resources.cache)
    report = retarget_video(take, curve, tmp_path / "a.mp4", options, resources=resources)
    assert "track" not in report.seconds, "the references are tracked ahead, too"
    (used,) = report.details["references"]
    assert used["file"] == str(take)
    assert used["frames_borrowing"] == 3
    assert 1 <= used["frames_lent"] <= 6
    assert not any("not used" in note for note in report.notes)
    unmoved = replace(options, strength=0.0)
    report = retarget_video(take, curve, tmp_path / "b.mp4", unmoved, resources=resources)
    assert report.details["references"] == [{"file": str(take), "frames_lent": 0, "frames_borrowing": 0}]
    assert f"{take}: not used; nothing there fits better than what else is seen" in report.notes
    plain = retarget_video(take, curve, tmp_path / "c.mp4", replace(unmoved, references=()), resources=resources)
    assert "references" not in plain.details


def test_a_tally_counts_what_passes_and_closes_what_it_counts() -> None:
    class Edit:
        def __init__(self, changed: bool) -> None:
            self.source = object()
            self.result = object() if changed else self.source

    closed: list[bool] = []

    def edits() -> Iterator[Edit]:
        try:
            yield from (Edit(True), Edit(False), Edit(True))
        finally:
            closed.append(True)

    tally = Tally(edited=5)
    results = tally.results(edits())  # type: ignore[arg-type]
    next(results)
    next(results)
    assert (tally.frames, tally.edited) == (2, 6)
    results.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_where_an_edit_was_held_back_is_noted() -> None:
    fades = (Fade(40, 61, "turned"), *(Fade(70 + i, 70 + i, "border") for i in range(0, 16, 2)))
    faces = [
        SimpleNamespace(track=SimpleNamespace(shot=1), position=p, fades=fades[:n]) for p, n in ((0, 9), (1, 0))
    ]
    plans: Any = SimpleNamespace(
        faces=faces, analysis=SimpleNamespace(shots=(0, 1), info=SimpleNamespace(pictures_per_frame=1))
    )
    (note,) = _notes_on_fades(plans)
    assert note.startswith(
        "shot 1, face 0: less is done in frames 40-61 (turned away), 70 (cut by the picture's border), 72"
    )
    assert note.endswith(" and 3 more")


def test_fields_are_counted_as_frames() -> None:
    tally = Tally(per_frame=2)
    for is_edited in (False, True, True, True, False, False):  # of three frames, two are edited
        source = object()
        tally.add(SimpleNamespace(source=source, result=object() if is_edited else source))  # type: ignore[arg-type]
    assert (tally.frames, tally.edited) == (3, 2)


@pytest.mark.parametrize(
    ("shortfall", "failures", "said"),
    [("16 frames are missing", 0, "16 frames are missing; copy it again"), (None, 3, "3 pictures could not be")],
)
def test_a_source_that_is_not_whole_is_refused_where_that_is_asked(
    shortfall: Any, failures: int, said: str
) -> None:
    info = SimpleNamespace(path=Path("a.mkv"))
    reader: Any = SimpleNamespace(info=info, shortfall=shortfall, decode_failures=failures)
    with pytest.raises(VideoOpenError, match=said) as refusal:
        check_whole(reader)
    assert refusal.value.exit_code == 2
    check_whole(SimpleNamespace(info=info, shortfall=None, decode_failures=0))  # type: ignore[arg-type]
