"""The fit finds a planted geometry, and says how well it holds for people it has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.checkpoint import load_checkpoint
from retarget.model.errors import RetargetError
from retarget.pipeline.expression import canonical_face
from retarget.train.cli import main
from retarget.train.fit_geometry import cross_validated, differences, explained, fit_weight, mirror_pairs
from retarget.train.prepare import FaceTable, identity_of, measure_clips

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
C = action_units.COUNT


@pytest.fixture
def mirror() -> np.ndarray:
    return mirror_pairs(canonical_face())


@pytest.fixture
def planted(mirror: np.ndarray) -> np.ndarray:
    """W (C, 478 * 3) that treats left and right alike."""
    weight = np.random.default_rng(0).normal(0, 0.05, (C, 478, 3))
    mirrored = weight[list(action_units.mirrored())][:, mirror] * (-1, 1, 1)
    return ((weight + mirrored) / 2).reshape(C, -1)


def _table(weight: np.ndarray, *, people: int = 6, frames: int = 80, noise: float = 0.0) -> FaceTable:
    """Faces that differ from person to person and move by exactly that W."""
    rng = np.random.default_rng(1)
    n = people * frames
    who = np.repeat(np.arange(people), frames)
    units = rng.uniform(0, 1, (n, C))
    faces = canonical_face().reshape(1, -1) + rng.normal(0, 0.1, (people, 478 * 3))[who]
    points = faces + units @ weight + rng.normal(0, noise, (n, 478 * 3)) if noise else faces + units @ weight
    return FaceTable(
        canonical=points.reshape(n, 478, 3).astype(np.float32),
        action_units=units.astype(np.float32),
        angles=rng.normal(0, 2, (n, 2)).astype(np.float32),
        residual=rng.uniform(0.01, 0.02, n).astype(np.float32),
        clip=who,
        identity=who,
    )


def test_a_planted_geometry_is_found_whoever_it_moves(planted: np.ndarray, mirror: np.ndarray) -> None:
    rows = differences(_table(planted))
    weight = fit_weight(rows, mirror, ridge=1e-6)
    np.testing.assert_allclose(weight, planted, atol=1e-4)
    assert explained(rows, weight) > 0.9999
    assert cross_validated(rows, mirror) > 0.98


def test_noise_is_not_explained(planted: np.ndarray, mirror: np.ndarray) -> None:
    # Uniform units have a variance of 1/12; the planted motion's share of the total follows by hand.
    noise = 0.05
    signal = float((planted**2).sum(0).mean()) / 12
    rows = differences(_table(planted, noise=noise))
    assert cross_validated(rows, mirror) == pytest.approx(signal / (signal + noise**2), abs=0.1)


def test_the_fit_is_symmetric(mirror: np.ndarray) -> None:
    lopsided = np.random.default_rng(3).normal(0, 0.05, (C, 478 * 3))
    weight = fit_weight(differences(_table(lopsided)), mirror).reshape(C, 478, 3)
    swapped = weight[list(action_units.mirrored())][:, mirror] * (-1, 1, 1)
    np.testing.assert_allclose(weight, swapped, atol=1e-9)


def test_turned_heads_and_short_clips_are_left_out(planted: np.ndarray) -> None:
    table = _table(planted, people=2, frames=40)
    turned = FaceTable(
        **{**vars(table), "angles": np.where(table.clip == 0, 50, 0)[:, None].repeat(2, 1).astype(np.float32)}
    )
    assert set(differences(turned).identity) == {1}
    with pytest.raises(RetargetError, match="no clip has 10 frames"):
        differences(_table(planted, people=3, frames=5))


def test_one_person_cannot_be_cross_validated(planted: np.ndarray, mirror: np.ndarray) -> None:
    with pytest.raises(RetargetError, match="at least two people"):
        cross_validated(differences(_table(planted, people=1)), mirror)


def test_identity_is_what_stands_before_two_hyphens() -> None:
    assert identity_of(Path("a/Ann--take-1.mp4")) == identity_of(Path("b/Ann--2.mov")) == "Ann"
    assert identity_of(Path("single.mp4")) == "single"


def test_clips_without_a_face_are_named(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("no film")
    table, skipped = measure_clips([SAMPLES / "smile.mp4", tmp_path / "broken.mp4"], frames_per_clip=12)
    assert len(table) == 12
    assert len(skipped) == 1
    assert "broken.mp4" in skipped[0]
    with pytest.raises(RetargetError, match="no face found in any of 1 clips"):
        measure_clips([tmp_path / "broken.mp4"])


def test_from_clips_to_a_checkpoint_for_the_pipeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "mine.safetensors"
    clips = [str(SAMPLES / "actress.mp4"), str(SAMPLES / "smile.mp4")]
    assert main(["fit-geometry", *clips, "-o", str(output), "--frames-per-clip", "30"]) == 0
    assert "people 2" in capsys.readouterr().out
    checkpoint = load_checkpoint(output)
    assert checkpoint.provenance["people"] == 2
    # The lip corners rise with AU12: y points down.
    weight = checkpoint.state["geometry.weight"].numpy()
    left, right = (action_units.NAMES.index(name) for name in ("AU12L", "AU12R"))
    assert (weight[left] + weight[right])[[61, 291], 1].max() < 0
