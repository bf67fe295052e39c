"""The QC report of a batch: `report.html`, one file that opens without a server or a network, and `report.csv`.

Columns of the CSV, one row a clip (`kind` is clip), worst first, each followed by a row a flagged range (flag):

    kind, name, source, output, state, error, score    the same in a clip's rows
    frames, frames_edited, faces                       clip: how many
    mean_edit, mean_residual                           clip: l2 of what was asked, and of what is left of it
    elapsed_seconds                                    clip: of the run, where it says
    reason, color, face                                flag: see `qc.REASONS`; face by position, or empty
    first_frame, last_frame, frame_count, worst_frame  flag: indices in the output, from 0, both inclusive
    in_seconds, out_seconds, in_timecode               flag: from the first frame; out is when the next frame comes
    comment                                            flag: what was measured

A cell that does not apply, or was not measured, is empty.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..files import write_whole
from .quality import REASONS, ClipQuality, Flag, Moment

PAGE_NAME = "report.html"
TABLE_NAME = "report.csv"

COLUMNS = (
    "kind", "name", "source", "output", "state", "error", "score", "frames", "frames_edited", "faces", "mean_edit",
    "mean_residual", "elapsed_seconds", "reason", "color", "face", "first_frame", "last_frame", "frame_count",
    "worst_frame", "in_seconds", "out_seconds", "in_timecode", "comment",
)  # fmt: skip

MOST_UNITS = 12
OPEN_CLIPS = 1
"""Shown unfolded at first."""


def write_qc(folder: Path, results: Sequence[ClipQuality], *, title: str) -> None:
    """Writes `report.html` and `report.csv` into an existing folder; earlier ones are replaced.

    Each appears under its name when it is whole. The page of 200 clips has some 30 MB, nearly all of it pictures.

    Raises:
        VideoWriteError: a file cannot be written; exit status 1.
    """
    ranked = sorted(results, key=lambda quality: (-quality.score, quality.name))
    failure = "the QC report cannot be written"
    write_whole(folder / TABLE_NAME, _encoded(table_of(ranked)), failure=failure)
    write_whole(folder / PAGE_NAME, _encoded(page_of(ranked, title=title)), failure=failure)


def _encoded(text: str) -> bytes:
    # A file name that is no valid UTF-8 has lone surrogates in it.
    return text.encode("utf-8", "backslashreplace")


# The table


def table_of(results: Sequence[ClipQuality]) -> str:
    """The CSV of clips in that order."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for quality in results:
        common = {
            "name": quality.name,
            "source": quality.source,
            "output": quality.output,
            "state": quality.state,
            "error": quality.error,
            "score": quality.score,
        }
        writer.writerow({"kind": "clip", **common, **_clip_cells(quality)})
        writer.writerows({"kind": "flag", **common, **_flag_cells(quality, flag)} for flag in quality.flags)
    return out.getvalue()


def _clip_cells(quality: ClipQuality) -> dict[str, object]:
    return {
        "frames": quality.frames,
        "frames_edited": quality.frames_edited,
        "faces": quality.faces,
        "mean_edit": _number(quality.mean_edit, 4),
        "mean_residual": _number(quality.mean_residual, 4),
        "elapsed_seconds": quality.stage_seconds.get("elapsed", ""),
    }


def _flag_cells(quality: ClipQuality, flag: Flag) -> dict[str, object]:
    return {
        "reason": flag.reason,
        "color": flag.color,
        "face": "" if flag.face is None else flag.face,
        "first_frame": flag.first_frame,
        "last_frame": flag.last_frame,
        "frame_count": flag.frame_count,
        "worst_frame": flag.worst_frame,
        "in_seconds": flag.in_seconds,
        "out_seconds": flag.out_seconds,
        "in_timecode": quality.timecode(flag.first_frame),
        "comment": flag.comment,
    }


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else ""


# Markup


class Markup(str):
    """Text that is HTML already; any other string is escaped on its way into the page."""

    __slots__ = ()


def _joined(parts: Iterable[str]) -> Markup:
    return Markup("".join(part if isinstance(part, Markup) else html.escape(part) for part in parts))


_WITHOUT_END = frozenset({"br", "img", "input", "meta"})


def _tag(name: str, /, *children: str, **attributes: str | float | bool | None) -> Markup:
    """An element. `class_` is class, `data_x` is data-x; True has no value, False and None leave it out."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in _WITHOUT_END:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{_joined(children)}</{name}>")


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, kind: str) -> Markup:
    """Rows of cells under a head; the first cell of a row is its heading."""
    body = [_tag("tr", _tag("th", row[0], scope="row"), *(_tag("td", cell) for cell in row[1:])) for row in rows]
    columns = [_tag("th", cell, scope="col") for cell in head]
    table = _tag("table", _tag("caption", caption), _tag("thead", _tag("tr", *columns)), _tag("tbody", *body))
    return _tag("div", table, class_=f"scroll {kind}")


# The page


def page_of(results: Sequence[ClipQuality], *, title: str) -> str:
    """The HTML of clips in that order."""
    body = _tag(
        "body",
        _tag("header", _tag("h1", title), _tag("p", _counted(results)), _overview(results)),
        _controls(results),
        _tag(
            "main",
            _tag("ol", *(_clip(quality, rank) for rank, quality in enumerate(results)), id="clips"),
            _tag("p", "No job has ended yet.") if not results else Markup(),
        ),
        _tag("footer", _legend()),
        _tag("script", Markup(_SCRIPT)),
        data_show="both",
    )
    policy = (
        "default-src 'none'; img-src data:; "
        f"style-src '{_digest(_STYLE)}'; script-src '{_digest(_SCRIPT)}'; base-uri 'none'; form-action 'none'"
    )
    head = _tag(
        "head",
        _tag("meta", charset="utf-8"),
        _tag("meta", http_equiv="Content-Security-Policy", content=policy),
        _tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        _tag("meta", name="color-scheme", content="light dark"),
        _tag("title", title),
        _tag("style", Markup(_STYLE)),
    )
    return "<!DOCTYPE html>\n" + _tag("html", head, body, lang="en") + "\n"


def _digest(text: str) -> str:
    """As a content security policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _counted(results: Sequence[ClipQuality]) -> str:
    states = Counter(quality.state for quality in results)
    parts = [f"{states[state]} {state}" for state in ("done", "skipped", "failed") if states[state]]
    clips = "1 clip" if len(results) == 1 else f"{len(results)} clips"
    clean = sum(not quality.flags for quality in results)
    return f"{clips}: {', '.join(parts) or 'none'}; {clean} without a flag. Worst first."


def _overview(results: Sequence[ClipQuality]) -> Markup:
    """Which flags there are, over all clips."""
    ranges = Counter(flag.reason for quality in results for flag in quality.flags)
    clips = Counter(reason for quality in results for reason in {flag.reason for flag in quality.flags})
    rows = [
        (_badge(info.color, info.title), str(clips[reason]), str(ranges[reason]), info.meaning)
        for reason, info in REASONS.items()
        if ranges[reason]
    ]
    return _table("Flags", ("Flag", "Clips", "Ranges", "Meaning"), rows, kind="overview") if rows else Markup()


def _badge(color: str, text: str) -> Markup:
    return _tag("span", text, class_=f"badge {color.lower()}")


def _controls(results: Sequence[ClipQuality]) -> Markup:
    """Sorting and filtering; hidden until the script that they need runs."""
    seen = {flag.reason for quality in results for flag in quality.flags}
    flags = [_option("", "any or none"), _option("*", "any flag"), _option("-", "no flag")]
    flags += [_option(reason, info.title) for reason, info in REASONS.items() if reason in seen]
    orders = [_option(key, text) for key, text in _ORDERS]
    shown = [
        _tag("label", _tag("input", type="radio", name="show", value=key, checked=key == "both"), f" {key}")
        for key in ("both", "before", "after")
    ]
    return _tag(
        "form",
        _tag("label", "Sort ", _tag("select", *orders, id="sort")),
        _tag("label", "Flag ", _tag("select", *flags, id="flag")),
        _tag("label", "Name ", _tag("input", type="search", id="name", autocomplete="off")),
        _tag("fieldset", _tag("legend", "Pictures"), *shown),
        _tag("button", "Unfold all", type="button", id="unfold"),
        _tag("output", id="count", for_="sort flag name"),
        id="controls",
        hidden=True,
    )


_ORDERS = (("score", "worst first"), ("name", "name"), ("residual", "biggest residual"), ("flags", "most flags"))


def _option(value: str, text: str) -> Markup:
    return _tag("option", text, value=value)


def _clip(quality: ClipQuality, rank: int) -> Markup:
    reasons = Counter(flag.reason for flag in quality.flags)
    badges = [
        _badge(info.color, f"{info.title} {reasons[reason]}" if reasons[reason] > 1 else info.title)
        for reason, info in REASONS.items()
        if reasons[reason] and reason != "failed"  # which the state says
    ]
    summary = _tag(
        "summary",
        _tag(
            "span", f"{quality.score:.0f}", class_="score", title="score: 0 nothing to see, 100 no usable output"
        ),
        _tag("h2", _tag("bdi", quality.name)),
        _tag("span", quality.state, class_=f"state {quality.state}"),
        *badges,
    )
    return _tag(
        "li",
        _tag("details", summary, *_details(quality, rank), open=rank < OPEN_CLIPS),
        class_="clip",
        data_name=quality.name,
        data_score=quality.score,
        data_residual=_number(quality.mean_residual, 4) or 0,
        data_flags=" ".join(reasons),
        data_ranges=len(quality.flags),
    )


def _details(quality: ClipQuality, rank: int) -> Iterator[Markup]:
    # of a clip that could not be read, there are no frames to flag: its flags are said in words
    said = [quality.error, *([] if quality.seconds else (flag.comment for flag in quality.flags))]
    for error in dict.fromkeys(filter(None, said)):
        yield _tag("p", error, class_="error")
    yield _tag("p", _facts(quality), class_="facts")
    for note in quality.notes:
        yield _tag("p", note, class_="note")
    if quality.moments:
        yield _tag("div", *(_moment(quality, moment) for moment in quality.moments), class_="moments")
    if quality.seconds:
        yield _plot(quality, rank)
    if quality.flags and quality.seconds:
        yield _table(
            "Flagged ranges",
            ("Flag", "Timecode", "Seconds", "Frames", "Face", "Measured"),
            (_flag_row(quality, flag) for flag in quality.flags),
            kind="flags",
        )
    tables = list(_side_tables(quality))
    if tables:
        yield _tag("div", *tables, class_="tables")


def _side_tables(quality: ClipQuality) -> Iterator[Markup]:
    if quality.units:
        units = (
            (unit.name, f"{unit.asked:.2f}", f"{unit.error:.2f}", f"{unit.response:.2f}")
            for unit in quality.units[:MOST_UNITS]
        )
        head = ("Unit", "Asked", "Left", "Response")
        yield _table("Action units, most asked first", head, units, kind="units")
    if quality.stage_seconds:
        times = ((stage, f"{seconds:.1f}") for stage, seconds in quality.stage_seconds.items())
        yield _table("Time by stage", ("Stage", "Seconds"), times, kind="times")


def _facts(quality: ClipQuality) -> Markup:
    parts: list[str] = [_joined(["source ", _tag("bdi", quality.source)])]
    if quality.output:
        parts.append(_joined(["output ", _tag("bdi", quality.output)]))
    if quality.seconds:
        parts.append(f"{quality.frames} frames, {quality.frames_edited} edited, faces edited: {quality.faces}")
    if math.isfinite(quality.mean_edit):
        left = _number(quality.mean_residual, 2) or "unknown"
        parts.append(f"asked {quality.mean_edit:.2f} on average, left {left}")
    return _joined([parts[0], *(item for part in parts[1:] for item in (_tag("br"), part))])


def _flag_row(quality: ClipQuality, flag: Flag) -> Sequence[str]:
    span = f"{flag.first_frame}" if flag.frame_count == 1 else f"{flag.first_frame} to {flag.last_frame}"
    return (
        _badge(flag.color, REASONS[flag.reason].title),
        " to ".join(dict.fromkeys(quality.timecode(frame) for frame in (flag.first_frame, flag.last_frame))),
        f"{flag.in_seconds:.2f} to {flag.out_seconds:.2f}",
        f"{span} ({flag.frame_count})",
        "" if flag.face is None else str(flag.face),
        flag.comment,
    )


def _moment(quality: ClipQuality, moment: Moment) -> Markup:
    about = f"frame {moment.frame}, {moment.seconds:.2f} s"
    pictures = [
        _tag(
            "img",
            src="data:image/jpeg;base64," + base64.b64encode(data).decode(),
            alt=f"{what} {side}, {quality.name}, {about}",
            class_=f"{what} {side}",
            loading="lazy",
            decoding="async",
        )
        for what, side, data in (
            ("face", "before", moment.face_before),
            ("face", "after", moment.face_after),
            ("frame", "before", moment.frame_before),
            ("frame", "after", moment.frame_after),
        )
        if data
    ]
    caption = _tag("figcaption", about, *([": ", _tag("b", moment.caption)] if moment.caption else []))
    return _tag("figure", *pictures, caption)


def _legend() -> Markup:
    return _tag(
        "p",
        "Edit is the size of what was asked of the action units (l2 norm), residual the distance between what was "
        "asked and what is measured in the output. Response is the share of an action unit's asked change that is "
        "found there. Timecode and frames count from the output's first frame.",
    )


# The plot


PLOT_WIDTH, PLOT_HEIGHT = 720, 150
_LEFT, _TOP, _RIGHT, _BOTTOM = 34, 8, 8, 20
MOST_POINTS = 480
"""Of a curve; of more frames the highest in each bin is drawn, so that no peak is lost."""


def _plot(quality: ClipQuality, rank: int) -> Markup:
    """Edit and residual over frames, with the flagged ranges shaded."""
    count = len(quality.seconds)
    known = [value for value in (*quality.edit, *quality.residual) if math.isfinite(value)]
    top = max(0.5, math.ceil(max(known, default=0) * 2) / 2)

    def x(frame: float) -> float:
        return round(_LEFT + (PLOT_WIDTH - _LEFT - _RIGHT) * frame / count, 1)

    def y(value: float) -> float:
        return round(PLOT_HEIGHT - _BOTTOM - (PLOT_HEIGHT - _TOP - _BOTTOM) * value / top, 1)

    shades = [
        _tag(
            "rect",
            x=x(flag.first_frame),
            y=_TOP,
            width=round(max(1.5, x(flag.last_frame + 1) - x(flag.first_frame)), 1),
            height=PLOT_HEIGHT - _TOP - _BOTTOM,
            class_=flag.color.lower(),
        )
        for flag in quality.flags
    ]
    curves = [
        _tag("path", d=_path([(x(at + 0.5), y(value)) for at, value in thinned(values)]), class_=kind)
        for kind, values in (("edit", quality.edit), ("residual", quality.residual))
    ]
    grid = [
        _tag("line", x1=_LEFT, x2=PLOT_WIDTH - _RIGHT, y1=y(value), y2=y(value)) for value in (0, top / 2, top)
    ]
    labels = [
        _tag("text", f"{value:g}", x=_LEFT - 5, y=y(value) + 4, text_anchor="end") for value in (0, top / 2, top)
    ]
    labels += [
        _tag("text", "0 s", x=_LEFT, y=PLOT_HEIGHT - 5),
        _tag("text", f"{quality.seconds[-1]:.2f} s", x=PLOT_WIDTH - _RIGHT, y=PLOT_HEIGHT - 5, text_anchor="end"),
    ]
    title = f"Edit and residual per frame of {quality.name}"
    drawing = _tag(
        "svg",
        _tag("title", title, id=f"plot-{rank}"),
        *shades,
        *grid,
        *curves,
        *labels,
        viewBox=f"0 0 {PLOT_WIDTH} {PLOT_HEIGHT}",
        role="img",
        aria_labelledby=f"plot-{rank}",
    )
    keys = [
        _tag("span", text, class_=f"key {kind}") for kind, text in (("edit", "edit"), ("residual", "residual"))
    ]
    return _tag("div", drawing, _tag("p", *keys, class_="keys"), class_="plot")


def thinned(values: Sequence[float]) -> list[tuple[float, float]]:
    """(frame, value) of at most `MOST_POINTS`, the highest of each bin; NaN where a bin has none."""
    if len(values) <= MOST_POINTS:
        return list(enumerate(values))
    series = np.array(values, np.float64)
    bins = np.array_split(np.arange(len(series)), MOST_POINTS)
    highest = [bin_[int(np.argmax(np.nan_to_num(series[bin_], nan=-np.inf)))] for bin_ in bins]
    return [(float(at), float(series[at])) for at in highest]


def _path(points: Sequence[tuple[float, float]]) -> str:
    """SVG path data; NaN breaks the line."""
    out, pen_up = [], True
    for i, (x, y) in enumerate(points):
        if math.isnan(y):
            pen_up = True
            continue
        alone = pen_up and (i + 1 == len(points) or math.isnan(points[i + 1][1]))
        out.append(f"{'M' if pen_up else 'L'}{x:g} {y:g}" + ("h.5" if alone else ""))
        pen_up = False
    return "".join(out)


_STYLE = """
:root{color-scheme:light dark;--ink:#1c1f24;--dim:#5a626e;--ground:#fff;--card:#f5f6f8;--line:#d5d9e0;
--red:#b3261e;--orange:#a64b00;--yellow:#756000;--green:#2c6e3f;--edit:#2457c5;--residual:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e7e9ed;--dim:#a2abb8;--ground:#15181d;--card:#1e2229;--line:#3a414c;
--red:#ff8a80;--orange:#ffb27a;--yellow:#e6cf5c;--green:#7fd695;--edit:#8fb4ff;--residual:#ff8a80}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:76rem;padding:1rem;font:15px/1.45 system-ui,sans-serif;color:var(--ink);
background:var(--ground)}
h1{font-size:1.5rem;margin:.2rem 0;overflow-wrap:anywhere}
h2{font-size:1rem;margin:0;flex:1 1 12rem;overflow-wrap:anywhere}
form{position:sticky;top:0;z-index:1;display:flex;flex-wrap:wrap;gap:.6rem 1rem;align-items:center;padding:.6rem 0;
background:var(--ground);border-bottom:1px solid var(--line)}
form[hidden]{display:none}
fieldset{display:flex;gap:.7rem;margin:0;padding:0;border:0}
legend{float:left;padding:0;margin-right:.2rem}
select,input,button{font:inherit}
output,.facts,.keys,footer{color:var(--dim)}
#clips{list-style:none;margin:.6rem 0;padding:0}
.clip{margin:.5rem 0;border:1px solid var(--line);border-radius:.4rem;background:var(--card);
content-visibility:auto;contain-intrinsic-size:auto 3rem}
.clip[hidden]{display:none}
summary{display:flex;flex-wrap:wrap;gap:.3rem .6rem;align-items:center;padding:.5rem .7rem;cursor:pointer}
summary::before{content:"▸";width:1ch;color:var(--dim)}
[open]>summary::before{content:"▾"}
details>:not(summary){margin:.5rem .7rem}
.score{min-width:2.2rem;text-align:right;font-weight:700;font-variant-numeric:tabular-nums}
.badge,.state{padding:0 .45rem;border:1px solid currentColor;border-radius:.8rem;font-size:.85rem;
white-space:nowrap}
.red,.failed{color:var(--red)}.orange{color:var(--orange)}.yellow{color:var(--yellow)}.green{color:var(--green)}
.error{color:var(--red);font-weight:600}
.facts,.error,.note{overflow-wrap:anywhere}
.moments{display:flex;flex-wrap:wrap;gap:.7rem}
figure{display:grid;grid-template-columns:auto auto;gap:2px;margin:0;justify-content:start}
figcaption{grid-column:1/-1;font-size:.85rem;color:var(--dim)}
img{display:block;height:auto;background:var(--line)}
img.face{width:7.4rem}
img.frame{width:7.4rem;align-self:start}
[data-show=before] .after,[data-show=after] .before:not(:only-of-type){display:none}
[data-show=before] figure,[data-show=after] figure{grid-template-columns:auto}
[data-show=before] img,[data-show=after] img{width:11rem}
.scroll{overflow-x:auto}
.tables{display:flex;flex-wrap:wrap;gap:.5rem 2.5rem}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;white-space:nowrap;font-weight:600;padding:.2rem 0}
th,td{padding:.15rem .8rem .15rem 0;text-align:left;vertical-align:top;font-weight:400;
border-bottom:1px solid var(--line)}
thead th{color:var(--dim)}
svg{display:block;width:100%;max-width:60rem;height:auto}
svg text{font-size:11px;fill:var(--dim)}
svg line{stroke:var(--line)}
svg rect{fill:currentColor;opacity:.22}
svg path{fill:none;stroke-width:1.6;stroke-linejoin:round;stroke-linecap:round}
svg path.edit{stroke:var(--edit)}
svg path.residual{stroke:var(--residual);stroke-dasharray:5 3}
.keys{margin:0;font-size:.85rem}
.key{margin-right:1rem}
.key::before{content:"";display:inline-block;width:1.6rem;margin-right:.4rem;vertical-align:middle;
border-top:2px solid var(--edit)}
.key.residual::before{border-top:2px dashed var(--residual)}
@media print{form{display:none}body{max-width:none;padding:0;font-size:11px}
.clip,figure,table,.plot{break-inside:avoid}.clip{content-visibility:visible;border-color:#999}}
"""

_SCRIPT = """
"use strict";
(() => {
  const list = document.getElementById("clips"), form = document.getElementById("controls");
  const clips = [...list.children];
  const [sort, flag, name, unfold, count] =
    ["sort", "flag", "name", "unfold", "count"].map(id => document.getElementById(id));
  const by = {
    score: (a, b) => b.dataset.score - a.dataset.score,
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name, undefined, {numeric: true}),
    residual: (a, b) => b.dataset.residual - a.dataset.residual,
    flags: (a, b) => b.dataset.ranges - a.dataset.ranges,
  };
  const has = clip => {
    const flags = clip.dataset.flags.split(" ").filter(Boolean);
    if (flag.value === "") return true;
    if (flag.value === "*") return flags.length > 0;
    if (flag.value === "-") return flags.length === 0;
    return flags.includes(flag.value);
  };
  const filter = () => {
    const text = name.value.trim().toLocaleLowerCase();
    let shown = 0;
    for (const clip of clips) {
      clip.hidden = !(has(clip) && clip.dataset.name.toLocaleLowerCase().includes(text));
      shown += !clip.hidden;
    }
    count.value = shown + " of " + clips.length + " shown";
  };
  sort.addEventListener("change", () => list.append(...[...clips].sort(by[sort.value])));
  flag.addEventListener("change", filter);
  name.addEventListener("input", filter);
  form.addEventListener("submit", event => event.preventDefault());
  for (const input of form.elements.show)
    input.addEventListener("change", () => { document.body.dataset.show = input.value; });
  unfold.addEventListener("click", () => {
    const open = unfold.textContent === "Unfold all";
    for (const clip of clips) if (!clip.hidden) clip.firstElementChild.open = open;
    unfold.textContent = open ? "Fold all" : "Unfold all";
  });
  form.hidden = false;
  filter();
})();
"""
