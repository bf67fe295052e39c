"""Runs that are killed, or whose disk is full, at every step: nothing is lost, and the next run is whole.

    python tests/hostile/kills.py film --kills 200            SIGKILL at moments chosen by chance
    python tests/hostile/kills.py sequence --steps kill       SIGKILL at each of the run's own file operations
    python tests/hostile/kills.py film --steps full           ... or that operation finds the disk full

Each run is a fork of a process that has everything loaded. Prints the counts; status 1 if anything was lost.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from footage import SAMPLES, make_short_clip

os.environ.setdefault("OMP_NUM_THREADS", "1")

RUN_SECONDS = 240
WHOLE_AFTER = 10
"""Kills after which the run is let through, and compared."""

MOST_STEPS = 400

Files = Mapping[str, str]
"""Hash by name, of what can be seen in a folder."""


@dataclass(frozen=True)
class Job:
    """A command in a folder, and what may be there after it, whole or killed."""

    arguments: Callable[[Path], list[str]]
    before: Callable[[Path], None] = lambda _: None
    """Makes what is there before each run."""
    outputs: Callable[[str], bool] = lambda _: False
    """Whether the run makes a file of that name."""
    main: str = "retarget"
    """The command line, or "batch": a batch in this one process."""
    hidden: tuple[str, ...] = ()
    """What may stay hidden after a whole run."""
    ignored: tuple[str, ...] = ()
    """Names that files begin with in which it stands when, or how long: what is in them is not compared."""
    whole: Callable[[Path], object] | None = None
    """Raises unless a file that is neither the old nor the new one is whole all the same."""


def files_in(folder: Path, ignored: tuple[str, ...] = ()) -> dict[str, str]:
    """What can be seen in a folder and below."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(_lasting(path)).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not path.name.startswith(ignored or "/")
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def _lasting(path: Path) -> bytes:
    """What is in a file, but for how long it took to make it."""
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        data = data[8 + int.from_bytes(data[:8], "little") :]  # the tensors
    if path.suffix == ".json":
        report = json.loads(data)
        report.pop("seconds", None)
        data = json.dumps(report).encode()
    return data


@dataclass
class Step:
    """What happens to a run: at a moment, or at the n-th of its file operations."""

    how: Literal["kill", "full", "none"] = "none"
    number: int = 0
    after_seconds: float | None = None
    ended: int = 0
    errors: str = ""
    reached: bool = field(default=False)


_CHANGES = {"os.rename", "os.link", "os.mkdir"}
_REMOVALS = {"os.remove", "os.rmdir", "os.truncate"}


def attempt(job: Job, folder: Path, step: Step) -> None:
    """One run in a fork; fills in how it ended."""
    said = folder.with_name(f"{folder.name}.said")
    said.touch()
    child = os.fork()
    if child == 0:
        os.setsid()
        with said.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.chdir(folder)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
        code = 99
        try:
            _inject(folder, step)
            code = _main(job)(job.arguments(folder))
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 98
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    step.ended = _waited(child, step)
    step.errors = said.read_text(errors="replace")
    step.reached = (
        step.ended == -signal.SIGKILL or "injected" in step.errors or (folder.with_name("step")).exists()
    )
    folder.with_name("step").unlink(missing_ok=True)
    said.unlink()


def _main(job: Job) -> Callable[[list[str]], int]:
    if job.main == "retarget-train":
        from retarget.train.commands.entry import main as train_main

        return train_main
    if job.main == "batch":
        return _batch
    from retarget.pipeline.commands.main import main

    return main


def _waited(child: int, step: Step) -> int:
    until = time.monotonic() + (RUN_SECONDS if step.after_seconds is None else step.after_seconds)
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return -signal.SIGKILL if step.after_seconds is not None else 97


def _inject(folder: Path, step: Step) -> None:
    """Counts the process' file operations in the folder; at the wanted one, something happens."""
    if step.how == "none" or step.number == 0:
        return
    inside, count = str(folder), [0]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if not writes or (isinstance(mode, str) and mode in ("r", "rb")):
                return
        elif event in _CHANGES or (event in _REMOVALS and step.how == "kill"):
            path = arguments[0]
        else:
            return
        if not str(path if not isinstance(path, bytes) else os.fsdecode(path)).startswith((inside, ".")):
            return
        count[0] += 1
        if count[0] == step.number:
            if step.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            folder.with_name("step").touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    sys.addaudithook(hook)


def check(folder: Path, old: Files, new: Files, job: Job) -> str:
    """What is wrong in the folder after a run that did not end by itself; empty if nothing."""
    for name, digest in files_in(folder, job.ignored).items():
        if digest not in (old.get(name), new.get(name)):
            try:
                assert job.whole is not None
                job.whole(folder / name)
            except Exception as error:
                return f"{name} is neither what was there nor what is made ({error!r:.200})"
    lost = [name for name in old if name not in new and not job.outputs(name) and not (folder / name).is_file()]
    lost += [name for name in old if name in new and not (folder / name).is_file()]
    return f"{lost[0]} is gone" if lost else ""


def run(name: str, folder: Path, *, kills: int, steps: str | None, seed: int) -> Counter[str]:
    """The counts: "kills" (or "full disks"), "ended before", and what was lost, which is printed."""
    job, found = JOBS[name], Counter[str]()
    work = folder / "work"

    def fresh() -> Files:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        job.before(work)
        return files_in(work, job.ignored)

    old = fresh()
    seconds = 0.0
    for _ in range(2):  # the first reads from the disk what the others find in memory
        fresh()
        started, whole = time.monotonic(), Step()
        attempt(job, work, whole)
        seconds = time.monotonic() - started
        assert whole.ended == 0, f"the undisturbed run ended with {whole.ended}: {whole.errors}"
    new = files_in(work, job.ignored)
    chance = random.Random(f"{name} {seed}")  # noqa: S311 - reproducible
    number = 0
    while number < kills or (steps and number < MOST_STEPS):
        number += 1
        if steps or number % WHOLE_AFTER == 1:
            old = fresh()
        step = Step("none", after_seconds=chance.uniform(0, seconds * 0.98))
        if steps:
            step = Step("kill" if steps == "kill" else "full", number)
        attempt(job, work, step)
        wrong = check(work, old, new, job)
        if steps and not step.reached:
            if step.ended == 0 and files_in(work, job.ignored) == new:
                break  # behind the last operation
            wrong = wrong or f"ended with {step.ended}: {step.errors[-200:]}"
        killed = step.ended == -signal.SIGKILL
        if "Traceback" in step.errors or (not killed and step.ended not in (0, 1, 2)):
            wrong = wrong or f"ended with {step.ended}: {step.errors[-300:]}"
        if steps == "full" and step.ended in (1, 2):
            left = [path.name for path in work.rglob(".*") if path.name not in job.hidden]
            wrong = wrong or (f"left {left}" if left else "")
            wrong = wrong or ("" if len(step.errors.strip().splitlines()) == 1 else f"said {step.errors[-200:]!r}")
        found["full disks" if steps == "full" else "kills" if killed else "ended before"] += 1
        if not wrong and (steps or number % WHOLE_AFTER == 0):
            wrong = _wrong_after(job, work, new)
            found["whole after it"] += not wrong
        if wrong:
            found["LOST"] += 1
            print(f"{name} {step.how} {number} ({step.after_seconds}): {wrong}", flush=True)
            fresh()
    return found


def _wrong_after(job: Job, work: Path, new: Files) -> str:
    """What is wrong after the run was let through where a killed one had been."""
    again, more = Step(), {"retarget": ["--overwrite"], "retarget-train": ["--resume"], "batch": []}[job.main]
    if job.main == "retarget-train" and not (work / "run/state.pt").exists():
        more = []
        shutil.rmtree(work / "run", ignore_errors=True)
    attempt(replace(job, arguments=lambda folder: [*job.arguments(folder), *more]), work, again)
    if again.ended:
        return f"afterwards it ended with {again.ended}: {again.errors[-300:]}"
    if files_in(work, job.ignored) != new:
        return "afterwards something else was made"
    left = [path.name for path in work.rglob(".*") if path.name not in job.hidden]
    return f"afterwards it left {left}" if left else ""


# The jobs, on tiny inputs

_SHORT: list[Path] = []


def short_clip() -> Path:
    """Six frames of a face."""
    if not _SHORT:
        path = Path(tempfile.mkdtemp(prefix="retarget-kills-")) / "short.mp4"
        make_short_clip(path)
        _SHORT.append(path)
    return _SHORT[0]


def _main_job(*more: str) -> Callable[[Path], list[str]]:
    return lambda _: [
        "-s",
        str(short_clip()),
        "-d",
        str(SAMPLES / "smile.yaml"),
        "-q",
        "--refine",
        "0",
        "--device",
        "cpu",
        *more,
    ]


def _old_sequence(folder: Path) -> None:
    for number in range(9):
        (folder / f"out.{number + 1:04d}.png").write_bytes(f"old {number}".encode())


def _old_film(folder: Path) -> None:
    (folder / "o.mp4").write_bytes(b"the old film")


def _batch(_: list[str]) -> int:
    """A film and a sequence by a batch, its one worker in this process."""
    from retarget.pipeline import RetargetOptions
    from retarget.pipeline.batch import BatchOptions, Started, run_job, run_with
    from retarget.pipeline.jobs import Job as BatchJob

    class Inline:
        def run(self, tasks: Any) -> Any:
            for task in tasks:
                yield Started(task.job.index)
                yield run_job(task, options.setting, lambda *_: None)

    out = Path.cwd() / "out"
    options = BatchOptions(output_dir=out, use_cache=False, chunk_seconds=0.1)
    how = RetargetOptions(refine=0, device="cpu")
    jobs = [
        BatchJob(
            index=number,
            name=name.partition(".")[0],
            source=short_clip(),
            drivers=(SAMPLES / "smile.yaml",),
            output=out / name,
            options=how,
            where=f"{name}",
        )
        for number, name in enumerate(("a.mp4", "b.%04d.png"), 1)
    ]
    return run_with(Inline(), jobs, options).exit_code


def _trained(folder: Path) -> None:
    """A data set of a few faces, made once."""
    from retarget.train.commands.entry import main as train_main

    data = short_clip().with_name("data")
    if not data.exists():
        inputs = [str(SAMPLES / "astronaut.png"), str(short_clip())]
        made = train_main(
            ["prepare", *inputs, "-o", str(data), "-q", "--crop-px", "64", "--eval-fraction", "0", "--jobs", "1"]
        )
        assert made == 0
    folder.mkdir(exist_ok=True)


def _loads(path: Path) -> None:
    import torch

    from retarget.model.checkpoint import load_checkpoint

    if path.suffix == ".safetensors":
        load_checkpoint(path)
    elif path.suffix == ".pt":
        torch.load(path, weights_only=True)


TINY_RUN = (
    "--device=cpu", "--set=generator.width=2", "--set=generator.crop_px=64", "--set=critic.width=2",
    "--set=critic.layers=4", "--set=data.batch=2", "--set=schedule.critic_steps=1", "--set=schedule.steps=6",
    "--set=schedule.decay_steps=0", "--set=run.checkpoint_minutes=0.0001",
)  # fmt: skip

JOBS: dict[str, Job] = {
    "batch": Job(lambda _: [], main="batch", hidden=(".retarget", ".lock"), ignored=("retarget-batch",)),
    "trainer": Job(
        lambda _: ["run", "paper", "--data", str(short_clip().with_name("data")), "-o", "run", "-q", *TINY_RUN],
        main="retarget-train",
        before=_trained,
        ignored=("events", "log", "sample", "step", "state", "0"),
        whole=_loads,
    ),
    "film": Job(_main_job("-o", "o.mp4", "--report", "run.json")),
    "overwrite": Job(_main_job("-o", "o.mp4", "--overwrite"), before=_old_film),
    "sequence": Job(
        _main_job("-o", "out.%04d.png", "--overwrite"),
        before=_old_sequence,
        outputs=lambda name: name.startswith("out."),
    ),
    "track": Job(lambda _: ["track", str(short_clip()), "-o", "t.csv", "-q"]),
    "preview": Job(
        lambda _: ["preview", "-s", str(short_clip()), "-d", str(SAMPLES / "smile.yaml"), "-o", "p.png",
                   "--moments", "2", "--side-by-side", "p.mp4", "-q", "--refine", "0", "--device", "cpu"],
    ),
}  # fmt: skip


def is_survived(found: Counter[str]) -> bool:
    """Whether nothing was lost."""
    return not found["LOST"]


def main(argv: list[str] | None = None) -> int:
    """See the module."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("job", choices=list(JOBS))
    flags.add_argument("--kills", type=int, default=20)
    flags.add_argument("--steps", choices=["kill", "full"])
    flags.add_argument("--seed", type=int, default=0)
    arguments = flags.parse_args(argv)
    _load()
    with tempfile.TemporaryDirectory(prefix="retarget-kills-") as folder:
        started = time.monotonic()
        kills = 0 if arguments.steps else arguments.kills
        found = run(arguments.job, Path(folder), kills=kills, steps=arguments.steps, seed=arguments.seed)
    print(
        f"{arguments.job} {arguments.steps or ''}: {dict(found)} in {time.monotonic() - started:.0f} s", flush=True
    )
    return 0 if is_survived(found) else 1


def _load() -> None:
    """What every run needs, before the first fork, and no thread."""
    import cv2
    import torch

    import retarget.pipeline.commands.main
    import retarget.pipeline.faces.landmarker
    import retarget.pipeline.review
    import retarget.pipeline.run

    for module in (retarget.pipeline.review, retarget.pipeline.run):
        for name in getattr(module, "__all__", ()):
            getattr(module, name)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    short_clip()


if __name__ == "__main__":
    sys.exit(main())
