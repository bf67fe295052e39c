"""What outlasts a run: networks are loaded once, and share the machine as they are told."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from retarget.pipeline import resources as resources_module
from retarget.pipeline.media import open_video
from retarget.pipeline.options import RetargetOptions
from retarget.pipeline.resources import Resources


def test_networks_are_loaded_once(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []
    real = resources_module.load_checkpoint
    monkeypatch.setattr(resources_module, "load_checkpoint", lambda path: loads.append(path) or real(path))
    copy = tmp_path / "net.safetensors"
    copy.write_bytes(resources_module.default_checkpoint_path().read_bytes())
    resources = Resources()
    with open_video(samples / "actress.mp4") as one, open_video(samples / "cut.mov") as other:
        options = RetargetOptions(device="cpu", checkpoint=copy)
        first = resources.renderer(options, one.info)
        second = resources.renderer(options, other.info)
        assert first._editor is second._editor
        assert (first._info, second._info) == (one.info, other.info)
        assert loads == [copy]
        time.sleep(0.01)
        os.utime(copy)
        assert resources.renderer(options, one.info)._editor is not first._editor


def test_a_share_of_the_machine_holds_for_rendering_too(make_info: Any) -> None:
    resources = Resources(cores=3)
    assert resources.renderer(RetargetOptions(device="cpu"), make_info()).threads == 3
