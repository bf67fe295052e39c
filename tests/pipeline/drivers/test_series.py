"""Drivers against hand-made series, and every capture format against files written here cell by cell."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retarget.model import action_units
from retarget.pipeline.drivers.series import (
    RESTING_CAPS,
    DriverOptions,
    SeriesDriver,
    TrackingRow,
    estimate_neutral,
    load_capture,
    neutral_at,
    neutral_of,
    read_series,
    write_tracking_csv,
)
from retarget.pipeline.errors import DriverError, NoFaceError, OptionError, VideoWriteError
from retarget.pipeline.faces import blendshapes
from retarget.pipeline.records import ExpressionSeries

COUNT = action_units.COUNT
ZERO = np.zeros(COUNT, np.float32)
FILES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def index(name: str) -> int:
    return action_units.NAMES.index(name)


def series_of(
    seconds: Sequence[float], smile: Sequence[float], *, confidence: Sequence[float] | None = None
) -> ExpressionSeries:
    """A series in which AU12L follows `smile`; everything is filled but AU23."""
    values = np.zeros((len(seconds), COUNT), np.float32)
    values[:, index("AU12L")] = smile
    filled = np.ones(COUNT, np.bool_)
    filled[index("AU23")] = False
    sure = np.ones(len(seconds)) if confidence is None else np.array(confidence)
    return ExpressionSeries(np.array(seconds, np.float64), values, filled, sure.astype(np.float32))


def played(
    series: ExpressionSeries, seconds: Sequence[float], **options: object
) -> tuple[list[float], list[float], bool]:
    """(values, weights, additive) of AU12L."""
    driver = SeriesDriver(series, ZERO, options=DriverOptions(**options))  # type: ignore[arg-type]
    target = driver.target(np.array(seconds), 0)
    column = index("AU12L")
    flags = set(target.additive.ravel().tolist())
    assert len(flags) == 1
    return target.values[:, column].tolist(), target.weight[:, column].tolist(), flags.pop()


class TestSeriesDriver:
    def test_interpolates_by_time_and_subtracts_the_neutral(self) -> None:
        neutral = ZERO.copy()
        neutral[index("AU12L")] = 0.1
        driver = SeriesDriver(series_of([0, 1, 2], [0.2, 0.6, 0.4]), neutral)
        target = driver.target(np.array([0.0, 0.25, 1.0, 1.5]), 3)
        np.testing.assert_allclose(target.values[:, index("AU12L")], [0.1, 0.2, 0.5, 0.4], atol=1e-6)
        assert not target.additive.any()
        assert driver.duration_seconds == pytest.approx(3)  # three samples of a second each

    def test_unfilled_units_have_no_weight(self) -> None:
        target = SeriesDriver(series_of([0, 1], [0, 1]), ZERO).target(np.array([0.5]), 0)
        assert target.weight[0, index("AU23")] == 0
        assert target.weight[0, index("AU12L")] == 1

    def test_add_is_additive(self) -> None:
        assert played(series_of([0, 1], [0, 1]), [0.5], mode="add") == ([0.5], [1.0], True)

    def test_still_lasts_for_ever(self) -> None:
        still = series_of([0], [0.7])
        assert SeriesDriver(still, ZERO).duration_seconds == math.inf
        values, weights, _ = played(still, [0, 1, 1e6])
        assert values == pytest.approx([0.7] * 3)
        assert weights == [1, 1, 1]

    def test_releases_smoothly_after_its_end(self) -> None:
        values, weights, _ = played(series_of([0, 1], [0, 1]), [2.0, 2.25, 2.5, 9], release_seconds=0.5)
        assert weights == pytest.approx([1, 0.5, 0, 0])
        assert values == pytest.approx([1, 1, 1, 1])

    def test_release_of_zero_is_a_cut(self) -> None:
        assert played(series_of([0, 1], [0, 1]), [1.99, 2.0], release_seconds=0)[1] == [1, 0]

    def test_ramps_in_before_a_late_start(self) -> None:
        values, weights, _ = played(series_of([0, 1], [0.4, 1]), [0, 1.5, 1.75, 2, 3], offset_seconds=2)
        assert weights == pytest.approx([0, 0, 0.5, 1, 1])
        assert values == pytest.approx([0.4, 0.4, 0.4, 0.4, 1.0])

    def test_negative_offset_starts_inside_the_driver(self) -> None:
        assert played(series_of([0, 1], [0, 1]), [0], offset_seconds=-0.5)[0] == pytest.approx([0.5])

    def test_holds(self) -> None:
        assert played(series_of([0, 1], [0, 0.8]), [50], after="hold")[:2] == (pytest.approx([0.8]), [1])

    def test_loops_with_a_seam_of_one_step(self) -> None:
        values, weights, _ = played(series_of([0, 1], [0, 0.8]), [0.5, 1, 1.5, 2, 2.5], after="loop")
        assert values == pytest.approx([0.4, 0.8, 0.4, 0, 0.4])
        assert weights == [1] * 5

    def test_short_loss_is_interpolated_and_long_loss_let_go(self) -> None:
        seconds = np.arange(0, 4, 0.1)
        lost = ((seconds > 0.35) & (seconds < 0.65)) | ((seconds > 1.05) & (seconds < 2.95))
        smile = np.where(lost, 0.0, 0.5)  # what the tracker says while lost must not matter
        series = series_of(seconds, smile, confidence=np.where(lost, 0.0, 1.0))
        values, weights, _ = played(series, [0.5, 1.0, 1.125, 1.25, 2.0, 2.875, 3.0])
        assert values == pytest.approx([0.5] * 7, abs=1e-6)
        assert weights == pytest.approx([1, 1, 0.5, 0, 0, 0.5, 1], abs=1e-6)

    def test_missing_rows_are_a_loss_too(self) -> None:
        seconds = [*np.arange(0, 1, 0.04), *np.arange(4, 5, 0.04)]
        assert played(series_of(seconds, [0.5] * 50), [2.5])[1] == [0]

    def test_sparse_samples_are_not_a_loss(self) -> None:
        assert played(series_of([0, 2, 4, 6], [0, 1, 0, 1]), [1.0, 3.0])[1] == [1, 1]

    def test_late_first_face_comes_in_smoothly(self) -> None:
        series = series_of(np.arange(30) / 10, [0.5] * 30, confidence=[0] * 20 + [1] * 10)
        assert played(series, [0, 1.75, 1.875, 2.0])[1] == pytest.approx([0, 0, 0.5, 1])

    def test_refuses_a_driver_without_a_face(self) -> None:
        with pytest.raises(NoFaceError, match="no usable face"):
            SeriesDriver(series_of([0, 1], [0, 1], confidence=[0, 0]), ZERO)

    def test_refuses_a_neutral_of_another_shape(self) -> None:
        with pytest.raises(ValueError, match=r"expected \(46,\)"):
            SeriesDriver(series_of([0], [0]), np.zeros(17, np.float32))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"offset_seconds": math.nan}, "offset nan"),
        ({"release_seconds": -1.0}, "release -1"),
        ({"face": -1}, "face -1"),
        ({"neutral": -2.0}, "neutral -2"),
    ],
)
def test_options_are_checked(options: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        DriverOptions(**options)  # type: ignore[arg-type]


class TestNeutral:
    def test_finds_the_calm_frames_among_smiles(self) -> None:
        smile = np.array([0.05] * 20 + [0.8] * 80)
        assert estimate_neutral(series_of(np.arange(100) / 25, smile))[index("AU12L")] == pytest.approx(0.05)

    def test_a_clip_that_is_all_smile_does_not_make_it_neutral(self) -> None:
        neutral = estimate_neutral(series_of(np.arange(50) / 25, [0.8] * 50))
        assert neutral[index("AU12L")] == pytest.approx(RESTING_CAPS["AU12"])

    def test_gaze_rests_at_zero_and_shut_eyes_are_no_rest(self) -> None:
        series = series_of(np.arange(20) / 25, [0.0] * 10 + [0.06] * 10)
        shut = slice(0, 10)  # the calmest frames, but the eyes are shut
        series.values[shut, index("AU45L")] = series.values[shut, index("AU45R")] = 0.9
        series.values[:, index("AU61")] = 0.7
        neutral = estimate_neutral(series)
        assert neutral[index("AU61")] == 0
        assert neutral[index("AU45L")] == 0
        assert neutral[index("AU12L")] == pytest.approx(0.06)

    def test_unreliable_and_unknown_values_do_not_count(self) -> None:
        series = series_of([0, 1, 2], [0, 0.07, 0.07], confidence=[0.1, 0.9, 0.9])
        series.values[:, index("AU23")] = 0.1
        neutral = estimate_neutral(series)
        assert neutral[index("AU12L")] == pytest.approx(0.07)
        assert neutral[index("AU23")] == 0

    def test_caps_cover_the_schema(self) -> None:
        assert set(RESTING_CAPS) == {unit.name for unit in action_units.ACTION_UNITS}

    def test_at_a_time_is_the_mean_around_it(self) -> None:
        series = series_of(np.arange(0, 1, 0.05), np.arange(0, 1, 0.05))
        assert neutral_at(series, 0.5)[index("AU12L")] == pytest.approx(0.5)
        assert neutral_of(series, 0.3)[index("AU12L")] == pytest.approx(0.3)
        assert not neutral_of(series, "none").any()

    def test_at_a_time_without_a_face(self) -> None:
        with pytest.raises(DriverError, match=r"no usable face around 9 s .* 0 to 2 s"):
            neutral_at(series_of([0, 1, 2], [0, 0, 0]), 9)


class TestBlendshapes:
    def test_sides_are_the_subjects(self) -> None:
        names = ["MouthSmileLeft", "mouthSmileRight", "browInnerUp"]
        values, filled = blendshapes.from_blendshapes(names, np.array([[0.2, 0.6, 0.4]]))
        assert values[0, index("AU12L")] == pytest.approx(0.2)
        assert values[0, index("AU12R")] == pytest.approx(0.6)
        assert values[0, index("AU01L")] == values[0, index("AU01R")] == pytest.approx(0.4)
        assert set(np.flatnonzero(filled)) == {index(n) for n in ("AU12L", "AU12R", "AU01L", "AU01R")}

    def test_lips_part_as_far_as_mouth_close_does_not_make_up(self) -> None:
        names = [
            *("jawOpen", "mouthClose", "mouthLowerDownLeft", "mouthLowerDownRight"),
            *("mouthUpperUpLeft", "mouthUpperUpRight"),
        ]
        rows = np.array([[0.6, 0.6, 0, 0, 0, 0], [0.5, 0.1, 0.2, 0.4, 0.1, 0.1], [0, 0.3, 0, 0, 0, 0]])
        values, _ = blendshapes.from_blendshapes(names, rows)
        np.testing.assert_allclose(values[:, index("AU25")], [0, 0.4 + 0.15 + 0.05, 0], atol=1e-6)

    def test_gaze_to_the_subjects_left(self) -> None:
        """The left eye turns outwards and the right eye inwards."""
        values, filled = blendshapes.from_blendshapes(
            ["eyeLookOutLeft", "eyeLookInRight", "eyeLookOutRight", "eyeLookInLeft"],
            np.array([[0.8, 0.6, 0, 0]]),
        )
        assert values[0, index("AU61")] == pytest.approx(0.7)
        assert values[0, index("AU62")] == 0
        assert filled[index("AU62")]

    def test_all_but_the_lip_tightener_is_known(self) -> None:
        _, filled = blendshapes.from_blendshapes(blendshapes.NAMES, np.zeros((1, 52)))
        assert [action_units.NAMES[i] for i in np.flatnonzero(~filled)] == ["AU23"]

    def test_refuses_another_number_of_columns(self) -> None:
        with pytest.raises(ValueError, match=r"need values \(n, 2\)"):
            blendshapes.from_blendshapes(["jawOpen", "mouthClose"], np.zeros((4, 3)))


# Files


def write(path: Path, columns: Mapping[str, Sequence[object]], *, separator: str = ",") -> Path:
    rows = zip(*columns.values(), strict=True)
    lines = [separator.join(columns), *(separator.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def openface(n: int = 4, **changes: Sequence[object]) -> dict[str, Sequence[object]]:
    """OpenFace's columns in its order, AU12_r rising by 0.5 a frame."""
    units = {f"{name}_r": [0.0] * n for name in action_units.OPENFACE_NAMES}
    return {
        "frame": range(1, n + 1),
        "face_id": [0] * n,
        "timestamp": [f"{i / 25:.3f}" for i in range(n)],
        "confidence": [0.98] * n,
        "success": [1] * n,
        "x_0": [312.4] * n,
        "X_0": [-55.1] * n,
        **units,
        "AU12_r": [f"{0.5 * i:.2f}" for i in range(n)],
        "AU12_c": [0] * n,
        "AU28_c": [1] * n,
        **changes,
    }


def fex(n: int = 3, **changes: Sequence[object]) -> dict[str, Sequence[object]]:
    """A py-feat Fex with its marks; frames 0, 2, 4."""
    units = "AU01 AU02 AU04 AU05 AU06 AU07 AU09 AU10 AU11 AU12 AU14 AU15 AU17 AU20 AU23 AU24 AU25 AU26 AU28 AU43"
    return {
        "FaceRectX": [10.0] * n,
        "FaceScore": [0.9] * n,
        **{name: [0.0] * n for name in units.split()},
        "AU12": [0.1 * i for i in range(n)],
        "AU43": [0.3] * n,
        "input": ["a.mp4"] * n,
        "frame": [2 * i for i in range(n)],
        "approx_time": ["00:00"] * n,
        **changes,
    }


def live_link(timecodes: Sequence[str], **changes: Sequence[object]) -> dict[str, Sequence[object]]:
    n = len(timecodes)
    shapes = {name[0].upper() + name[1:]: [0.0] * n for name in blendshapes.NAMES}
    return {"Timecode": timecodes, "BlendShapeCount": [61] * n, **shapes, "HeadYaw": [-0.3] * n, **changes}


def mediapipe(n: int = 3, **changes: Sequence[object]) -> dict[str, Sequence[object]]:
    shapes = {name: [0.5] * n for name in ("_neutral", *blendshapes.NAMES) if name != "tongueOut"}
    return {"timestamp_ms": [40 * i for i in range(n)], **shapes, **changes}


def without(columns: Mapping[str, Sequence[object]], *names: str) -> dict[str, Sequence[object]]:
    return {name: cells for name, cells in columns.items() if name not in names}


def column_of(path: Path, name: str, **options: object) -> list[float]:
    return read_series(path, **options).series.values[:, index(name)].tolist()  # type: ignore[arg-type]


class TestOpenFace:
    def test_intensities_are_divided_by_five(self, tmp_path: Path) -> None:
        file = read_series(write(tmp_path / "a.csv", openface(), separator=", "))
        assert file.kind == "openface"
        assert file.notes == ()
        assert file.series.seconds.tolist() == [0, 0.04, 0.08, 0.12]
        for side in "LR":
            np.testing.assert_allclose(file.series.values[:, index(f"AU12{side}")], [0, 0.1, 0.2, 0.3], atol=1e-6)
        assert file.series.confidence.tolist() == pytest.approx([0.98] * 4)
        filled = {action_units.NAMES[i] for i in np.flatnonzero(file.series.filled)}
        assert filled == {
            action_units.NAMES[i] for n in action_units.OPENFACE_NAMES for i in action_units.resolve(n)
        }

    def test_version_1_and_pyfaceau(self, tmp_path: Path) -> None:
        old = write(tmp_path / "old.csv", without(openface(), "face_id"))
        assert column_of(old, "AU12L") == pytest.approx([0, 0.1, 0.2, 0.3])
        columns = without(
            openface(4, frame=range(4), success=["True", "True", "False", "True"]), "timestamp", "face_id"
        )
        port = write(tmp_path / "port.csv", without(columns, "confidence"))
        file = read_series(port, frame_rate=Fraction(50))
        assert file.series.seconds.tolist() == pytest.approx([0, 0.02, 0.04, 0.06])
        assert file.series.confidence.tolist() == [1, 1, 0, 1]

    def test_frames_without_a_rate_are_noted(self, tmp_path: Path) -> None:
        file = read_series(write(tmp_path / "a.csv", without(openface(), "timestamp")))
        assert file.series.seconds[1] == pytest.approx(1 / 30)
        assert "took 30 frames per second" in file.notes[0]

    def test_image_mode_is_a_still(self, tmp_path: Path) -> None:
        columns = without(openface(2, face_id=[0, 1]), "frame", "timestamp", "success")
        columns = {"face" if name == "face_id" else name: cells for name, cells in columns.items()}
        path = write(tmp_path / "image.csv", columns)
        file = read_series(path, face=1)
        assert len(file.series.seconds) == 1
        assert file.series.values[0, index("AU12R")] == pytest.approx(0.1)

    def test_face_picks_by_order_of_id(self, tmp_path: Path) -> None:
        columns = openface(4, face_id=[7, 2, 7, 2], timestamp=[0, 0, 0.04, 0.04])
        path = write(tmp_path / "two.csv", columns)
        assert column_of(path, "AU12L", face=0) == pytest.approx([0.1, 0.3])
        file = read_series(path, face=1)
        assert file.series.values[:, index("AU12L")].tolist() == pytest.approx([0, 0.2])
        assert file.notes == ("two.csv holds 2 faces; face 1 drives",)
        with pytest.raises(DriverError, match=r"two\.csv: no face 2; it holds 2 \(ids 2, 7\)"):
            read_series(path, face=2)

    def test_lost_frames_may_be_nan(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", openface(3, AU12_r=[1, "nan", 2], success=[1, 0, 1]))
        series = read_series(path).series
        assert series.confidence.tolist() == pytest.approx([0.98, 0, 0.98])
        assert series.values[:, index("AU12L")].tolist() == pytest.approx([0.2, 0, 0.4])

    def test_byte_order_mark_and_semicolons(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", openface(), separator=";")
        path.write_text("\ufeff" + path.read_text(encoding="utf-8"), encoding="utf-8")
        assert column_of(path, "AU12L") == pytest.approx([0, 0.1, 0.2, 0.3])

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"AU06_r": [0, 0, "high", 0]}, r"a\.csv: line 4, column au06_r: 'high' is not a number"),
            ({"AU06_r": [0, "inf", 0, 0]}, r"line 3, column au06_r: 'inf' is not a number"),
            ({"AU06_r": [0, "NaN", 0, 0]}, r"line 3, column au06_r: no value"),
            ({"AU06_r": [0, 0, 0, 34]}, r"line 5, column au06_r: 34 is outside 0\.\.5"),
            (
                {"timestamp": [0, 0.04, 0.02, 0.06]},
                r"line 4: time does not increase \(0\.02 s after 0\.04 s\)",
            ),
            ({"timestamp": [0, 0.04, "nan", 0.06]}, r"line 4, column timestamp: no value"),
            ({"success": [0, 0, 0, 0]}, "no row with a face"),
        ],
    )
    def test_mistakes_name_their_place(
        self, tmp_path: Path, changes: dict[str, Sequence[object]], message: str
    ) -> None:
        with pytest.raises(DriverError, match=message) as caught:
            read_series(write(tmp_path / "a.csv", openface(4, **changes)))
        assert "\n" not in str(caught.value)

    def test_without_any_time(self, tmp_path: Path) -> None:
        with pytest.raises(DriverError, match="no column of time"):
            read_series(write(tmp_path / "a.csv", without(openface(), "timestamp", "frame")))

    def test_without_intensities(self, tmp_path: Path) -> None:
        columns = {name: cells for name, cells in openface().items() if not name.endswith("_r")}
        with pytest.raises(DriverError, match="run FeatureExtraction with -aus"):
            read_series(write(tmp_path / "a.csv", columns))

    def test_a_column_twice(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_text("timestamp,AU12_r,AU12_r\n0,1,2\n")
        with pytest.raises(DriverError, match=r"column 'au12_r' occurs 2 times"):
            read_series(path)

    def test_short_row(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", openface())
        path.write_text(path.read_text()[:-80])  # a copy that was cut off
        with pytest.raises(DriverError, match=r"line 5, column au"):
            read_series(path)

    @FILES
    @given(order=st.permutations(list(openface())), upper=st.booleans())
    def test_columns_in_any_order_and_case(self, tmp_path: Path, order: list[str], upper: bool) -> None:
        columns = without(openface(), "X_0")
        shuffled = {n.upper() if upper else n: columns[n] for n in order if n in columns}
        assert column_of(write(tmp_path / "a.csv", shuffled), "AU12L") == pytest.approx([0, 0.1, 0.2, 0.3])


class TestPyFeat:
    def test_scores_are_taken_as_they_are(self, tmp_path: Path) -> None:
        file = read_series(write(tmp_path / "a.csv", fex()), frame_rate=Fraction(24))
        assert file.kind == "py-feat"
        assert file.series.seconds.tolist() == pytest.approx([0, 2 / 24, 4 / 24])
        assert file.series.values[:, index("AU12R")].tolist() == pytest.approx([0, 0.1, 0.2])
        assert file.series.values[:, index("AU45L")].tolist() == pytest.approx([0.3] * 3)  # AU43
        assert file.series.confidence.tolist() == pytest.approx([0.9] * 3)
        assert "not calibrated" in file.notes[0]
        assert "AU11" in file.notes[1]
        assert not file.series.filled[index("AU22")]

    def test_rate_defaults_to_30_with_a_note(self, tmp_path: Path) -> None:
        file = read_series(write(tmp_path / "a.csv", fex()))
        assert file.series.seconds[1] == pytest.approx(2 / 30)
        assert any("took 30" in note for note in file.notes)

    def test_undetected_faces_are_rows_of_nan(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", fex(AU12=[0.1, "", 0.3], FaceScore=[0.9, "", 0.9]))
        assert read_series(path).series.confidence.tolist() == pytest.approx([0.9, 0, 0.9])

    def test_faces_by_row_order(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", fex(5, frame=[0, 0, 1, 2, 2]))
        assert column_of(path, "AU12L", face=0) == pytest.approx([0, 0.2, 0.3])
        assert column_of(path, "AU12L", face=1) == pytest.approx([0.1, 0.4])
        with pytest.raises(DriverError, match=r"no face 2; it holds 2 \(0, 1\)"):
            read_series(path, face=2)

    def test_faces_by_identity(self, tmp_path: Path) -> None:
        people = ["Person_0", "Person_1", "Person_1", "Person_0"]
        path = write(tmp_path / "a.csv", fex(4, frame=[0, 0, 1, 1], Identity=people))
        assert column_of(path, "AU12L", face=0) == pytest.approx([0, 0.3])
        with pytest.raises(DriverError, match=r"no face 5; it holds 2 \(Person_0, Person_1\)"):
            read_series(path, face=5)


class TestLiveLinkFace:
    def test_timecode_and_case(self, tmp_path: Path) -> None:
        codes = ["07:44:57:58.000", "07:44:57:59.500", "07:44:58:01.000"]
        path = write(tmp_path / "take.csv", live_link(codes, MouthSmileLeft=[0.1, 0.2, 0.3], JawOpen=[0.5] * 3))
        file = read_series(path)
        assert file.kind == "live-link-face"
        assert file.series.seconds.tolist() == pytest.approx([0, 1.5 / 60, 3 / 60])
        assert file.series.values[:, index("AU12L")].tolist() == pytest.approx([0.1, 0.2, 0.3])
        assert file.series.values[0, index("AU26")] == pytest.approx(0.5)
        assert file.series.filled[index("AU05L")]  # ARKit does report it, even where it stays 0

    def test_rate_from_the_largest_frame_number(self, tmp_path: Path) -> None:
        codes = [f"01:00:0{i // 30}:{i % 30:02d}.000" for i in range(60)]
        assert read_series(write(tmp_path / "a.csv", live_link(codes))).series.seconds[-1] == pytest.approx(
            59 / 30
        )

    def test_short_takes_are_at_60(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", live_link(["01:00:00:00.000", "01:00:00:12.000"]))
        assert read_series(path).series.seconds[-1] == pytest.approx(0.2)
        assert read_series(path, frame_rate=Fraction(24)).series.seconds[-1] == pytest.approx(0.5)

    def test_fractional_rates_run_slower_than_the_clock(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", live_link(["01:00:00:00.0", "01:00:10:00.0"]))
        seconds = read_series(path, frame_rate=Fraction(30000, 1001)).series.seconds
        assert seconds[-1] == pytest.approx(300 * 1001 / 30000)

    def test_midnight(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", live_link(["23:59:59:59.000", "00:00:00:00.000"]))
        assert read_series(path).series.seconds.tolist() == pytest.approx([0, 1 / 60])

    def test_lost_face_and_repeated_timecode(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", live_link(["01:00:00:01.0", "01:00:00:01.0", "01:00:00:03.0"]))
        path.write_text(path.read_text() + "01:00:00:04.0,0\n")
        file = read_series(path)
        assert file.series.confidence.tolist() == [1, 1, 0]
        assert file.series.seconds.tolist() == pytest.approx([0, 2 / 60, 3 / 60])
        assert "1 rows repeat" in file.notes[0]

    @pytest.mark.parametrize(
        ("codes", "message"),
        [
            (["01:00:00:00", "1 hour"], "line 3, column Timecode: '1 hour' is no timecode"),
            (["01:00:05:00", "01:00:02:00"], "line 3: time does not increase"),
        ],
    )
    def test_bad_timecode(self, tmp_path: Path, codes: list[str], message: str) -> None:
        with pytest.raises(DriverError, match=message):
            read_series(write(tmp_path / "a.csv", live_link(codes)))

    def test_holds_one_face(self, tmp_path: Path) -> None:
        with pytest.raises(DriverError, match="no face 1; Live Link Face captures one"):
            read_series(write(tmp_path / "a.csv", live_link(["01:00:00:00"])), face=1)


class TestBlendshapeCsv:
    @pytest.mark.parametrize(
        ("name", "cells"),
        [
            ("timestamp", [100.0, 100.04, 100.08]),
            ("Time", [0, 0.04, 0.08]),
            ("timestamp_ms", [7000, 7040, 7080]),
            ("frame", [5, 6, 7]),
        ],
    )
    def test_times(self, tmp_path: Path, name: str, cells: list[float]) -> None:
        columns = {name: cells, **without(mediapipe(), "timestamp_ms")}
        file = read_series(write(tmp_path / "a.csv", columns), frame_rate=Fraction(25))
        assert file.kind == "blendshapes"
        assert file.series.seconds.tolist() == pytest.approx([0, 0.04, 0.08], abs=1e-9)

    def test_dead_shapes_are_left_to_the_performance(self, tmp_path: Path) -> None:
        dead = {f"{name}{side}": [0.001] * 3 for name in ("eyeWide", "noseSneer") for side in ("Left", "Right")}
        file = read_series(write(tmp_path / "a.csv", mediapipe(3, **dead)))
        for name in ("AU05L", "AU05R", "AU09L", "AU09R"):
            assert not file.series.filled[index(name)]
        assert file.series.filled[index("AU06L")]
        assert "AU05, AU09 never move" in file.notes[0]

    def test_most_of_the_names_are_enough(self, tmp_path: Path) -> None:
        few = without(mediapipe(), "jawOpen")
        series = read_series(write(tmp_path / "a.csv", few)).series
        assert not series.filled[index("AU26")]
        assert not series.filled[index("AU25")]
        assert series.filled[index("AU12L")]

    def test_percent_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DriverError, match=r"line 3, column jawopen: 40 is outside 0\.\.1"):
            read_series(write(tmp_path / "a.csv", mediapipe(3, jawOpen=[0, 40, 80])))


class TestAnyFile:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", r"x\.csv: the file is empty"),
            (b"\n\n", r"x\.csv: the file is empty"),
            (b"a,b,c\n1,2,3\n", r"x\.csv: no known capture format"),
            (b"timestamp,AU12_r\n", r"x\.csv: no rows under the header"),
            (b"\x89PNG\r\n\x1a\n\xff\xfe", r"x\.csv: not a CSV text file"),
            (b"success,confidence\n1,1\n", r"x\.csv: an OpenFace file without intensities"),
        ],
    )
    def test_what_cannot_be_used_says_so(self, tmp_path: Path, content: bytes, message: str) -> None:
        path = tmp_path / "x.csv"
        path.write_bytes(content)
        with pytest.raises(DriverError, match=message):
            read_series(path)

    def test_missing_and_directory(self, tmp_path: Path) -> None:
        with pytest.raises(DriverError, match=r"none\.csv: cannot be read \(No such file"):
            read_series(tmp_path / "none.csv")
        with pytest.raises(DriverError, match="cannot be read"):
            read_series(tmp_path)

    def test_live_link_without_timecode_is_refused_by_column(self, tmp_path: Path) -> None:
        with pytest.raises(DriverError, match="no column of time"):
            read_series(write(tmp_path / "a.csv", without(live_link(["x", "y"]), "Timecode")))

    @FILES
    @given(content=st.binary(max_size=300))
    def test_random_bytes_never_crash(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "x.csv"
        path.write_bytes(content)
        with pytest.raises(DriverError):
            read_series(path)

    @settings(parent=FILES, max_examples=150)
    @given(data=st.data())
    def test_damaged_files_are_read_or_refused_in_one_line(self, tmp_path: Path, data: st.DataObject) -> None:
        """A real file of each kind with one cell replaced by anything."""
        makers: list[Callable[[], dict[str, Sequence[object]]]] = [
            openface,
            fex,
            mediapipe,
            lambda: live_link(["01:00:00:00.0", "01:00:00:01.0"]),
        ]
        columns = {name: list(cells) for name, cells in data.draw(st.sampled_from(makers))().items()}
        name = data.draw(st.sampled_from(sorted(columns)))
        row = data.draw(st.integers(0, len(columns[name]) - 1))
        junk = st.one_of(
            st.text(max_size=12), st.floats().map(str), st.sampled_from(["-1", "1e9", "", '"', "nan"])
        )
        columns[name][row] = data.draw(junk)
        path = tmp_path / "x.csv"
        try:
            write(path, columns)
        except UnicodeEncodeError:  # a lone surrogate cannot be in a file
            return
        try:
            series = read_series(path).series
        except DriverError as error:
            message = str(error)
        else:
            message = f"{path}: fine"
            assert np.isfinite(series.values).all()
            assert np.isfinite(series.seconds).all()
            assert series.values.min() >= 0
            assert series.values.max() <= 1
        assert message.startswith(f"{path}: ")
        assert "\n" not in message


UNIT_ROWS = st.lists(st.lists(st.floats(0, 1, width=32), min_size=COUNT, max_size=COUNT), min_size=1, max_size=4)


class TestTrackingCsv:
    @settings(parent=FILES, max_examples=40)
    @given(rows=UNIT_ROWS)
    def test_round_trip_to_the_printed_precision(self, tmp_path: Path, rows: list[list[float]]) -> None:
        values = np.array(rows, np.float32)
        written = (TrackingRow(i + 1, 0, i / 24, 0.875, True, row) for i, row in enumerate(values))
        count = write_tracking_csv(tmp_path / "t.csv", written)
        file = read_series(tmp_path / "t.csv")
        assert count == len(rows)
        assert file.kind == "retarget"
        assert file.series.filled.all()
        np.testing.assert_allclose(file.series.values, values, atol=5.1e-5)
        np.testing.assert_allclose(file.series.seconds, np.arange(len(rows)) / 24, atol=1e-6)
        np.testing.assert_allclose(file.series.confidence, 0.875)

    def test_is_openface_to_others(self) -> None:
        """A reader of OpenFace files finds its columns and its scale: 5 times the mean of both sides."""
        values = ZERO.copy()
        values[[index("AU12L"), index("AU12R"), index("AU26")]] = 0.2, 0.6, 1.0
        text = io.StringIO()
        write_tracking_csv(text, [TrackingRow(1, 3, 0.0, 1.0, True, values)])
        header, row = (line.split(",") for line in text.getvalue().splitlines())
        cells = dict(zip(header, row, strict=True))
        assert header[:6] == ["frame", "face_id", "timestamp", "confidence", "success", "AU01_r"]
        assert (cells["AU12_r"], cells["AU26_r"], cells["AU12R"], cells["face_id"]) == (
            "2.000",
            "5.000",
            "0.6000",
            "3",
        )

    def test_some_of_the_columns_are_enough(self, tmp_path: Path) -> None:
        """Made by hand or trimmed in a spreadsheet: what is not there stays the performance's own."""
        path = write(
            tmp_path / "t.csv", {"Seconds": [0, 0.5], "AU12L": [0, 0.5], "AU17": [0.1, 0.2], "AU12_r": [5, 5]}
        )
        series = read_series(path).series
        assert [action_units.NAMES[i] for i in np.flatnonzero(series.filled)] == ["AU12L", "AU17"]
        assert series.values[:, index("AU12L")].tolist() == [0, 0.5]

    def test_lost_frames_and_several_faces(self, tmp_path: Path) -> None:
        rows = [
            TrackingRow(1, 0, 0.0, 0.9, True, np.full(COUNT, 0.5, np.float32)),
            TrackingRow(1, 1, 0.0, 0.9, True, np.full(COUNT, 0.25, np.float32)),
            TrackingRow(2, 0, 0.04, 0.0, False, np.full(COUNT, np.nan, np.float32)),
        ]
        write_tracking_csv(tmp_path / "t.csv", rows)
        assert read_series(tmp_path / "t.csv").series.confidence.tolist() == pytest.approx([0.9, 0])
        assert column_of(tmp_path / "t.csv", "AU17", face=1) == [0.25]

    def test_streams(self) -> None:
        """Each row is on its way before the next is asked for."""
        text, seen = io.StringIO(), []

        def rows() -> object:
            for i in range(3):
                seen.append(text.getvalue().count("\n"))
                yield TrackingRow(i, 0, i / 25, 1.0, True, ZERO)

        write_tracking_csv(text, rows())  # type: ignore[arg-type]
        assert seen == [1, 2, 3]

    def test_nothing_remains_of_a_failure(self, tmp_path: Path) -> None:
        def failing() -> object:
            yield TrackingRow(1, 0, 0.0, 1.0, True, ZERO)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_tracking_csv(tmp_path / "t.csv", failing())  # type: ignore[arg-type]
        assert list(tmp_path.iterdir()) == []

    def test_unwritable(self, tmp_path: Path) -> None:
        with pytest.raises(VideoWriteError, match=r"t\.csv: cannot be written"):
            write_tracking_csv(tmp_path / "none" / "t.csv", [])


class TestLoadCapture:
    def test_is_measured_from_the_asked_neutral(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.csv", openface(8))
        driver = load_capture(path, DriverOptions(neutral=0.0, mode="add"))
        target = driver.target(np.array([0.2]), 0)
        # neutral is the mean of frames 0..2 (0, 0.1, 0.2); frame 5 says 0.5
        assert target.values[0, index("AU12L")] == pytest.approx(0.4)
        assert target.additive.all()

    def test_neutral_outside_names_the_file(self, tmp_path: Path) -> None:
        with pytest.raises(DriverError, match=r"a\.csv: no usable face around 60 s"):
            load_capture(write(tmp_path / "a.csv", openface()), DriverOptions(neutral=60.0))
