"""What a run takes from checkpoints."""

from __future__ import annotations

from pathlib import Path

from retarget.model.checkpoint import load_checkpoint
from retarget.model.editor import Editor
from retarget.model.errors import RetargetError
from retarget.model.generator import Generator
from retarget.model.geometry import GeometryModel


def geometry_of(path: Path) -> GeometryModel:
    """The geometry model of a checkpoint.

    Raises:
        RetargetError: it has none.
    """
    return geometry_in(path, load_checkpoint(path).build_editor())


def geometry_in(path: Path, editor: Editor) -> GeometryModel:
    """The geometry model of an editor that was read from `path`.

    Raises:
        RetargetError: it has none.
    """
    generator = editor.generator
    if not isinstance(generator, Generator) or generator.geometry is None:
        raise RetargetError(f"{path}: has no geometry model; name a checkpoint of `retarget-train fit-geometry`")
    return generator.geometry
