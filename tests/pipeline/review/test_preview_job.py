"""The preview as a job: what it refuses, what it reports and leaves; once on a real clip."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.pipeline import session as sessions
from retarget.pipeline.errors import OptionError, VideoWriteError
from retarget.pipeline.files import write_whole
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.records import Frame
from retarget.pipeline.review.artist import MESH, OUTLINE
from retarget.pipeline.review.contact_sheet import ContactSheet
from retarget.pipeline.review.preview_job import preview
from retarget.pipeline.session import open_session

SAMPLES = Path(__file__).resolve().parents[3] / "samples"


def test_report_counts_the_whole_run_but_only_shown_frames_are_rendered(
    clips: Any, plant: Any, source: Path, smile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[int] = []
    blended = sessions.blended

    def counting(frame: Frame, *rest: Any) -> Frame:
        rendered.append(frame.index)
        return blended(frame, *rest)

    monkeypatch.setattr(sessions, "blended", counting)
    report = preview(source, smile, tmp_path / "sheet.png", RetargetOptions(refine=0), moments=3)
    assert (report.frames, report.frames_edited) == (20, 20)
    assert [index / clips.RATE for index in rendered] == report.details["moments"]


def test_what_is_shown_is_corrected_as_a_run_s_result_is(
    plant: Any, source: Path, smile: Path, tmp_path: Path
) -> None:
    report = preview(source, smile, tmp_path / "sheet.png", moments=1)
    assert report.details["refine"]["moments"] >= 3


@pytest.mark.parametrize("moments", [0, 25])
def test_number_of_moments_is_checked(moments: int, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"{moments} moments make no contact sheet; use 1 to 24"):
        preview("a.mp4", "b.yaml", tmp_path / "sheet.png", moments=moments)


def test_other_suffixes_are_refused(source: Path, smile: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"sheet\.gif: cannot write a contact sheet as \.gif; use \.png, \.jpg"):
        preview(source, smile, tmp_path / "sheet.gif")
    with pytest.raises(OptionError, match=r"film\.png: cannot write a comparison as \.png; use \.mp4, \.mov"):
        preview(source, smile, tmp_path / "sheet.png", side_by_side=tmp_path / "film.png")


def test_existing_file_needs_overwrite(plant: Any, source: Path, smile: Path, tmp_path: Path) -> None:
    output = tmp_path / "sheet.png"
    output.write_bytes(b"mine")
    with pytest.raises(VideoWriteError, match=r"sheet\.png: exists already; name another file or use --overwrite"):
        preview(source, smile, output)
    assert output.read_bytes() == b"mine"
    preview(source, smile, output, RetargetOptions(overwrite=True), moments=1)
    assert output.read_bytes()[1:4] == b"PNG"


def test_source_is_never_the_output(clips: Any, smile: Path, tmp_path: Path) -> None:
    still = tmp_path / "still.png"
    cv2.imwrite(str(still), clips.picture(0))
    with pytest.raises(VideoWriteError, match=r"still\.png: is one of the files it is made from"):
        preview(still, smile, still, overwrite=True)


def test_output_folder_is_checked(
    source: Path, smile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(VideoWriteError, match=r"folder\.png: is a folder; give a file name in it"):
        preview(source, smile, tmp_path / "folder.png")
    with pytest.raises(VideoWriteError, match=r"none does not exist; make it first"):
        preview(source, smile, tmp_path / "none" / "sheet.png")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(VideoWriteError, match=r"is not writable; check its permissions"):
        preview(source, smile, tmp_path / "sheet.png")


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, data: bytes) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(VideoWriteError, match=r"a\.png: writing failed \(No space left") as caught:
        write_whole(tmp_path / "a.png", b"data")
    assert caught.value.exit_code == 1
    assert list(tmp_path.iterdir()) == []


def test_failing_run_leaves_neither_sheet_nor_film(
    plant: Any, source: Path, smile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ContactSheet, "add", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        preview(source, smile, tmp_path / "sheet.png", side_by_side=tmp_path / "film.mp4")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["smile.yaml", "source.mkv"]


def test_session_edits_of_some_frames_only(plant: Any, source: Path, smile: Path) -> None:
    with open_session(source, smile, RetargetOptions()) as session:
        plans = session.plan(session.analyse())
        some = list(session.edits(plans, [3, 7]))
        every = list(session.edits(plans))
    assert [edited.source.index for edited in some] == [3, 7]
    assert [edited.result.index for edited in every] == list(range(20))
    np.testing.assert_array_equal(some[1].result.planes[0], every[7].result.planes[0])


def test_real_clips(video_times: Any, read_rgb: Any, has_color: Any, tmp_path: Path) -> None:
    options = RetargetOptions(trim_start=1.0, trim_end=1.4)
    report = preview(
        SAMPLES / "actress.mp4",
        SAMPLES / "smile.yaml",
        tmp_path / "sheet.png",
        options,
        moments=2,
        side_by_side=tmp_path / "film.mp4",
        debug=True,
    )
    assert report.faces == 1
    assert report.frames == len(video_times(tmp_path / "film.mp4")) > 5
    sheet = read_rgb(tmp_path / "sheet.png")
    assert has_color(sheet, MESH)
    assert has_color(sheet, OUTLINE)
