"""Curve files written here, with values worked out by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retarget.model import action_units
from retarget.pipeline.drivers.curves import CurveDriver, LoadDriver, Performance, load_curves, rate_of, seconds_of
from retarget.pipeline.drivers.expressions import ALIASES, EXPRESSIONS, EXPRESSIVE_UNITS, named_expression
from retarget.pipeline.drivers.series import Driver, DriverOptions, SeriesDriver
from retarget.pipeline.errors import DriverError, RetargetError
from retarget.pipeline.records import ExpressionSeries, Target

COUNT = action_units.COUNT
RATE = Fraction(24)
NTSC = Fraction(30000, 1001)
SMILE_YAML = Path(__file__).parents[3] / "samples" / "smile.yaml"
FILES = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "edit.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return path


def load(folder: Path, text: str, **options: object) -> CurveDriver:
    return load_curves(write(folder, text), **{"frame_rate": RATE, **options})  # type: ignore[arg-type]


def indices(name: str) -> list[int]:
    return list(action_units.resolve(name))


def at(driver: Driver, name: str, *seconds: float, face: int = 0) -> tuple[list[float], list[float]]:
    """(values, weights) of one action unit; both sides must agree."""
    target = driver.target(np.array(seconds, np.float64), face)
    first, *others = indices(name)
    for other in others:
        np.testing.assert_array_equal(target.values[:, other], target.values[:, first])
    return target.values[:, first].tolist(), target.weight[:, first].tolist()


def moved(target: Target, own: float = 0.0) -> np.ndarray:  # type: ignore[type-arg]
    """What the trajectory stage makes of a target: (N, C) change of a performance that shows `own`."""
    return np.asarray(target.weight * (target.values - np.where(target.additive, 0.0, own)))


def still(smile: float, options: DriverOptions) -> SeriesDriver:
    """A driver that shows one AU12 for ever."""
    values = np.zeros((1, COUNT), np.float32)
    values[:, indices("AU12")] = smile
    series = ExpressionSeries(np.zeros(1), values, np.ones(COUNT, np.bool_), np.ones(1, np.float32))
    return SeriesDriver(series, np.zeros(COUNT, np.float32), options=options, notes=("a still",))


def opener(seen: list[tuple[Path, DriverOptions]], smile: float = 0.5) -> LoadDriver:
    def load_driver(path: Path, options: DriverOptions) -> Driver:
        seen.append((path, options))
        return still(smile, options)

    return load_driver


class TestTimes:
    @pytest.mark.parametrize(
        ("written", "rate", "seconds"),
        [
            (1.5, RATE, 1.5),
            (2, RATE, 2),
            ("1.5s", RATE, 1.5),
            (" .5 s", RATE, 0.5),
            ("250ms", RATE, 0.25),
            ("-1s", RATE, -1),
            ("36f", RATE, 1.5),
            ("36 f", Fraction(24000, 1001), 36 * 1001 / 24000),
            ("00:00:01.500", RATE, 1.5),
            ("01:02:03", RATE, 3723),
            ("00:00:01:12", RATE, 1.5),
            ("10:00:00:00", RATE, 36000),
            ("00:01:00:00", Fraction(24000, 1001), 1440 * 1001 / 24000),
            # SMPTE 12M: ;02 follows ;29 at the minute, but not at the tenth
            ("00:00:59;29", NTSC, 1799 * 1001 / 30000),
            ("00:01:00;02", NTSC, 1800 * 1001 / 30000),
            ("00:10:00;00", NTSC, 17982 * 1001 / 30000),
            ("01:00:00;00", NTSC, 107892 * 1001 / 30000),
            ("00:01:00;04", Fraction(60000, 1001), 3600 * 1001 / 60000),
        ],
    )
    def test_every_form(self, written: float | str, rate: Fraction, seconds: float) -> None:
        assert seconds_of(written, rate) == pytest.approx(seconds, abs=1e-9)

    @pytest.mark.parametrize(
        ("written", "rate", "message"),
        [
            ("soon", RATE, r"'soon' is no time; write seconds"),
            ("1:30", RATE, "is no time"),
            ("1e400", RATE, "is no time"),
            ("00:00:01:24", RATE, "frame 24 does not exist at 24 frames"),
            ("00:01:00;00", RATE, "only 29.97 and 59.94"),
            ("00:01:00;01", NTSC, "no frame 1 at the start of minute 1"),
        ],
    )
    def test_bad_times(self, written: str, rate: Fraction, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            seconds_of(written, rate)

    @pytest.mark.parametrize(
        ("written", "rate"),
        [
            (24, Fraction(24)),
            (23.976, Fraction(24000, 1001)),
            (23.98, Fraction(24000, 1001)),
            (29.97, NTSC),
            (59.94, Fraction(60000, 1001)),
            ("30000/1001", NTSC),
            (12.5, Fraction(25, 2)),
        ],
    )
    def test_rates(self, written: float | str, rate: Fraction) -> None:
        assert rate_of(written) == rate

    @pytest.mark.parametrize("written", [0, -24, "fast", "1/0", "1e9", 1e5])
    def test_bad_rates(self, written: float | str) -> None:
        with pytest.raises(ValueError, match="makes no sense"):
            rate_of(written)


class TestKeys:
    def test_linear_by_hand_and_held_at_both_ends(self, folder: Path) -> None:
        driver = load(folder, "{ease: linear, curves: {AU12: {1: 0.2, 2s: 0.6}}}")
        values, weights = at(driver, "AU12", 0, 1, 1.25, 2, 99)
        assert values == pytest.approx([0.2, 0.2, 0.3, 0.6, 0.6])
        assert weights == [1] * 5
        assert driver.duration_seconds == 2
        assert not driver.target(np.array([1.0]), 0).additive.any() or at(driver, "AU04", 1)[1] == [0]

    def test_smooth_is_the_default(self, folder: Path) -> None:
        values, _ = at(load(folder, "curves: {AU12: {0: 0, 1: 0.8}}"), "AU12", 0.25, 0.5)
        assert values == pytest.approx([0.8 * (3 / 16 - 2 / 64), 0.4])

    def test_hold_jumps_at_the_next_key_exactly(self, folder: Path) -> None:
        driver = load(folder, "curves: {AU12: {0: [0.1, hold], 1f: [0.5, hold], 2f: 0.9}}", frame_rate=NTSC)
        frame = 1001 / 30000
        values, _ = at(driver, "AU12", 0.99 * frame, frame - 1e-9, 1.5 * frame, 2 * frame - 1e-9, 5)
        assert values == pytest.approx([0.1, 0.5, 0.5, 0.9, 0.9])

    def test_cubic_flows_and_never_overshoots(self, folder: Path) -> None:
        driver = load(folder, "curves: {AU12: {ease: cubic, keys: {0: 0, 1: 0.5, 2: 1, 3: 1, 4: 0}}}")
        values = np.array(at(driver, "AU12", *np.linspace(0, 4, 401))[0])
        assert values.max() <= 1
        assert (np.diff(values[:201]) >= -1e-7).all()
        assert values[[0, 100, 200, 300, 400]] == pytest.approx([0, 0.5, 1, 1, 0], abs=1e-6)
        slope_before, slope_after = values[100] - values[99], values[101] - values[100]
        assert slope_before == pytest.approx(slope_after, rel=0.1)  # no corner at the key between
        assert slope_before > 0.004

    def test_each_key_may_have_its_ease(self, folder: Path) -> None:
        driver = load(
            folder,
            """
            curves:
              AU12:
                ease: linear
                keys:
                  0: 0
                  1: {value: 0.4, ease: hold}
                  2: [0.8, smooth]
                  3: 0
            """,
        )
        assert at(driver, "AU12", 0.5, 1.5, 2.5)[0] == pytest.approx([0.2, 0.4, 0.4])

    def test_times_in_any_form_and_order(self, folder: Path) -> None:
        text = '{ease: linear, curves: {AU26: {"00:00:01:00": 0.5, 0: 0, 00:00:02.000: 1, 36f: 0}}}'
        assert at(load(folder, text), "AU26", 0.5, 1, 1.5, 1.75)[0] == pytest.approx([0.25, 0.5, 0, 0.5])

    def test_frame_rate_of_the_file_wins(self, folder: Path) -> None:
        driver = load(folder, "{frame_rate: 12, curves: {AU26: {0: 0, 12f: 1}}}")
        assert driver.duration_seconds == 1

    def test_a_constant_has_no_end(self, folder: Path) -> None:
        driver = load(folder, "{after: release, curves: {AU04: 0.3}}")
        assert at(driver, "AU04", 0, 1e5) == (pytest.approx([0.3, 0.3]), [1, 1])
        assert driver.duration_seconds == math.inf

    def test_sides_and_spellings(self, folder: Path) -> None:
        driver = load(folder, "curves: {AU12L: 0.2, lip pucker: 0.3, au4: 0.4, 45_right: 0.5}")
        target = driver.target(np.zeros(1), 0)
        found = {
            action_units.NAMES[i]: round(float(target.values[0, i]), 6) for i in target.weight[0].nonzero()[0]
        }
        assert found == {"AU12L": 0.2, "AU18": 0.3, "AU04L": 0.4, "AU04R": 0.4, "AU45R": 0.5}

    def test_openface_scale(self, folder: Path) -> None:
        assert at(load(folder, "{scale: openface, curves: {AU12: 3}}"), "AU12", 0)[0] == pytest.approx([0.6])

    def test_gains_multiply_and_clamp(self, folder: Path) -> None:
        driver = load(
            folder,
            "{gain: .5, curves: {AU12: {gain: 1.5, keys: {0: .4}}, AU04: .8, AU09: {gain: 9, keys: {0: 1}}}}",
        )
        assert at(driver, "AU12", 0)[0] == pytest.approx([0.3])
        assert at(driver, "AU04", 0)[0] == pytest.approx([0.4])
        assert at(driver, "AU09", 0)[0] == [1]


class TestBlend:
    def test_set_and_add(self, folder: Path) -> None:
        driver = load(folder, "curves: {AU12: {blend: add, keys: {0: -0.3}}, AU04: 0.2}")
        target = driver.target(np.zeros(1), 0)
        assert target.additive[0, indices("AU12")].all()
        assert not target.additive[0, indices("AU04")].any()
        change = moved(target, own=0.5)[0]
        assert change[indices("AU12")] == pytest.approx(-0.3)
        assert change[indices("AU04")] == pytest.approx(0.2 - 0.5)
        assert not change[indices("AU26")].any()

    def test_add_for_all(self, folder: Path) -> None:
        assert load(folder, "{blend: add, curves: {AU12: 0.1}}").target(np.zeros(1), 0).additive.all()


class TestRanges:
    RANGED = """
        curves:
          AU12:
            keys: {0: 0.5}
            ranges: [{in: 1, out: 3, ramp_in: 1, ramp_out: 0.5}, {in: 5, out: 6}]
        """

    def test_ramps_lie_inside(self, folder: Path) -> None:
        driver = load(folder, self.RANGED)
        values, weights = at(driver, "AU12", 0.9, 1.5, 2, 2.5, 2.75, 3, 4, 5, 5.9, 6)
        assert weights == pytest.approx([0, 0.5, 1, 1, 0.5, 0, 0, 1, 1, 0], abs=1e-4)
        assert values[1:5] == pytest.approx([0.5] * 4)
        assert driver.duration_seconds == 6

    def test_of_the_whole_file(self, folder: Path) -> None:
        driver = load(folder, "{ranges: [{in: 1, out: 2}], curves: {AU12: {0: 0, 4: 1}, AU04: 0.5}}")
        assert at(driver, "AU04", 0.5, 1, 1.9, 2)[1] == [0, 1, 1, 0]
        assert driver.duration_seconds == 2

    def test_a_ramp_of_a_set_curve_is_exact_down_to_nothing(self, folder: Path) -> None:
        driver = load(folder, "{ranges: [{in: 0, out: 2, ramp_in: 1}], curves: {AU12: 0.6}}")
        for second in (0.01, 0.05, 0.3):
            weight = 3 * second**2 - 2 * second**3
            change = moved(driver.target(np.array([second]), 0), own=0.5)[0, indices("AU12")]
            assert change == pytest.approx(weight * 0.1, abs=1e-5)


class TestAfter:
    KEYS = "{{{settings}, ease: linear, curves: {{AU12: {{0: 0, 1: 0.8}}}}}}"

    def test_release(self, folder: Path) -> None:
        driver = load(folder, self.KEYS.format(settings="after: release, release: 1s"))
        values, weights = at(driver, "AU12", 1, 1.5, 2, 3)
        assert weights == pytest.approx([1, 0.5, 0, 0])
        assert values[:2] == pytest.approx([0.8, 0.8])

    def test_loop(self, folder: Path) -> None:
        driver = load(folder, self.KEYS.format(settings="after: loop"))
        assert at(driver, "AU12", 0.5, 1.5, 7.25)[0] == pytest.approx([0.4, 0.4, 0.2])

    def test_offset(self, folder: Path) -> None:
        driver = load(folder, self.KEYS.format(settings="offset: 2s"))
        assert at(driver, "AU12", 0, 2.5, 3)[0] == pytest.approx([0, 0.4, 0.8])
        assert driver.duration_seconds == 3

    def test_options_of_the_caller(self, folder: Path) -> None:
        text = self.KEYS.format(settings="offset: 2s, after: release")
        driver = load(folder, text, options=DriverOptions(offset_seconds=1, after="hold"))
        assert at(driver, "AU12", 3.5, 99) == (pytest.approx([0.4, 0.8]), [1, 1])


class TestExpressions:
    def test_interpolates_between_two_as_equation_2(self, folder: Path) -> None:
        """v = v1 + alpha (v2 - v1), over every action unit that either names."""
        text = "{ease: linear, expressions: {0: happiness, 2: sadness}}"
        target = load(folder, text).target(np.array([0.0, 0.5, 2.0]), 0)
        for unit in set(EXPRESSIONS["happiness"]) | set(EXPRESSIONS["sadness"]):
            first, second = EXPRESSIONS["happiness"].get(unit, 0.0), EXPRESSIONS["sadness"].get(unit, 0.0)
            wanted = [first, first + 0.25 * (second - first), second]
            np.testing.assert_allclose(target.values[:, indices(unit)[0]], wanted, atol=1e-6)
            assert (target.weight[:, indices(unit)] == 1).all()
        assert not target.weight[:, indices("AU26")].any()
        assert not target.weight[:, indices("AU45")].any()

    def test_easing_between_them(self, folder: Path) -> None:
        text = "expressions: {0: neutral, 1: {name: happiness, ease: hold}, 2: neutral}"
        driver = load(folder, text)
        full = EXPRESSIONS["happiness"]["AU12"]
        smooth = 3 * 0.25**2 - 2 * 0.25**3
        assert at(driver, "AU12", 0.25, 1.9, 2)[0] == pytest.approx([full * smooth, full, 0])

    def test_amount_and_own_units(self, folder: Path) -> None:
        text = """
            expressions:
              0: {name: happiness, amount: 0.5, AU26: 0.3}
              1: {AU04: 0.8, AU12L: 0.2, amount: 0.5}
            """
        target = load(folder, text).target(np.array([0.0, 1.0]), 0)
        np.testing.assert_allclose(target.values[:, indices("AU26")[0]], [0.3, 0], atol=1e-6)
        np.testing.assert_allclose(target.values[:, indices("AU04")[0]], [0, 0.4], atol=1e-6)
        left, right = indices("AU12")
        smile = EXPRESSIONS["happiness"]["AU12"] / 2
        np.testing.assert_allclose(target.values[:, left], [smile, 0.1], atol=1e-6)
        np.testing.assert_allclose(target.values[:, right], [smile, 0], atol=1e-6)

    def test_neutral_leaves_speech_blinks_and_gaze(self, folder: Path) -> None:
        target = load(folder, "expressions: {0: neutral}").target(np.zeros(1), 0)
        held = {i for name in EXPRESSIVE_UNITS for i in indices(name)}
        assert set(np.flatnonzero(target.weight[0])) == held
        assert not target.values.any()
        for free in ("AU25", "AU26", "AU45", "AU61", "AU18"):
            assert not held & set(indices(free))

    def test_a_set_curve_overrides_and_an_added_one_adds(self, folder: Path) -> None:
        text = """
            expressions: {0: happiness}
            curves:
              AU12: 0.1
              AU06: {blend: add, keys: {0: 0.2}}
            """
        target = load(folder, text).target(np.zeros(1), 0)
        own = 0.3
        change = moved(target, own)[0]
        assert change[indices("AU12")] == pytest.approx(0.1 - own)
        assert change[indices("AU06")] == pytest.approx(EXPRESSIONS["happiness"]["AU06"] + 0.2 - own)

    def test_half_present_curve_over_an_expression(self, folder: Path) -> None:
        text = """
            expressions: {0: happiness}
            curves: {AU12: {keys: {0: 0.1}, ranges: [{in: 0, out: 4, ramp_in: 2}]}}
            """
        values, weights = at(load(folder, text), "AU12", 1)
        assert values == pytest.approx([(EXPRESSIONS["happiness"]["AU12"] + 0.1) / 2], abs=1e-5)
        assert weights == [1]

    @pytest.mark.parametrize("name", [*EXPRESSIONS, *ALIASES])
    def test_every_name_is_in_range_and_in_the_schema(self, name: str) -> None:
        for unit, value in named_expression(name).items():
            assert indices(unit)
            assert 0 <= value <= 1

    def test_published_combinations(self) -> None:
        """EMFACS: happiness 6+12, sadness 1+4+15, surprise 1+2+5B+26, disgust 9+15+16, contempt R12A+R14A."""
        assert set(EXPRESSIONS["happiness"]) == {"AU06", "AU12"}
        assert set(EXPRESSIONS["sadness"]) == {"AU01", "AU04", "AU15"}
        assert set(EXPRESSIONS["surprise"]) == {"AU01", "AU02", "AU05", "AU26"}
        assert set(EXPRESSIONS["anger"]) == {"AU04", "AU05", "AU07", "AU23"}
        assert set(EXPRESSIONS["disgust"]) == {"AU09", "AU15", "AU16"}
        assert EXPRESSIONS["contempt"] == {"AU12R": 0.2, "AU14R": 0.2}
        assert named_expression("Polite Smile") == {"AU12": 0.5}


class TestFaces:
    TWO = """
        ease: linear
        after: release
        curves: {AU12: {0: 0, 1: 0.5}}
        faces:
          - face: 1
            curves: {AU04: {0: 0, 1: 0.8}}
          - face: 2
            driver: {file: other.csv, offset: 1s, mode: add, after: loop, neutral: 2s, face: 3}
            after: hold
            offset: 0.5
        """

    def test_each_has_its_own_and_the_others_the_common_one(self, folder: Path) -> None:
        (folder / "other.csv").touch()
        seen: list[tuple[Path, DriverOptions]] = []
        driver = load(folder, self.TWO, load_driver=opener(seen))
        assert at(driver, "AU12", 0.5, face=0)[0] == pytest.approx([0.25])
        assert at(driver, "AU12", 0.5, face=7)[0] == pytest.approx([0.25])
        assert at(driver, "AU12", 0.5, face=1)[1] == [0]
        assert at(driver, "AU04", 0.5, 2.0, face=1) == (
            pytest.approx([0.4, 0.0]),
            [1, 0],
        )  # released as the file says
        assert driver.target(np.array([9.0]), 2).additive.all()
        assert seen == [
            (
                folder / "other.csv",
                DriverOptions(mode="add", offset_seconds=1.5, after="loop", neutral=2.0, face=3),
            )
        ]
        assert driver.notes == ("a still",)

    def test_faces_alone_leave_the_others(self, folder: Path) -> None:
        driver = load(folder, "faces: [{face: 1, curves: {AU12: 0.5}}]")
        assert not driver.target(np.zeros(2), 0).weight.any()
        assert driver.target(np.zeros(2), 1).weight.any()


class TestDriverFiles:
    def test_curves_on_top_of_a_clip(self, folder: Path) -> None:
        (folder / "take.mp4").touch()
        seen: list[tuple[Path, DriverOptions]] = []
        text = """
            driver: take.mp4
            curves:
              AU12: {blend: add, keys: {0: 0.2}}
              AU04: {blend: add, keys: {0: 0.3}}
              AU06: 0.4
            """
        target = load(folder, text, load_driver=opener(seen, smile=0.5)).target(np.zeros(1), 0)
        own = 0.1
        change = moved(target, own)[0]
        assert change[indices("AU12")] == pytest.approx(0.5 + 0.2 - own)
        assert change[indices("AU04")] == pytest.approx(0.0 + 0.3 - own)
        assert change[indices("AU06")] == pytest.approx(0.4 - own)
        assert seen[0][1] == DriverOptions()

    def test_while_the_clip_fades_the_added_curve_stays(self, folder: Path) -> None:
        """At every weight of the clip the movement is weight * (clip - own) + curve."""
        (folder / "take.mp4").touch()
        text = """
            driver: {file: take.mp4, offset: 1s, release: 1s}
            curves: {AU12: {blend: add, keys: {0: 0.2}}}
            """
        driver = load(folder, text, load_driver=opener([], smile=0.5))
        seconds = np.array([0.0, 0.25, 0.5, 0.9, 1.0])
        clip_weight = 3 * seconds**2 - 2 * seconds**3
        change = moved(driver.target(seconds, 0), own=0.1)[:, indices("AU12")[0]]
        np.testing.assert_allclose(change, clip_weight * 0.4 + 0.2, atol=1e-5)

    def test_a_set_curve_fades_in_over_a_fading_clip(self, folder: Path) -> None:
        """Half a curve over half a clip: half of the curve's pull, and half of what the clip does."""
        (folder / "take.mp4").touch()
        text = """
            driver: {file: take.mp4, offset: 1s, release: 1s}
            curves: {AU12: {keys: {0: 0.9}, ranges: [{in: 0, out: 9, ramp_in: 1}]}}
            """
        own = 0.1
        target = load(folder, text, load_driver=opener([], smile=0.5)).target(np.array([0.5]), 0)
        clip = 0.5 * (0.5 - own)
        wanted = 0.5 * clip + 0.5 * (0.9 - own)
        assert moved(target, own)[0, indices("AU12")] == pytest.approx(wanted, abs=1e-5)

    def test_after_of_the_file_holds_for_its_driver(self, folder: Path) -> None:
        (folder / "take.mp4").touch()
        seen: list[tuple[Path, DriverOptions]] = []
        load(folder, "{after: loop, driver: take.mp4}", load_driver=opener(seen)).target(np.zeros(1), 0)
        assert seen[0][1].after == "loop"

    def test_without_a_callback_a_capture_is_read(self, folder: Path) -> None:
        (folder / "take.csv").write_text("timestamp,AU12_r\n0,0\n1,2.5\n")
        driver = load(folder, "driver: {file: take.csv, neutral: none}")
        assert at(driver, "AU12", 1)[0] == pytest.approx([0.5])

    def test_a_sequence_pattern_is_left_to_the_opener(self, folder: Path) -> None:
        seen: list[tuple[Path, DriverOptions]] = []
        load(folder, "driver: take.%04d.png", load_driver=opener(seen))
        assert seen[0][0].name == "take.%04d.png"

    def test_errors_of_the_opener_come_through(self, folder: Path) -> None:
        (folder / "take.csv").write_text("hello\n")
        with pytest.raises(DriverError, match=r"take\.csv: no known capture format"):
            load(folder, "driver: take.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("# nothing yet\n", "the file is empty"),
        ("- 1\n", r"edit\.yaml, line 1: not a curve file"),
        ("smile\n", "not a curve file"),
        ("version: 1\n", "line 1: nothing to perform"),
        ("curves: {}\n", "nothing to perform"),
        ("curves: [AU12]\n", "line 1: curves: needs entries, 'name: value', not ..'AU12'"),
        ("ranges: {in: 1, out: 2}\ncurves: {AU12: 1}\n", r"line 1: ranges: needs a list, '\[\.\.\.\]', not"),
        ("curves: {AU12: {}}\n", r"curves\.AU12\.keys: .*at least 1"),
        ("curves:\n  AU12: 0.1\nfaces: [{face: 0}]\n", "line 3: nothing to perform"),
        ("curvs: {AU12: 1}\n", "line 1: unknown key 'curvs'; did you mean 'curves'"),
        ("curves:\n  AU12:\n    keys: {0: 1}\n    gian: 2\n", "line 4: .*key 'gian'; did you mean 'gain'"),
        ("zzz: 1\n", "unknown key 'zzz'; known are "),
        ("version: 2\ncurves: {AU12: 1}\n", "line 1: version: input should be 1"),
        ("curves:\n  AU13: 0.1\n", r"line 2: unknown action unit 'AU13'; did you mean AU1[24]"),
        ("curves:\n  lip corner pull: 0.1\n", r"did you mean AU12 \(lip corner puller\)"),
        ("curves:\n  AU12: 0.1\n  AU12L: 0.2\n", "line 3: AU12L and AU12 are both AU12L"),
        ("curves:\n  AU43: 0.1\n  AU45R: 0.2\n", "line 3: AU45R and AU43 are both AU45R"),
        ("curves:\n  AU12: 0.1\n  AU12: 0.2\n", "line 3: 'AU12' occurs twice"),
        ("curves:\n  AU12:\n    0: 0\n    one: 0.2\n", "line 4: 'one' is no time"),
        ("curves:\n  AU12:\n    -1: 0\n", "line 3: -1 is before the start"),
        ("curves:\n  AU12:\n    36f: 0\n    1.5: 1\n", "line 4: 1.5 and 36f are the same time"),
        ("curves:\n  AU12:\n    0: .nan\n", "line 3: .*valid number.*'.nan'"),
        ("curves:\n  AU12:\n    0: 1e999\n", "line 3: .*finite number"),
        ("curves:\n  AU12:\n    0: true\n", "line 3: .*valid number"),
        ("curves:\n  AU12:\n    keys:\n      0: 1.2\n", "line 4: AU12: 1.2 is outside .* .scale: openface"),
        ("curves:\n  AU12:\n    0: -0.2\n", "line 3: AU12: -0.2 is outside 0..1 .set.; to weaken"),
        ("curves:\n  AU12: 7\n", "AU12: 7 is outside 0..1 .set.; correct the value"),
        ("blend: add\ncurves:\n  AU12: -2\n", "line 3: AU12: -2 is outside -1..1"),
        ("scale: openface\ncurves:\n  AU12: 6\n", "6 is outside 0..5"),
        ("curves:\n  AU12:\n    0: [0.1, bouncy]\n", "line 3: .*ease: input should be 'hold'"),
        ("gain: -1\ncurves: {AU12: 1}\n", "line 1: gain: input should be greater"),
        ("frame_rate: fast\ncurves: {AU12: 1}\n", "line 1: frame rate 'fast' makes no sense"),
        ("offset: [1]\ncurves: {AU12: 1}\n", "line 1: offset: no time; write seconds"),
        ("after: loop\ncurves: {AU12: 1}\n", "line 1: 'loop' needs a key or a range end later than 0"),
        ("ranges:\n  - {in: 2, out: 1}\ncurves: {AU12: 1}\n", "line 2: the range ends at 1, not after"),
        ("ranges:\n  - {in: 0, out: 1, ramp_in: 2}\ncurves: {AU12: 1}\n", "ramps of 2 s do not fit into 1 s"),
        ("ranges:\n  - {out: 1}\ncurves: {AU12: 1}\n", r"line 2: ranges\.0\.in: is missing; add it"),
        ("expressions:\n  0: hapiness\n", "line 2: unknown expression 'hapiness'; did you mean happiness"),
        ("expressions:\n  0: qqq\n", "unknown expression 'qqq'; known are neutral"),
        ("expressions:\n  0: {}\n", "line 2: .*an empty expression"),
        ("expressions:\n  0: {AU12: 0.1, AU12R: 0.2}\n", "line 2: AU12R and AU12 are both"),
        ("expressions:\n  0: {AU99: 0.1}\n", "line 2: unknown action unit 'AU99'"),
        ("faces:\n- {face: 0, curves: {AU12: 1}}\n- {face: 0, driver: a.csv}\n", "line 3: face 0 has two"),
        ("driver: gone.csv\n", "line 1: no file gone.csv beside the curve file"),
        ("driver: edit.yaml\n", "edit.yaml is a curve file; a driver here is a clip or a capture"),
        ("a: &x 1\ncurves: {AU12: *x}\n", "line 1: anchors and aliases are not supported"),
        ("curves: {AU12: !!python/name:os.system 1}\n", "tags such as .* are not supported"),
        ("curves: {AU12: 1}\n---\ncurves: {AU12: 1}\n", "line 2: a second document begins here"),
        ("curves:\n  AU12: {0: 1\n", r"not valid YAML \(.*\); check indentation"),
        ("curves:\n\tAU12: 1\n", "line 2: not valid YAML"),
        ('curves: {"\\UFFFFFFFF": 1}\n', "not valid YAML"),
        ("curves: {\x07: 1}\n", "not valid YAML"),
        ("? [1]\n: 2\n", "line 1: a key must be a plain name"),
        ("curves: " + "[" * 30 + "]" * 30, "nested too deep"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_with_their_place(folder: Path, text: str, message: str) -> None:
    path = folder / "edit.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DriverError, match=message) as caught:
        load_curves(path, frame_rate=RATE)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_unreadable_files(folder: Path) -> None:
    with pytest.raises(DriverError, match=r"none\.yaml: cannot be read \(No such file"):
        load_curves(folder / "none.yaml", frame_rate=RATE)
    (folder / "binary.yaml").write_bytes(b"\xff\xfe\x00\x9f")
    with pytest.raises(DriverError, match=r"binary\.yaml: not a text file"):
        load_curves(folder / "binary.yaml", frame_rate=RATE)


def test_yaml_1_1_surprises_are_text(folder: Path) -> None:
    """Base-60 numbers and `on` are what they look like; a timecode needs no quotes."""
    driver = load(folder, "{ease: linear, offset: 00:00:01.000, curves: {AU12: {0: 0, 00:00:01:00: 1}}}")
    assert at(driver, "AU12", 1.5)[0] == pytest.approx([0.5])


def test_nobody_asks_nothing() -> None:
    assert not CurveDriver(None).target(np.zeros(3), 0).weight.any()
    assert CurveDriver(Performance(())).duration_seconds == math.inf


@FILES
@given(text=st.one_of(st.text(max_size=60), st.text("AU12:{}[]0.5s,\n -&*!?|'\"#f;curves", max_size=80)))
def test_any_text_loads_or_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    try:
        path.write_text(text, encoding="utf-8")
    except UnicodeEncodeError:  # a lone surrogate cannot be in a file
        return
    with pytest.raises(RetargetError, match=r"x\.yaml"):
        load_curves(path, frame_rate=RATE)


@FILES
@given(
    keys=st.dictionaries(st.integers(0, 200), st.floats(0, 1), min_size=1, max_size=8),
    eases=st.lists(st.sampled_from(["hold", "linear", "smooth", "cubic"]), min_size=8, max_size=8),
)
def test_curves_pass_through_their_keys_and_stay_between(
    tmp_path: Path, keys: dict[int, float], eases: list[str]
) -> None:
    written = ", ".join(f"{f}f: [{v!r}, {e}]" for (f, v), e in zip(keys.items(), eases, strict=False))
    driver = load(tmp_path, f"curves: {{AU12: {{{written}}}}}")
    frames = sorted(keys)
    values, _ = at(driver, "AU12", *(f / 24 for f in frames))
    assert values == pytest.approx([keys[f] for f in frames], abs=1e-6)
    between, _ = at(driver, "AU12", *np.linspace(0, 9, 91))
    assert min(keys.values()) - 1e-6 <= min(between)
    assert max(between) <= max(keys.values()) + 1e-6


class TestSample:
    """samples/smile.yaml says what its comments say."""

    def test_values(self) -> None:
        driver = load_curves(SMILE_YAML, frame_rate=Fraction(25))
        assert driver.duration_seconds == 3
        left, right = indices("AU12")
        target = driver.target(np.array([0.0, 1.25, 2.0, 3.0]), 0)
        np.testing.assert_allclose(target.values[:, left], [0, 0.62, 0.70, 0.45], atol=1e-6)
        np.testing.assert_allclose(target.values[:, right], [0, 0.56, 0.64, 0.42], atol=1e-6)
        assert at(driver, "AU01", 10 / 24)[0] == pytest.approx([0.35])
        assert at(driver, "AU02", 10 / 24)[0] == pytest.approx([0.24])
        assert at(driver, "AU45", 20 / 24, 22 / 24, 24 / 24, 26 / 24)[0] == pytest.approx([0, 1, 0.5, 0], abs=1e-6)
        assert at(driver, "AU25", 0.9, 1.5, 3)[1] == [0, 1, 0]

    def test_gives_the_face_back(self) -> None:
        driver = load_curves(SMILE_YAML, frame_rate=Fraction(25))
        assert at(driver, "AU12L", 3.0, 3.25, 3.5)[1] == pytest.approx([1, 0.5, 0])
        assert not driver.target(np.array([4.0]), 0).weight.any()
