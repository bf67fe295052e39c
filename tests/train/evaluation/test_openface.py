"""The paper's ED from files written by hand: known distances, and what is missing is counted."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from retarget.model import action_units
from retarget.pipeline.errors import DriverError
from retarget.train.evaluation.edits import LIST_FILE, EditFolder, KeptEdit, plate_file
from retarget.train.evaluation.errors import EvaluationError
from retarget.train.evaluation.openface import open_openface, openface_notes
from retarget.train.evaluation.scores import OpenFaceScores

UNITS = [f"{name}_r" for name in action_units.OPENFACE_NAMES]

EDITS = tuple(
    edit
    for i in range(2)
    for edit in (
        KeptEdit(i, "a.png", "b.png", "do nothing", plate_file(i), ""),
        KeptEdit(i, "a.png", "b.png", "net", f"net/{i:04d}.png", "0123"),
    )
)


def write_csv(path: Path, values: Mapping[str, float], *, faces: int = 1, confidence: float = 0.95) -> None:
    """What FaceLandmarkImg -aus writes of a picture: intensities on 0..5, presences after them."""
    presences = [name.replace("_r", "_c") for name in UNITS]
    lines = [", ".join(["face", "confidence", *UNITS, *presences])]
    row = [f"{values.get(name[:4], 0.0):.2f}" for name in UNITS] + ["0.00"] * len(presences)
    lines += [", ".join([str(face), f"{confidence:.2f}", *row]) for face in range(faces)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def edits(tmp_path: Path) -> Path:
    """A folder of two edits by one method, and what OpenFace says of them.

    Distances to the target on unit range, trial 0: plate 0.5 (AU12 3/5 and AU26 4/5 to 0.2 and 0.5), edit 0.25.
    Trial 1: plate 0.3 (AU04), edit 0.15.
    """
    folder = tmp_path / "edits"
    EditFolder(folder, EDITS).finish()
    write_csv(folder / "targets/0000.csv", {"AU12": 3.0, "AU26": 4.0})
    write_csv(folder / "plates/0000.csv", {"AU12": 1.0, "AU26": 2.5})  # (0.4, 0.3) away: 0.5
    write_csv(folder / "net/0000.csv", {"AU12": 2.0, "AU26": 3.25})  # (0.2, 0.15) away: 0.25
    write_csv(folder / "targets/0001.csv", {"AU04": 1.5})
    write_csv(folder / "plates/0001.csv", {})
    write_csv(folder / "net/0001.csv", {"AU04": 0.75})
    return folder


def test_distances_are_the_papers(edits: Path) -> None:
    scores = open_openface(edits, edits).scores()
    assert set(scores) == {"do nothing", "net"}
    assert scores["do nothing"].ed == pytest.approx((0.5 + 0.3) / 2)
    assert scores["do nothing"].ed_ratio == pytest.approx(1)
    assert scores["net"].ed == pytest.approx((0.25 + 0.15) / 2)
    assert scores["net"].ed_ratio == pytest.approx(0.5)
    assert scores["net"].edits == 2
    assert openface_notes(scores, list(scores)) == []


def test_every_unit_counts_once(edits: Path) -> None:
    """17 units, both sides of the schema or one: sqrt(17) when all are opposite."""
    write_csv(edits / "targets/0000.csv", dict.fromkeys(action_units.OPENFACE_NAMES, 5.0))
    write_csv(edits / "plates/0000.csv", {})
    (edits / "targets/0001.csv").unlink()
    assert open_openface(edits, edits).scores()["do nothing"].ed == pytest.approx(math.sqrt(17))


def test_the_list_may_lie_with_the_edits(edits: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "measured"
    shutil.copytree(edits, elsewhere)
    (elsewhere / LIST_FILE).unlink()
    found = open_openface(elsewhere, edits)
    assert found.path == edits / LIST_FILE
    assert found.scores()["net"].ed_ratio == pytest.approx(0.5)


def test_pictures_without_one_measured_face_are_counted_and_left_out(edits: Path) -> None:
    (edits / "net/0001.csv").unlink()
    scores = open_openface(edits, edits).scores()
    # The ratio is to the plate of the edit that is left.
    assert scores["net"] == OpenFaceScores(1, 1, 0, 0, pytest.approx(0.25), pytest.approx(0.5))
    assert scores["do nothing"].edits == 2
    assert openface_notes(scores, ["do nothing", "net"]) == [
        "ED (OpenFace), net: 1 of 2 edits left out (edit, plate or target): 1 without a CSV"
    ]


def test_a_plate_or_target_that_is_missing_takes_its_edits_along(edits: Path) -> None:
    write_csv(edits / "targets/0000.csv", {}, faces=0)  # a header alone
    write_csv(edits / "plates/0001.csv", {}, confidence=0.0)
    scores = open_openface(edits, edits).scores()
    for label in ("do nothing", "net"):
        assert (scores[label].edits, scores[label].without_face) == (0, 2)
        assert math.isnan(scores[label].ed)
        assert math.isnan(scores[label].ed_ratio)


def test_of_several_faces_none_is_guessed(edits: Path) -> None:
    write_csv(edits / "net/0000.csv", {"AU12": 3.0}, faces=2)
    scores = open_openface(edits, edits).scores()
    assert (scores["net"].edits, scores["net"].several_faces) == (1, 1)
    assert scores["net"].ed == pytest.approx(0.15)
    assert "1 with several faces" in openface_notes(scores, ["net"])[0]


def test_nothing_to_do_is_no_ratio(edits: Path) -> None:
    for trial in ("0000", "0001"):
        shutil.copy(edits / f"targets/{trial}.csv", edits / f"plates/{trial}.csv")
    scores = open_openface(edits, edits).scores()
    assert scores["do nothing"].ed == 0
    assert math.isnan(scores["net"].ed_ratio)


def test_a_method_without_kept_edits_is_noted(edits: Path) -> None:
    scores = open_openface(edits, edits).scores()
    assert openface_notes(scores, ["net", "new"]) == ["ED (OpenFace), new: its edits were not kept"]


def test_other_edits_are_refused(edits: Path) -> None:
    found = open_openface(edits, edits)
    found.check(EDITS)
    with pytest.raises(EvaluationError, match=r"edits/list\.csv: lists 2 edits a method, this evaluation makes 1"):
        found.check(EDITS[:2])


def test_places_that_hold_nothing_are_refused(edits: Path, tmp_path: Path) -> None:
    with pytest.raises(
        EvaluationError, match="gone: no such folder; give the one OpenFace wrote its CSV files to"
    ):
        open_openface(tmp_path / "gone", edits)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(
        EvaluationError, match=r"empty: no list\.csv there or in .* says which edits these are; copy"
    ):
        open_openface(empty, tmp_path)
    with pytest.raises(
        EvaluationError, match=r"empty: no CSV of any edit is there, such as plates/0000\.csv; run O"
    ):
        open_openface(empty, edits)


def test_a_file_that_is_not_openfaces_is_refused(edits: Path) -> None:
    (edits / "net/0000.csv").write_text("frame,timestamp,AU12L,AU12R\n1,0.0,0.5,0.5\n")
    with pytest.raises(DriverError, match=r"net/0000\.csv: not an OpenFace file"):
        open_openface(edits, edits)
