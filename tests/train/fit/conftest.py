"""Small batches, so that the small networks learn soon, and few faces to read, for that is what takes time."""

import pytest

from retarget.train.fit import descent, motion


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "BATCH", 64)
    monkeypatch.setattr(motion, "SCORED_REQUESTS", 20)
