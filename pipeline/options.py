"""What a run can be asked for: everything the command line can say, as a frozen dataclass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, get_args

from .drivers import After, DriverOptions, Measuring, Mode, Neutral
from .edit import REGIONS, PlanOptions
from .errors import OptionError
from .faces import FACE_ORDERS, FaceSelection, Tracker, TrackOptions
from .files import media_of
from .media import EncodeOptions
from .option_table import PERFORMANCE, RUNNING, Kind, option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def is_named(neutral: float | str | Path) -> TypeGuard[Neutral]:
    """Whether a neutral is auto, none or a time, rather than a picture."""
    return isinstance(neutral, float | int) or str(neutral) in ("auto", "none")


MOST_ROUNDS = 2
"""Of refining: further ones bring nothing that can be seen."""

_NEUTRAL = "auto|none|TIME|IMAGE"


@dataclass(frozen=True, kw_only=True)
class RetargetOptions:
    """Everything the command line can say, with its defaults. A field's `option` says it to the user."""

    mode: Mode = option(
        "match", "--mode", Kind.CHOICE, PERFORMANCE,
        "match: take on the driver's expression; add: put its departure from rest on top",
        choices=get_args(Mode),
    )  # fmt: skip
    strength: float = option(
        1.0, "--strength", Kind.NUMBER, PERFORMANCE,
        "1 as driven, 0.5 half, 0 nothing, negative the opposite", metavar="X",
    )  # fmt: skip
    gains: Mapping[str, float] = option(
        dict, "--gain", Kind.GAINS, PERFORMANCE,
        "strength of single action units, on top of --strength", metavar="AU12=0.5,AU4=0", words=("gains",),
    )  # fmt: skip
    """Per action unit, by any of its names."""
    regions: tuple[str, ...] = option(
        (), "--region", Kind.NAMES, PERFORMANCE,
        f"change only these: {', '.join(REGIONS)}, or action units", metavar="R,R", shown_default="all",
        words=("regions",),
    )  # fmt: skip
    """Empty: all."""
    smooth_seconds: float = option(
        0.2, "--smooth", Kind.LENGTH, PERFORMANCE,
        "window that takes jitter out of measured expressions and alignment; 0 is off", metavar="SECONDS",
    )  # fmt: skip
    driver_neutral: float | str | Path = option(
        "auto", ("--driver-neutral", "--neutral"), Kind.NEUTRAL, PERFORMANCE,
        "the driver's resting face: estimated, none (absolute), at a time of the driver, or in a picture",
        metavar=_NEUTRAL,
    )  # fmt: skip
    """auto, none, a second of the driver, or a picture of the resting face."""
    source_neutral: float | str | Path = option(
        "auto", "--source-neutral", Kind.NEUTRAL, PERFORMANCE, "likewise the source's", metavar=_NEUTRAL
    )
    gaze: bool = option(
        False, "--gaze", Kind.SWITCH, PERFORMANCE, "also follow the eyes' direction of a clip or capture"
    )
    """An actor's eyeline belongs to the scene, so it is kept unless asked; curves that name AU61..AU64 always
    move it."""
    driver_offset_seconds: float = option(
        0.0,
        "--driver-offset",
        Kind.TIME,
        PERFORMANCE,
        "start the driver at this time of the output",
        metavar="TIME",
    )
    driver_frame_rate: Fraction | None = option(
        None, "--driver-frame-rate", Kind.RATE, PERFORMANCE,
        "of a capture that counts frames, or has no usable times, and of image sequences: 25, 29.97, 30000/1001",
        metavar="FPS", shown_default="as the file says; sequences: --frame-rate",
    )  # fmt: skip
    """Frames a second of the driver, where it does not say."""
    after: After | None = option(
        None, "--after", Kind.CHOICE, PERFORMANCE,
        "when the driver has ended: back to the source's own (clips, captures), hold the last (curves), loop",
        choices=get_args(After),
    )  # fmt: skip
    """None: release for clips and captures, hold for curves."""
    release_seconds: float = option(
        0.5, "--release", Kind.LENGTH, PERFORMANCE, "length of that ramp back", metavar="SECONDS"
    )
    faces: FaceSelection | None = option(
        None, "--face", Kind.FACES, PERFORMANCE,
        f"face(s) of each shot: all, {', '.join(FACE_ORDERS)}, a number, or ORDER:NUMBER; or one person in all "
        "shots: person:1 (retarget faces numbers them), or a picture of the face (anna.png)", metavar="WHICH",
        shown_default="large-small, the largest; all if the curve file has faces", words=("faces",),
    )  # fmt: skip
    """None: the largest of each shot, or all, left to right, if the driver has sections per face."""
    driver_faces: FaceSelection = option(
        FaceSelection, "--driver-face", Kind.FACES, PERFORMANCE, "which face of the driver, said likewise",
        metavar="WHICH", shown_default="the largest", words=("driver_faces",),
    )  # fmt: skip
    """Whose expression a driver clip gives; a capture file's faces are counted by id."""
    references: tuple[Path, ...] = option(
        (), "--reference", Kind.FILES, PERFORMANCE,
        "further takes and pictures of the same actor, or folders of them, to borrow mouths and eyes from",
        metavar="FILE", words=("references",),
    )  # fmt: skip
    """Films, pictures, sequences; a folder stands for the films and pictures in it."""
    any_reference: bool = option(
        False, "--reference-any", Kind.SWITCH, PERFORMANCE,
        "where a reference shows nobody who looks like those that are edited, take its largest face",
        words=("any_reference",),
    )  # fmt: skip

    refine: int = option(
        1, "--refine", Kind.COUNT, PERFORMANCE,
        "measure a sample of the result and correct what it lacks, so often: 0, 1 or 2", metavar="ROUNDS", least=0,
    )  # fmt: skip
    """Rounds of measuring and correcting; 0: the plan is done as it is."""

    trim_start: float | None = option(
        None, "--trim-start", Kind.TIME, RUNNING,
        "first moment of the source: seconds, 36f, or 00:00:01:12", metavar="TIME", words=("start",),
    )  # fmt: skip
    """Only frames from this second (from the first frame) reach the output."""
    trim_end: float | None = option(
        None,
        "--trim-end",
        Kind.TIME,
        RUNNING,
        "end of it (this moment is left out)",
        metavar="TIME",
        words=("end",),
    )
    sequence_rate: Fraction = option(
        Fraction(24), "--frame-rate", Kind.RATE, RUNNING,
        "of image sequences, and of pictures shown as video: 24, 23.976, 30000/1001", metavar="FPS",
    )  # fmt: skip
    """Frames a second of an image sequence, and of a still shown as a video."""
    min_face_px: int | None = option(
        None, "--min-face", Kind.COUNT, RUNNING, "smallest face to work on", metavar="PX",
        shown_default="6% of height",
    )  # fmt: skip
    tracker: Tracker = option(
        "own", "--tracker", Kind.CHOICE, RUNNING,
        "what runs MediaPipe's face networks: our own runner, or the package mediapipe (an extra)",
        choices=get_args(Tracker),
    )  # fmt: skip
    checkpoint: Path | None = option(
        None, "--checkpoint", Kind.FILE, RUNNING, "a trained network", metavar="FILE", shown_default="built in"
    )
    """None: the one that comes with the package."""
    device: str = option(
        "auto", "--device", Kind.TEXT, RUNNING, "auto, cpu, cuda, cuda:1, mps", shown_default="auto"
    )
    batch: int = option(
        0, "--batch-size", Kind.COUNT, RUNNING, "faces a pass", metavar="N", shown_default="by device", least=1
    )
    """Faces a forward pass; 0: by the device."""
    overwrite: bool = option(False, "--overwrite", Kind.SWITCH, RUNNING, "replace an existing output")
    strict: bool = option(
        False, "--strict", Kind.SWITCH, RUNNING,
        "refuse a source that is not whole: pictures that cannot be decoded, or an end before the one it promises",
    )  # fmt: skip

    encode: EncodeOptions = field(default_factory=EncodeOptions)

    def __post_init__(self) -> None:
        if self.mode not in ("match", "add"):
            raise OptionError(f"mode {self.mode!r} is unknown; use match or add")
        if self.after not in (None, "release", "hold", "loop"):
            raise OptionError(f"after {self.after!r} is unknown; use release, hold or loop")
        if not 0 <= self.refine <= MOST_ROUNDS:
            raise OptionError(f"{self.refine} rounds of refining make no sense; use 0 (off) to {MOST_ROUNDS}")
        if self.batch < 0:
            raise OptionError(f"a batch of {self.batch} faces makes no sense; use 1 or more, or 0: by the device")
        self.track_options()
        if self.min_face_px is not None and self.min_face_px < 1:
            raise OptionError(f"a smallest face of {self.min_face_px} px makes no sense; use 1 or more")
        self.plan_options()  # says at once what is wrong with the rest

    def face_pictures(self) -> list[Path]:
        """The pictures of people that are read."""
        named = (self.faces.picture if self.faces else None, self.driver_faces.picture)
        return [picture for picture in named if picture is not None]

    def reference_files(self) -> list[Path]:
        """The films and pictures that the references stand for.

        Raises:
            VideoOpenError: a folder has none.
        """
        return [file for reference in self.references for file in media_of(reference)]

    def with_files(self, change: Callable[[Path], Path]) -> RetargetOptions:
        """The options with other names for all files and folders that they name."""

        def neutral(said: float | str | Path) -> float | str | Path:
            return said if is_named(said) else change(Path(str(said)))

        def seen(selection: FaceSelection | None) -> Any:
            if selection is None or selection.picture is None:
                return selection
            return replace(selection, picture=change(selection.picture))

        return replace(
            self,
            source_neutral=neutral(self.source_neutral),
            driver_neutral=neutral(self.driver_neutral),
            faces=seen(self.faces),
            driver_faces=seen(self.driver_faces),
            references=tuple(change(reference) for reference in self.references),
            checkpoint=self.checkpoint and change(self.checkpoint),
        )

    def files(self) -> list[Path]:
        """All files and folders that are read besides source and driver."""
        found: list[Path] = []

        def note(path: Path) -> Path:
            found.append(path)
            return path

        self.with_files(note)
        return found

    def plan_options(
        self, neutral: NDArray[np.float32] | float | str = "auto", faces: FaceSelection | None = None
    ) -> PlanOptions:
        """The part that is about turning what the driver asks into an edit. `faces`: those that are meant, where
        the options' own do not say it."""
        return PlanOptions(
            strength=self.strength,
            gains=self.gains,
            regions=self.regions,
            smooth_seconds=self.smooth_seconds,
            neutral=neutral,
            faces=faces or self.faces or FaceSelection(),
        )

    @property
    def is_trimmed(self) -> bool:
        """Whether only a part of the source is edited."""
        return bool(self.trim_start or self.trim_end)

    def track_options(self) -> TrackOptions:
        """The part that is about finding faces."""
        return TrackOptions(min_face_px=self.min_face_px, tracker=self.tracker)

    def measuring(self) -> Measuring:
        """The part that is about measuring the faces of a driver."""
        neutral = self.driver_neutral
        return Measuring(
            faces=self.driver_faces,
            smooth_seconds=self.smooth_seconds,
            gaze=self.gaze,
            neutral_picture=None if is_named(neutral) else Path(str(neutral)),
            sequence_rate=self.sequence_rate,
            track=self.track_options(),
        )

    def driver_options(self) -> DriverOptions:
        """The part that is about playing the driver."""
        neutral = self.driver_neutral
        return DriverOptions(
            mode=self.mode,
            offset_seconds=self.driver_offset_seconds,
            after=self.after,
            release_seconds=self.release_seconds,
            neutral=neutral if is_named(neutral) else "auto",  # a picture is measured where the driver is loaded
            face=self.driver_faces.index or 0,
            frame_rate=self.driver_frame_rate,
        )
