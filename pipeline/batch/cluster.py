"""The same jobs as tasks of a Ray cluster (`pip install retarget[ray]`). The only user of ray.

Sources, drivers, outputs and the output folder are on storage that every node sees under the same path; that is
checked before anything starts. A task whose node or process dies is done again elsewhere; a job that fails by
its own fault is not. Outputs are written beside and renamed under a lock, so a second go is safe even while the
first is not quite dead.
"""

from __future__ import annotations

import contextlib
import math
import secrets
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import OptionError, RetargetError
from ..jobs import Job
from .attempt import failure_of, run_job
from .executor import TICK_SECONDS
from .options import BatchOptions
from .paths import hidden_folder
from .progress import Show, show_nothing
from .records import Event, Outcome, Setting, Task, Work
from .results import BatchResult
from .run import run_with

NODE_ANSWER_SECONDS = 60.0
"""For each node to say whether it sees the shared storage; a worker process may have to start for it."""

ASK_AGAIN_SECONDS = 1.0

MAX_RETRIES = 3

WAITING_PER_SLOT = 2
"""Tasks submitted for each that can run: enough to keep a node busy, few enough to stop soon."""


class ClusterError(RetargetError, OSError):
    """A cluster that cannot be reached, or whose nodes cannot work on this batch."""

    exit_code = 1


def run_on_ray(
    jobs: Sequence[Job],
    options: BatchOptions,
    *,
    address: str,
    num_cpus: float = 1,
    num_gpus: float = 0,
    max_retries: int = MAX_RETRIES,
    progress: Show = show_nothing,
    work: Work = run_job,
) -> BatchResult:
    """`run_batch` with Ray tasks that need so many CPUs and GPUs each; `options.workers` does not matter.

    `address` as ray has it: "auto", "host:6379", "ray-head:6379"; "local" starts one on this machine.

    Raises:
        ClusterError: no such cluster, or a node that does not see the output folder.
        OptionError: ray is not installed, or resources that make no sense.
        RetargetError: as `run_batch`.
    """
    if num_cpus <= 0 or num_gpus < 0 or max_retries < 0:
        raise OptionError(
            f"tasks with {num_cpus:g} CPUs, {num_gpus:g} GPUs and {max_retries} retries make no sense; use more "
            "than 0 CPUs, and 0 or more of the others"
        )
    ray = _ray()
    with _connected(ray, address):
        tasks = RayTasks(
            ray, options.setting, num_cpus=num_cpus, num_gpus=num_gpus, max_retries=max_retries, work=work
        )
        with contextlib.suppress(OSError):  # `run_with` says it better
            options.output_dir.mkdir(parents=True, exist_ok=True)
        check_shared(ray, options.output_dir)
        return run_with(tasks, jobs, options, progress=progress)


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise OptionError("--ray needs ray, which is not installed; pip install 'retarget[ray]'") from error
    return ray


@contextlib.contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """A connection that ends with the block, unless the caller had one already."""
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ClusterError(f"{address}: no Ray cluster answers ({reason}); check --ray") from error
    try:
        yield
    finally:
        ray.shutdown()


# Shared storage ----------------------------------------------------------------------------------------


def check_shared(ray: Any, folder: Path) -> None:
    """Raises ClusterError unless every node that can work sees what is written into `folder` here."""
    token = hidden_folder(folder.absolute()) / f"shared-{secrets.token_hex(8)}"
    try:
        token.parent.mkdir(parents=True, exist_ok=True)
        token.write_text(token.name, encoding="utf-8")
    except OSError as error:
        raise ClusterError(f"{folder}: cannot be written to ({error.strerror}); check its permissions") from error
    try:
        _check_token(ray, token, folder)
    finally:
        token.unlink(missing_ok=True)


def _check_token(ray: Any, token: Path, folder: Path) -> None:
    """Asks each node until it has answered or is no longer there: a dead one is listed for a while yet."""
    seen: set[str] = set()
    until = time.monotonic() + NODE_ANSWER_SECONDS
    while True:
        nodes = _working_nodes(ray)
        answers = {i: _probe_on(ray, i).remote(str(token)) for i in nodes if i not in seen}
        if not answers:
            return
        ray.wait(list(answers.values()), num_returns=len(answers), timeout=max(0.0, until - time.monotonic()))
        said = {i: _answer(ray, answer) for i, answer in answers.items()}
        blind = sorted(nodes[i] for i, text in said.items() if isinstance(text, str) and text != token.name)
        if blind:
            raise ClusterError(
                f"{folder}: is not seen by node {', '.join(blind)}; put it on storage that every node has under "
                "this path"
            )
        seen |= {i for i, text in said.items() if text == token.name}
        silent = {nodes[i]: text for i, text in said.items() if isinstance(text, Exception)}
        _check_silent(ray, silent, is_late=time.monotonic() >= until)
        if silent:
            time.sleep(ASK_AGAIN_SECONDS)


def _check_silent(ray: Any, silent: Mapping[str, Exception], *, is_late: bool) -> None:
    """Raises ClusterError for nodes that cannot run a task at all, or have had time enough."""
    hopeless = {
        name: error for name, error in silent.items() if is_late or isinstance(error, ray.exceptions.RayTaskError)
    }
    for name, error in sorted(hopeless.items()):
        reason = " ".join(str(error).split())[:160]
        raise ClusterError(
            f"node {name} runs no task ({reason}); check that retarget is installed there, or remove the node"
        )


def _working_nodes(ray: Any) -> dict[str, str]:
    """Id and name of the nodes alive that have CPUs to give."""
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) > 0]
    if not nodes:
        raise ClusterError("the Ray cluster has no node with CPUs; start workers first")
    return {node["NodeID"]: f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})" for node in nodes}


def _probe_on(ray: Any, node_id: str) -> Any:
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node_id, soft=False)
    return ray.remote(num_cpus=0, max_retries=0, scheduling_strategy=strategy)(_read_token)


def _read_token(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as stream:
        return stream.read()
    return ""


def _answer(ray: Any, answer: Any) -> str | Exception:
    """What the node read, or why it said nothing."""
    try:
        return str(ray.get(answer, timeout=0))
    except ray.exceptions.RayError as error:
        return error


# Tasks -------------------------------------------------------------------------------------------------


class RayTasks:
    """An Executor of Ray tasks."""

    def __init__(
        self,
        ray: Any,
        setting: Setting,
        *,
        num_cpus: float,
        num_gpus: float,
        max_retries: int = MAX_RETRIES,
        work: Work = run_job,
    ) -> None:
        self._ray, self._num_cpus, self._work = ray, num_cpus, work
        self._setting = replace(
            setting, output_dir=setting.output_dir.absolute(), cores=max(1, math.floor(num_cpus))
        )
        self._remote = ray.remote(
            num_cpus=num_cpus, num_gpus=num_gpus, max_retries=max_retries, retry_exceptions=False
        )(_work_on_node)
        self._under_way: dict[Any, Task] = {}

    def run(self, tasks: Iterator[Task]) -> Generator[Event | None, None, None]:
        """See `Executor`; which tasks have started is known to Ray alone."""
        try:
            self._submit(tasks)
            while self._under_way:
                ready, _ = self._ray.wait(list(self._under_way), num_returns=1, timeout=TICK_SECONDS)
                for reference in ready:
                    yield self._outcome(reference)
                if not ready:
                    yield None
                self._submit(tasks)
        finally:
            for reference in self._under_way:
                self._ray.cancel(reference)
            self._under_way.clear()

    def _submit(self, tasks: Iterator[Task]) -> None:
        cpus = self._ray.cluster_resources().get("CPU", 1)
        room = WAITING_PER_SLOT * max(1, math.floor(cpus / self._num_cpus))
        while len(self._under_way) < room:
            task = next(tasks, None)
            if task is None:
                return
            self._under_way[self._remote.remote(self._work, _absolute(task), self._setting)] = task

    def _outcome(self, reference: Any) -> Outcome:
        task = self._under_way.pop(reference)
        try:
            outcome: Outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[:160]
            return failure_of(
                task, f"{task.job.source}: its worker or node was lost too often ({reason}); run again"
            )
        return outcome


def _absolute(task: Task) -> Task:
    """Nodes have another current folder than this process."""
    job = task.job
    return replace(
        task,
        job=replace(
            job,
            source=job.source.absolute(),
            drivers=tuple(driver.absolute() for driver in job.drivers),
            output=job.output.absolute(),
            options=job.options.with_files(Path.absolute),
        ),
    )


def _work_on_node(work: Work, task: Task, setting: Setting) -> Outcome:
    """A job on a node. An interruption (Ray's way to cancel) unwinds, so that half-written files go."""
    return work(task, setting, _tell_nobody)


def _tell_nobody(stage: str, frames: int) -> None:
    """Ray has no channel back; progress counts whole jobs."""
