"""The QC report of a batch, as files in a folder: `report.html` to look at, `report.csv` to count on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..files import shown, write_whole
from .quality import ClipQuality
from .report_page import page_of
from .report_table import table_of

PAGE_NAME = "report.html"
TABLE_NAME = "report.csv"


def write_qc(folder: Path, results: Sequence[ClipQuality], *, title: str) -> None:
    """Writes `report.html` and `report.csv` into an existing folder; earlier ones are replaced.

    Each appears under its name when it is whole, the worst clips first. The page opens without a server or a
    network; that of 200 clips has some 30 MB, nearly all of it pictures.

    Raises:
        VideoWriteError: a file cannot be written; exit status 1.
    """
    ranked = sorted(results, key=lambda quality: (-quality.score, quality.name))
    failure = "the QC report cannot be written"
    write_whole(folder / TABLE_NAME, _encoded(table_of(ranked)), failure=failure)
    write_whole(folder / PAGE_NAME, _encoded(page_of(ranked, title=title)), failure=failure)


def _encoded(text: str) -> bytes:
    return shown(text).encode()
