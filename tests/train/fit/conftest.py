"""Small batches, so that the small networks learn soon."""

import pytest

from retarget.train.fit import descent


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "BATCH", 64)
