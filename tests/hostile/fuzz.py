"""Damaged files at every reader: what comes is a result, or one of our errors in one line.

    python tests/hostile/fuzz.py curves --cases 100000 --seed 0   prints the counts; status 1 if anything else came

A case is known by its kind and number: `--seed N --cases 1` runs it again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import mutation
from footage import SAMPLES, make_short_clip

from retarget.model import action_units
from retarget.pipeline.errors import RetargetError

CASE_SECONDS = 60

Case = Callable[[random.Random], None]


class TooSlowError(BaseException):
    """A case that takes too long."""


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(CASE_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def run(kind: str, folder: Path, *, seed: int, cases: int) -> Counter[str]:
    """The counts of "read", "refused", and of whatever else came, which is printed."""
    case, found = KINDS[kind](folder), Counter[str]()
    for number in range(seed, seed + cases):
        (folder / "case").write_text(str(number))  # for whoever finds the process dead
        try:
            with _in_time():
                case(random.Random(f"{kind} {number}"))  # noqa: S311 - reproducible
            found["read"] += 1
        except RetargetError as error:
            found["refused"] += 1
            if "\n" in str(error) and not hasattr(error, "mistakes"):
                found["LINES"] += 1
                print(f"{kind} {number}: {error}", flush=True)
        except (Exception, TooSlowError) as error:
            found[type(error).__name__.upper()] += 1
            last = traceback.extract_tb(error.__traceback__)[-1]
            print(f"{kind} {number}: {error!r:.200} at {last.filename}:{last.lineno}", flush=True)
    return found


# Text


def _curves(folder: Path) -> Case:
    from retarget.pipeline.drivers import load_curves

    seeds = [(SAMPLES / "smile.yaml").read_text(), _EXPRESSIONS]
    (folder / "take.csv").write_text(_capture_text("openface"))
    path = folder / "curves.yaml"

    def case(chance: random.Random) -> None:
        path.write_bytes(mutation.mutated_text(chance.choice(seeds), chance))
        driver = load_curves(path, frame_rate=Fraction(24))
        for seconds in (0.0, 0.7, 9.0):
            driver.at(seconds) if hasattr(driver, "at") else None

    return case


_EXPRESSIONS = """\
scale: openface
offset: 12f
release: 1s
blend: add
gain: 0.5
expressions:
  0: neutral
  1s: {name: happy, amount: 0.8, AU12: 2}
  "00:00:02:00": {name: surprise, amount: 0.5}
ranges: [{in: 1.0s, out: 2.75s, ramp_in: 0.25s, ramp_out: 0.5s}]
faces:
  - face: 1
    driver: {file: take.csv, mode: match, neutral: auto, offset: 0.5s}
    curves: {AU12: {0: 0, 1: [3, linear]}}
"""


def _captures(folder: Path) -> Case:
    from retarget.pipeline.drivers import read_series

    texts = [_capture_text(name) for name in ("openface", "retarget", "live-link", "py-feat", "blendshapes")]
    path = folder / "take.csv"

    def case(chance: random.Random) -> None:
        path.write_bytes(mutation.mutated_text(chance.choice(texts), chance))
        read_series(path)

    return case


def _capture_text(kind: str) -> str:
    from retarget.pipeline.faces import blendshapes

    if kind == "retarget":
        return "\n".join((SAMPLES / "smile.csv").read_text().splitlines()[:8]) + "\n"
    units = [f"{name}_r" for name in action_units.OPENFACE_NAMES]
    if kind == "openface":
        head = ["frame", "face_id", "timestamp", "confidence", "success", *units]
        rows = [[i + 1, 0, f"{i / 25:.3f}", 0.98, 1, *(f"{i / 4:.2f}" for _ in units)] for i in range(6)]
    elif kind == "py-feat":
        names = [name.replace("_r", "") for name in units]
        head = ["frame", "FaceRectX", "FaceRectY", "FaceScore", *names]
        rows = [[i, 10, 10, 0.99, *(f"{i / 10:.2f}" for _ in names)] for i in range(6)]
    else:
        shapes = list(blendshapes.NAMES) if hasattr(blendshapes, "NAMES") else ["jawOpen", "mouthSmileLeft"]
        named = [name[0].upper() + name[1:] for name in shapes] if kind == "live-link" else shapes
        head = ["Timecode", "BlendshapeCount", *named] if kind == "live-link" else ["timestamp", *named]
        lead = [[f"10:00:00:{i:02d}.000", len(named)] if kind == "live-link" else [i / 30] for i in range(6)]
        rows = [[*lead[i], *(f"{i / 10:.2f}" for _ in named)] for i in range(6)]
    return "\n".join(",".join(map(str, row)) for row in [head, *rows]) + "\n"


def _sheets(folder: Path) -> Case:
    from retarget.pipeline.jobs import load_sheet

    _fill_media(folder)
    (folder / "cut.edl").write_text(_EDL)
    texts = [
        ("jobs.yaml", (SAMPLES / "batch.yaml").read_text().replace("cut.mov", "actress.mp4")),
        ("jobs.yaml", _SHEET),
        ("jobs.csv", _TABLE),
    ]

    def case(chance: random.Random) -> None:
        name, text = chance.choice(texts)
        path = folder / name
        path.write_bytes(mutation.mutated_text(text, chance))
        load_sheet(path)

    return case


def _fill_media(folder: Path) -> None:
    for name in ("smile.yaml", "smile.csv", "actress.mp4"):
        (folder / name).symlink_to(SAMPLES / name)


_SHEET = """\
timeline: cut.edl
media: .
handles: 8
timeline_rate: 24
output_dir: out
driver: smile.yaml
strength: 0.8
gain: {AU12: 0.9}
region: [mouth, AU06]
shots:
  actress: {skip: true}
  actress_2: {strength: 0.2, output: "{index:03d}.mov"}
"""
_TABLE = """\
source,driver,output,strength,frames,gain,face,neutral,crf,encoder
actress.mp4,smile.yaml,out/a.mp4,0.8,10-59,AU12=0.5,person:1,auto,18,h264
actress.mp4,smile.csv,"{index:02d}_{source_name}.mov",1,,,0,1s,,prores
"""


def _edls(folder: Path) -> Case:
    from retarget.pipeline.editorial import load_timeline

    _fill_media(folder)
    path = folder / "cut.edl"

    def case(chance: random.Random) -> None:
        path.write_bytes(mutation.mutated_text(_EDL, chance))
        load_timeline(path, rate=chance.choice((None, Fraction(24), Fraction(30000, 1001))))

    return case


_EDL = """\
TITLE: CUT
FCM: NON-DROP FRAME

001  ACTRESS  V     C        00:00:00:00 00:00:01:00 01:00:00:00 01:00:01:00
* FROM CLIP NAME: actress.mp4
002  BL       V     C        00:00:00:00 00:00:00:12 01:00:01:00 01:00:01:12
003  ACTRESS  V     D    012 00:00:01:00 00:00:02:00 01:00:01:12 01:00:02:12
* FROM CLIP NAME: actress.mp4
* TO CLIP NAME: actress.mp4
M2   ACTRESS       050.0                00:00:01:00
004  ACTRESS  B     C        00:00:02:00 00:00:03:00 01:00:02:12 01:00:03:12
* SOURCE FILE: actress.mp4
"""


def _otios(folder: Path) -> Case:
    from retarget.pipeline.editorial import load_timeline

    text = (Path(__file__).parent / "seed.otio").read_text()
    path = folder / "cut.otio"

    def case(chance: random.Random) -> None:
        how = mutation.mutated_json if chance.random() < 0.8 else mutation.mutated_text
        path.write_bytes(how(text, chance))
        load_timeline(path).native.deepcopy().to_json_string()

    return case


def _scenes(folder: Path) -> Case:
    from retarget.pipeline.editorial import load_timeline

    path = folder / "film-Scenes.csv"

    def case(chance: random.Random) -> None:
        path.write_bytes(mutation.mutated_text(_SCENES, chance))
        load_timeline(path, source=SAMPLES / "actress.mp4")

    return case


_SCENES = """\
Timecode List:,00:00:01.000,00:00:02.000
Scene Number,Start Frame,Start Timecode,Start Time (seconds),End Frame,End Timecode,End Time (seconds)
1,1,00:00:00.000,0.000,24,00:00:01.000,1.000
2,25,00:00:01.000,1.000,48,00:00:02.000,2.000
3,49,00:00:02.000,2.000,78,00:00:03.250,3.250
"""


def _notes(folder: Path) -> Case:
    """What lies in an output folder: manifest, notes of dead processes, reports, kept quality."""
    from retarget.pipeline.batch.leftovers import clear_all_leftovers
    from retarget.pipeline.batch.manifest import read_entries
    from retarget.pipeline.media.pieces import kept_pieces, noted_pictures
    from retarget.pipeline.report import read_report

    victim = folder / "victim"
    victim.mkdir()
    (victim / "precious.mp4").write_bytes(b"x")
    out = folder / "out"
    job = out / ".retarget/a"
    (job / "pieces").mkdir(parents=True)
    made = {"path": str(out / "a.mp4"), "signature": "1 bytes 2", "sha256": "0" * 64}
    entry = {
        "name": "a",
        "state": "done",
        "source": "a.mov",
        "output": str(out / "a.mp4"),
        "key": "k",
        "request": "r",
    }
    entry |= {"inputs": [made], "made": made, "seconds": {"elapsed": 1.0}, "error": "", "finished": "x"}
    note = {"output": str(out / "a.mp4"), "owns_output": True, "keeps_part": False, "parts": [str(victim)]}
    about = {"belongs_to": "x", "first_frame": 0, "frames": 3, "changed_frames": 1}
    face = {"shot": 0, "face": 0, "size_px": 80.0, "seconds": [0.0, 0.1], "own": {"AU12L": [0.1, 0.2]}}
    face |= {"v_rel": {"AU12L": [0.1, 0.2]}, "allowed": [1, 1], "held_back": {}, "fades": [], "rendered": {}}
    report = {"version": 1, "frames": 2, "seconds": {"elapsed": 1.0}, "notes": ["n"], "details": {"faces": [face]}}

    def case(chance: random.Random) -> None:
        kind = chance.randrange(4)
        if kind == 0:
            data = b'{"retarget_batch": 1}\n' + mutation.mutated_json(json.dumps(entry), chance) + b"\n"
            (out / "retarget-batch.jsonl").write_bytes(
                data if chance.random() < 0.8 else mutation.mutated_bytes(data, chance)
            )
            read_entries(out / "retarget-batch.jsonl")
        elif kind == 1:
            (job / "working.json").write_bytes(mutation.mutated_json(json.dumps(note), chance))
            clear_all_leftovers(out, ())
        elif kind == 2:
            (job / "pieces/pictures.json").write_bytes(mutation.mutated_json(json.dumps(about), chance))
            noted_pictures(job / "pieces", "x")
            kept_pieces(job / "pieces", "x")
        else:
            (folder / "run.json").write_bytes(mutation.mutated_json(json.dumps(report), chance))
            read_report(folder / "run.json")
        assert (victim / "precious.mp4").read_bytes() == b"x", "something was removed"

    return case


def _words(folder: Path) -> Case:
    """What stands in options: times, rates, names, faces."""
    from retarget.pipeline.faces import FaceSelection
    from retarget.pipeline.files import parse_pattern
    from retarget.pipeline.jobs.names import fill_name
    from retarget.pipeline.timecode import rate_of, seconds_of

    seeds = ("00:00:01:12", "36f", "1.5s", "24000/1001", "{index:03d}_{source_name}.{ext}", "a.%04d.png",
             "shot.1001-1100####.exr", "left-right:1", "person:2", "AU12=0.5,AU04=0", "01:00:00;02")  # fmt: skip

    def case(chance: random.Random) -> None:
        text = mutation.mutated_text(chance.choice(seeds), chance).decode("utf-8", "replace")
        for read in (
            lambda: seconds_of(text, Fraction(24)),
            lambda: rate_of(text),
            lambda: FaceSelection.parse(text),
        ):
            with contextlib.suppress(ValueError):
                read()
        fill = {"index": 7, "source_name": "a", "ext": "mov"}
        parse_pattern(Path(text or "x"))
        fill_name(text, fill)

    return case


# Binary


def _checkpoints(folder: Path) -> Case:
    import torch

    from retarget.model.checkpoint import load_checkpoint, save_checkpoint
    from retarget.model.crop_spec import CropSpec
    from retarget.model.ganimation import GanimationConfig, GanimationGenerator

    torch.set_num_threads(1)
    generator = GanimationGenerator(GanimationConfig(width=1, residual_blocks=1, au_count=2, crop_px=16))
    whole = folder / "whole.safetensors"
    save_checkpoint(
        whole,
        generator,
        action_units=("AU12L", "AU12R"),
        crop=CropSpec(size_px=16),
        au_source="x",
        condition="absolute",
    )
    data = whole.read_bytes()
    size = 8 + int.from_bytes(data[:8], "little")
    path = folder / "a.safetensors"

    def case(chance: random.Random) -> None:
        if chance.random() < 0.5:
            header = json.loads(data[8:size])
            about = mutation.mutated_json(header["__metadata__"]["retarget"], chance)
            header["__metadata__"]["retarget"] = about.decode("utf-8", "replace")
            new = json.dumps(header).encode()
            if chance.random() < 0.3:
                new = mutation.mutated_json(new.decode(), chance)
            path.write_bytes(len(new).to_bytes(8, "little") + new + data[size:])
        else:
            path.write_bytes(mutation.mutated_header(data, size, chance))
        load_checkpoint(path)

    return case


def _made_films(folder: Path) -> list[Path]:
    import av
    import numpy as np

    kinds = {"a.mp4": "libx264", "b.mov": "prores_ks", "c.mkv": "ffv1", "d.avi": "mjpeg", "e.ts": "mpeg2video",
             "f.webm": "libvpx-vp9", "g.mxf": "mpeg2video", "h.y4m": "wrapped_avframe", "i.mp4": "libx265",
             "j.gif": "gif", "k.m2ts": "libx264", "l.mkv": "libx264"}  # fmt: skip
    noise = np.random.default_rng(0).integers(0, 255, (8, 48, 64, 3), np.uint8)
    made = []
    for name, codec in kinds.items():
        try:
            with av.open(str(folder / name), "w") as out:
                stream = out.add_stream(codec, rate=25)
                stream.width, stream.height = 64, 48
                stream.pix_fmt = (stream.codec.video_formats or [av.VideoFormat("yuv420p")])[0].name
                if codec in ("libx264", "libx265", "libvpx-vp9", "mpeg2video", "wrapped_avframe"):
                    stream.pix_fmt = "yuv420p"
                sound = out.add_stream("aac", rate=48000) if name in ("a.mp4", "l.mkv") else None
                for picture in noise:
                    out.mux(
                        stream.encode(
                            av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=stream.pix_fmt)
                        )
                    )
                out.mux(stream.encode())
                if sound is not None:
                    tone = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp")
                    tone.sample_rate = 48000
                    out.mux(sound.encode(tone))
                    out.mux(sound.encode())
            made.append(folder / name)
        except (av.error.FFmpegError, ValueError):
            (folder / name).unlink(missing_ok=True)
    return made


def _made_pictures(folder: Path) -> list[Path]:
    import cv2
    import numpy as np

    picture = np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8)
    made = []
    for suffix in ("png", "jpg", "tif", "webp", "bmp", "ppm", "jp2"):
        path = folder / f"p.{suffix}"
        with contextlib.suppress(cv2.error):
            if cv2.imwrite(str(path), picture):
                made.append(path)
    cv2.imwrite(str(folder / "q.png"), picture.astype(np.uint16) * 257)
    return [*made, folder / "q.png"]


def _read_all(path: Path) -> None:
    from retarget.pipeline.media import open_video

    with open_video(path) as reader:
        for count, frame in enumerate(reader):
            frame.planes[0].sum()
            if count > 200:
                break


def _media(folder: Path, whole: list[Path]) -> Case:
    contents = [(path.suffix, path.read_bytes()) for path in whole]

    def case(chance: random.Random) -> None:
        suffix, data = chance.choice(contents)
        path = folder / f"case{suffix}"
        path.write_bytes(mutation.mutated_header(data, 2048, chance))
        _read_all(path)

    return case


def _containers(folder: Path) -> Case:
    return _media(folder, _made_films(folder))


def _pictures(folder: Path) -> Case:
    return _media(folder, _made_pictures(folder))


def _films(folder: Path) -> Case:
    """The whole main job, tracker and all, on a damaged film, with its sound copied."""
    from retarget.pipeline import RetargetOptions, retarget_video
    from retarget.pipeline.resources import Resources

    short = folder / "short.mp4"
    make_short_clip(short)
    data, resources = short.read_bytes(), Resources()
    path, output = folder / "case.mp4", folder / "made.mp4"

    def case(chance: random.Random) -> None:
        path.write_bytes(mutation.mutated_header(data, 3000, chance))
        try:
            retarget_video(
                path, SAMPLES / "smile.yaml", output, RetargetOptions(refine=0, device="cpu"), resources=resources
            )
            assert output.is_file()
        finally:
            output.unlink(missing_ok=True)
            left = [file.name for file in folder.iterdir() if ".part" in file.name]
            assert not left, f"left behind: {left}"

    return case


KINDS: dict[str, Callable[[Path], Case]] = {
    "curves": _curves, "captures": _captures, "sheets": _sheets, "edls": _edls, "otios": _otios, "scenes": _scenes,
    "notes": _notes, "words": _words, "checkpoints": _checkpoints, "pictures": _pictures,
    "containers": _containers, "films": _films,
}  # fmt: skip


# In a process of its own, for a reader may end it


def run_guarded(kind: str, *, seed: int, cases: int, chunk: int = 2000) -> Counter[str]:
    """`run` in child processes, so that one that dies is a count like any other, and the rest goes on."""
    found, until = Counter[str](), seed + cases
    while seed < until:
        with tempfile.TemporaryDirectory(prefix="retarget-fuzz-") as folder:
            many = min(chunk, until - seed)
            command = [sys.executable, __file__, kind, "--seed", str(seed), "--cases", str(many), "--in", folder]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            lines = done.stdout.splitlines()
            if lines and lines[-1].startswith("{"):
                found.update(json.loads(lines.pop()))
                seed += many
            else:
                reached = int((Path(folder) / "case").read_text())
                found[f"DIED {done.returncode}"] += 1
                found["not counted"] += reached - seed
                lines.append(f"{kind} {reached}: died with {done.returncode}: {done.stderr.strip()[-300:]}")
                seed = reached + 1
            for line in lines:
                print(line, flush=True)
    return found


def is_survived(found: Counter[str]) -> bool:
    """Whether nothing came but results and our own errors."""
    return set(found) <= {"read", "refused"}


def main(argv: list[str] | None = None) -> int:
    """See the module."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("kind", choices=[*KINDS, "all"])
    flags.add_argument("--cases", type=int, default=1000)
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--in", type=Path, dest="folder", help=argparse.SUPPRESS)
    arguments = flags.parse_args(argv)
    if arguments.folder:
        _limit_memory()
        with contextlib.redirect_stderr(io.StringIO()):
            print(json.dumps(run(arguments.kind, arguments.folder, seed=arguments.seed, cases=arguments.cases)))
        return 0
    survived = True
    for kind in KINDS if arguments.kind == "all" else [arguments.kind]:
        started = time.monotonic()
        found = run_guarded(kind, seed=arguments.seed, cases=arguments.cases)
        survived &= is_survived(found)
        print(f"{kind}: {dict(found)} in {time.monotonic() - started:.0f} s", flush=True)
    return 0 if survived else 1


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))


if __name__ == "__main__":
    sys.exit(main())
