"""What training takes from checkpoints, and what it leaves as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from retarget.model.checkpoint import load_checkpoint, save_checkpoint
from retarget.model.editor import Editor
from retarget.model.errors import RetargetError
from retarget.model.geometry import GeometryModel

from ..data import of_geometry, people_of, trained_people


def geometry_of(path: Path) -> GeometryModel:
    """The geometry model of a checkpoint, on the CPU.

    Raises:
        CheckpointError: the file cannot be used.
        RetargetError: it has no geometry.
    """
    return geometry_in(path, load_checkpoint(path).build_editor())


def geometry_in(path: Path, editor: Editor) -> GeometryModel:
    """The geometry model of an editor that was read from `path`.

    Raises:
        RetargetError: it has none.
    """
    if editor.generator.geometry is None:
        raise RetargetError(f"{path}: has no geometry model; name a checkpoint of `retarget-train fit-geometry`")
    return editor.generator.geometry


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
        other = load_checkpoint(geometry)
        _with_geometry(editor, checkpoint, geometry_in(geometry, other.build_editor()))
        provenance["geometry"] = of_geometry(other.provenance)
        data = {key: value for key, value in provenance.get("data", {}).items() if key != "people"}
        people = (trained_people(part.provenance) for part in (kept, other))
        provenance["data"] = data | people_of(*people)
    save_editor(output, editor, crop=kept.crop, au_source=kept.au_source, provenance=provenance, precision="fp16")
