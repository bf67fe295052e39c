"""What a worker says."""

from __future__ import annotations

from typing import Any

from retarget.pipeline.batch.records import Progressed, Started
from retarget.pipeline.batch.worker_process import Halfway, Teller


def test_the_second_reading_is_told_once() -> None:
    sent: list[Any] = []

    class Channel:
        send = sent.append

    tell = Teller(Channel(), 1)  # type: ignore[arg-type]
    for stage in ("track", "retarget", "retarget"):
        tell(stage, 1)
    assert [type(event) for event in sent if not isinstance(event, Progressed)] == [Halfway]
    assert not isinstance(sent[0], Started)
