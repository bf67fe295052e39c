"""What a run says while it trains: scalars as JSON lines, scalars and pictures for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .layout import LOG, written


class Log:
    """Scalars as JSON lines, and for TensorBoard where that is installed."""

    def __init__(self, folder: Path, *, is_on: bool) -> None:
        """Into `folder`; one that is not on says nothing."""
        self._folder, self._is_on = folder, is_on
        self._board: Any = None
        self.headline = ""
        """Of the last values, for a progress bar."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Values by name, of that step."""
        if not self._is_on or not values:
            return
        line = json.dumps({"step": step, **{k: round(v, 6) for k, v in values.items()}}) + "\n"
        with written(self._folder / LOG), (self._folder / LOG).open("a", encoding="utf-8") as file:
            file.write(line)
        if "total" in values:
            self.headline = f"loss {values['total']:.3g}"
        with written(self._folder):
            for name, value in values.items():
                if board := self._opened():
                    board.add_scalar(name, value, step)

    def picture(self, step: int, picture: Any) -> None:
        """The sample grid (h, w, 3) uint8 RGB, for TensorBoard alone."""
        with written(self._folder):
            if not (board := self._opened()):
                return
            board.add_image("samples", picture, step, dataformats="HWC")

    def _opened(self) -> Any:
        if self._board is None and self._is_on:
            try:
                from torch.utils.tensorboard import SummaryWriter

                self._board = SummaryWriter(str(self._folder))
            except ImportError:
                self._board = False
        return self._board
