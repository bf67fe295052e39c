"""The report says what was measured, marks what is required, and never shows a number for what was not."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retarget.train.evaluation.drawing import write_picture
from retarget.train.evaluation.errors import ReportWriteError
from retarget.train.evaluation.report import Grid, markdown, number, table, write_evaluation
from retarget.train.evaluation.scores import (
    CostScores,
    Evaluation,
    FilmRecord,
    FilmScores,
    Interval,
    MethodScores,
    OpenFaceScores,
    PairedScores,
    RegionScores,
    UnpairedScores,
    ZeroScores,
)
from retarget.train.metrics import Response


def _method(label: str, *, ed_ratio: float = 1.0, perceptual: float = 1.0, **fields: Any) -> MethodScores:
    unpaired = UnpairedScores(
        edits=6, faces_lost=1, ed=0.5, ed_openface=0.25, ed_ratio=ed_ratio, ed_ratio_openface=ed_ratio,
        response=Response(0.8, 0.9, 276), per_unit={"AU12L": Response(0.75, 0.95, 6)}, leakage=0.1,
        leakage_without_gaze=0.06, acd=None, acd_max=None, sharpness=0.95, sharpness_low=0.9, sharpness_high=1.0,
    )  # fmt: skip
    values: dict[str, Any] = {
        "kind": "network",
        "is_reference": False,
        "checkpoint": f"{label}.safetensors",
        "crop_px": 256,
        "condition": "relative",
        "action_units": 46,
        "unpaired": unpaired,
        "paired": PairedScores(
            4, RegionScores(0.9, perceptual), RegionScores(0.8, perceptual), acd=None, acd_true=None, acd_pairs=0
        ),
        "zero": ZeroScores(3, False, 0.0123, 31.9, 0.986),
        "sweep": None,
        "cost": CostScores(12.3, 4.5, 1000, 2, "cpu"),
    }
    return MethodScores(label=label, **(values | fields))


@pytest.fixture
def evaluation() -> Evaluation:
    still = _method(
        "do nothing", kind="nothing", is_reference=True, cost=None, zero=ZeroScores(3, True, 0.0, math.inf, 1.0)
    )
    warp = _method("geometry warp alone", ed_ratio=0.5, perceptual=0.8, kind="warp", is_reference=True)
    net = _method("net", ed_ratio=0.44, perceptual=0.61)
    return Evaluation(
        dataset="faces",
        split="eval",
        faces=3,
        identities=2,
        methods=(still, warp, net),
        settings={"seed": 0},
        versions={"torch": "2"},
        missing={"ACD": "not measured: install it", "IS": "not measured: no weights", "films": "not measured"},
    )


def _row(text: str, name: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {name}"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_requirements_are_judged_against_the_warp(evaluation: Evaluation) -> None:
    text = markdown(evaluation)
    # 0.44 is under 0.45 and under nine tenths of the warp's 0.5.
    assert _row(text, "ED ratio, all AUs")[:3] == ["1.000", "0.500", "0.440 ✓"]
    # 0.61 is over three quarters of the warp's 0.8.
    assert _row(text, "true frame, mouth: perceptual")[:3] == ["1.000", "0.800", "0.610 ✗"]
    assert _row(text, "zero edit")[2] == "0.01230 ✗"
    assert _row(text, "GFLOPs")[:3] == ["-", "4.50", "4.50 ✓"]


def test_a_network_not_ten_per_cent_better_than_the_warp_fails(evaluation: Evaluation) -> None:
    still, warp, net = evaluation.methods
    close = dataclasses.replace(warp, unpaired=dataclasses.replace(warp.unpaired, ed_ratio=0.46))
    text = markdown(dataclasses.replace(evaluation, methods=(still, close, net)))
    assert _row(text, "ED ratio, all AUs")[2] == "0.440 ✗"


def test_what_was_not_measured_is_said_and_never_a_number(evaluation: Evaluation) -> None:
    text = markdown(evaluation)
    assert _row(text, "identity, ACD")[:3] == ["-", "not measured", "not measured"]
    assert "- ACD: not measured: install it" in text
    assert _row(text, "real images") == ["not measured: no weights", "-", "-", "-"]
    assert _row(text, "films: second difference of landmarks / drivers',")[2] == "not measured"
    assert "films: slope" not in text  # nothing is required of it, and nobody has a value


def test_tables_1_and_3_are_the_papers(evaluation: Evaluation) -> None:
    net = dataclasses.replace(evaluation.methods[2], inception=(2.94, 0.039), class_score=(5.1, 0.2))
    seen = {"real_class_score": {64: (4.5, 0.1), 256: (6.0, 0.3)}, "class_accuracy": {64: 0.5, 256: 0.75}}
    text = markdown(dataclasses.replace(evaluation, methods=(*evaluation.methods[:2], net), **seen))
    table_1, table_3 = text.split("## Table 1")[1].split("## Table 3")
    assert _row(table_1, "net") == ["2.940 ± 0.039", "5.100 ± 0.200", "not measured: install it", "0.250"]
    assert _row(table_1, "real images, 64 px") == ["not measured: no weights", "4.500 ± 0.100", "-", "-"]
    assert "as often as 0.50 at 64 px, 0.75 at 256 px" in table_1
    assert _row(table_3, "do nothing") == ["0 (exact)", "∞", "1 (exact)"]
    assert _row(table_3, "net") == ["0.0123", "31.90", "0.9860"]


def test_openfaces_distance_has_a_column_where_it_was_measured(evaluation: Evaluation) -> None:
    assert "ED (OpenFace)" not in markdown(evaluation)
    still, warp, net = evaluation.methods
    still = dataclasses.replace(still, openface=OpenFaceScores(6, 0, 0, 0, 0.64, 1.0))
    net = dataclasses.replace(net, openface=OpenFaceScores(5, 1, 0, 0, 0.32, 0.5))
    text = markdown(dataclasses.replace(evaluation, methods=(still, warp, net)))
    table_1 = text.split("## Table 1")[1].split("## Table 3")[0]
    assert "| method | IS ↑ | CS ↑ | ACD ↓ | ED ↓ | ED (OpenFace) ↓ |" in table_1
    assert [_row(table_1, m.label)[-1] for m in (still, warp, net)] == ["0.640", "not measured", "0.320"]
    assert _row(table_1, "real images")[-1] == "-"
    assert _row(text, "ED ratio, OpenFace's 17 AUs as OpenFace sees them")[:3] == ["1.000", "-", "0.500"]


def test_leakage_stands_with_and_without_gaze_and_only_the_first_is_judged(evaluation: Evaluation) -> None:
    text = markdown(evaluation)
    assert _row(text, "leakage into AUs not asked for |")[2:] == [
        "0.100 ✓",
        "no worse than the warp",
        "half of it",
    ]
    assert _row(text, "leakage into AUs not asked for, gaze apart")[2:] == ["0.060", "", ""]


def test_identity_stands_beside_what_the_true_frame_moves(evaluation: Evaluation) -> None:
    name = "true frame: identity, ACD of source and"
    assert f"| {name}" not in markdown(evaluation)  # nobody has a value
    methods = []
    for method, acd in zip(evaluation.methods, (0.0, 0.15, None), strict=True):
        assert method.paired is not None
        true = None if acd is None else 0.25
        methods.append(
            dataclasses.replace(method, paired=dataclasses.replace(method.paired, acd=acd, acd_true=true))
        )
    text = markdown(dataclasses.replace(evaluation, methods=tuple(methods), missing={}))
    assert _row(text, f"{name} edit") == ["0.000", "0.150", "-", "", ""]
    assert _row(text, f"{name} true frame") == ["0.250", "0.250", "-", "", ""]


def _film_scores(temporal: float, pooled: float, *films: FilmRecord, skipped: tuple[str, ...] = ()) -> FilmScores:
    return FilmScores(
        films=len(films),
        frames=80,
        ed_ratio=0.5,
        response=Response(0.6, 0.7, 9),
        temporal=temporal,
        temporal_pooled=pooled,
        temporal_source=1.0,
        skipped=skipped,
        per_film=films,
    )


def test_every_film_has_a_row(evaluation: Evaluation) -> None:
    assert "## Films" not in markdown(evaluation)
    still, warp, net = evaluation.methods
    ours = FilmRecord("a.mp4", "b.mp4", 0.5, 1.25, 0.8)
    other = FilmRecord("b.mp4", "a.mp4", 0.4, 3.0, math.nan)
    left = dataclasses.replace(ours, ed_ratio=1.0, temporal=1.5625, temporal_source=1.0)
    methods = (
        dataclasses.replace(still, film=_film_scores(1.5, 1.01, left)),
        warp,
        dataclasses.replace(net, film=_film_scores(1.3, 1.1, ours, other)),
    )
    text = markdown(dataclasses.replace(evaluation, methods=methods))
    films = text.split("## Films")[1].split("## Notes")[0]
    assert "| source | driver | do nothing | net |" in films
    assert _row(films, "a.mp4") == ["b.mp4", "1.00 / 1.56 / 1.00", "0.50 / 1.25 / 0.80"]
    assert _row(films, "b.mp4") == ["a.mp4", "-", "0.40 / 3.00 / -"]
    # Required of the pooled value, in which doing nothing has 1 and not what the pairing makes of it.
    assert _row(text, "films: second difference of landmarks / driver's")[:3] == [
        "1.500",
        "not measured",
        "1.300",
    ]
    assert _row(text, "films: second difference of landmarks / drivers',") == [
        "1.010",
        "not measured",
        "1.100 ✓",
        "<= 1.2",
        "<= 1.0",
    ]


def test_films_are_shown_and_those_left_out_are_named(evaluation: Evaluation) -> None:
    film = _film_scores(1.1, 1.2, skipped=("a.mp4: no face found",))
    net = dataclasses.replace(evaluation.methods[2], film=film)
    text = markdown(dataclasses.replace(evaluation, methods=(*evaluation.methods[:2], net), missing={}))
    assert _row(text, "films: second difference of landmarks / drivers',")[2] == "1.200 ✓"
    assert _row(text, "films: slope")[2] == "0.600"
    assert "- net: film left out: a.mp4: no face found" in text


def test_json_has_no_infinities(evaluation: Evaluation, tmp_path: Path) -> None:
    write_evaluation(tmp_path, evaluation, [Grid("a.png", "a grid")])
    data = json.loads((tmp_path / "evaluation.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert data["methods"][0]["zero"]["psnr_db"] is None
    assert data["methods"][2]["unpaired"]["per_unit"]["AU12L"] == {"slope": 0.75, "r": 0.95, "count": 6}
    assert "![a grid](a.png)" in (tmp_path / "README.md").read_text()


def test_a_method_is_found_by_its_label(evaluation: Evaluation) -> None:
    assert evaluation.method("net").checkpoint == "net.safetensors"


def test_a_folder_that_is_not_there_is_one_line(evaluation: Evaluation, tmp_path: Path) -> None:
    with pytest.raises(ReportWriteError, match=r"gone: the report cannot be written \(No such file"):
        write_evaluation(tmp_path / "gone", evaluation, [])
    with pytest.raises(ReportWriteError, match=r"a\.png: the report cannot be written"):
        write_picture(tmp_path / "gone" / "a.png", np.zeros((4, 4, 3), np.uint8))


def test_a_table_escapes_bars() -> None:
    assert table(["a", "b"], [["x|y", "1"]]) == "| a | b |\n| :-- | --: |\n| x\\|y | 1 |"


def test_numbers_that_do_not_exist_are_dashes() -> None:
    assert [number(v) for v in (None, math.nan, math.inf, 0.12345)] == ["-", "-", "∞", "0.123"]


def test_intervals_stand_beside_their_figures(evaluation: Evaluation) -> None:
    names = ("ED ratio, all AUs (distance to the request, after / before)", "ED", "PSNR", "slope of AU12L", "CS")
    intervals = dict.fromkeys(names, Interval(0.25, 0.75))
    net = dataclasses.replace(evaluation.methods[2], intervals=intervals, class_score=(5.1, 0.2))
    text = markdown(dataclasses.replace(evaluation, methods=(*evaluation.methods[:2], net)))
    assert _row(text, "ED ratio, all AUs")[2] == "0.440 [0.250, 0.750] ✓"
    assert _row(text, "ED ratio, all AUs")[1] == "0.500"
    table_1, table_3 = text.split("## Table 1")[1].split("## Table 3")
    assert _row(table_1, "net")[1:] == [
        "5.100 ± 0.200 [0.250, 0.750]",
        "not measured: install it",
        "0.250 [0.250, 0.750]",
    ]
    assert _row(table_3, "net")[1] == "31.90 [0.25, 0.75]"
    assert "0.75 [0.25, 0.75] / 0.95 (6)" in text
