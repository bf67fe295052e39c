"""What a batch gains over single runs, and what it costs. Prints JSON.

    python -m retarget.pipeline.benchmarks.batch samples/actress.mp4 samples/smile.yaml
    python -m retarget.pipeline.benchmarks.batch samples/actress.mp4 samples/smile.yaml --ray local

`single_runs` are processes of their own, one after the other, as a shell loop would have it; `one_process` is the
same without loading the libraries each time. `start_up` is what a clip costs besides its frames once a worker is
warm: the job of one frame. Everything is measured in this run, on whatever else the machine is doing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..batch import BatchOptions, BatchResult, Entry, Outcome, Setting, Task, Tell, request_hash, run_batch
from ..jobs import Job
from ..media import open_video
from ..options import RetargetOptions
from ..resources import Resources
from ..run import retarget_video

EMPTY_JOBS = 1000


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark and prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m retarget.pipeline.benchmarks.batch", description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("driver", type=Path)
    parser.add_argument("--clips", type=int, default=10, help="as many jobs, each with another strength")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--ray", metavar="ADDRESS", help='also as Ray tasks; "local" starts a cluster here')
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="retarget-batch-benchmark-") as folder:
        result = _measure(arguments, Path(folder))
    print(json.dumps(result, indent=1))
    return 0


def _measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    clip, driver = arguments.clip.absolute(), arguments.driver.absolute()
    with open_video(clip) as reader:
        frames = sum(1 for _ in reader)
        seconds = frames / float(reader.info.frame_rate)
    jobs = [_job(i, clip, driver, folder) for i in range(arguments.clips)]
    options = BatchOptions(output_dir=folder / "batch", workers=arguments.jobs, cache_dir=folder / "cache")
    batch, result = _timed(lambda: run_batch(_into(jobs, "batch", folder), options))
    worker_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    again, _ = _timed(lambda: run_batch(_into(jobs, "batch", folder), options))
    single, _ = _timed(lambda: _single_runs(jobs, folder))
    one_process, _ = _timed(lambda: [_in_process(job, Resources()) for job in _into(jobs, "one", folder)])
    start_up = _start_up(jobs[0], folder)
    per_clip = one_process / len(jobs)
    ten_seconds = start_up + (per_clip - start_up) * 10 / seconds
    measured = {
        "machine": {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()},
        "clips": len(jobs),
        "frames_per_clip": frames,
        "workers": arguments.jobs,
        "failed": result.count("failed"),
        "seconds": {
            "batch": round(batch, 2),
            "batch_again_all_done": round(again, 3),
            "single_runs": round(single, 2),
            "one_process": round(one_process, 2),
        },
        "throughput_ratio_to_single_runs": round(single / batch, 3),
        "start_up_seconds_per_clip": round(start_up, 3),
        "start_up_share_of_10_s_clip": round(start_up / ten_seconds, 4),
        "peak_mib_per_worker": round(worker_mib, 1),
        "scheduler_ms_per_job": _scheduler_ms(jobs[0], folder),
    }
    if arguments.ray:
        measured |= _on_ray(jobs, folder, arguments.ray, batch)
    return measured


def _job(number: int, clip: Path, driver: Path, folder: Path) -> Job:
    # Another strength each, so that no two jobs are the same; every clip is tracked (one source: see the cache).
    options = RetargetOptions(strength=1 - number / 100, trim_start=number / 1000)
    return Job(
        index=number,
        name=f"clip{number:02d}",
        source=clip,
        drivers=(driver,),
        output=folder / f"clip{number:02d}.mp4",
        options=options,
        where=f"benchmark:{number}",
    )


def _into(jobs: Sequence[Job], name: str, folder: Path) -> list[Job]:
    (folder / name).mkdir(exist_ok=True)
    return [replace(job, output=folder / name / job.output.name) for job in jobs]


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _single_runs(jobs: Sequence[Job], folder: Path) -> None:
    for job in jobs:
        _single_run(job, folder)


def _single_run(job: Job, folder: Path) -> None:
    options: dict[str, object] = {"-s": job.source, "-d": job.drivers[0], "-o": folder / "single.mp4"}
    options |= {"--strength": job.options.strength, "--trim-start": job.options.trim_start}
    words = [str(word) for pair in options.items() for word in pair]
    command = [sys.executable, "-m", "retarget.pipeline.commands.entry", *words, "--overwrite", "--quiet"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own program


def _in_process(job: Job, resources: Resources) -> float:
    options = replace(job.options, overwrite=True)
    seconds, _ = _timed(lambda: retarget_video(job.source, job.drivers, job.output, options, resources=resources))
    return seconds


def _start_up(job: Job, folder: Path) -> float:
    """The best of three warm runs of one frame."""
    resources = Resources()
    one_frame = replace(
        job, output=folder / "frame.mp4", options=replace(job.options, trim_start=None, trim_end=0.01)
    )
    return min([_in_process(one_frame, resources) for _ in range(4)][1:])


def nothing(task: Task, setting: Setting, tell: Tell) -> Outcome:  # noqa: ARG001 - a Work
    """A job that does nothing: what is left is the batch's own time."""
    job = task.job
    entry = Entry(
        name=job.name, state="done", source="", output=str(job.output), key="k", request=request_hash(job)
    )
    return Outcome(index=job.index, state="done", entry=entry)


def _scheduler_ms(job: Job, folder: Path) -> float:
    """A thousand empty jobs against one, so that starting the worker does not count."""

    def run(count: int) -> float:
        output_dir = folder / f"empty{count}"
        jobs = [
            replace(job, index=i, name=f"e{i}", source=folder / "none", output=output_dir / f"e{i}.mp4")
            for i in range(count)
        ]
        options = BatchOptions(output_dir=output_dir, workers=1, use_cache=False)
        return _timed(lambda: run_batch(jobs, options, work=nothing))[0]

    return round(1e3 * (run(EMPTY_JOBS) - run(1)) / (EMPTY_JOBS - 1), 2)


def _on_ray(jobs: Sequence[Job], folder: Path, address: str, local_seconds: float) -> dict[str, Any]:
    from ..batch import run_on_ray  # only where it is asked for: ray is an extra

    options = BatchOptions(output_dir=folder / "ray", cache_dir=folder / "ray cache")
    seconds, result = _timed(lambda: run_on_ray(_into(jobs, "ray", folder), options, address=address))
    assert isinstance(result, BatchResult)
    return {
        "ray_seconds": round(seconds, 2),
        "ray_failed": result.count("failed"),
        "ray_ratio_to_local": round(seconds / local_seconds, 3),
    }


if __name__ == "__main__":
    sys.exit(main())
