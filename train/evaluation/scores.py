"""What an evaluation found: typed records, from one method's scores to the whole.

A value of None was not measured (`Evaluation.missing` says why); NaN means there was nothing to measure it on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

from ..metrics import KernelDistance, Response

Kind = Literal["nothing", "warp", "network"]
"""nothing: the plate itself. warp: a geometry model alone. network: a generator with a network."""


@dataclass(frozen=True)
class UnpairedScores:
    """Faces edited towards other people's expressions, measured again afterwards."""

    edits: int
    faces_lost: int
    """Edits in which the tracker no longer finds a face; they count in nothing else here but IS."""
    ed: float
    """Mean l2 distance to the requested action units, all of the schema, unit range."""
    ed_openface: float
    """The same over OpenFace's 17, both sides averaged: the paper's ED."""
    ed_ratio: float
    """Mean ED over the mean ED of doing nothing."""
    ed_ratio_openface: float
    response: Response
    """Over all edits and action units."""
    per_unit: Mapping[str, Response]
    """By name of the vector's entry, over the edits that ask it to change."""
    leakage: float
    leakage_without_gaze: float
    """The same over all action units but those of gaze. Gaze is not asked for by default, and an eye that opens or
    closes changes what the tracker says of it ("looks down" for a lowered lid) though the eye has not moved."""
    acd: float | None
    acd_max: float | None
    sharpness: float
    """Median over the edits that changed something."""
    sharpness_low: float
    """10 % quantile."""
    sharpness_high: float
    """90 % quantile."""
    acd_packaged: float | None = None
    """ACD by the descriptor in the package."""
    acd_packaged_max: float | None = None


@dataclass(frozen=True)
class KernelDistances:
    """KID of patches to those of real faces, times 1000."""

    mouth: KernelDistance | None
    eyes: KernelDistance | None


@dataclass(frozen=True)
class CropJudgeScores:
    """What judges that have no part in making an edit say of the paired and the unpaired edits."""

    never_seen_edits: int
    """Edits of people with enough pictures to know their colours; only these count in the next two."""
    never_seen: float
    """Per mille of the face box in colours that no picture of the person has: mean."""
    never_seen_worst: float
    new_edges: float
    """Per mille of the face box on edges of the skin that the source has nowhere near: mean."""
    new_edges_worst: float
    detail_mouth: float
    """Gradient inside the open mouth over the true frame's: median over pairs; one flat colour has 0."""
    detail_mouth_low: float
    """10 % quantile."""
    detail_eyes: float
    witness_mouth: Response | None
    """Change of the mouth's opening against the true frame's, as the second witness sees both."""
    witness_eyes: Response | None
    witness_mouth_unpaired: Response | None
    """Likewise against the picture of the person whose expression was asked for."""
    witness_eyes_unpaired: Response | None
    kernel: KernelDistances | None


@dataclass(frozen=True)
class SweepScores:
    """One action unit at a time, both sides together, over the values of the sweep grids."""

    edits: int
    faces_lost: int
    slopes: Mapping[str, Response]
    """By action unit: achieved against requested, where the request stays within [0, 1]."""
    leakage: float
    """Change of all the other action units relative to the requested change."""


@dataclass(frozen=True)
class RegionScores:
    """Distance to the true frame in one region, summed over pairs; each relative to doing nothing."""

    l1: float
    perceptual: float | None


@dataclass(frozen=True)
class PairedScores:
    """Frames of one clip edited towards another frame of it."""

    pairs: int
    mouth: RegionScores
    eyes: RegionScores
    acd: float | None
    """Mean ACD between source and edit; 0 for doing nothing. None too where every face is lost."""
    acd_true: float | None
    """Mean ACD between source and true frame: how far the same face moves in that network by changing its
    expression as much. Over the pairs behind `acd`, so one value for all methods of a crop size that lose no face.
    """
    acd_pairs: int
    """Pairs behind both; the others' edits have no face that the tracker finds."""
    acd_packaged: float | None = None
    """As `acd`, by the descriptor in the package; over the same pairs."""
    acd_packaged_true: float | None = None


@dataclass(frozen=True)
class ZeroScores:
    """The edit that asks for nothing: the paper's Table 3."""

    pictures: int
    is_exact: bool
    """Every picture comes back bit for bit."""
    l1: float
    """Units of full range."""
    psnr_db: float
    """Of the mean squared error over all pictures; infinite if exact."""
    ssim: float


@dataclass(frozen=True)
class CostScores:
    """What a frame costs at batch 1, on the machine that measured it."""

    milliseconds: float
    """Median."""
    gflops: float
    """2 x multiply-adds of convolutions and matrix products."""
    parameters: int
    threads: int
    device: str


@dataclass(frozen=True)
class PictureScores:
    """What the judges of pictures say of films, see `retarget.pipeline.review`."""

    never_seen: float
    """Per mille of the face box in colours that the person shows nowhere, in the worst frame of all films."""
    painted: int
    """Films that are flagged for it, or for mouths of one flat colour."""
    boiling: Mapping[str, float]
    """By region ("face" is the whole box), of the source's: median over films; 1 is none more."""
    boiling_films: int
    """Films that are flagged for it."""
    detail: Mapping[str, float]
    """In open mouths and eyes, of the source's: median over films."""
    new_edges: float
    """Per mille of the face box on edges of the skin that the source has nowhere near, in the worst frame."""


@dataclass(frozen=True)
class FilmRecord:
    """One film; what each number is, `FilmScores` says."""

    source: str
    """File name."""
    driver: str
    ed_ratio: float
    temporal: float
    temporal_source: float
    never_seen: float | None = None
    never_seen_frame: int | None = None
    boiling: Mapping[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    """Why the report of a batch would flag it."""


@dataclass(frozen=True)
class FilmScores:
    """Whole clips through the main job, tracked again.

    Doing nothing is a film too: its ratios to the drivers' motion say what the choice of clips gives by itself.
    """

    films: int
    frames: int
    """Frames with a request above the threshold, over all films."""
    ed_ratio: float
    """Mean over films."""
    response: Response
    temporal: float
    """Second difference of the output's canonical landmarks over the driver's: median over films.

    A driver of another frame rate is brought to the output's by interpolation, which takes off some of its shake,
    so that doing nothing can have more than 1 in every film.
    """
    temporal_pooled: float
    """The root of the mean square of the outputs' second differences over that of the drivers', each at its clip's
    own frame rate: a long film weighs no more than a short one, and a lively source with a still driver, whose own
    ratio is huge, no more than any lively clip. Doing nothing has about 1 where no film is left out: each clip
    then stands on both sides."""
    temporal_source: float
    """The median over the source's: what the edit adds to the plate's own motion and the tracker's noise."""
    driver: Response | None = None
    """Action units against the driver's, each from its own rest: a job that asks for less gains nothing."""
    witness_mouth: Response | None = None
    """The mouth's opening against the driver's, likewise, as the second witness sees both."""
    witness_eyes: Response | None = None
    pictures: PictureScores | None = None
    """None for doing nothing."""
    skipped: tuple[str, ...] = ()
    """Films that could not be measured, and why."""
    per_film: tuple[FilmRecord, ...] = ()


@dataclass(frozen=True)
class OpenFaceScores:
    """The paper's ED: OpenFace's 17 action units of the edit against those of the target's picture.

    An edit that is left out counts once, by what the first of target, plate and edit lacks.
    """

    edits: int
    """Measured: OpenFace sees one face in the edit, in the plate and in the target."""
    without_csv: int
    """OpenFace leaves no file where it finds no face."""
    without_face: int
    several_faces: int
    ed: float
    """Mean l2 distance, unit range; NaN: no edit was measured."""
    ed_ratio: float
    """Over that of doing nothing (the plates) in the same trials."""


@dataclass(frozen=True)
class Interval:
    """Where 90 % of the resamples have a figure: bootstrap over people, for films over films."""

    low: float
    high: float


@dataclass(frozen=True)
class MethodScores:
    """One row of the side-by-side table."""

    label: str
    kind: Kind
    is_reference: bool
    """Put beside the checkpoints to compare with; what is required is not required of it."""
    checkpoint: str
    """File name; empty for doing nothing."""
    crop_px: int
    condition: str
    """relative or absolute; empty for doing nothing."""
    action_units: int
    """How many its condition has."""
    unpaired: UnpairedScores
    paired: PairedScores | None
    zero: ZeroScores
    sweep: SweepScores | None
    cost: CostScores | None
    inception: tuple[float, float] | None = None
    """Mean and standard deviation over splits."""
    class_score: tuple[float, float] | None = None
    """The same by expression classes of the dataset's own, see `metrics.expression_classes`."""
    film: FilmScores | None = None
    openface: OpenFaceScores | None = None
    judges: CropJudgeScores | None = None
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """By name of the figure, as the report has it."""


@dataclass(frozen=True)
class Evaluation:
    """Everything one command measured."""

    dataset: str
    split: str
    faces: int
    identities: int
    """Distinct people among the edited faces."""
    methods: tuple[MethodScores, ...]
    settings: Mapping[str, Any]
    versions: Mapping[str, str]
    missing: Mapping[str, str] = field(default_factory=dict)
    """What was not measured -> why, in words for the report."""
    notes: tuple[str, ...] = ()
    real_inception: tuple[float, float] | None = None
    """IS of the unedited pictures."""
    real_class_score: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    """By crop size, the class score of the unedited pictures."""
    class_accuracy: Mapping[int, float] = field(default_factory=dict)
    """By crop size, the share of the edited people's own pictures that the classifier puts into their class."""
    real_kernel: KernelDistances | None = None
    """KID of one half of the pictures of the people who are edited to the other."""
    edits: tuple[Mapping[str, Any], ...] = ()
    """Per unpaired edit: source and target picture, the size of the request, and ED by method."""
    seconds: float = 0.0

    def method(self, label: str) -> MethodScores:
        """The row of that label."""
        return next(method for method in self.methods if method.label == label)

    def as_json(self) -> dict[str, Any]:
        """Plain types, ready for `json.dump`; what is not finite becomes None, for JSON has no word for it."""
        plain = _plain(self)
        assert isinstance(plain, dict)
        return plain


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
