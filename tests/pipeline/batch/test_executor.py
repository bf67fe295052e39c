"""The queue of tasks."""

from __future__ import annotations

from typing import Any

from retarget.pipeline.batch.executor import TaskQueue
from retarget.pipeline.batch.records import Task


def test_tasks_can_be_looked_at_before_they_are_taken(brief_job_of: Any) -> None:
    a, b, c = tasks = [Task(job=brief_job_of(i)) for i in range(3)]
    made: list[Task] = []
    queue = TaskQueue(made.append(task) or task for task in tasks)
    assert (list(queue.ahead(0)), made) == ([], [])
    assert (list(queue.ahead(2)), made) == ([a, b], [a, b])
    assert queue.take(b) is b
    assert queue.take(None) is a
    assert queue.take(b) is c, "another one has taken it"
    assert queue.take(None) is None
    assert list(TaskQueue(tasks)) == tasks


def test_nothing_is_given_out_when_it_is_over_though_it_was_looked_at(brief_job_of: Any) -> None:
    task, over = Task(job=brief_job_of(1)), [False]
    queue = TaskQueue([task], is_over=lambda: over[0])
    assert list(queue.ahead(5)) == [task]
    over[0] = True
    assert queue.take(task) is None
    assert list(queue) == []
