"""A fitted geometry as a checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from retarget.model.checkpoint import save_checkpoint
from retarget.model.generator import Generator, GeneratorConfig
from retarget.model.geometry import GeometryModel

from ..data import Dataset, people_of, person_marks


def save_geometry(
    path: Path,
    geometry: GeometryModel,
    dataset: Dataset,
    provenance: Mapping[str, Any],
    *,
    earlier_people: Collection[str] | None = (),
) -> None:
    """A checkpoint of the geometry alone: it moves pixels and paints none.

    Args:
        provenance: how it was made, as JSON types; marks of the people of the dataset's training split are added.
        earlier_people: marks of those whom the geometry knows from before; None: nobody can say.

    Raises:
        CheckpointError: it cannot be written.
    """
    people = person_marks(dataset.identities[i] for i in set(dataset.identity[~dataset.is_eval].tolist()))
    data = {"name": dataset.folder.name} | people_of(people, earlier_people)
    save_checkpoint(
        path,
        Generator(GeneratorConfig(width=0, crop_px=dataset.crop.size_px), geometry),
        crop=dataset.crop,
        au_source=dataset.au_source,
        provenance={**provenance, "data": data},
    )
