from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline.batch import cluster
from retarget.pipeline.batch.cluster import ClusterError, RayTasks, check_shared, run_on_ray
from retarget.pipeline.batch.hashes import request_hash
from retarget.pipeline.batch.manifest import read_entries
from retarget.pipeline.batch.options import BatchOptions
from retarget.pipeline.batch.paths import manifest_path
from retarget.pipeline.batch.progress import BatchStatus
from retarget.pipeline.batch.records import Entry, Event, Outcome, Setting, Task
from retarget.pipeline.errors import OptionError
from retarget.pipeline.jobs import Job
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.run import retarget_video


def jobs(samples: Path, out: Path, count: int) -> list[Job]:
    return [
        Job(
            index=i,
            name=f"j{i}",
            source=samples / "actress.mp4",
            drivers=(samples / "smile.yaml",),
            output=out / f"j{i}.mp4",
            options=RetargetOptions(trim_start=0.1 * i, trim_end=0.1 * i + 0.2, device="cpu"),
            where=f"jobs.yaml:{i}",
        )
        for i in range(count)
    ]


# Without a cluster: a stand-in that answers at once


class RayError(Exception):
    pass


class RayTaskError(RayError):
    """The task itself failed."""


class FakeRay:
    """As much of ray as is used; `answers` are what tasks return, in their order."""

    def __init__(self, answers: list[Any], nodes: int = 2) -> None:
        self.answers, self.submitted, self.cancelled = list(answers), [], []  # type: ignore[var-annotated]
        self.most_under_way = 0
        self._nodes = nodes
        self.exceptions = self.util = self.scheduling_strategies = self
        self.RayError, self.RayTaskError = RayError, RayTaskError
        self.gone: set[int] = set()

    def NodeAffinitySchedulingStrategy(self, node_id: str, *, soft: bool) -> str:  # noqa: N802 - ray's name
        assert soft is False
        return node_id

    def remote(self, *arguments: Any, **options: Any) -> Any:
        if not options:  # `function.remote(...)`
            self.submitted.append(arguments)
            return len(self.submitted) - 1
        self.options = options
        return lambda _: self

    def wait(self, references: list[int], **_: Any) -> tuple[list[int], list[int]]:
        self.most_under_way = max(self.most_under_way, len(references))
        return references[:1], references[1:]

    def get(self, reference: int, **_: Any) -> Any:
        answer = self.answers[reference]
        if isinstance(answer, Exception):
            raise answer
        return answer(*self.submitted[reference]) if callable(answer) else answer

    def cancel(self, reference: int) -> None:
        self.cancelled.append(reference)

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {
                "Alive": i not in self.gone,
                "NodeID": f"{i}" * 12,
                "NodeManagerAddress": f"host{i}",
                "Resources": {"CPU": 1.0},
            }
            for i in range(self._nodes)
        ]


def done(task: Task) -> Outcome:
    job = task.job
    entry = Entry(
        name=job.name, state="done", source="", output=str(job.output), key="k", request=request_hash(job)
    )
    return Outcome(index=job.index, state="done", entry=entry)


def run(ray: FakeRay, some: list[Job], out: Path) -> Iterator[Event | None]:
    tasks = RayTasks(ray, Setting(output_dir=out), num_cpus=1, num_gpus=0.5)
    return tasks.run(iter([Task(job=job) for job in some]))


def test_tasks_say_what_they_need_and_come_a_few_at_a_time(samples: Path, tmp_path: Path) -> None:
    some = jobs(samples, tmp_path, 9)
    ray = FakeRay([done(Task(job=job)) for job in some])
    events = list(run(ray, some, tmp_path))
    assert [event.index for event in events if isinstance(event, Outcome)] == list(range(9))
    assert ray.options == {"num_cpus": 1, "num_gpus": 0.5, "max_retries": 3, "retry_exceptions": False}
    assert ray.most_under_way == 4, "two for each of two places"


def test_a_task_that_is_lost_too_often_fails_its_job_alone(samples: Path, tmp_path: Path) -> None:
    some = jobs(samples, tmp_path, 2)
    ray = FakeRay([RayError("the node\ndied"), done(Task(job=some[1]))])
    first, second = (event for event in run(ray, some, tmp_path) if isinstance(event, Outcome))
    assert (first.state, second.state) == ("failed", "done")
    assert "its worker or node was lost too often (the node died); run again" in first.entry.error


def test_what_is_under_way_is_cancelled_when_the_batch_stops(samples: Path, tmp_path: Path) -> None:
    some = jobs(samples, tmp_path, 9)
    ray = FakeRay([done(Task(job=job)) for job in some])
    events = run(ray, some, tmp_path)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert ray.cancelled == [1, 2, 3]


def test_paths_are_absolute_on_nodes(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(samples)
    (job,) = jobs(Path(), tmp_path, 1)
    references = (Path("actress.mp4"), Path())
    options = RetargetOptions(
        checkpoint=Path("net.safetensors"), source_neutral="astronaut.png", references=references
    )
    task = cluster._absolute(Task(job=cluster.replace(job, options=options)))
    assert task.job.source == samples / "actress.mp4"
    assert task.job.drivers == (samples / "smile.yaml",)
    assert task.job.options.checkpoint == samples / "net.safetensors"
    assert task.job.options.source_neutral == samples / "astronaut.png"
    assert task.job.options.driver_neutral == "auto"
    assert task.job.options.references == (samples / "actress.mp4", samples)


def test_storage_that_a_node_does_not_see(tmp_path: Path) -> None:
    def sees(path: str) -> str:
        return cluster._read_token(path)

    check_shared(FakeRay([sees, sees]), tmp_path)
    with pytest.raises(ClusterError, match=r"is not seen by node host1 \(11111111\); put it on storage"):
        check_shared(FakeRay([sees, ""]), tmp_path)
    with pytest.raises(ClusterError, match=r"is not seen by node host0 \(00000000\), host1"):
        check_shared(FakeRay(["", "another file"]), tmp_path)
    assert list((tmp_path / ".retarget").iterdir()) == []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ASK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(cluster, "NODE_ANSWER_SECONDS", 0.2)


def test_a_node_that_has_just_died_is_left_out(tmp_path: Path, impatient: None) -> None:
    def dies(_: str) -> str:
        ray.gone.add(1)  # listed until somebody asks
        raise RayError("the task is not schedulable")

    ray = FakeRay([cluster._read_token, dies])
    check_shared(ray, tmp_path)
    assert len(ray.submitted) == 2, "the living one is asked once"


def test_a_node_that_is_slow_is_asked_again(tmp_path: Path, impatient: None) -> None:
    ray = FakeRay([cluster._read_token, RayError("not yet"), cluster._read_token])
    check_shared(ray, tmp_path)
    assert len(ray.submitted) == 3


def test_a_node_that_never_answers_is_not_blamed_on_the_storage(tmp_path: Path, impatient: None) -> None:
    ray = FakeRay([cluster._read_token, *[RayError("no\nanswer")] * 10**6])
    with pytest.raises(ClusterError, match=r"^node host1 \(11111111\) runs no task \(no answer\); check that"):
        check_shared(ray, tmp_path)


def test_a_node_without_the_package_is_named_at_once(tmp_path: Path) -> None:
    ray = FakeRay([cluster._read_token, RayTaskError("No module named 'retarget'")])
    with pytest.raises(ClusterError, match=r"node host1 .*No module named 'retarget'.*is installed there"):
        check_shared(ray, tmp_path)
    assert len(ray.submitted) == 2


def test_a_cluster_without_nodes(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="has no node with CPUs; start workers first"):
        check_shared(FakeRay([], nodes=0), tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ClusterError, match=r"file: cannot be written to .*; check its permissions"):
        check_shared(FakeRay([]), tmp_path / "file")


def test_without_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        OptionError, match=r"--ray needs ray, which is not installed; pip install 'retarget\[ray\]'"
    ):
        run_on_ray([], BatchOptions(output_dir=tmp_path), address="auto")


def test_a_cluster_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def is_initialized(self) -> bool:
            return False

        def init(self, **_: Any) -> None:
            raise ConnectionError("Failed to connect\nto GCS")

    monkeypatch.setattr(cluster, "_ray", Silent)
    with pytest.raises(ClusterError, match=r"host:1: no Ray cluster answers \(Failed to connect to GCS\); check"):
        run_on_ray([], BatchOptions(output_dir=tmp_path), address="host:1")


@pytest.mark.parametrize("needs", [{"num_cpus": 0}, {"num_gpus": -1}, {"max_retries": -1}])
def test_senseless_needs(tmp_path: Path, needs: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="make no sense; use more than 0 CPUs"):
        run_on_ray([], BatchOptions(output_dir=tmp_path), address="auto", **needs)  # type: ignore[arg-type]


# With one


@pytest.mark.slow
def test_a_node_that_is_killed_midway_loses_no_job(samples: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    victims = [nodes.add_node(num_cpus=1), nodes.add_node(num_cpus=1)]
    nodes.wait_for_nodes()
    out = tmp_path / "out"
    todo = jobs(samples, out, 6)

    def kill_one(status: BatchStatus) -> None:
        if victims and status.finished["done"] >= 1:
            nodes.remove_node(victims.pop(), allow_graceful=False)
            victims.clear()

    try:
        options = BatchOptions(output_dir=out, use_cache=False)
        result = run_on_ray(todo, options, address=nodes.address, progress=kill_one)
        assert victims == [], "a node was killed"
        assert [job.state for job in result.jobs] == ["done"] * 6
        again = run_on_ray(todo, options, address=nodes.address)
        assert [job.state for job in again.jobs] == ["skipped"] * 6
    finally:
        nodes.shutdown()
    assert len(read_entries(manifest_path(out))) == 6
    assert {path.name for path in out.glob("*.mp4")} == {f"j{i}.mp4" for i in range(6)}, "and no part of one"
    encode = cluster.replace(todo[3].options.encode, threads=1)  # as a task with one CPU has it
    single = cluster.replace(todo[3].options, encode=encode)
    retarget_video(todo[3].source, todo[3].drivers[0], tmp_path / "single.mp4", single)
    digests = {hashlib.sha256(p.read_bytes()).hexdigest() for p in (out / "j3.mp4", tmp_path / "single.mp4")}
    assert len(digests) == 1
