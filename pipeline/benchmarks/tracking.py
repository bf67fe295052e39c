"""How fast faces are tracked, by our own runner and by mediapipe where it is installed. Prints JSON.

    python -m retarget.pipeline.benchmarks.tracking samples/smile.mp4
    taskset -c 1 python -m retarget.pipeline.benchmarks.tracking samples/smile.mp4    # one core

`call` is one face's landmarks and blendshapes on the windows of the clip's own face; `tracking` is all that
follows decoding: sampling, detector, networks, measures. Both are the best of several rounds in which the trackers
take turns, so that a busy moment of the machine hits them alike. `own_over_mediapipe` is the time of one call over
the other's; `speed_up` compares frames a second, and `speed_up_cpu` seconds of processor time, which other work on
the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import FaceModelError
from ..faces import (
    WINDOW_PX,
    FaceTracker,
    Landmarker,
    Tracker,
    Window,
    chain,
    place_of,
    tracker_details,
)
from ..media import open_video, sample_rgb
from ..records import Frame, VideoInfo

Views = list[tuple[NDArray[np.uint8], Window]]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark and prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m retarget.pipeline.benchmarks.tracking", description=__doc__)
    parser.add_argument("clip", type=Path, help="a short clip with a face")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args(argv)
    cv2.setNumThreads(1)
    print(json.dumps({"machine": _machine(), **measured(arguments.clip, arguments.rounds)}, indent=1))
    return 0


def measured(clip: Path, rounds: int) -> dict[str, Any]:
    """Times of every tracker that is installed, and their ratios."""
    with open_video(clip) as reader:
        info, frames = reader.info, list(reader)
    with ExitStack() as stack:
        landmarkers = {
            name: stack.enter_context(Landmarker(name)) for name in get_args(Tracker) if _is_there(name)
        }
        views = {name: windows_of(frames, info, landmarker) for name, landmarker in landmarkers.items()}
        best = {
            name: dict.fromkeys(("call_ms", "tracking_seconds", "tracking_cpu"), np.inf) for name in landmarkers
        }
        for _ in range(rounds):
            for name, landmarker in landmarkers.items():
                times = best[name]
                calls = [_timed(partial(landmarker.see, *view)) for view in views[name]]
                times["call_ms"] = min(times["call_ms"], 1e3 * min(calls))
                work = partial(_tracked, frames, info, landmarker)
                busy = time.process_time()
                times["tracking_seconds"] = min(times["tracking_seconds"], _timed(work))
                times["tracking_cpu"] = min(times["tracking_cpu"], time.process_time() - busy)
    return {"frames": len(frames), "trackers": _shown(best, len(frames)), **_ratios(best)}


def _shown(best: dict[Tracker, dict[str, float]], frames: int) -> dict[str, Any]:
    return {
        name: {
            **tracker_details(name),
            "call_ms": round(times["call_ms"], 3),
            "tracking_fps": round(frames / times["tracking_seconds"], 1),
        }
        for name, times in best.items()
    }


def _ratios(best: dict[Tracker, dict[str, float]]) -> dict[str, float]:
    if "mediapipe" not in best:
        return {}
    own, other = best["own"], best["mediapipe"]
    return {
        "own_over_mediapipe": round(own["call_ms"] / other["call_ms"], 3),
        "speed_up": round(other["tracking_seconds"] / own["tracking_seconds"], 3),
        "speed_up_cpu": round(other["tracking_cpu"] / own["tracking_cpu"], 3),
    }


def _is_there(name: Tracker) -> bool:
    try:
        tracker_details(name)
    except FaceModelError:
        return False
    return True


def windows_of(frames: list[Frame], info: VideoInfo, landmarker: Landmarker) -> Views:
    """The windows of the first face of each frame, as the tracker sees them."""
    views = []
    tracker = FaceTracker(info, landmarker=landmarker)
    for frame, tracked in zip(frames, tracker.track((frame, 0) for frame in frames), strict=True):
        for face in tracked.faces[:1]:
            window = landmarker.window(place_of(face.landmarks))
            matrix = chain(window.matrix, info.display_from_coded)
            views.append((sample_rgb(frame, info.color, matrix, (WINDOW_PX, WINDOW_PX)), window))
    return views


def _tracked(frames: list[Frame], info: VideoInfo, landmarker: Landmarker) -> None:
    for _ in FaceTracker(info, landmarker=landmarker).track((frame, 0) for frame in frames):
        pass


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _machine() -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cores": cores, "machine": platform.machine(), "python": platform.python_version()}


if __name__ == "__main__":
    sys.exit(main())
