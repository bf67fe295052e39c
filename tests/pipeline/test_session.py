"""Analyse once, plan many times, edit what was planned: values in, values out."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from retarget.model.crop_spec import CropSpec
from retarget.model.mesh import MOUTH
from retarget.pipeline import session as session_module
from retarget.pipeline.drivers import CurveDriver
from retarget.pipeline.edit import EditedFrame, FrameRequest, Plans, RenderedFrame
from retarget.pipeline.errors import NoFaceError, VideoReadError
from retarget.pipeline.faces import ClipAnalysis, Collector, FaceSelection
from retarget.pipeline.media import EncodeOptions, VideoReader, open_video, proxy
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.records import Frame, TrackedFrame, VideoInfo
from retarget.pipeline.refine import refine_plans
from retarget.pipeline.run import retarget_video
from retarget.pipeline.session import (
    analyse_clip,
    edited_frames,
    edits,
    load_driver,
    open_session,
    plan_edits,
    read_references,
)
from retarget.pipeline.stream import Stage

SHORT = RetargetOptions(trim_end=0.5, device="cpu")


@pytest.fixture(scope="module")
def analysis(samples: Path) -> ClipAnalysis:
    return analyse_clip(samples / "actress.mp4", SHORT)


# The three steps


def test_the_steps_are_the_main_job(samples: Path, analysis: ClipAnalysis, tmp_path: Path) -> None:
    driver = load_driver(samples / "smile.yaml", SHORT, frame_rate=analysis.info.frame_rate)
    plans = refine_plans(plan_edits(analysis, driver, SHORT), SHORT)
    edited = list(edited_frames(plans, SHORT))
    options = replace(SHORT, encode=EncodeOptions(codec="ffv1"))
    report = retarget_video(samples / "actress.mp4", samples / "smile.yaml", tmp_path / "a.mkv", options)
    assert (
        sum(edit.result is not edit.source for edit in edited) == report.frames_edited == plans.edited_frames > 0
    )
    with open_video(tmp_path / "a.mkv") as film:
        for edit, frame in zip(edited, film, strict=True):
            for ours, theirs in zip(edit.result.planes, frame.planes, strict=True):
                np.testing.assert_array_equal(ours, theirs)


def test_planning_again_reads_nothing(
    samples: Path, analysis: ClipAnalysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = load_driver(samples / "smile.yaml", SHORT, frame_rate=analysis.info.frame_rate)
    monkeypatch.setattr(session_module, "open_video", lambda *_, **__: pytest.fail("the video was opened"))
    whole, half = (plan_edits(analysis, driver, replace(SHORT, strength=s)).faces[0] for s in (1.0, 0.5))
    np.testing.assert_allclose(half.delta_au, whole.delta_au / 2, atol=1e-6)
    assert np.abs(whole.delta_au).max() > 0.1


def test_one_plan_does_not_touch_another(samples: Path, analysis: ClipAnalysis) -> None:
    driver = load_driver(samples / "smile.yaml", SHORT, frame_rate=analysis.info.frame_rate)
    before = plan_edits(analysis, driver, SHORT)
    kept = before.faces[0].delta_au.copy()
    plan_edits(analysis, driver, replace(SHORT, strength=-1.0, smooth_seconds=1.0))
    np.testing.assert_array_equal(before.faces[0].delta_au, kept)
    again = plan_edits(analysis, driver, SHORT)
    np.testing.assert_array_equal(again.faces[0].delta_au, kept)


def test_some_frames_of_a_plan(samples: Path, analysis: ClipAnalysis) -> None:
    driver = load_driver(samples / "smile.yaml", SHORT, frame_rate=analysis.info.frame_rate)
    plans = plan_edits(analysis, driver, SHORT)
    (only,) = edited_frames(plans, SHORT, only=[7])
    every = list(edited_frames(plans, SHORT))
    for ours, theirs in zip(only.result.planes, every[7].result.planes, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_resting_expression_that_was_measured_is_not_measured_again(
    samples: Path, analysis: ClipAnalysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = samples / "astronaut.png"
    options = replace(SHORT, source_neutral=picture)
    driver = load_driver(samples / "smile.yaml", SHORT, frame_rate=analysis.info.frame_rate)
    measured = plan_edits(analysis, driver, options).faces[0]
    neutral = session_module.source_neutral(options)
    monkeypatch.setattr(session_module, "DriverReader", lambda *_, **__: pytest.fail("measured again"))
    given = plan_edits(analysis, driver, options, neutral=neutral)
    np.testing.assert_array_equal(given.faces[0].delta_au, measured.delta_au)


def test_a_face_that_no_shot_has(samples: Path, analysis: ClipAnalysis) -> None:
    driver = load_driver(samples / "smile.yaml")
    with pytest.raises(NoFaceError, match="no shot has as many faces as --face asks for; at most 1 are seen"):
        plan_edits(analysis, driver, replace(SHORT, faces=FaceSelection("left-right", 3)))


def test_one_person_is_edited_before_and_behind_what_hides_them(samples: Path, occlusion_clip: Path) -> None:
    analysis = analyse_clip(occlusion_clip)
    driver = load_driver(samples / "smile.yaml", frame_rate=analysis.info.frame_rate)
    (hidden,) = (t for t in analysis.tracks if len(t.frames) < 100)
    options = RetargetOptions(faces=FaceSelection(person=hidden.person), device="cpu")
    (plan,) = plan_edits(analysis, driver, options).faces
    back = int(np.flatnonzero(np.diff(plan.track.frames) > 1)[0]) + 1
    assert plan.is_active[: back - 6].any()
    assert plan.is_active[back + 6 :].any()
    assert plan.allowed[[back - 1, back]].tolist() == [0, 0], "it fades out and in"
    assert plan.allowed[[10, -10]].min() > 0.9


def test_the_person_of_a_picture(
    samples: Path, occlusion_clip: Path, heads: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = tmp_path / "him.png"
    cv2.imwrite(str(picture), heads["smile"][50][..., ::-1])
    options = RetargetOptions(faces=FaceSelection(picture=picture), device="cpu", trim_end=0.2)
    with open_session(occlusion_clip, samples / "smile.yaml", options) as session:
        (plan,) = session.plan(session.analyse()).faces
    assert plan.track.centers[0, 0] > 400
    monkeypatch.setattr(session_module, "load_driver", lambda *_, **__: pytest.fail("the long work began"))
    cv2.imwrite(str(tmp_path / "none.png"), np.zeros((200, 200, 3), np.uint8))
    wrong = replace(options, faces=FaceSelection(picture=tmp_path / "none.png"))
    with (
        pytest.raises(NoFaceError, match=r"none\.png: shows no face to look for"),
        open_session(occlusion_clip, samples / "smile.yaml", wrong),
    ):
        pass


def test_a_resting_picture_of_the_source_is_not_looked_through_for_the_drivers_person(samples: Path) -> None:
    options = RetargetOptions(source_neutral=samples / "astronaut.png", driver_faces=FaceSelection(person=4))
    assert isinstance(session_module.source_neutral(options), np.ndarray)


def test_a_still_is_edited_for_as_long_as_it_was_analysed(samples: Path, tmp_path: Path) -> None:
    analysis = analyse_clip(samples / "astronaut.png", RetargetOptions(device="cpu"))
    assert analysis.frame_count == 1
    driver = load_driver(samples / "smile.yaml", frame_rate=analysis.info.frame_rate)
    plans = plan_edits(analysis, driver, RetargetOptions(device="cpu"))
    assert len(list(edited_frames(plans, RetargetOptions(device="cpu")))) == 1


@pytest.mark.parametrize("frames", [2, 5, 6, 7])
def test_a_still_that_was_shown_for_a_while(samples: Path, tmp_path: Path, frames: int) -> None:
    curve = tmp_path / "curve.yaml"
    curve.write_text(f"after: release\nrelease: 0s\ncurves: {{AU12: {{0: 0.2, {frames}f: 0.5}}}}\n")
    options = RetargetOptions(device="cpu")
    with open_session(samples / "astronaut.png", curve, options) as session:
        plans = session.plan(session.analyse())
    assert plans.analysis.frame_count == frames
    assert len(list(edited_frames(plans, options))) == frames


def test_a_curve_file_is_a_curve_driver(samples: Path) -> None:
    assert isinstance(load_driver(samples / "smile.yaml"), CurveDriver)


# Further clips of the actor


@pytest.fixture(scope="module")
def shut(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames of a man whose mouth is shut, in 10 bits and 4:2:2 of BT.709."""
    path = tmp_path_factory.mktemp("shut") / "shut.mkv"
    with av.open(str(samples / "smile.mp4")) as source, av.open(str(path), "w") as film:
        stream = film.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv422p10le"
        stream.codec_context.colorspace = 1
        for i, native in enumerate(itertools.islice(source.decode(video=0), 6)):
            how = {"src_colorspace": "ITU601", "dst_colorspace": "ITU709"}
            picture = native.reformat(format="yuv422p10le", **how)
            picture.pts, picture.time_base, picture.colorspace = i, Fraction(1, 25), 1
            film.mux(stream.encode(picture))
        film.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def blue(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same man smiling, in 8 bits of RGB and twice as large; between his lips all is blue."""
    path, analysis = tmp_path_factory.mktemp("blue") / "blue.png", analyse_clip(samples / "smile.mp4")
    (track,) = analysis.tracks
    with open_video(samples / "smile.mp4") as reader:
        frame = next(itertools.islice(reader, 50, None))
        picture = np.ascontiguousarray(proxy(frame, reader.info, 640)[..., ::-1])
    upper, lower = MOUTH
    at = int(np.searchsorted(track.frames, 50))
    lips = analysis.landmarks(track, at)[[*upper, *lower[::-1]], :2]
    cv2.fillPoly(picture, [np.rint(16 * lips).astype(np.int32)], (230, 60, 20), cv2.LINE_AA, 4)
    cv2.imwrite(str(path), cv2.resize(picture, (1280, 720), interpolation=cv2.INTER_CUBIC))
    return path


def blueness(edited: EditedFrame, info: VideoInfo) -> float:
    """How many pixels are clearly blue."""
    picture = proxy(edited.result, info, 640).astype(int)
    return int((picture[..., 2] - picture[..., 0] > 60).sum())


def test_what_a_clip_does_not_show_comes_from_a_still(shut: Path, blue: Path, tmp_path: Path) -> None:
    curve = tmp_path / "open.yaml"
    curve.write_text("curves: {AU25: {0: 0.8, 1: 0.8}, AU26: {0: 0.5, 1: 0.5}, AU12: {0: 0.5, 1: 0.5}}\n")
    alone = RetargetOptions(device="cpu")
    both = replace(alone, references=(blue,))
    shown, held = {}, {}
    for name, options in (("alone", alone), ("both", both)):
        with open_session(shut, curve, options) as session:
            plans = session.plan(session.analyse())
            found = list(session.edits(plans))
        shown[name] = [blueness(edited, plans.analysis.info) for edited in found]
        held[name] = plans.faces[0].held_back["mouth"].min()
        assert [lender.analysis.info.path for lender in plans.lenders] == list(options.references)
    assert max(shown["alone"]) == 0
    assert min(shown["both"]) > 30
    assert held["both"] > held["alone"] + 0.1, "it is opened as far as the still shows"
    assert plans.frames_lent(1) == (1, 6)
    again = [edited.result for edited in edited_frames(plans, both)]
    for one, other in zip(found, again, strict=True):
        for ours, theirs in zip(one.result.planes, other.planes, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_another_person_lends_nothing_unless_one_insists(samples: Path, analysis: ClipAnalysis) -> None:
    driver = load_driver(samples / "smile.yaml", SHORT, frame_rate=analysis.info.frame_rate)
    options = replace(SHORT, references=(samples / "astronaut.png",))
    with pytest.raises(NoFaceError, match=r"astronaut\.png: shows nobody who is edited; the nearest is"):
        plan_edits(analysis, driver, options)
    (lender,) = plan_edits(analysis, driver, replace(options, any_reference=True)).lenders
    assert [len(tracks) for tracks in lender.tracks.values()] == [1]


def test_references_are_read_whole(samples: Path) -> None:
    seen: list[tuple[str, int]] = []

    def progress(items: Any, label: str, total: int) -> Any:
        seen.append((label, total))
        return items

    options = RetargetOptions(references=(samples / "cut.mov", samples / "cut.mov"), trim_end=0.1)
    (found,) = read_references(options, progress=progress)
    assert found.frame_count == 51
    assert seen == [(Stage.REFERENCES, 51)]


# The second reading


@pytest.fixture
def opened(disc_clip: Path) -> Iterator[VideoReader]:
    with open_video(disc_clip) as reader:
        yield reader


@pytest.fixture
def nothing(opened: VideoReader) -> Plans:
    """Plans of a clip in which no frame has anything to do."""
    collector = Collector(opened.info)
    for _ in collector.collect(TrackedFrame(i, i, i / 25, 0, ()) for i in range(12)):
        pass
    return Plans(collector.analysis(), ())


class FailingRenderer:
    crop, moves, borrows = CropSpec(size_px=64), False, False

    def render(self, requests: Any) -> Iterator[RenderedFrame]:
        for request in itertools.islice(requests, 2):
            yield RenderedFrame(request.frame, ())
        raise VideoReadError("gone")


class PassingRenderer:
    crop, moves, borrows = CropSpec(size_px=64), False, False

    def render(self, requests: Any) -> Iterator[RenderedFrame]:
        return (RenderedFrame(request.frame, request.faces) for request in requests)


def test_frames_without_an_edit_come_through_as_they_are(opened: VideoReader, nothing: Plans) -> None:
    frames = [edited.result for edited in edits(opened, PassingRenderer(), nothing)]
    assert [frame.index for frame in frames] == list(range(12))
    assert all(isinstance(frame, Frame) and frame.native is not None for frame in frames)


def test_only_the_frames_asked_for(opened: VideoReader, nothing: Plans) -> None:
    some = list(edits(opened, PassingRenderer(), nothing, {2, 5}))
    assert [edited.source.index for edited in some] == [2, 5]
    assert all(edited.result is edited.source for edited in some)
    assert list(edits(opened, PassingRenderer(), nothing, set())) == []


def test_a_failure_while_rendering_leaves_no_thread(opened: VideoReader, nothing: Plans) -> None:
    taken: list[Any] = []
    with pytest.raises(VideoReadError, match="gone") as kept:
        taken.extend(edits(opened, FailingRenderer(), nothing))
    assert [t for t in threading.enumerate() if t.name == "prefetch"] == []
    assert kept.value is not None


def test_stopping_in_the_middle_leaves_no_thread(opened: VideoReader, nothing: Plans) -> None:
    frames = edits(opened, PassingRenderer(), nothing)
    assert next(frames).source.index == 0
    frames.close()
    assert [t for t in threading.enumerate() if t.name == "prefetch"] == []


def test_requests_are_made_from_the_schedule(opened: VideoReader, nothing: Plans) -> None:
    asked: list[FrameRequest] = []

    class Listening:
        crop, moves, borrows = CropSpec(size_px=64), False, False

        def render(self, requests: Any) -> Iterator[RenderedFrame]:
            for request in requests:
                asked.append(request)
                yield RenderedFrame(request.frame, ())

    assert len(list(edits(opened, Listening(), nothing))) == 12
    assert [(request.frame.index, list(request.faces)) for request in asked] == [(i, []) for i in range(12)]
