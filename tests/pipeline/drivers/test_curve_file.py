"""Curve files written here, with values worked out by hand."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retarget.model import action_units
from retarget.pipeline.drivers.curve_file import load_curves
from retarget.pipeline.drivers.driver import DriverOptions
from retarget.pipeline.drivers.expressions import EXPRESSIONS, EXPRESSIVE_UNITS
from retarget.pipeline.errors import DriverError, RetargetError

RATE = Fraction(24)
SMILE_YAML = Path(__file__).parents[3] / "samples" / "smile.yaml"
FILES = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def indices(name: str) -> list[int]:
    return list(action_units.resolve(name))


class TestWritten:
    def test_each_key_may_have_its_ease(self, load: Any, at: Any) -> None:
        driver = load(
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

    def test_times_in_any_form_and_order(self, load: Any, at: Any) -> None:
        text = '{ease: linear, curves: {AU26: {"00:00:01:00": 0.5, 0: 0, 00:00:02.000: 1, 36f: 0}}}'
        assert at(load(text), "AU26", 0.5, 1, 1.5, 1.75)[0] == pytest.approx([0.25, 0.5, 0, 0.5])

    @pytest.mark.parametrize("name", ["lips_together", "Lips together"])
    def test_lips_together_by_name(self, load: Any, name: str) -> None:
        text = f"curves: {{AU12: 0.5, {name}: {{ease: linear, keys: {{0: 0, 1: 1}}}}}}"
        target = load(text).target(np.array([0.0, 0.25, 2.0]), 0)
        assert target.lips_together.tolist() == pytest.approx([0, 0.25, 1])
        assert target.values.shape == (3, action_units.COUNT)
        assert target.weight[0].nonzero()[0].tolist() == indices("AU12")

    def test_lips_together_is_named_once(self, load: Any) -> None:
        with pytest.raises(DriverError, match="are both lips_together; keep one of them"):
            load("curves: {lips_together: 1, lips together: 1}")

    def test_frame_rate_of_the_file_wins(self, load: Any) -> None:
        driver = load("{frame_rate: 12, curves: {AU26: {0: 0, 12f: 1}}}")
        assert driver.duration_seconds == 1

    def test_sides_and_spellings(self, load: Any) -> None:
        driver = load("curves: {AU12L: 0.2, lip pucker: 0.3, au4: 0.4, 45_right: 0.5}")
        target = driver.target(np.zeros(1), 0)
        found = {
            action_units.NAMES[i]: round(float(target.values[0, i]), 6) for i in target.weight[0].nonzero()[0]
        }
        assert found == {"AU12L": 0.2, "AU18": 0.3, "AU04L": 0.4, "AU04R": 0.4, "AU45R": 0.5}

    def test_openface_scale(self, load: Any, at: Any) -> None:
        assert at(load("{scale: openface, curves: {AU12: 3}}"), "AU12", 0)[0] == pytest.approx([0.6])

    def test_gains_multiply_and_clamp(self, load: Any, at: Any) -> None:
        driver = load(
            "{gain: .5, curves: {AU12: {gain: 1.5, keys: {0: .4}}, AU04: .8, AU09: {gain: 9, keys: {0: 1}}}}",
        )
        assert at(driver, "AU12", 0)[0] == pytest.approx([0.3])
        assert at(driver, "AU04", 0)[0] == pytest.approx([0.4])
        assert at(driver, "AU09", 0)[0] == [1]

    def test_options_of_the_caller(self, load: Any, at: Any) -> None:
        text = "{offset: 2s, after: release, ease: linear, curves: {AU12: {0: 0, 1: 0.8}}}"
        driver = load(text, options=DriverOptions(offset_seconds=1, after="hold"))
        assert at(driver, "AU12", 3.5, 99) == (pytest.approx([0.4, 0.8]), [1, 1])


class TestExpressions:
    def test_interpolates_between_two_as_equation_2(self, load: Any) -> None:
        """v = v1 + alpha (v2 - v1), over every action unit that either names."""
        text = "{ease: linear, expressions: {0: happiness, 2: sadness}}"
        target = load(text).target(np.array([0.0, 0.5, 2.0]), 0)
        for unit in set(EXPRESSIONS["happiness"]) | set(EXPRESSIONS["sadness"]):
            first, second = EXPRESSIONS["happiness"].get(unit, 0.0), EXPRESSIONS["sadness"].get(unit, 0.0)
            wanted = [first, first + 0.25 * (second - first), second]
            np.testing.assert_allclose(target.values[:, indices(unit)[0]], wanted, atol=1e-6)
            assert (target.weight[:, indices(unit)] == 1).all()
        assert not target.weight[:, indices("AU26")].any()
        assert not target.weight[:, indices("AU45")].any()

    def test_easing_between_them(self, load: Any, at: Any) -> None:
        text = "expressions: {0: neutral, 1: {name: happiness, ease: hold}, 2: neutral}"
        driver = load(text)
        full = EXPRESSIONS["happiness"]["AU12"]
        smooth = 3 * 0.25**2 - 2 * 0.25**3
        assert at(driver, "AU12", 0.25, 1.9, 2)[0] == pytest.approx([full * smooth, full, 0])

    def test_amount_and_own_units(self, load: Any) -> None:
        text = """
            expressions:
              0: {name: happiness, amount: 0.5, AU26: 0.3}
              1: {AU04: 0.8, AU12L: 0.2, amount: 0.5}
            """
        target = load(text).target(np.array([0.0, 1.0]), 0)
        np.testing.assert_allclose(target.values[:, indices("AU26")[0]], [0.3, 0], atol=1e-6)
        np.testing.assert_allclose(target.values[:, indices("AU04")[0]], [0, 0.4], atol=1e-6)
        left, right = indices("AU12")
        smile = EXPRESSIONS["happiness"]["AU12"] / 2
        np.testing.assert_allclose(target.values[:, left], [smile, 0.1], atol=1e-6)
        np.testing.assert_allclose(target.values[:, right], [smile, 0], atol=1e-6)

    def test_neutral_leaves_speech_blinks_and_gaze(self, load: Any) -> None:
        target = load("expressions: {0: neutral}").target(np.zeros(1), 0)
        held = {i for name in EXPRESSIVE_UNITS for i in indices(name)}
        assert set(np.flatnonzero(target.weight[0])) == held
        assert not target.values.any()
        for free in ("AU25", "AU26", "AU45", "AU61", "AU18"):
            assert not held & set(indices(free))

    def test_a_set_curve_overrides_and_an_added_one_adds(self, load: Any, moved: Any) -> None:
        text = """
            expressions: {0: happiness}
            curves:
              AU12: 0.1
              AU06: {blend: add, keys: {0: 0.2}}
            """
        target = load(text).target(np.zeros(1), 0)
        own = 0.3
        change = moved(target, own)[0]
        assert change[indices("AU12")] == pytest.approx(0.1 - own)
        assert change[indices("AU06")] == pytest.approx(EXPRESSIONS["happiness"]["AU06"] + 0.2 - own)

    def test_half_present_curve_over_an_expression(self, load: Any, at: Any) -> None:
        text = """
            expressions: {0: happiness}
            curves: {AU12: {keys: {0: 0.1}, ranges: [{in: 0, out: 4, ramp_in: 2}]}}
            """
        values, weights = at(load(text), "AU12", 1)
        assert values == pytest.approx([(EXPRESSIONS["happiness"]["AU12"] + 0.1) / 2], abs=1e-5)
        assert weights == [1]


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

    def test_each_has_its_own_and_the_others_the_common_one(
        self, tmp_path: Path, load: Any, at: Any, opener: Any
    ) -> None:
        (tmp_path / "other.csv").touch()
        seen: list[tuple[Path, DriverOptions]] = []
        driver = load(self.TWO, load_driver=opener(seen))
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
                tmp_path / "other.csv",
                DriverOptions(mode="add", offset_seconds=1.5, after="loop", neutral=2.0, face=3),
            )
        ]
        assert driver.notes == ("a still",)

    def test_faces_alone_leave_the_others(self, load: Any) -> None:
        driver = load("faces: [{face: 1, curves: {AU12: 0.5}}]")
        assert not driver.target(np.zeros(2), 0).weight.any()
        assert driver.target(np.zeros(2), 1).weight.any()


class TestDriverFiles:
    def test_curves_on_top_of_a_clip(self, tmp_path: Path, load: Any, moved: Any, opener: Any) -> None:
        (tmp_path / "take.mp4").touch()
        seen: list[tuple[Path, DriverOptions]] = []
        text = """
            driver: take.mp4
            curves:
              AU12: {blend: add, keys: {0: 0.2}}
              AU04: {blend: add, keys: {0: 0.3}}
              AU06: 0.4
            """
        target = load(text, load_driver=opener(seen, smile=0.5)).target(np.zeros(1), 0)
        own = 0.1
        change = moved(target, own)[0]
        assert change[indices("AU12")] == pytest.approx(0.5 + 0.2 - own)
        assert change[indices("AU04")] == pytest.approx(0.0 + 0.3 - own)
        assert change[indices("AU06")] == pytest.approx(0.4 - own)
        assert seen[0][1] == DriverOptions()

    def test_while_the_clip_fades_the_added_curve_stays(
        self, tmp_path: Path, load: Any, moved: Any, opener: Any
    ) -> None:
        """At every weight of the clip the movement is weight * (clip - own) + curve."""
        (tmp_path / "take.mp4").touch()
        text = """
            driver: {file: take.mp4, offset: 1s, release: 1s}
            curves: {AU12: {blend: add, keys: {0: 0.2}}}
            """
        driver = load(text, load_driver=opener([], smile=0.5))
        seconds = np.array([0.0, 0.25, 0.5, 0.9, 1.0])
        clip_weight = 3 * seconds**2 - 2 * seconds**3
        change = moved(driver.target(seconds, 0), own=0.1)[:, indices("AU12")[0]]
        np.testing.assert_allclose(change, clip_weight * 0.4 + 0.2, atol=1e-5)

    def test_a_set_curve_fades_in_over_a_fading_clip(
        self, tmp_path: Path, load: Any, moved: Any, opener: Any
    ) -> None:
        """Half a curve over half a clip: half of the curve's pull, and half of what the clip does."""
        (tmp_path / "take.mp4").touch()
        text = """
            driver: {file: take.mp4, offset: 1s, release: 1s}
            curves: {AU12: {keys: {0: 0.9}, ranges: [{in: 0, out: 9, ramp_in: 1}]}}
            """
        own = 0.1
        target = load(text, load_driver=opener([], smile=0.5)).target(np.array([0.5]), 0)
        clip = 0.5 * (0.5 - own)
        wanted = 0.5 * clip + 0.5 * (0.9 - own)
        assert moved(target, own)[0, indices("AU12")] == pytest.approx(wanted, abs=1e-5)

    def test_after_of_the_file_holds_for_its_driver(self, tmp_path: Path, load: Any, opener: Any) -> None:
        (tmp_path / "take.mp4").touch()
        seen: list[tuple[Path, DriverOptions]] = []
        load("{after: loop, driver: take.mp4}", load_driver=opener(seen)).target(np.zeros(1), 0)
        assert seen[0][1].after == "loop"

    def test_without_a_callback_a_capture_is_read(self, tmp_path: Path, load: Any, at: Any) -> None:
        (tmp_path / "take.csv").write_text("timestamp,AU12_r\n0,0\n1,2.5\n")
        driver = load("driver: {file: take.csv, neutral: none}")
        assert at(driver, "AU12", 1)[0] == pytest.approx([0.5])

    def test_a_sequence_pattern_is_left_to_the_opener(self, load: Any, opener: Any) -> None:
        seen: list[tuple[Path, DriverOptions]] = []
        load("driver: take.%04d.png", load_driver=opener(seen))
        assert seen[0][0].name == "take.%04d.png"

    def test_errors_of_the_opener_come_through(self, tmp_path: Path, load: Any) -> None:
        (tmp_path / "take.csv").write_text("hello\n")
        with pytest.raises(DriverError, match=r"take\.csv: no known capture format"):
            load("driver: take.csv")


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
def test_mistakes_are_one_line_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "edit.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DriverError, match=message) as caught:
        load_curves(path, frame_rate=RATE)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match=r"none\.yaml: cannot be read \(No such file"):
        load_curves(tmp_path / "none.yaml", frame_rate=RATE)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x9f")
    with pytest.raises(DriverError, match=r"binary\.yaml: not a text file"):
        load_curves(tmp_path / "binary.yaml", frame_rate=RATE)


def test_yaml_1_1_surprises_are_text(load: Any, at: Any) -> None:
    """Base-60 numbers and `on` are what they look like; a timecode needs no quotes."""
    driver = load("{ease: linear, offset: 00:00:01.000, curves: {AU12: {0: 0, 00:00:01:00: 1}}}")
    assert at(driver, "AU12", 1.5)[0] == pytest.approx([0.5])


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


class TestSample:
    """samples/smile.yaml says what its comments say."""

    def test_values(self, at: Any) -> None:
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

    def test_gives_the_face_back(self, at: Any) -> None:
        driver = load_curves(SMILE_YAML, frame_rate=Fraction(25))
        assert at(driver, "AU12L", 3.0, 3.25, 3.5)[1] == pytest.approx([1, 0.5, 0])
        assert not driver.target(np.array([4.0]), 0).weight.any()
