"""OpenFace's files are found by name, read by time, and refused where they leave a doubt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline.errors import DriverError
from retarget.train.prepare.labels import find_labels, known_units, read_picture

UNITS = [f"{name}_r" for name in action_units.OPENFACE_NAMES]
SECONDS = np.arange(4) / 25


def write_openface(
    path: Path, smiles: Sequence[float], *, successes: Sequence[int] | None = None, separator: str = ", "
) -> None:
    """A FeatureExtraction file at 25 frames a second with AU12 as given, AU04 at 1 and the rest 0."""
    header = ["frame", "face_id", "timestamp", "confidence", "success", *UNITS, "AU28_c"]
    lines = [separator.join(header)]
    for i, smile in enumerate(smiles):
        success = 1 if successes is None else successes[i]
        units = {"AU12_r": smile, "AU04_r": 1.0}
        values = [f"{units.get(name, 0.0):.2f}" for name in UNITS]
        cells = [str(i + 1), "0", f"{i / 25:.3f}", "0.98", str(success), *values, "0"]
        lines.append(separator.join(cells))
    path.write_text("\n".join(lines) + "\n")


def write_picture_file(path: Path, smile: float, *, faces: int = 1) -> None:
    """A FaceLandmarkImg file: no frame, no time."""
    lines = [",".join(["face", "confidence", *UNITS])]
    for face in range(faces):
        lines.append(",".join([str(face), "0.95", *("0.00" if u != "AU12_r" else f"{smile:.2f}" for u in UNITS)]))
    path.write_text("\n".join(lines) + "\n")


def smile_of(values: np.ndarray) -> list[float]:
    left, right = (values[:, action_units.NAMES.index(name)] for name in ("AU12L", "AU12R"))
    np.testing.assert_array_equal(left, right)
    return [float(v) for v in left]


@pytest.mark.parametrize("separator", [",", ", "])
def test_a_clips_rows_are_found_by_time_and_scaled(tmp_path: Path, separator: str) -> None:
    write_openface(tmp_path / "clip.csv", [0, 1, 2.5, 5], separator=separator)
    values, there = find_labels([tmp_path]).of(Path("film/clip.mp4"), SECONDS[[3, 1]])
    assert there.all()
    assert smile_of(values) == pytest.approx([1.0, 0.2])
    assert values[:, action_units.NAMES.index("AU04L")].tolist() == pytest.approx([0.2, 0.2])
    assert not values[:, ~known_units()].any()


def test_known_are_both_sides_of_the_seventeen() -> None:
    names = [name for name, known in zip(action_units.NAMES, known_units(), strict=True) if known]
    assert len(names) == 13 * 2 + 4
    assert {"AU01L", "AU01R", "AU17", "AU45L"} <= set(names)
    assert not {"AU16L", "AU28", "AU61", "MouthShiftL"} & set(names)


def test_frames_openface_missed_have_no_label(tmp_path: Path) -> None:
    write_openface(tmp_path / "clip.csv", [1, 2, 3, 4], successes=[1, 0, 1, 1])
    values, there = find_labels([tmp_path / "clip.csv"]).of(Path("clip.mp4"), SECONDS)
    assert there.tolist() == [True, False, True, True]
    assert smile_of(values) == pytest.approx([0.2, 0, 0.6, 0.8])


def test_a_frame_between_or_beyond_the_rows_has_none(tmp_path: Path) -> None:
    write_openface(tmp_path / "clip.csv", [1, 2, 3, 4])
    labels = find_labels([tmp_path])
    _, there = labels.of(Path("clip.mp4"), np.array([0.015, 0.12, 0.16, 2.0]))
    assert there.tolist() == [True, True, False, False]


def test_a_picture_has_one_row(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    write_picture_file(tmp_path / "deep" / "ann.csv", 2.5)
    labels = find_labels([tmp_path])
    values, there = labels.of(Path("pictures/ann.jpg"), np.zeros(1))
    assert there.tolist() == [True]
    assert smile_of(values) == pytest.approx([0.5])
    values, there = labels.of(Path("pictures/bob.jpg"), np.zeros(1))
    assert there.tolist() == [False]
    assert not values.any()


def test_no_frames_need_no_file(tmp_path: Path) -> None:
    write_picture_file(tmp_path / "ann.csv", 1)
    values, there = find_labels([tmp_path]).of(Path("ann.jpg"), np.zeros(0))
    assert values.shape == (0, action_units.COUNT)
    assert there.shape == (0,)


def test_several_faces_are_refused(tmp_path: Path) -> None:
    write_picture_file(tmp_path / "ann.csv", 1, faces=2)
    with pytest.raises(DriverError, match=r"ann.csv: holds 2 faces"):
        find_labels([tmp_path]).of(Path("ann.jpg"), np.zeros(1))


def test_a_file_with_some_units_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.csv").write_text("frame,timestamp,confidence,success,AU12_r\n1,0.0,1,1,2.0\n")
    with pytest.raises(DriverError, match=r"clip.csv: lacks AU01L, AU01R, AU02L"):
        find_labels([tmp_path]).of(Path("clip.mp4"), SECONDS)


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.csv").write_text("frame,timestamp,AU12L,AU12R\n1,0.0,0.5,0.5\n")
    with pytest.raises(DriverError, match=r"clip.csv: not an OpenFace file"):
        find_labels([tmp_path]).of(Path("clip.mp4"), SECONDS)


def test_places_without_files_are_told_of(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="no OpenFace CSV there"):
        find_labels([tmp_path])
    with pytest.raises(DriverError, match=r"gone.csv: no OpenFace CSV there"):
        find_labels([tmp_path / "gone.csv"])


def test_two_files_of_one_name_are_refused_but_one_named_twice_is_not(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_picture_file(tmp_path / name / "ann.csv", 1)
    with pytest.raises(DriverError, match=r"b/ann.csv: has the same name as .*a/ann.csv"):
        find_labels([tmp_path])
    assert len(find_labels([tmp_path / "a", tmp_path / "a" / "ann.csv"]).files) == 1


def test_a_pictures_one_face_is_read_in_openfaces_order(tmp_path: Path) -> None:
    path = tmp_path / "ann.csv"
    write_picture_file(path, 2.5)
    faces, units = read_picture(path)
    assert (faces, units.shape, units.dtype) == (1, (17,), np.float32)
    assert units[action_units.OPENFACE_NAMES.index("AU12")] == pytest.approx(0.5)
    assert np.count_nonzero(units) == 1


@pytest.mark.parametrize("faces", [0, 2, 3])
def test_no_face_or_several_are_counted_and_have_no_values(faces: int, tmp_path: Path) -> None:
    write_picture_file(tmp_path / "ann.csv", 2.5, faces=faces)
    found, units = read_picture(tmp_path / "ann.csv")
    assert found == faces
    assert not units.any()


def test_a_row_without_confidence_is_no_face(tmp_path: Path) -> None:
    path = tmp_path / "ann.csv"
    write_picture_file(path, 2.5, faces=2)
    path.write_text(path.read_text().replace("0,0.95,", "0,0.00,", 1))
    faces, units = read_picture(path)
    assert faces == 1
    assert units[action_units.OPENFACE_NAMES.index("AU12")] == pytest.approx(0.5)
    path.write_text(path.read_text().replace("1,0.95,", "1,0.00,", 1))
    assert read_picture(path)[0] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("face,confidence,AU12_r\n0,0.95,2.0\n", r"ann.csv: lacks AU01L"),
        ("frame,timestamp,AU12L,AU12R\n1,0.0,0.5,0.5\n", r"ann.csv: not an OpenFace file"),
        ("", r"ann.csv: the file is empty"),
        (f"face,confidence,{','.join(UNITS)}\n0,often,{','.join('0' * 17)}\n", r"'often' is not a number"),
        ("\xff\xfe\x00", r"ann.csv: not a CSV text file"),
    ],
    ids=["units", "ours", "empty", "words", "binary"],
)
def test_a_picture_file_that_cannot_be_read_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "ann.csv"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DriverError, match=message):
        read_picture(path)
