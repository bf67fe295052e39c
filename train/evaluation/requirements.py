"""What is required of a checkpoint, and what is aimed at: the rows of the side-by-side table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..metrics import Response
from .scores import MethodScores, PictureScores

Number = float | None


@dataclass(frozen=True)
class Measure:
    """One row of the extended table."""

    name: str
    value: Callable[[MethodScores], Number]
    required: str = ""
    aim: str = ""
    holds: Callable[[float, float], bool] | None = None
    """Whether a value (first) meets what is required; second is the warp's own value."""
    digits: int = 3
    missing: str = ""
    """Key of `Evaluation.missing` that explains a None."""


def _of_witness(field: str, what: str) -> Callable[[MethodScores], Number]:
    """Slope or r of a response in `MethodScores.judges`."""

    def value(method: MethodScores) -> Number:
        found: Response | None = getattr(method.judges, field) if method.judges else None
        return None if found is None else float(getattr(found, what))

    return value


def _of_films(read: Callable[[PictureScores], float]) -> Callable[[MethodScores], Number]:
    """A number of what the films look like, where there are films."""
    return lambda method: read(method.film.pictures) if method.film and method.film.pictures else None


MEASURES: tuple[Measure, ...] = (
    Measure(
        "ED ratio, all AUs (distance to the request, after / before)",
        lambda m: m.unpaired.ed_ratio,
        "<= 0.45 and <= 0.9 of the warp",
        "<= 0.25",
        lambda value, warp: value <= 0.45 and value <= 0.9 * warp,
    ),
    Measure("ED ratio, OpenFace's 17 AUs", lambda m: m.unpaired.ed_ratio_openface),
    Measure(
        "ED ratio, OpenFace's 17 AUs as OpenFace sees them",
        lambda m: m.openface.ed_ratio if m.openface else None,
        missing="ED (OpenFace)",
    ),
    Measure(
        "requested vs achieved, all AUs: r",
        lambda m: _nothing_asked(m, m.unpaired.response.r),
        ">= 0.86",
        ">= 0.95",
        lambda value, _: value >= 0.86,
    ),
    Measure(
        "requested vs achieved, all AUs: slope",
        lambda m: m.unpaired.response.slope,
        "0.7 - 1.1",
        "0.9 - 1.1",
        lambda value, _: 0.7 <= value <= 1.1,
    ),
    Measure(
        "leakage into AUs not asked for",
        lambda m: m.unpaired.leakage,
        "no worse than the warp",
        "half of it",
        lambda value, warp: value <= warp,
    ),
    Measure("leakage into AUs not asked for, gaze apart", lambda m: m.unpaired.leakage_without_gaze),
    Measure("leakage of single-AU edits", lambda m: m.sweep.leakage if m.sweep else None),
    Measure(
        "identity, ACD", lambda m: m.unpaired.acd, "<= 0.30", "<= 0.20", lambda value, _: value <= 0.30,
        missing="ACD",
    ),
    Measure("identity, worst edit", lambda m: m.unpaired.acd_max, missing="ACD"),
    Measure("identity, ACD by the packaged network", lambda m: m.unpaired.acd_packaged),
    Measure("identity, worst edit by the packaged network", lambda m: m.unpaired.acd_packaged_max),
    Measure(
        "true frame, mouth: perceptual / doing nothing",
        lambda m: m.paired.mouth.perceptual if m.paired else None,
        "<= 0.75 of the warp",
        "<= 0.5 of it",
        lambda value, warp: value <= 0.75 * warp,
        missing="pairs",
    ),
    Measure(
        "true frame, eyes: perceptual / doing nothing",
        lambda m: m.paired.eyes.perceptual if m.paired else None,
        "<= 0.75 of the warp",
        "<= 0.5 of it",
        lambda value, warp: value <= 0.75 * warp,
        missing="pairs",
    ),
    Measure(
        "true frame, mouth: L1 / doing nothing",
        lambda m: m.paired.mouth.l1 if m.paired else None,
        "<= 0.75 of the warp",
        "<= 0.5 of it",
        lambda value, warp: value <= 0.75 * warp,
        missing="pairs",
    ),
    Measure(
        "true frame, eyes: L1 / doing nothing",
        lambda m: m.paired.eyes.l1 if m.paired else None,
        "<= 0.75 of the warp",
        "<= 0.5 of it",
        lambda value, warp: value <= 0.75 * warp,
        missing="pairs",
    ),
    Measure(
        "true frame: identity, ACD of source and edit", lambda m: m.paired.acd if m.paired else None, missing="ACD"
    ),
    Measure(
        "true frame: identity, ACD of source and true frame",
        lambda m: m.paired.acd_true if m.paired else None,
        missing="ACD",
    ),
    Measure(
        "true frame: packaged network, ACD of source and edit",
        lambda m: m.paired.acd_packaged if m.paired else None,
    ),
    Measure(
        "true frame: packaged network, ACD of source and true frame",
        lambda m: m.paired.acd_packaged_true if m.paired else None,
    ),
    *(
        Measure(f"{name} by the second witness: {what}", _of_witness(field, what), missing="witness")
        for name, field in (
            ("true frame, mouth's opening", "witness_mouth"),
            ("true frame, eyes' opening", "witness_eyes"),
            ("another's expression, mouth's opening", "witness_mouth_unpaired"),
            ("another's expression, eyes' opening", "witness_eyes_unpaired"),
        )
        for what in ("r", "slope")
    ),
    Measure("detail in open mouths / true frame's, median", lambda m: m.judges.detail_mouth if m.judges else None),
    Measure("the same, 10 % quantile", lambda m: m.judges.detail_mouth_low if m.judges else None),
    Measure("detail in open eyes / true frame's, median", lambda m: m.judges.detail_eyes if m.judges else None),
    Measure(
        "never-seen colours, ‰ of the face box", lambda m: m.judges.never_seen if m.judges else None, digits=2
    ),
    Measure(
        "never-seen colours, worst edit", lambda m: m.judges.never_seen_worst if m.judges else None, digits=2
    ),
    Measure(
        "new edges on skin, ‰ of the face box: mean", lambda m: m.judges.new_edges if m.judges else None, digits=2
    ),
    Measure("new edges on skin, worst edit", lambda m: m.judges.new_edges_worst if m.judges else None, digits=2),
    Measure(
        "sharpness in the edited region / plate, median",
        lambda m: 1.0 if m.kind == "nothing" else m.unpaired.sharpness,
        "0.9 - 1.1",
        "0.97 - 1.03",
        lambda value, _: 0.9 <= value <= 1.1,
    ),
    Measure("zero edit, L1 (0 is exact)", lambda m: m.zero.l1, "exact", "exact", lambda value, _: value == 0, 5),
    Measure("films by the main job: ED ratio", lambda m: m.film.ed_ratio if m.film else None, missing="films"),
    Measure("films: r", lambda m: m.film.response.r if m.film else None, missing="films"),
    Measure("films: slope", lambda m: m.film.response.slope if m.film else None, missing="films"),
    Measure(
        "films: second difference of landmarks / driver's",
        lambda m: m.film.temporal if m.film else None,
        missing="films",
    ),
    Measure(
        "films: second difference of landmarks / drivers', pooled",
        lambda m: m.film.temporal_pooled if m.film else None,
        "<= 1.2",
        "<= 1.0",
        lambda value, _: value <= 1.2,
        missing="films",
    ),
    Measure(
        "films: second difference of landmarks / source's",
        lambda m: m.film.temporal_source if m.film else None,
        missing="films",
    ),
    Measure(
        "films against the driver, all AUs: r",
        lambda m: m.film.driver.r if m.film and m.film.driver else None,
        missing="films",
    ),
    Measure(
        "films against the driver, all AUs: slope",
        lambda m: m.film.driver.slope if m.film and m.film.driver else None,
        missing="films",
    ),
    *(
        Measure(f"films against the driver, {part} by the second witness: {what}", value, missing="witness")
        for part, what, value in (
            ("mouth", "r", lambda m: m.film.witness_mouth.r if m.film and m.film.witness_mouth else None),
            ("mouth", "slope", lambda m: m.film.witness_mouth.slope if m.film and m.film.witness_mouth else None),
            ("eyes", "r", lambda m: m.film.witness_eyes.r if m.film and m.film.witness_eyes else None),
            ("eyes", "slope", lambda m: m.film.witness_eyes.slope if m.film and m.film.witness_eyes else None),
        )
    ),
    Measure(
        "films: never-seen colours, ‰ of the face box in the worst frame",
        _of_films(lambda p: p.never_seen),
        "<= 0.2",
        "0",
        lambda value, _: value <= 0.2,
        digits=2,
        missing="films",
    ),
    Measure(
        "films flagged for painted colours",
        _of_films(lambda p: float(p.painted)),
        digits=0,
        missing="films",
    ),
    Measure(
        "films: boiling in the face box / source's",
        _of_films(lambda p: p.boiling["face"]),
        "<= 1.08",
        "1",
        lambda value, _: value <= 1.08,
        digits=2,
        missing="films",
    ),
    Measure(
        "films: boiling along the jaw / source's",
        _of_films(lambda p: p.boiling["jaw"]),
        "<= 1.10",
        "1",
        lambda value, _: value <= 1.1,
        digits=2,
        missing="films",
    ),
    Measure(
        "films flagged for boiling",
        _of_films(lambda p: float(p.boiling_films)),
        digits=0,
        missing="films",
    ),
    Measure(
        "films: detail in open mouths / source's",
        _of_films(lambda p: p.detail["mouth"]),
        digits=2,
        missing="films",
    ),
    Measure(
        "films: new edges on skin, ‰ of the face box in the worst frame",
        _of_films(lambda p: p.new_edges),
        digits=2,
        missing="films",
    ),
    Measure("faces lost after the edit", lambda m: float(m.unpaired.faces_lost), digits=0),
    Measure(
        "GFLOPs a frame",
        lambda m: m.cost.gflops if m.cost else None,
        "<= 10",
        holds=lambda value, _: value <= 10,
        digits=2,
    ),
    Measure("milliseconds a frame", lambda m: m.cost.milliseconds if m.cost else None, digits=1),
)  # fmt: skip


def unit_slope(name: str) -> Callable[[MethodScores], Number]:
    """Achieved over requested change of one action unit."""
    return lambda method: found.slope if (found := method.unpaired.per_unit.get(name)) else None


def _nothing_asked(method: MethodScores, value: float) -> Number:
    """Doing nothing correlates with nothing."""
    return None if method.kind == "nothing" else value
