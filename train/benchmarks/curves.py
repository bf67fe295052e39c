"""Learning curves of runs as one picture: `python -m retarget.train.benchmarks.curves RUN... -o curves.png`.

What the paper's Fig. 9 shows, unless other names are given: the condition loss of the critic on real pictures, and
the generator's. Every value is the mean of those that a run has logged in so many steps.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from retarget.model.errors import RetargetError
from retarget.model.files import write_whole

FIG_9 = ("whole/critic_condition", "whole/condition")
LOG = "log.jsonl"

PANEL_PX, MARGIN_PX = (520, 380), (64, 44)
"""Width and height of a panel's axes, and what is left of them and below."""
_FONT, _INK, _GRID = cv2.FONT_HERSHEY_SIMPLEX, (40, 40, 40), (225, 225, 225)

Curve = NDArray[np.float64]
"""(n, 2): step, value."""


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the picture and returns the exit status."""
    flags = argparse.ArgumentParser(prog="python -m retarget.train.benchmarks.curves", description=__doc__)
    flags.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folders of runs")
    flags.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.png")
    flags.add_argument("--names", nargs="+", default=FIG_9, metavar="NAME", help="of logged values, a panel each")
    flags.add_argument("--window", type=int, default=250, metavar="STEPS", help="of a mean (default %(default)s)")
    arguments = flags.parse_args(argv)
    try:
        panels = [
            {run.name: curve_of(run, name, window=arguments.window) for run in arguments.runs}
            for name in arguments.names
        ]
        picture = np.concatenate([_panel(n, p) for n, p in zip(arguments.names, panels, strict=True)], axis=1)
        write_whole(arguments.output, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    except RetargetError as error:
        print(f"curves: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def curve_of(run: Path, name: str, *, window: int) -> Curve:
    """A value's means over windows of steps, each at its window's middle.

    Raises:
        RetargetError: there is no log, or the value is not in it.
    """
    try:
        lines = (run / LOG).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RetargetError(f"{run / LOG}: {error.strerror}; name the folder of a run") from error
    values = [(entry["step"], entry[name]) for entry in map(json.loads, lines) if entry.get(name) is not None]
    if not values:
        raise RetargetError(f"{run / LOG}: has no values of {name}; name one that the run has logged")
    step, value = np.array(values, np.float64).T
    place = (step - 1) // window
    return np.array([((p + 0.5) * window, value[place == p].mean()) for p in np.unique(place)])


def _panel(title: str, curves: Mapping[str, Curve]) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 RGB: the curves over steps, values on a logarithmic scale."""
    (width, height), (left, below) = PANEL_PX, MARGIN_PX
    canvas = np.full((height + below + 40, width + left + 16, 3), 255, np.uint8)
    shown = [curve[curve[:, 1] > 0] for curve in curves.values()]
    last = max(float(curve[:, 0].max()) for curve in curves.values())
    every = np.concatenate([curve[:, 1] for curve in shown])
    low, high = math.log10(every.min()) - 0.03, math.log10(every.max()) + 0.03

    def at(step: float, value: float) -> tuple[int, int]:
        x = left + step / last * width
        return round(x), round(30 + (high - math.log10(value)) / (high - low) * height)

    for tick in _ticks(10**low, 10**high):
        cv2.line(canvas, at(0, tick), at(last, tick), _GRID, 1)
        _write(canvas, f"{tick:g}", (4, at(0, tick)[1] + 4))
    for step in _round_steps(last):
        cv2.line(canvas, (at(step, 1)[0], 30), (at(step, 1)[0], 30 + height), _GRID, 1)
        _write(canvas, f"{step:g}", (at(step, 1)[0] - 16, height + 48))
    cv2.rectangle(canvas, (left, 30), (left + width, 30 + height), _INK, 1)
    for i, (label, curve) in enumerate(zip(curves, shown, strict=True)):
        points = np.array([at(step, value) for step, value in curve], np.int32)
        cv2.polylines(canvas, [points], False, _color(i, len(curves)), 2, cv2.LINE_AA)
        y = 48 + 18 * i
        cv2.line(canvas, (left + width - 170, y - 4), (left + width - 146, y - 4), _color(i, len(curves)), 3)
        _write(canvas, label, (left + width - 140, y))
    _write(canvas, title, (left, 20))
    return canvas


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers within the range: 1, 2 and 5 times powers of ten, or closer ones where those are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for digits in ((1, 2, 5), range(1, 10), np.arange(1, 10, 0.25)):
        found = [float(k) * 10.0**p for p in powers for k in digits if low <= float(k) * 10.0**p <= high]
        if len(found) >= 3:
            break
    return found


def _round_steps(last: float) -> list[float]:
    size = 10 ** math.floor(math.log10(last))
    size = size / 2 if last / size < 4 else size
    return [float(step) for step in np.arange(0, last + 1, size)]


def _color(i: int, count: int) -> tuple[int, int, int]:
    hue = np.array([[[round(180 * i / count), 220, 190]]], np.uint8)
    red, green, blue = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0].tolist()
    return red, green, blue


def _write(canvas: NDArray[np.uint8], text: str, at: tuple[int, int]) -> None:
    cv2.putText(canvas, text, at, _FONT, 0.42, _INK, 1, cv2.LINE_AA)


if __name__ == "__main__":
    raise SystemExit(main())
