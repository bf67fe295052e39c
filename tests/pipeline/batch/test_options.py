"""Options of a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.batch.options import BatchOptions
from retarget.pipeline.errors import OptionError


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"workers": 0}, "0 workers make no batch"),
        ({"cache_limit_bytes": -1}, "a cache of -1 bytes"),
        ({"chunk_seconds": -1}, "chunks of -1 s make no sense; use more than 0, or 0 for none"),
    ],
)
def test_senseless_options(tmp_path: Path, fields: dict[str, int], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        BatchOptions(output_dir=tmp_path, **fields)  # type: ignore[arg-type]
