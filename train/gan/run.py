"""A run in memory: what it holds, one step of it, and what is written from time to time."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam
from tqdm import tqdm

from retarget.model.crop_spec import CropSpec
from retarget.model.editor import Editor
from retarget.model.files import write_whole
from retarget.model.ganimation import GanimationConfig, GanimationGenerator
from retarget.model.generator import Generator, Head
from retarget.model.geometry import GeometryModel

from ..data import Dataset, people_of, person_marks
from ..metrics import FaceMeter, PerceptualFeatures, check_source
from . import ema
from .batches import Batch, BatchSource, BatchStream
from .checkpoints import save_editor
from .critics import Critic, build_critics
from .fitted import FittedGeometry
from .fitting import check_fit, data_mark, fitting_crop
from .initial import start_normal
from .layout import BEST, CHECKPOINT, OPTIONS, SAMPLES, STATE, TrainingError, written
from .load import as_yaml
from .log import Log
from .options import TrainOptions
from .parallel import Group, average_gradients, means_of, same_start
from .resuming import check_data, check_options
from .sampling import write_picture
from .schedule import learning_rate, phases
from .state import NETWORKS, check_finite, damaged_state, save_state
from .steps import apply_editor, discriminator_step, generator_step
from .validation import Best, Judge, best_of, judge_of
from .warm_start import Origin, WarmStart

SAMPLE_ROWS, VALIDATION_PICTURES = 8, 24

WATCHED = {
    "critics_total": "critics' loss",
    "gradient_norm/critics": "critics' gradient",
    "total": "generator's loss",
    "gradient_norm/generator": "generator's gradient",
}
"""What is logged that has to be finite, and what it is called."""


@dataclass
class Run:
    """Everything a run holds in memory."""

    options: TrainOptions
    source: BatchSource
    folder: Path
    crop: CropSpec
    data_mark: str
    geometry: FittedGeometry
    origin: Origin | None
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
    judge: Judge
    step: int = 0
    best: Best | None = None
    saved_at: float = field(default_factory=time.monotonic)
    trained_seconds: float = 0.0
    advanced_at: float = field(default_factory=time.monotonic)

    @classmethod
    def build(
        cls,
        options: TrainOptions,
        dataset: Dataset,
        folder: Path,
        geometry: FittedGeometry,
        device: torch.device,
        group: Group,
        *,
        start: WarmStart | None = None,
        origin: Origin | None = None,
    ) -> Run:
        """
        Args:
            start: weights to begin with.
            origin: of those that a run to be resumed began with.
        """
        check_fit(options, dataset)
        torch.manual_seed(options.seed)
        crop, origin = fitting_crop(options, dataset), start.origin if start else origin
        source = BatchSource(
            dataset,
            options.data,
            crop_px=crop.size_px,
            mirror=geometry.model.mirror.numpy(),
            seed=options.seed,
            known=(origin.people or ()) if origin else (),
            set_aside=origin.set_aside if origin else (),
        )
        editor = build_editor(options, geometry.model).to(device)
        critics = build_critics(options, len(options.au_names)).to(device)
        if options.generator.initial_std is not None:
            start_normal(editor, options.generator.initial_std)
            start_normal(critics, options.generator.initial_std)
        if start is not None:
            start.put_into(editor, critics)
        if device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.run.tf32 == "on"
        for module in (editor, critics):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        same_start((editor, critics), group)
        compiles = options.run.compile == "on" or (options.run.compile == "auto" and device.type == "cuda")
        if compiles and (network := editor.generator.learnt) is not None:
            network.compile()
        perceptual = PerceptualFeatures().to(device) if options.losses.pair_perceptual else None
        if options.losses.condition_meter:
            check_source(dataset)
        meter = FaceMeter().to(device) if options.losses.condition_meter else None
        adam: dict[str, Any] = {
            "lr": options.schedule.learning_rate,
            "betas": (options.schedule.beta1, options.schedule.beta2),
            "fused": device.type in ("cpu", "cuda"),
        }
        return cls(
            options,
            source,
            folder,
            crop,
            data_mark(dataset, np.concatenate([source.rows, source.validation_rows])),
            geometry,
            origin,
            device,
            group,
            editor,
            ema.averaged(editor),
            critics,
            perceptual,
            meter,
            Adam([p for p in editor.parameters() if p.requires_grad], **adam),
            Adam(critics.parameters(), **adam),
            Log(folder, is_on=group.is_first),
            judge_of(source, VALIDATION_PICTURES, device, meter),
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
            ahead=self.options.run.loader_threads + critic_steps - 1,
            pinned=self.device.type == "cuda",
        )

    def advance(self, step: int, batches: Iterator[Batch]) -> Mapping[str, float]:
        """One step of the generator after its steps of the critics; names and values of what is to be logged.

        Waits for the device once, at its end.

        Raises:
            TrainingError: a loss or a gradient of any process is not finite; nothing of this step is ever saved.
            DatasetError: a crop cannot be read; nothing of this step is done.
        """
        schedule, weights = self.options.schedule, self.options.losses
        rate = learning_rate(self.options, step, len(self.source.rows))
        for optimiser in (self.generator_optimiser, self.critic_optimiser):
            for group in optimiser.param_groups:
                group["lr"] = rate
        critics = self._critics
        found: dict[str, Tensor] = {}
        watched = _Watched()
        before = time.perf_counter()
        taken = [next(batches) for _ in range(schedule.critic_steps)]  # so that no step is left half done
        waited = time.perf_counter() - before
        for k, given in enumerate(taken):
            batch = given.to(self.device)
            is_last = k == schedule.critic_steps - 1  # its edited pictures serve both steps
            with torch.set_grad_enabled(is_last), self._autocast():
                fake = apply_editor(self.editor, batch)
            with self._autocast():
                total, parts = discriminator_step(critics, self.editor, batch, fake, weights)
            watched.add("critics", total, self._update(self.critics, self.critic_optimiser, total))
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
        watched.add("generator", total, self._update(self.editor, self.generator_optimiser, total))
        ema.update(self.average, self.editor, decay=schedule.ema_decay, step=step)
        is_logged = step == 0 or (step + 1) % self.options.run.log_steps == 0
        found = {name: value for name, value in {**found, **parts}.items() if is_logged and name != "total"}
        values = means_of(watched.means(), found, self.group)
        self.step = step + 1
        now = time.monotonic()
        self.trained_seconds += now - self.advanced_at
        elapsed, self.advanced_at = now - self.advanced_at, now
        for name in WATCHED:
            if not math.isfinite(values[name]):
                raise TrainingError(
                    f"the {WATCHED[name]} is {values[name]} at step {step}; the last good checkpoint is kept in "
                    f"{self.folder}, try a lower schedule.learning_rate"
                )
        if not is_logged:
            return {}
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
        """The state to resume from, and the averaged network as a checkpoint that the pipeline reads.

        Raises:
            TrainingError: what was learnt is not finite, or the disk refuses; what was there is still there.
        """
        self.saved_at = time.monotonic()
        state = self._state()
        check_finite(self.folder, state)
        if self.group.is_first:
            save_state(self.folder, state)
            self._save_average(CHECKPOINT, self._provenance())

    def prepare_folder(self, state: Mapping[str, Any] | None) -> None:
        """Makes the folder, or takes up the state that was in it.

        Raises:
            RetargetError: what was learnt before is something else.
        """
        if state is not None:
            check_options(state, self.folder, self.options)
            check_data(state, self.folder, self.data_mark, self._own_people)
            self._take_up(state)
        if self.group.is_first:
            with written(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                write_whole(self.folder / OPTIONS, as_yaml(self.options).encode())

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

    def _update(self, module: nn.Module, optimiser: Adam, loss: Tensor) -> Tensor:
        """A step down; the gradient's norm, the same in every process."""
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        average_gradients(module, self.group)
        gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
        optimiser.step()
        return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))

    def _sample(self) -> None:
        picture, scores = self.judge.look(self.average, rows=SAMPLE_ROWS)
        if not self.group.is_first:
            return
        self.log.write(self.step, {f"{self.judge.name}/{name}": value for name, value in scores.items()})
        write_picture(self.folder / SAMPLES / f"{self.step:07d}.png", picture)
        self.log.picture(self.step, picture)
        found = best_of(scores, self.options.run.best_by, step=self.step, people=self.judge.name)
        if found is not None and (self.best is None or found.score < self.best.score):
            self.best = found
            self._save_average(BEST, {**self._provenance(), "best": dataclasses.asdict(found)})

    def _save_average(self, name: str, provenance: Mapping[str, Any]) -> None:
        with written(self.folder / name):
            save_editor(
                self.folder / name,
                self.average,
                crop=self.crop,
                au_source=self.source.dataset.au_source,
                provenance=provenance,
            )

    def _state(self) -> dict[str, Any]:
        return {
            "learning_hash": self.options.learning_hash,
            "step": self.step,
            "data": self.data_mark,
            "geometry": self.geometry.as_state(),
            "origin": self._origin_state(),
            "best": dataclasses.asdict(self.best) if self.best else None,
            "options": self.options.model_dump(mode="json"),
            "trained_seconds": self.trained_seconds,
            **{name: getattr(self, name).state_dict() for name in NETWORKS},
        }

    def _take_up(self, state: Mapping[str, Any]) -> None:
        try:
            self.step, self.trained_seconds = state["step"], state["trained_seconds"]
            for name in NETWORKS:
                getattr(self, name).load_state_dict(state[name])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise damaged_state(self.folder / STATE, error) from error
        self.best = Best(**state["best"]) if state.get("best") else None

    def _origin_state(self) -> dict[str, Any] | None:
        if self.origin is None:
            return None
        people = None if self.origin.people is None else sorted(self.origin.people)
        set_aside, provenance = sorted(self.origin.set_aside), dict(self.origin.provenance)
        return {"people": people, "set_aside": set_aside, "provenance": provenance}

    @property
    def _own_people(self) -> list[str]:
        return person_marks(self.source.identities)

    def _provenance(self) -> dict[str, Any]:
        """Whom the geometry knows counts where it is part of the network, and whom the first weights know."""
        moves = self.editor.generator.moves
        people = people_of(
            self._own_people,
            self.geometry.people if moves else (),
            self.origin.people if self.origin else (),
        )
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
                "mark": self.data_mark,
                "set_aside": person_marks(self.source.set_aside),
                **people,
            },
            **({"geometry": dict(self.geometry.provenance)} if moves else {}),
            **({"from": dict(self.origin.provenance)} if self.origin else {}),
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


class _Watched:
    """Losses and norms of gradients of one step; each the mean over its updates."""

    def __init__(self) -> None:
        self._found: dict[str, list[Tensor]] = {}

    def add(self, who: str, loss: Tensor, norm: Tensor) -> None:
        self._found.setdefault("total" if who == "generator" else f"{who}_total", []).append(loss.detach().float())
        self._found.setdefault(f"gradient_norm/{who}", []).append(norm)

    def means(self) -> dict[str, Tensor]:
        return {name: torch.stack(values).mean() for name, values in self._found.items()}
