"""Training: build, resume, loop. Reporting, sampling and saving are named functions below the page."""

from __future__ import annotations

import contextlib
import importlib.metadata
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from torch.optim import Adam
from tqdm import tqdm

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.model.device import device_named
from retarget.model.editor import Editor
from retarget.model.errors import RetargetError
from retarget.model.ganimation import GanimationConfig, GanimationGenerator
from retarget.model.generator import Generator, Head
from retarget.model.geometry import GeometryModel

from ..data import Dataset, person_marks
from ..metrics import FaceMeter, PerceptualFeatures, check_source
from . import ema
from .batches import Batch, BatchSource, BatchStream
from .checkpoints import save_editor
from .critics import Critic, build_critics
from .initial import start_normal
from .load import as_yaml
from .log import Log
from .options import TrainOptions
from .parallel import Group, any_of, average_gradients, joined, mean_of, same_start
from .sampling import sample, write_picture
from .schedule import learning_rate, phases
from .state import CHECKPOINT, OPTIONS, SAMPLES, STATE, TrainingError, load_state, save_state
from .steps import apply_editor, discriminator_step, generator_step

SAMPLE_ROWS, VALIDATION_PICTURES = 8, 24

End = Literal["finished", "out of time", "terminated"]


@dataclass(frozen=True)
class TrainResult:
    """How a run ended."""

    end: End
    step: int
    """Generator steps done, over all resumes."""
    seconds: float
    """Of this session."""
    checkpoint: Path


def train(
    options: TrainOptions,
    dataset: Dataset,
    folder: Path,
    *,
    geometry: GeometryModel,
    device: str = "auto",
    resume: bool = False,
    max_minutes: float = math.inf,
    quiet: bool = False,
) -> TrainResult:
    """Trains as the options say and leaves checkpoint, state, log and samples in `folder`.

    Under torchrun the processes share each batch. SIGTERM saves and ends the run, so call it in the main thread.

    Args:
        geometry: part of a motion generator; tells every run which landmarks mirror which.
        device: "auto" (CUDA where there is one), "cpu", "cuda", "cuda:1".
        resume: go on with the run in the folder, exactly as if it had not been interrupted (bit for bit on a CPU).
        max_minutes: then save and stop, with `end` "out of time".
        quiet: no progress bar.

    Raises:
        RetargetError: the dataset, the folder or the state to resume does not fit.
        TrainingError: a loss is not finite; the checkpoint and state of before are kept.
    """
    where = device_named(device)
    with joined(where) as group:
        run = Run.build(options, dataset, folder, geometry, where, group)
        run.prepare_folder(resume=resume)
        started = time.monotonic()
        with _until(max_minutes) as stop, contextlib.closing(run.batches()) as batches:
            end: End = "finished"
            for step in run.steps(quiet=quiet):
                scores = run.advance(step, batches)
                run.maintain(scores)
                reason = stop()
                if any_of(reason is not None, group, where):
                    end = reason or "terminated"
                    break
            run.save()
        return TrainResult(end, run.step, time.monotonic() - started, folder / CHECKPOINT)


@dataclass
class Run:
    """Everything a run holds in memory."""

    options: TrainOptions
    source: BatchSource
    folder: Path
    crop: CropSpec
    au_source: str
    device: torch.device
    group: Group
    editor: Editor
    average: Editor
    critics: nn.ModuleDict
    perceptual: PerceptualFeatures | None
    meter: FaceMeter | None
    generator_optimiser: Adam
    critic_optimiser: Adam
    log: Log
    validation: Batch
    step: int = 0
    saved_at: float = field(default_factory=time.monotonic)
    trained_seconds: float = 0.0
    advanced_at: float = field(default_factory=time.monotonic)

    @classmethod
    def build(
        cls,
        options: TrainOptions,
        dataset: Dataset,
        folder: Path,
        geometry: GeometryModel,
        device: torch.device,
        group: Group,
    ) -> Run:
        torch.manual_seed(options.seed)
        crop = _fitting_crop(options, dataset)
        source = BatchSource(
            dataset, options.data, crop_px=crop.size_px, mirror=geometry.mirror.numpy(), seed=options.seed
        )
        _check_units(options, dataset)
        editor = build_editor(options, geometry).to(device)
        critics = build_critics(options, len(options.au_names)).to(device)
        for module in (editor, critics):
            if options.generator.initial_std is not None:
                start_normal(module, options.generator.initial_std)
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        same_start((editor, critics), group)
        compiles = options.run.compile == "on" or (options.run.compile == "auto" and device.type == "cuda")
        if compiles and (network := editor.generator.learnt) is not None:
            network.compile()
        perceptual = PerceptualFeatures().to(device) if options.losses.pair_perceptual else None
        if options.losses.condition_meter:
            check_source(dataset)
        meter = FaceMeter().to(device) if options.losses.condition_meter else None
        adam = {"lr": options.schedule.learning_rate, "betas": (options.schedule.beta1, options.schedule.beta2)}
        return cls(
            options,
            source,
            folder,
            crop,
            dataset.au_source,
            device,
            group,
            editor,
            ema.averaged(editor),
            critics,
            perceptual,
            meter,
            Adam([p for p in editor.parameters() if p.requires_grad], **adam),  # type: ignore[arg-type]
            Adam(critics.parameters(), **adam),  # type: ignore[arg-type]
            Log(folder, is_on=group.is_first),
            source.validation(VALIDATION_PICTURES).to(device),
        )

    # The loop's parts ----------------------------------------------------------------------------------

    def steps(self, *, quiet: bool) -> Iterator[int]:
        """Numbers of the steps that are left, with a bar that shows steps and pictures a second."""
        total, batch = self.length, self.options.data.batch
        with tqdm(
            total=total,
            initial=self.step,
            unit="step",
            dynamic_ncols=True,
            disable=quiet or not self.group.is_first,
        ) as bar:
            for step in range(self.step, total):
                yield step
                bar.update()
                rate = bar.format_dict["rate"] or 0
                pictures = rate * batch * self.options.schedule.critic_steps
                bar.set_postfix_str(f"{pictures:.1f} pictures/s, {self.log.headline}", refresh=False)

    @property
    def length(self) -> int:
        """Generator steps in all."""
        return sum(phases(self.options, len(self.source.rows)))

    def batches(self) -> BatchStream:
        critic_steps = self.options.schedule.critic_steps
        return self.source.stream(
            self.step * critic_steps,
            rank=self.group.rank,
            world=self.group.world,
            threads=self.options.run.loader_threads,
        )

    def advance(self, step: int, batches: Iterator[Batch]) -> Mapping[str, float]:
        """One step of the generator after its steps of the critics; names and values of the losses."""
        schedule, weights = self.options.schedule, self.options.losses
        rate = learning_rate(self.options, step, len(self.source.rows))
        for optimiser in (self.generator_optimiser, self.critic_optimiser):
            for group in optimiser.param_groups:
                group["lr"] = rate
        critics = self._critics
        found: dict[str, torch.Tensor] = {}
        waited = 0.0
        for k in range(schedule.critic_steps):
            before = time.perf_counter()
            batch = next(batches).to(self.device)
            waited += time.perf_counter() - before
            is_last = k == schedule.critic_steps - 1  # its edited pictures serve both steps
            with torch.set_grad_enabled(is_last), self._autocast():
                fake = apply_editor(self.editor, batch)
            with self._autocast():
                total, parts = discriminator_step(critics, self.editor, batch, fake, weights)
            self._update(self.critics, self.critic_optimiser, total, step)
            found |= {name: value for name, value in parts.items() if name != "total"}
        with self._autocast():
            total, parts = generator_step(
                critics,
                self.editor,
                batch,
                fake,
                weights,
                perceptual=self.perceptual,
                meter=self.meter,
                adversarial=step >= schedule.adversarial_from_step,
            )
        self._update(self.editor, self.generator_optimiser, total, step)
        ema.update(self.average, self.editor, decay=schedule.ema_decay, step=step)
        self.step = step + 1
        now = time.monotonic()
        self.trained_seconds += now - self.advanced_at
        elapsed, self.advanced_at = now - self.advanced_at, now
        if self.step % self.options.run.log_steps and self.step != 1:
            return {}
        found |= parts
        names = list(found)
        means = mean_of(torch.stack([found[name].float() for name in names]), self.group)
        values = dict(zip(names, means.tolist(), strict=True))
        return values | {
            "learning_rate": rate,
            "step_seconds": elapsed,
            "waited_share": waited / max(elapsed, 1e-9),
        }

    def maintain(self, scores: Mapping[str, float]) -> None:
        """Log, sample and save, when it is time."""
        if scores:
            self.log.write(self.step, scores)
        if self.step % self.options.run.sample_steps == 0 or self.step in (1, self.length):
            self._sample()
        if time.monotonic() - self.saved_at > 60 * self.options.run.checkpoint_minutes:
            self.save()

    def save(self) -> None:
        """The state to resume from, and the averaged network as a checkpoint that the pipeline reads."""
        self.saved_at = time.monotonic()
        if not self.group.is_first:
            return
        save_state(self.folder, self._state())
        save_editor(
            self.folder / CHECKPOINT,
            self.average,
            crop=self.crop,
            au_source=self.au_source,
            provenance=self._provenance(),
        )

    def prepare_folder(self, *, resume: bool) -> None:
        """Makes the folder, or takes up what is in it.

        Raises:
            RetargetError: a run is in it already and is not to be resumed, or the other way round.
        """
        if resume:
            self._take_up(load_state(self.folder, learning_hash=self.options.learning_hash))
        elif (self.folder / STATE).exists():
            raise RetargetError(f"{self.folder}: holds a run already; go on with --resume, or name another folder")
        if self.group.is_first:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / OPTIONS).write_text(as_yaml(self.options), encoding="utf-8")

    # Their details -------------------------------------------------------------------------------------

    @property
    def _critics(self) -> dict[str, Critic]:
        return {name: critic for name, critic in self.critics.items() if isinstance(critic, Critic)}

    def _autocast(self) -> torch.autocast:
        wanted = self.options.run.precision
        can = self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=wanted == "bf16" or (wanted == "auto" and can)
        )

    def _update(self, module: nn.Module, optimiser: Adam, loss: torch.Tensor, step: int) -> None:
        if not bool(torch.isfinite(loss)):
            who = "critics'" if module is self.critics else "generator's"
            raise TrainingError(
                f"the {who} loss is {float(loss.detach())} at step {step}; the last good checkpoint is kept in "
                f"{self.folder}, try a lower schedule.learning_rate"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        average_gradients(module, self.group)
        optimiser.step()

    def _sample(self) -> None:
        picture, scores = sample(self.average, self.validation, rows=SAMPLE_ROWS)
        if self.group.is_first:
            write_picture(self.folder / SAMPLES / f"{self.step:07d}.png", picture)
            self.log.write(self.step, {f"validation/{name}": value for name, value in scores.items()})
            self.log.picture(self.step, picture)

    def _state(self) -> dict[str, Any]:
        return {
            "learning_hash": self.options.learning_hash,
            "step": self.step,
            "trained_seconds": self.trained_seconds,
            "editor": self.editor.state_dict(),
            "average": self.average.state_dict(),
            "critics": self.critics.state_dict(),
            "generator_optimiser": self.generator_optimiser.state_dict(),
            "critic_optimiser": self.critic_optimiser.state_dict(),
        }

    def _take_up(self, state: Mapping[str, Any]) -> None:
        self.step, self.trained_seconds = state["step"], state["trained_seconds"]
        for name in ("editor", "average", "critics", "generator_optimiser", "critic_optimiser"):
            getattr(self, name).load_state_dict(state[name])

    def _provenance(self) -> dict[str, Any]:
        return {
            "command": "run",
            "config": self.options.model_dump(mode="json"),
            "config_hash": self.options.learning_hash,
            "steps": self.step,
            "pictures": self.step * self.options.schedule.critic_steps * self.options.data.batch,
            "seconds": round(self.trained_seconds),
            "processes": self.group.world,
            "data": {
                "name": self.source.dataset.folder.name,
                "rows": len(self.source.rows),
                "people": person_marks(self.source.identities),
            },
            "versions": {"retarget": importlib.metadata.version("retarget"), "torch": torch.__version__},
        }


def build_editor(options: TrainOptions, geometry: GeometryModel) -> Editor:
    """A new network as the options say, around the geometry where it moves pixels."""
    config = options.generator.config(len(options.au_names))
    generator: Head
    if isinstance(config, GanimationConfig):
        generator = GanimationGenerator(config)
    else:
        generator = Generator(config, geometry if config.head == "motion" else None)
    return Editor(generator, action_units=options.au_names, condition=options.condition)


def _fitting_crop(options: TrainOptions, dataset: Dataset) -> CropSpec:
    theirs = dataset.crop
    return CropSpec(options.generator.crop_px, theirs.eye_distance_fraction, theirs.eyes_y_fraction)


def _check_units(options: TrainOptions, dataset: Dataset) -> None:
    missing = [
        name
        for name, column in zip(options.au_names, _columns(options), strict=True)
        if not all(dataset.known[i] for i in column)
    ]
    if missing:
        raise RetargetError(
            f"{dataset.folder}: has no values of {', '.join(missing)}, which this network is trained on; prepare "
            "it without OpenFace labels, or set action_units=openface"
        )


def _columns(options: TrainOptions) -> list[tuple[int, ...]]:
    return [action_units.resolve(name) for name in options.au_names]


@contextlib.contextmanager
def _until(max_minutes: float) -> Iterator[Callable[[], End | None]]:
    """A function that says why to stop, if it is time: SIGTERM has come, or the minutes are over."""
    deadline = time.monotonic() + 60 * max_minutes
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    try:
        yield lambda: "terminated" if told else "out of time" if time.monotonic() > deadline else None
    finally:
        signal.signal(signal.SIGTERM, before)
