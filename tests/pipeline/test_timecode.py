"""Time as editors write it: seconds, frames, SMPTE timecode and the rates it counts at."""

import subprocess
import sys
from fractions import Fraction

import pytest
from opentimelineio import opentime

from retarget.pipeline.timecode import (
    DROP_RATES,
    USUAL_RATES,
    Timecode,
    advance_timecode,
    has_drop_frame,
    numbers_per_second,
    rate_of,
    seconds_of,
    usual_rate,
)

RATE = Fraction(24)
NTSC = Fraction(30000, 1001)
NTSC_60 = Fraction(60000, 1001)


class TestTimes:
    @pytest.mark.parametrize(
        ("written", "rate", "seconds"),
        [
            (1.5, RATE, 1.5),
            (2, RATE, 2),
            ("1.5s", RATE, 1.5),
            (" .5 s", RATE, 0.5),
            ("250ms", RATE, 0.25),
            ("012", RATE, 12),
            ("1e3", RATE, 1000),
            ("-2.5e-1s", RATE, -0.25),
            (1e-7, RATE, 1e-7),
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
            ("00:01:00;04", NTSC_60, 3600 * 1001 / 60000),
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
            ("0:0:0:5", RATE, "is no time"),
            ("00:00:01:24", RATE, "frame 24 does not exist at 24 frames"),
            ("00:01:00;00", RATE, "only 29.97 and 59.94"),
            ("00:01:00;01", NTSC, "no frame 1 at the start of minute 1"),
            ("00:01:00;03", NTSC_60, "no frame 3 at the start of minute 1"),
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
            (59.94, NTSC_60),
            ("30000/1001", NTSC),
            (12.5, Fraction(25, 2)),
            ("024", Fraction(24)),
            ("2.5e1", Fraction(25)),
        ],
    )
    def test_rates(self, written: float | str, rate: Fraction) -> None:
        assert rate_of(written) == rate

    @pytest.mark.parametrize("written", [0, -24, "fast", "1/0", "1e9", 1e5, "nan", "1e-9", "1e99"])
    def test_bad_rates(self, written: float | str) -> None:
        with pytest.raises(ValueError, match="makes no sense"):
            rate_of(written)


class TestTimecode:
    @pytest.mark.parametrize("rate", USUAL_RATES, ids=str)
    def test_every_second_of_a_day_counts_as_opentime_counts(self, rate: Fraction) -> None:
        per_second = numbers_per_second(rate)
        for number in range(0, 86400 * per_second, 997):
            text = str(Timecode(number, rate))
            assert opentime.from_timecode(text, float(rate)).to_frames() == number
            assert Timecode.read(text, rate) == Timecode(number, rate)

    @pytest.mark.parametrize("rate", DROP_RATES, ids=str)
    def test_every_minute_of_a_drop_frame_day_counts_as_opentime_counts(self, rate: Fraction) -> None:
        per_second, frames_a_day = numbers_per_second(rate), 2589408 * numbers_per_second(rate) // 30
        near_minutes = (60 * per_second * minute + i for minute in range(1440) for i in range(-9, 9, 3))
        for number in (*near_minutes, *range(0, frames_a_day, 997)):
            text = str(Timecode(number, rate, is_drop=True))
            assert text[8] == ";"
            assert opentime.from_timecode(text, float(rate)).to_frames() == number % frames_a_day
            assert Timecode.read(text, rate) == Timecode(number % frames_a_day, rate, is_drop=True)

    def test_numbers_left_out_are_never_written(self) -> None:
        numbers = [str(Timecode(number, NTSC, is_drop=True)) for number in range(1790, 1810)]
        assert numbers[9:11] == ["00:00:59;29", "00:01:00;02"]

    def test_rates_without_smpte_timecode_count_too(self) -> None:
        assert str(Timecode(121, Fraction(120))) == "00:00:01:01"
        assert Timecode.read("00:00:01:119", Fraction(120)).frames == 239
        assert Timecode.read("00:00:01:00", Fraction(25, 2)).frames == 13

    def test_a_header_may_round_its_rate(self) -> None:
        assert usual_rate(Fraction(2997, 100)) == NTSC
        assert usual_rate(Fraction(12)) == 12
        assert Timecode.read("00:01:00;02", Fraction(2997, 100)).frames == 1800
        assert has_drop_frame(Fraction(5994, 100))
        assert not has_drop_frame(Fraction(30))

    def test_the_day_begins_again(self) -> None:
        assert str(Timecode(-1, RATE)) == "23:59:59:23"
        assert str(Timecode(2 * 86400 * 24, RATE)) == "00:00:00:00"
        assert str(Timecode(-1, NTSC, is_drop=True)) == "23:59:59;29"

    def test_frames_later(self) -> None:
        assert Timecode.read("01:00:00:00", RATE) + 25 == Timecode(86425, RATE)

    @pytest.mark.parametrize("text", ["", "abc", "00:00:00", "00:60:00:00", "00:00:60:00", "-00:00:00:01"])
    def test_no_timecode(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"is no timecode; write it as 01:00:00:00"):
            Timecode.read(text, RATE)


@pytest.mark.parametrize(
    ("timecode", "frames", "rate", "expected"),
    [
        ("01:00:00:00", 25, Fraction(24), "01:00:01:01"),
        ("23:59:59:23", 1, Fraction(24), "00:00:00:00"),
        ("00:00:59;29", 1, NTSC, "00:01:00;02"),  # 29.97 drop: numbers 0 and 1 are skipped
        ("00:09:59;29", 1, NTSC, "00:10:00;00"),  # but not every tenth minute
        ("00:00:00;00", 17982, NTSC, "00:10:00;00"),
        ("00:00:00;00", 1800, NTSC, "00:01:00;02"),
        ("00:00:59.29", 1, NTSC, "00:01:00.02"),
        ("00:00:59;59", 1, NTSC_60, "00:01:00;04"),
        ("00:00:59;29", 1, Fraction(30), "00:01:00;02"),  # a file whose header rounds its rate
        ("00:00:00:30", 1, Fraction(24), "00:00:01:07"),
        ("nonsense", 5, Fraction(24), "nonsense"),
    ],
)
def test_advance_timecode(timecode: str, frames: int, rate: Fraction, expected: str) -> None:
    assert advance_timecode(timecode, frames, rate) == expected


def test_importing_it_is_cheap() -> None:
    code = "import sys, retarget.pipeline.timecode as t; t.seconds_of('00:00:01:12', 24); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "opentimelineio" not in loaded
    assert "numpy" not in loaded
