"""The closed loop: with results whose response is known, and on a real clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest

from retarget.model import action_units
from retarget.pipeline import refine as refine_module
from retarget.pipeline.edit import EditedFrame, FacePlan, Plans, Renderer, sampled
from retarget.pipeline.faces import Collector
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.records import Face, TrackedFrame
from retarget.pipeline.refine import CHECKED, refine_plans, refined
from retarget.pipeline.resources import Resources
from retarget.pipeline.session import analyse_clip, load_driver, open_session, plan_edits
from retarget.pipeline.stream import Clock, Stage, no_progress

JAW, SMILE = action_units.resolve("AU26")[0], action_units.resolve("AU12L")[0]
FRAMES = 50


@dataclass
class World:
    """A renderer whose results show a share of what is asked, and a landmarker that sees them."""

    share: float
    renderer: Renderer
    lost: frozenset[int] = frozenset()
    """Frames in which no face is found."""
    shown: dict[int, list[tuple[Any, Any]]] = field(default_factory=dict)
    """By frame, each face's (centre, action units)."""
    looked_at: list[int] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)

    def edits(self, _reader: Any, _renderer: Any, plans: Plans, only: Any, **_: Any) -> Iterator[EditedFrame]:
        for index in sorted(only):
            self.shown[index] = [
                (plan.track.centers[i], plan.own[i] + self.share * plan.delta_au[i])
                for plan in plans.faces
                for i in np.flatnonzero(plan.track.frames == index)
            ]
            self.looked_at.append(index)
            yield self.frame(index)

    frame: Any = None

    def __call__(self, _tracker: str) -> Self:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def near_in(self, frame: Any, _info: Any, landmarks: Any) -> Face | None:
        if frame.index in self.lost:
            return None
        middle = (landmarks[:, :2].min(0) + landmarks[:, :2].max(0)) / 2
        _, seen = min(self.shown[frame.index], key=lambda face: float(np.linalg.norm(face[0] - middle)))
        return Face(0, np.float32(landmarks), np.float32(seen), np.eye(3, dtype=np.float32))

    def progress(self, items: Any, stage: str, _total: int) -> Any:
        self.stages.append(stage)
        return items


@pytest.fixture
def make_world(
    monkeypatch: pytest.MonkeyPatch, make_checkpoint: Any, make_info: Any, make_frame: Any
) -> Callable[..., World]:
    def make(share: float, **how: Any) -> World:
        world = World(share, Renderer(make_checkpoint(), make_info(256, 200), device="cpu"), **how)

        def frame(index: int) -> EditedFrame:
            picture = make_frame(index=index)
            return EditedFrame(picture, picture, ())

        world.frame = frame
        monkeypatch.setattr(refine_module, "edits", world.edits)
        monkeypatch.setattr(refine_module, "Landmarker", world)
        return world

    return make


@pytest.fixture
def asked(make_info: Any, make_face: Any) -> Callable[..., Plans]:
    """`asked(jaw, ...)`: plans of two seconds, a face for each, at rest, whose jaw is asked to drop by so much."""

    def make(*jaws: float) -> Plans:
        faces = tuple(make_face(k, (60 + 100 * k, 100), 30) for k in range(len(jaws)))
        collector = Collector(make_info(256, 200))
        for _ in collector.collect(TrackedFrame(i, i, i / 25, 0, faces) for i in range(FRAMES)):
            pass
        analysis = collector.analysis()
        return Plans(analysis, tuple(map(_plan, analysis.tracks, jaws)))

    return make


def _plan(track: Any, jaw: float) -> FacePlan:
    own, delta = np.zeros((2, FRAMES, action_units.COUNT), np.float32)
    delta[:, JAW] = jaw
    return FacePlan(track, 0, own, delta, np.ones(FRAMES), (), track.alignments)


def run(world: World, plans: Plans, rounds: int = 1) -> Plans:
    session: Any = type("Opened", (), {})()
    session.reader = type("Reader", (), {"info": plans.analysis.info})()
    session.renderer, session.clock, session.progress = world.renderer, Clock(), world.progress
    session.options = RetargetOptions(refine=rounds, device="cpu")
    return refined(session, plans)


# A known response


@pytest.mark.parametrize(("rounds", "jaw", "left"), [(1, 0.62982, 0.12211), (2, 0.70909, 0.07455)])
def test_a_result_that_shows_six_tenths(make_world: Any, asked: Any, rounds: int, jaw: float, left: float) -> None:
    world = make_world(0.6)
    plans = run(world, asked(0.5), rounds)
    np.testing.assert_allclose(plans.faces[0].delta_au[:, JAW], jaw, atol=1e-4)  # by hand in edit/test_correct
    np.testing.assert_allclose(plans.faces[0].goal[:, JAW], 0.5)
    found = plans.refinement
    assert found is not None
    assert (found.rounds, found.moments) == (rounds, 8)
    assert found.miss_before == pytest.approx(0.2)
    assert found.miss_after == pytest.approx(left, abs=1e-4)
    assert world.stages == [Stage.REFINE] * (rounds + 1)
    assert len(world.looked_at) == 8 * rounds + 8 / CHECKED


def test_what_was_not_asked_is_not_touched(make_world: Any, asked: Any) -> None:
    plan = run(make_world(0.6), asked(0.5)).faces[0]
    np.testing.assert_array_equal(np.flatnonzero(plan.delta_au.any(0)), [JAW])


def test_a_zero_edit_is_not_looked_at(make_world: Any, asked: Any) -> None:
    world, plans = make_world(0.6), asked(0.0)
    assert run(world, plans) is plans
    assert not world.looked_at


def test_no_rounds(make_world: Any, asked: Any) -> None:
    world, plans = make_world(0.6), asked(0.5)
    assert run(world, plans, 0) is plans
    assert not world.looked_at


def test_a_face_that_is_not_found_any_more_counts_as_no_miss(make_world: Any, asked: Any) -> None:
    plans = asked(0.5)
    nowhere = run(make_world(0.6, lost=frozenset(range(FRAMES))), plans)
    np.testing.assert_array_equal(nowhere.faces[0].delta_au, plans.faces[0].delta_au)
    later = run(make_world(0.6, lost=frozenset(range(25, FRAMES))), plans).faces[0].delta_au[:, JAW]
    assert later[0] > 0.62
    assert later[0] > later[25] > later[-1] >= 0.5


def test_a_result_that_comes_no_nearer_is_left_as_it_was_asked(make_world: Any, asked: Any) -> None:
    plans = asked(0.5)
    same = run(make_world(0.0), plans)  # shows nothing, whatever is asked
    np.testing.assert_array_equal(same.faces[0].delta_au, plans.faces[0].delta_au)
    assert same.refinement is not None
    assert same.refinement.rounds == 0


def test_faces_do_not_depend_on_their_order(make_world: Any, asked: Any) -> None:
    plans = asked(0.5, 0.3)
    one, other = run(make_world(0.6), plans).faces
    turned = replace(plans, faces=plans.faces[::-1])
    again_other, again_one = run(make_world(0.6), turned).faces
    np.testing.assert_array_equal(again_one.delta_au, one.delta_au)
    np.testing.assert_array_equal(again_other.delta_au, other.delta_au)
    assert one.delta_au.max() > other.delta_au.max() > 0.3


# A real clip

SHORT = RetargetOptions(trim_end=0.5, device="cpu")


@pytest.fixture(scope="module")
def smiling(samples: Path) -> Plans:
    analysis = analyse_clip(samples / "actress.mp4", SHORT)
    driver = load_driver(samples / "smile.yaml", SHORT, frame_rate=analysis.info.frame_rate)
    return plan_edits(analysis, driver, SHORT)


def test_it_does_not_depend_on_threads(smiling: Plans) -> None:
    one, three = (refine_plans(smiling, SHORT, resources=Resources(cores=cores)) for cores in (1, 3))
    assert one.refinement == three.refinement
    np.testing.assert_array_equal(one.faces[0].delta_au, three.faces[0].delta_au)
    assert one.refinement is not None
    assert one.refinement.moments == len(sampled(one.faces[0]))
    assert one.loans is not None, "what is borrowed is chosen again"


def test_a_session_says_the_same(samples: Path, smiling: Plans) -> None:
    with open_session(samples / "actress.mp4", samples / "smile.yaml", SHORT, progress=no_progress) as session:
        here = refined(session, session.plan(session.analyse()))
        assert session.clock.seconds()["measure"] > 0
    there = refine_plans(smiling, SHORT)
    assert here.refinement == there.refinement
    np.testing.assert_array_equal(here.faces[0].delta_au, there.faces[0].delta_au)
