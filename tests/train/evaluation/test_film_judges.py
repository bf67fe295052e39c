"""Judges of films, on a short one whose output is painted over."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.pipeline.faces import read_faces
from retarget.pipeline.media import EncodeOptions, create_video, open_video
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.run import retarget_video
from retarget.train.evaluation.film_judges import film_openings, film_verdict
from retarget.train.metrics import Openings


@pytest.fixture(scope="module")
def made(samples: Path, tmp_path_factory: Any) -> tuple[Path, Any, RetargetOptions]:
    output = tmp_path_factory.mktemp("film") / "film.mkv"
    options = RetargetOptions(device="cpu", trim_end=0.5, encode=EncodeOptions(crf=12))
    return output, retarget_video(samples / "actress.mp4", samples / "smile.yaml", output, options), options


def test_a_film_in_order(made: tuple[Path, Any, RetargetOptions], samples: Path) -> None:
    output, report, options = made
    found = film_verdict(samples / "actress.mp4", output, report, options)
    assert found is not None
    assert found.never_seen <= 0.2
    assert found.flags == found.moments == ()
    assert set(found.boiling) == {"face", "mouth", "eyes", "jaw"}


def test_a_green_frame_is_named_and_shown(
    made: tuple[Path, Any, RetargetOptions], samples: Path, tmp_path: Path
) -> None:
    output, report, options = made
    with (
        open_video(output) as reader,
        create_video(tmp_path / "bad.mkv", like=reader, options=EncodeOptions(crf=12)) as writer,
    ):
        for frame in reader:
            planes = [plane.copy() for plane in frame.planes]
            if frame.index == 9:
                planes[1][:], planes[2][:] = 60, 60
            writer.write(frame.with_planes(planes))
    found = film_verdict(samples / "actress.mp4", tmp_path / "bad.mkv", report, options)
    assert found is not None
    assert found.never_seen > 100
    assert found.never_seen_frame == 9
    assert "painted" in found.flags
    assert found.moments[0].caption == "actress\npainted 9"
    assert found.moments[0].after[..., 1].mean() > found.moments[0].before[..., 1].mean() + 20


def test_the_witness_sees_each_moment_of_the_track(samples: Path) -> None:
    class Bright:
        def openings(self, crop: np.ndarray, spec: Any) -> Openings:
            assert crop.shape == (spec.size_px, spec.size_px, 3)
            return Openings(crop.mean() / 255, 0.3)

    with open_video(samples / "actress.mp4", trim_end=0.3) as reader:
        (track,) = read_faces(reader).tracks
        assert reader.info.frame_rate == Fraction(24000, 1001)
    found = film_openings(samples / "actress.mp4", track, Bright(), trim_end=0.3)
    assert found.shape == (len(track.frames), 2)
    assert ((found[:, 0] > 0.1) & (found[:, 0] < 0.9)).all()
    np.testing.assert_array_equal(found[:, 1], 0.3)
