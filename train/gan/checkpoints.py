"""What training takes from checkpoints, and what it leaves as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retarget.model.checkpoint import load_checkpoint, save_checkpoint
from retarget.model.editor import Editor
from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryModel

from ..data import people_of, trained_people
from .fitted import geometry_in, geometry_of


def _with_geometry(editor: Editor, path: Path, geometry: GeometryModel) -> None:
    """Puts another geometry in the place of the editor's."""
    geometry_in(path, editor)
    editor.generator.geometry = geometry


def save_editor(path: Path, editor: Editor, **details: Any) -> None:
    """`save_checkpoint` of an editor's generator with its action units and condition."""
    save_checkpoint(
        path, editor.generator, action_units=editor.action_units, condition=editor.condition, **details
    )


def export_checkpoint(
    checkpoint: Path, output: Path, *, geometry: Path | None = None, overwrite: bool = False
) -> None:
    """Writes a checkpoint again in half precision, for the pipeline; its geometry stays exact.

    Args:
        geometry: a checkpoint whose geometry model takes the place of its own.

    Raises:
        RetargetError: the output is there already, or one of the two has no geometry where it needs one.
        CheckpointError: a checkpoint cannot be read, or the output not be written.
    """
    kept = load_checkpoint(checkpoint)
    if output.exists() and not overwrite:
        raise RetargetError(f"{output}: exists already; name another file or use --overwrite")
    editor, provenance = kept.build_editor(), dict(kept.provenance)
    if geometry:
        other = geometry_of(geometry)
        _with_geometry(editor, checkpoint, other.model)
        provenance["geometry"] = dict(other.provenance)
        data = {key: value for key, value in provenance.get("data", {}).items() if key != "people"}
        provenance["data"] = data | people_of(trained_people(kept.provenance), other.people)
    save_editor(output, editor, crop=kept.crop, au_source=kept.au_source, provenance=provenance, precision="fp16")
