"""The whole evaluation on a tiny dataset: what is written, what is refused, and that nothing is made up."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.checkpoint import default_checkpoint_path
from retarget.train.data import Dataset, open_dataset, person_marks
from retarget.train.evaluation import evaluation as evaluation_module
from retarget.train.evaluation.edits import KeptEdit, read_list, target_file
from retarget.train.evaluation.errors import EvaluationError, ReportWriteError
from retarget.train.evaluation.evaluation import evaluate
from retarget.train.evaluation.film import FilmMeter, FilmOutcome, FilmPair, film_pairs
from retarget.train.evaluation.options import EvaluateOptions
from retarget.train.evaluation.picture_judges import PictureJudges, Verdicts
from retarget.train.evaluation.report import JSON_FILE, TABLES_FILE, Grid
from retarget.train.evaluation.scores import FilmScores
from retarget.train.evaluation.trials import Trial
from retarget.train.metrics import Response
from retarget.train.prepare import PrepareOptions, prepare_dataset

SIZE = 64


def _smile_csv(path: Path, smile: float) -> None:
    """A file of OpenFace's FaceLandmarkImg: AU12 as given, on 0..5, the rest 0."""
    cells = [f"{smile:.2f}" if name == "AU12" else "0.00" for name in action_units.OPENFACE_NAMES]
    header = ", ".join(["face", "confidence", *(f"{name}_r" for name in action_units.OPENFACE_NAMES)])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{header}\n" + ", ".join(["0", "0.98", *cells]) + "\n")


def _measure(edits: Path, folder: Path) -> tuple[KeptEdit, ...]:
    """OpenFace's part: targets smile with 1, plates not at all, the network's edits with 0.7, the warp's 0.2."""
    kept = read_list(edits / "list.csv")
    smiles = {"do nothing": 0.0, "net": 3.5, "geometry warp alone": 1.0}
    for edit in kept:
        _smile_csv((folder / edit.file).with_suffix(".csv"), smiles[edit.method])
        _smile_csv((folder / target_file(edit.trial)).with_suffix(".csv"), 5.0)
    return kept


def test_everything_is_written_and_side_by_side(
    dataset: Dataset, saved: Callable[..., Path], gan: Path, tmp_path: Path, quick: Any, tools: Any
) -> None:
    output = tmp_path / "report"
    options = dataclasses.replace(quick, sweep_faces=1)
    found = evaluate({"net": saved(), "gan": gan}, dataset, output, options, tools=tools)
    assert [m.label for m in found.methods] == ["do nothing", "geometry warp alone", "net", "gan"]
    assert (found.faces, found.identities, found.split) == (3, 3, "eval")
    data = json.loads((output / JSON_FILE).read_text())
    assert [m["label"] for m in data["methods"]] == [m.label for m in found.methods]
    assert data["missing"]["ACD"] == "not measured: install x"
    assert len(data["edits"]) == found.methods[0].unpaired.edits == 6
    assert {row["source"] for row in data["edits"]} <= set(dataset.files[:6])  # dan's rows are for training
    text = (output / TABLES_FILE).read_text()
    assert "| real images | not measured: no weights |" in text
    for name in ("unpaired", "pairs", "interpolation-net", "worst-gan", "sweep-1-geometry-warp-alone"):
        assert f"]({name}.png)" in text
        assert cv2.imread(str(output / f"{name}.png")) is not None
    assert not list(output.glob(".*"))


def test_doing_nothing_is_the_yardstick(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    found = evaluate({"net": saved()}, dataset, tmp_path / "report", quick, tools=tools)
    still = found.method("do nothing")
    assert still.unpaired.ed_ratio == pytest.approx(1)
    assert still.unpaired.response.slope == 0
    assert still.zero.is_exact
    assert still.cost is None
    assert still.sweep is None
    assert still.paired is not None
    assert still.paired.mouth.perceptual == 1


def test_a_motion_checkpoints_zero_edit_is_exact_and_a_painters_is_not(
    dataset: Dataset, saved: Callable[..., Path], gan: Path, tmp_path: Path, quick: Any, tools: Any
) -> None:
    found = evaluate({"net": saved(), "gan": gan}, dataset, tmp_path / "report", quick, tools=tools)
    assert found.method("net").zero.is_exact
    assert not found.method("gan").zero.is_exact
    assert found.method("gan").zero.l1 > 0.01
    assert found.method("net").cost is not None
    assert (found.method("gan").crop_px, found.method("gan").condition, found.method("gan").action_units) == (
        SIZE // 2,
        "absolute",
        17,
    )


def test_the_seed_decides_everything(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    path = saved()
    first, again = (
        evaluate({"net": path}, dataset, tmp_path / str(i), quick, tools=tools).as_json()["methods"]
        for i in range(2)
    )
    for method in (*first, *again):
        del method["cost"]
    assert first == again


def test_kept_edits_are_the_ones_that_are_measured(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    output = tmp_path / "report"
    options = dataclasses.replace(quick, keep_edits=True)
    found = evaluate({"net": saved()}, dataset, output, options, tools=tools)
    kept = read_list(output / "edits/list.csv")
    assert len(kept) == 6 * 3
    for edit in kept:
        assert (edit.source, edit.target) == tuple(found.edits[edit.trial][name] for name in ("source", "target"))
        picture = cv2.imread(str(output / "edits" / edit.file))
        plate = cv2.imread(str(dataset.folder / edit.source))
        assert np.array_equal(picture, plate) == (edit.method == "do nothing")
        target = cv2.imread(str(output / "edits" / target_file(edit.trial)))
        np.testing.assert_array_equal(target, cv2.imread(str(dataset.folder / edit.target)))
    assert found.missing["ED (OpenFace)"].startswith("not measured: keep the edits, run OpenFace")
    assert found.method("net").openface is None


@pytest.mark.parametrize("apart", [False, True], ids=["among the pictures", "in a folder apart"])
def test_openfaces_distance_is_measured_of_kept_edits(
    apart: bool, dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    path, output = saved(), tmp_path / "report"
    evaluate({"net": path}, dataset, output, dataclasses.replace(quick, keep_edits=True), tools=tools)
    folder = tmp_path / "openface" if apart else output / "edits"
    kept = _measure(output / "edits", folder)
    lost = next(edit for edit in kept if edit.method == "net")
    (folder / lost.file).with_suffix(".csv").unlink()
    again = dataclasses.replace(quick, openface=folder, overwrite=True)
    found = evaluate({"net": path}, dataset, output, again, tools=tools)
    for label, ed in (("do nothing", 1.0), ("geometry warp alone", 0.8), ("net", 0.3)):
        scores = found.method(label).openface
        assert scores is not None
        assert (scores.ed, scores.ed_ratio) == (pytest.approx(ed), pytest.approx(ed))
        assert (scores.edits, scores.without_csv) == ((5, 1) if label == "net" else (6, 0))
    data = json.loads((output / JSON_FILE).read_text())
    assert data["methods"][2]["openface"]["ed"] == pytest.approx(0.3)
    assert data["settings"]["openface"] == folder.name
    assert "ED (OpenFace)" not in data["missing"]
    text = (output / TABLES_FILE).read_text()
    assert (
        "| net | not measured: no weights | not measured: install retarget[evaluate] | not measured: install x |"
        in text
    )
    assert "ED (OpenFace) ↓ |" in text
    assert "- ED (OpenFace), net: 1 of 6 edits left out (edit, plate or target): 1 with" in text


def test_openfaces_files_of_other_edits_are_refused(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    path, output = saved(), tmp_path / "report"
    keep = dataclasses.replace(quick, keep_edits=True)
    evaluate({"net": path}, dataset, output, keep, tools=tools)
    edits = output / "edits"
    _measure(edits, edits)
    again = dataclasses.replace(quick, openface=edits, overwrite=True)
    before = (output / JSON_FILE).read_bytes()
    with pytest.raises(
        EvaluationError, match=r"list\.csv: lists 6 edits a method, this evaluation makes 3; evaluate"
    ):
        evaluate({"net": path}, dataset, output, dataclasses.replace(again, targets=1), tools=tools)
    with pytest.raises(
        EvaluationError, match=r"list\.csv: lists other edits than this evaluation makes, first tri"
    ):
        evaluate({"net": path}, dataset, output, dataclasses.replace(again, seed=1), tools=tools)
    saved(provenance={"data": {"people": person_marks(["dan"])}})  # another file of the same name
    with pytest.raises(
        EvaluationError, match=r"its edits of '.*' are another checkpoint's; keep the edits and meas"
    ):
        evaluate({"net": path}, dataset, output, again, tools=tools)
    with pytest.raises(
        EvaluationError, match="edits: holds the edits of another evaluation; remove it, or name an"
    ):
        evaluate({"net": path}, dataset, output, dataclasses.replace(keep, overwrite=True), tools=tools)
    assert (output / JSON_FILE).read_bytes() == before


def test_openfaces_folder_is_looked_at_before_any_work(
    dataset: Dataset, saved: Callable[..., Path], tmp_path: Path, quick: Any, tools: Any
) -> None:
    options = dataclasses.replace(quick, openface=tmp_path / "gone")
    with pytest.raises(
        EvaluationError, match="gone: no such folder; give the one OpenFace wrote its CSV files to"
    ):
        evaluate({"net": saved()}, dataset, tmp_path / "report", options, tools=tools)
    assert not (tmp_path / "report").exists()


def test_films_that_break_off_leave_the_tables(
    dataset: Dataset,
    saved: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: Any,
    tools: Any,
) -> None:
    path, output = saved(), tmp_path / "report"
    options = dataclasses.replace(quick, clips=(path, path))

    def break_off(*_: Any) -> tuple[dict[str, FilmScores], list[Grid]]:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation_module, "_films", break_off)
    with pytest.raises(KeyboardInterrupt):
        evaluate({"net": path}, dataset, output, options, tools=tools)
    data = json.loads((output / JSON_FILE).read_text())
    assert data["missing"]["films"] == "not measured: it ended before the films did"
    assert len(data["edits"]) == 6
    assert "](unpaired.png)" in (output / TABLES_FILE).read_text()

    film = FilmScores(1, 9, 0.5, Response(0.6, 0.7, 9), 1.1, 1.2, 1.0)
    monkeypatch.setattr(evaluation_module, "_films", lambda *_: ({"net": evaluation_module._Films(film, [])}, []))
    found = evaluate({"net": path}, dataset, output, dataclasses.replace(options, overwrite=True), tools=tools)
    assert found.method("net").film == film
    assert "films" not in json.loads((output / JSON_FILE).read_text())["missing"]
    assert "| films: slope | - | - | 0.600 |" in (output / TABLES_FILE).read_text()


def test_films_are_cut_to_a_number_and_doing_nothing_is_one_of_the_filmed(
    dataset: Dataset,
    saved: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: Any,
    tools: Any,
) -> None:
    clips = tuple(tmp_path / f"{i}.mp4" for i in range(4))
    for clip in clips:
        clip.write_bytes(b"film")
    filmed: list[FilmPair] = []

    def film(_: FilmMeter, pair: FilmPair, *__: Path) -> FilmOutcome:
        filmed.append(pair)
        asked = np.full((6, 1), 0.5)
        return FilmOutcome(
            pair, asked, asked / 2, shake=3.0, driver_shake=2.0, driver_own_shake=2.0, source_shake=4.0
        )

    monkeypatch.setattr(FilmMeter, "_film", film)
    options = dataclasses.replace(quick, clips=clips, films=3)
    found = evaluate({"net": saved()}, dataset, tmp_path / "report", options, tools=tools)
    assert filmed == 2 * film_pairs(clips[:3])  # the warp's and the network's
    net, nothing = (found.method(label).film for label in ("net", "do nothing"))
    assert net is not None
    assert nothing is not None
    assert (net.films, net.temporal, net.ed_ratio) == (3, 1.5, pytest.approx(0.5))
    assert (nothing.films, nothing.temporal, nothing.ed_ratio) == (3, 2.0, pytest.approx(1))
    data = json.loads((tmp_path / "report" / JSON_FILE).read_text())
    assert (data["settings"]["clips"], data["settings"]["films"]) == (4, 3)
    assert data["methods"][2]["film"]["per_film"][0] == {
        "source": "0.mp4", "driver": "1.mp4", "ed_ratio": 0.5, "temporal": 1.5, "temporal_source": 0.75,
        "never_seen": None, "never_seen_frame": None, "boiling": {}, "flags": [],
    }  # fmt: skip
    assert "| 0.mp4 | 1.mp4 | 1.00 / 2.00 / 1.00 |" in (tmp_path / "report" / TABLES_FILE).read_text()


def test_pictures_that_break_off_leave_the_tables(
    dataset: Dataset,
    saved: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: Any,
    tools: Any,
) -> None:
    def break_off(*_: Any) -> Any:
        raise ReportWriteError("unpaired.png: the report cannot be written (No space left on device)")

    monkeypatch.setattr(evaluation_module, "write_unpaired", break_off)
    with pytest.raises(ReportWriteError, match="No space left"):
        evaluate({"net": saved()}, dataset, tmp_path / "report", quick, tools=tools)
    assert len(json.loads((tmp_path / "report" / JSON_FILE).read_text())["methods"]) == 3
    assert "## Pictures" not in (tmp_path / "report" / TABLES_FILE).read_text()


@pytest.mark.slow
def test_the_packaged_checkpoint_on_real_faces(samples: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "list.csv"
    sheet.write_text(f"file,identity,split\n{samples / 'actress.mp4'},a,eval\n{samples / 'smile.mp4'},b,eval\n")
    prepare_dataset([sheet], tmp_path / "data", PrepareOptions(frames_per_clip=8, jobs=1))
    options = EvaluateOptions(faces=6, targets=2, pairs=4, sweep_faces=0, strips=1, worst=1)
    found = evaluate(
        {"default": default_checkpoint_path()}, open_dataset(tmp_path / "data"), tmp_path / "report", options
    )
    scores = found.method("default")
    assert scores.zero.is_exact
    assert scores.unpaired.faces_lost == 0
    assert 0.3 < scores.unpaired.ed_ratio < 0.75  # the warp alone: about a half
    assert scores.unpaired.response.r > 0.7
    assert scores.paired is not None
    assert scores.paired.mouth.l1 < 0.95


def test_judges_see_an_even_part_and_the_rest_is_measured(
    dataset: Dataset,
    saved: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quick: Any,
    tools: Any,
) -> None:
    seen: list[Trial] = []

    class Watched(PictureJudges):
        def judge(self, trials: Sequence[Trial], pairs: Sequence[Trial]) -> dict[str, Verdicts]:
            seen.extend(trials)
            return super().judge(trials, pairs)

    monkeypatch.setattr(evaluation_module, "PictureJudges", Watched)
    options = dataclasses.replace(quick, judged=3, pairs=0, faces=None)
    found = evaluate({"net": saved()}, dataset, tmp_path / "report", options, tools=tools)
    edits = found.method("net").unpaired.edits
    assert found.faces == int(dataset.is_eval.sum())  # all of the split
    assert edits == 2 * found.faces
    assert len(seen) == 3 if edits % 3 == 0 else 2 <= len(seen) <= 3
    assert len({trial.source for trial in seen}) == len(seen)
