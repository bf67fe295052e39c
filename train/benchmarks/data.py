"""How fast a large dataset is opened and drawn from, as JSON: `python -m retarget.train.benchmarks.data DATASET`.

Makes a dataset of `--rows` rows by repeating DATASET's, every crop a file of its own (a hard link), and measures
what a run does with it: opening, drawing strangers and pairs, making batches, in seconds of the processor; and the
share of a step that a run of the recipe waits for data.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch

from retarget.model.checkpoint import default_checkpoint_path
from retarget.model.errors import RetargetError

from ..data import open_dataset
from ..gan import BatchSource, Group, Run, geometry_of, load_options


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the measurements and returns the exit status."""
    flags = argparse.ArgumentParser(prog="python -m retarget.train.benchmarks.data", description=__doc__)
    flags.add_argument("dataset", type=Path)
    flags.add_argument("--rows", type=int, default=200_000, help="of the large one (default %(default)s)")
    flags.add_argument("--recipe", default="default", metavar="CONFIG")
    flags.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    flags.add_argument(
        "--steps", type=int, default=5, help="timed, after one to warm up; 0: none (default %(default)s)"
    )
    flags.add_argument("--folder", type=Path, help="to make the large one in (default: a temporary one)")
    flags.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments = flags.parse_args(argv)
    try:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            large = Path(folder) / "large"
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as aside:  # of the peak
                aside.submit(repeat, arguments.dataset, large, arguments.rows).result()
            found = measure(large, arguments)
    except RetargetError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(found, indent=1))
    return 0


def repeat(folder: Path, large: Path, rows: int) -> None:
    """Writes a dataset of so many rows: DATASET's, again and again, as new clips of new people."""
    own = open_dataset(folder)
    with (folder / "table.csv").open(encoding="utf-8-sig", newline="") as file:
        header, *table = csv.reader(file)
    place = {name: header.index(name) for name in ("file", "identity", "clip")}
    (large / "crops").mkdir(parents=True)
    with (large / "table.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for i in range(rows):
            turn, row = divmod(i, len(table))
            cells = list(table[row])
            source = folder / cells[place["file"]]
            cells[place["file"]] = f"crops/{turn}/{row // 1000}/{row}{source.suffix}"
            cells[place["identity"]] += f" {turn}"
            cells[place["clip"]] += f" {turn}"
            _link(source, large / cells[place["file"]])
            writer.writerow(cells)
    points = np.lib.format.open_memmap(
        large / "landmarks.npy", mode="w+", dtype=np.float32, shape=(rows, *own.landmarks.shape[1:])
    )
    for start in range(0, rows, len(own)):
        points[start : start + len(own)] = own.landmarks[: rows - start]
    points.flush()
    shutil.copyfile(folder / "dataset.json", large / "dataset.json")


def measure(large: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures of a dataset."""
    before = _resident_mib()
    started = time.process_time()
    dataset = open_dataset(large)
    found: dict[str, Any] = {
        "rows": len(dataset),
        "open_cpu_seconds": round(time.process_time() - started, 2),
        "open_peak_mib": round(_peak_mib() - before),
        "open_kept_mib": round(_resident_mib() - before),
    }
    options = load_options(arguments.recipe, [*arguments.set, "run.log_steps=1"])
    geometry = geometry_of(default_checkpoint_path())
    started = time.process_time()
    source = BatchSource(
        dataset, options.data, crop_px=options.generator.crop_px, mirror=geometry.model.mirror.numpy()
    )
    found["source_cpu_seconds"] = round(time.process_time() - started, 2)
    found |= _draws(source)
    found["batch_cpu_ms"] = round(_milliseconds(source.batch, 12), 1)
    if arguments.steps:
        device = torch.device(arguments.device)
        with tempfile.TemporaryDirectory() as folder:
            run = Run.build(options, dataset, Path(folder), geometry, device, Group())
            found |= _waiting(run, arguments.steps)
    return found


def _draws(source: BatchSource) -> dict[str, float]:
    rng = np.random.default_rng(0)
    found = {"stranger_draw_cpu_ms": round(_milliseconds(lambda _: source.draw_strangers(rng), 200), 4)}
    if source.has_pairs:
        found["pair_draw_cpu_ms"] = round(_milliseconds(lambda _: source.draw_pair(rng), 200), 4)
    return found


def _waiting(run: Run, steps: int) -> dict[str, float]:
    batches = run.batches()
    run.advance(0, batches)
    times, waits = [], []
    for step in range(1, steps + 1):
        started = time.perf_counter()
        waits.append(run.advance(step, batches)["waited_share"])
        times.append(time.perf_counter() - started)
    batches.close()
    return {
        "step_seconds": round(statistics.median(times), 4),
        "waiting_for_data_share": round(statistics.median(waits), 4),
    }


def _milliseconds(do: Callable[[int], Any], times: int) -> float:
    """Of the processor: what else runs on the machine does not count."""
    do(0)
    started = time.process_time()
    for i in range(times):
        do(i)
    return 1000 * (time.process_time() - started) / times


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if Path("/proc/self/statm").exists() else 0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _peak_mib() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    sys.exit(main())
