"""How close the pipeline comes to its floors, and whether its memory stays flat. Prints JSON.

    python -m retarget.pipeline.benchmarks.main_job samples/actress.mp4 samples/smile.yaml
    python -m retarget.pipeline.benchmarks.main_job samples/actress.mp4 samples/smile.yaml --memory

The floors are measured in the same run on the same clip, each alone: decoding it once, one landmark call a frame,
encoding its frames. `ratio` is the whole job's time over their sum; stages overlap, so it can be below 1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..faces import Landmarker
from ..media import EncodeOptions, create_video, open_video
from ..options import RetargetOptions
from ..records import Frame
from ..run import retarget_video
from ..session import analyse_clip, load_driver, plan_edits
from .tracking import windows_of

SIZES = ((640, 360), (1920, 1080))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark and prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m retarget.pipeline.benchmarks.main_job", description=__doc__)
    parser.add_argument(
        "clip", type=Path, help="a short clip with one face; played to and fro to make longer ones"
    )
    parser.add_argument("driver", type=Path)
    parser.add_argument("--frames", type=int, default=480)
    parser.add_argument(
        "--repeats", type=int, default=3, help="the best of so many is taken, for floors and whole alike"
    )
    parser.add_argument(
        "--checkpoint", type=Path, help="in place of the package's own; one of the geometry alone has no network"
    )
    parser.add_argument(
        "--memory", action="store_true", help="peak memory at 300 and 3000 frames of 1080p instead"
    )
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="retarget-benchmark-") as folder:
        measure = _memory if arguments.memory else _speed
        result = measure(arguments, Path(folder))
    print(json.dumps({"machine": _machine(), **result}, indent=1))
    return 0


def _speed(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    return {
        f"{width}x{height}": _ratio(
            _stretched(arguments.clip, folder / f"{height}.mp4", width, height, arguments.frames),
            arguments.driver,
            folder,
            arguments.repeats,
            RetargetOptions(checkpoint=arguments.checkpoint, overwrite=True, after="loop"),
        )
        for width, height in SIZES
    }


def _ratio(clip: Path, driver: Path, folder: Path, repeats: int, options: RetargetOptions) -> dict[str, Any]:
    floors: dict[str, list[float]] = {"decode": [], "landmarks": [], "encode": []}
    whole: list[float] = []
    stages: dict[str, float] = {}
    edited = 0
    for _ in range(repeats):  # interleaved, so that a busy moment of the machine hits floors and whole alike
        floors["decode"].append(_timed(lambda: [None for _ in _frames(clip)]))
        floors["landmarks"].append(_landmark_seconds(clip))
        floors["encode"].append(_encode_seconds(clip, folder / "floor.mp4"))
        start = time.perf_counter()
        report = retarget_video(clip, driver, folder / "out.mp4", options)
        whole.append(time.perf_counter() - start)
        if whole[-1] == min(whole):
            stages, edited = dict(report.seconds), report.frames_edited
    best = {name: min(values) for name, values in floors.items()}
    count = sum(1 for _ in _frames(clip))
    per_frame = {name: round(1e3 * seconds / count, 2) for name, seconds in best.items()}
    return {
        "frames": count,
        "frames_edited": edited,
        "floors_ms_per_frame": per_frame,
        "whole_ms_per_frame": round(1e3 * min(whole) / count, 2),
        "ratio": round(min(whole) / sum(best.values()), 3),
        "plan_again": _plan_again(clip, driver, options, repeats),
        "stage_seconds": stages,
    }


def _plan_again(clip: Path, driver: Path, options: RetargetOptions, repeats: int) -> dict[str, float]:
    """Planning an analysed clip with another strength, as a studio does at every change."""
    analysis = analyse_clip(clip, options)
    played = load_driver(driver, options, frame_rate=analysis.info.frame_rate)
    tries = [
        _timed(lambda strength=strength: plan_edits(analysis, played, replace(options, strength=strength)))
        for strength in np.linspace(0.5, 1.5, max(3, repeats))
    ]
    return {"shot_seconds": round(float(analysis.seconds[-1]), 2), "ms": round(1e3 * min(tries), 2)}


def _frames(clip: Path) -> Iterator[Frame]:
    with open_video(clip) as reader:
        yield from reader


def _landmark_seconds(clip: Path) -> float:
    """One call a frame on the window where its face is, prepared beforehand."""
    with open_video(clip) as reader, Landmarker() as landmarker:
        views = windows_of(list(reader), reader.info, landmarker)
        return _timed(lambda: [landmarker.see(*view) for view in views])


def _encode_seconds(clip: Path, output: Path) -> float:
    with open_video(clip) as reader:
        frames = list(reader)
        start = time.perf_counter()
        with create_video(output, like=reader, options=EncodeOptions(), overwrite=True) as writer:
            for frame in frames:
                writer.write(frame)
        return time.perf_counter() - start


def _timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _stretched(clip: Path, output: Path, width: int, height: int, count: int) -> Path:
    """The clip at another size, played to and fro until it has `count` frames."""
    with open_video(clip) as reader:
        frames = list(reader)
        info = replace(reader.info, width=width, height=height)
        step = int(1 / (reader.info.frame_rate * reader.info.time_base))
        order = itertools.cycle([*range(len(frames)), *range(len(frames) - 2, 0, -1)])
        with create_video(output, like=info, options=EncodeOptions(preset="veryfast"), overwrite=True) as writer:
            for i, source in enumerate(itertools.islice(order, count)):
                frame = frames[source]
                planes = tuple(
                    cv2.resize(
                        plane, frame.pixel_format.plane_size(k, width, height), interpolation=cv2.INTER_CUBIC
                    )
                    for k, plane in enumerate(frame.planes)
                )
                writer.write(replace(frame, index=i, pts=i * step, duration=step, planes=planes, native=None))
    return output


def _memory(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    peaks = {}
    for count in (300, 3000):
        clip = _stretched(arguments.clip, folder / f"{count}.mp4", 1920, 1080, count)
        program = (
            "import pathlib, resource, sys; from retarget.pipeline import RetargetOptions, retarget_video; "
            "checkpoint = pathlib.Path(sys.argv[4]) if sys.argv[4] else None; "
            "options = RetargetOptions(checkpoint=checkpoint, overwrite=True, after='loop'); "
            "retarget_video(*sys.argv[1:4], options); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        command = [
            sys.executable,
            "-c",
            program,
            str(clip),
            str(arguments.driver),
            str(folder / "out.mp4"),
            str(arguments.checkpoint or ""),
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own program
        peaks[f"peak_mib_{count}_frames"] = round(int(done.stdout.split()[-1]) / 1024, 1)
    ratio = peaks["peak_mib_3000_frames"] / peaks["peak_mib_300_frames"]
    return {**peaks, "ratio": round(ratio, 3)}


def _machine() -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores,
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
