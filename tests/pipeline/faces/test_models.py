"""The models file: the one that is expected, or one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from retarget.pipeline.commands.main import main
from retarget.pipeline.errors import FaceModelError
from retarget.pipeline.faces.models import models_path, read_models


def test_the_models_that_come_with_the_package() -> None:
    models = read_models()
    assert models.bundle == models_path().read_bytes()
    for network in (models.detector, models.landmarks, models.blendshapes):
        assert network[4:8] == b"TFL3"


def test_what_is_no_models_file_is_named_in_one_line(tmp_path: Path) -> None:
    whole = models_path().read_bytes()
    files = {"none.task": None, "cut.task": whole[:100_000], "other.task": b"hello", "folder": b""}
    for name, data in files.items():
        path = tmp_path / name
        if name == "folder":
            path.mkdir()
        elif data is not None:
            path.write_bytes(data)
        with pytest.raises(FaceModelError) as caught:
            read_models(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "install retarget again" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2


def test_the_command_line_says_it_with_status_2(
    tmp_path: Path, samples: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "face_landmarker.task"
    cut.write_bytes(models_path().read_bytes()[:1000])
    monkeypatch.setattr("retarget.pipeline.faces.models.models_path", lambda: cut)
    status = main(["track", str(samples / "smile.mp4"), "-o", str(tmp_path / "out.csv")])
    said = capsys.readouterr().err
    assert status == 2
    assert said.startswith(f"retarget: {cut}: is damaged or another file")
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == [cut]
