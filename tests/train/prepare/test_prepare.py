"""Prepared crops are the pipeline's crops; what was measured is kept, what was skipped is told."""

from __future__ import annotations

import csv
import errno
import json
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retarget.model import action_units
from retarget.model.crop_spec import CropSpec
from retarget.model.errors import RetargetError
from retarget.model.images import to_model
from retarget.pipeline.edit import Renderer
from retarget.pipeline.edit.render import FaceRequest
from retarget.pipeline.errors import DriverError, NoFaceError, OptionError, VideoOpenError
from retarget.pipeline.faces import FaceTracker, alignment, apply, crop_matrix
from retarget.pipeline.media import open_video
from retarget.train.data import Dataset, open_dataset
from retarget.train.data.dataset import DatasetError
from retarget.train.prepare import prepare
from retarget.train.prepare.prepare import (
    CropMeter,
    FlagLimits,
    PrepareOptions,
    chroma_of,
    find_sources,
    identity_of,
    is_chosen,
    is_cut_off,
    prepare_dataset,
    sharpness_of,
)

SAMPLES = Path(__file__).resolve().parents[3] / "samples"
SPEC = CropSpec(size_px=128)
OPTIONS = PrepareOptions(crop=SPEC, frames_per_clip=4, jobs=1, jpeg_quality=0)


# Inputs


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")


def test_identity_is_what_stands_before_two_hyphens() -> None:
    assert identity_of(Path("a/Ann--take-1.mp4")) == identity_of(Path("b/Ann--2.mov")) == "Ann"
    assert identity_of(Path("single.mp4")) == "single"


def test_a_folder_is_searched_to_the_bottom(tmp_path: Path) -> None:
    names = ["Ann--take--7.jpg", "Ann--take--8.jpg", "clips/Bob--1.mp4", "still.png", "notes.txt", ".hidden.jpg"]
    touch(*(tmp_path / name for name in names))
    found = {s.path.name: s for s in find_sources([tmp_path])}
    assert set(found) == {"Ann--take--7.jpg", "Ann--take--8.jpg", "Bob--1.mp4", "still.png"}
    assert [s.identity for s in found.values()] == ["Ann", "Ann", "Bob", "still"]
    assert [s.clip for s in found.values()] == ["Ann--take", "Ann--take", "clips/Bob--1.mp4", "still"]
    assert [s.frame for s in found.values()] == [7, 8, 0, 0]
    assert found["still.png"].size_bytes == 1


def test_lists_count_from_their_own_folder(tmp_path: Path) -> None:
    touch(tmp_path / "in/a.jpg", tmp_path / "in/b.mp4", tmp_path / "c.jpg")
    (tmp_path / "in/list.txt").write_text("# mine\na.jpg\n\nb.mp4\n../c.jpg\na.jpg\n")
    assert [s.path.name for s in find_sources([tmp_path / "in/list.txt"])] == ["a.jpg", "b.mp4", "c.jpg"]
    (tmp_path / "list.csv").write_text(
        "file,identity,clip,split\nin/a.jpg,Ann,day,eval\nin/b.mp4,,,\nc.jpg,Ann,,eval\n"
    )
    ann, b, c = find_sources([tmp_path / "list.csv"])
    assert (ann.identity, ann.clip, ann.is_eval) == ("Ann", "day", True)
    assert (b.identity, b.clip) == ("b", "in/b.mp4")
    assert (c.identity, c.clip, c.is_eval) == ("Ann", "c", True)


def test_the_split_is_by_person_and_always_the_same(tmp_path: Path) -> None:
    touch(*(tmp_path / f"p{i}--{k}--0.jpg" for i in range(200) for k in range(2)))
    sources = find_sources([tmp_path], eval_fraction=0.25)
    evaluated = {s.identity for s in sources if s.is_eval}
    assert evaluated.isdisjoint(s.identity for s in sources if not s.is_eval)
    assert 0.17 < len(evaluated) / 200 < 0.33  # three standard deviations are 0.09
    assert {"p0", "p1", "p2", "p3"} & evaluated == {"p0", "p2"}, "a hash, the same on every machine"
    assert not any(s.is_eval for s in find_sources([tmp_path], eval_fraction=0))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "file,identity,split\na.jpg,Ann,train\nb.jpg,Ann,eval\n",
            r"identity 'Ann' is in both splits, train by .*a",
        ),
        ("file,split\na.jpg,test\n", r"list.csv: line 2, column split: 'test'; use train or eval"),
        ("path\na.jpg\n", r"list.csv: has no column 'file'"),
        ("", r"list.csv: no pictures or videos in it"),
    ],
)
def test_a_list_that_makes_no_sense(tmp_path: Path, text: str, complaint: str) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "b.jpg")
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(RetargetError, match=complaint):
        find_sources([tmp_path / "list.csv"])


def test_inputs_that_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match=r"bytes.csv: cannot be read as a list"):
        find_sources([tmp_path / "bytes.csv"])
    with pytest.raises(VideoOpenError, match="gone: no such file or folder"):
        find_sources([tmp_path / "gone"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(VideoOpenError, match="empty: no pictures or videos in it"):
        find_sources([tmp_path / "empty"])
    touch(tmp_path / "notes.pdf")
    with pytest.raises(VideoOpenError, match=r"notes.pdf: neither a picture, a video, a folder, nor a list"):
        find_sources([tmp_path / "notes.pdf"])


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"frames_per_clip": 0}, "0 frames per clip make no sense"),
        ({"jobs": -1}, "-1 jobs make no sense"),
        ({"jpeg_quality": 101}, "JPEG quality 101 makes no sense"),
        ({"eval_fraction": 1.0}, "eval fraction 1.0 makes no sense"),
        ({"min_face_px": 0}, "smallest face of 0 px makes no sense"),
    ],
)
def test_options_that_make_no_sense(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        PrepareOptions(**fields)


# Measures


def test_chosen_frames_are_evenly_spread() -> None:
    assert [i for i in range(12) if is_chosen(i, 12, 4)] == [0, 3, 6, 9]
    assert [i for i in range(10) if is_chosen(i, 10, 4)] == [0, 3, 5, 8]
    assert [i for i in range(3) if is_chosen(i, 3, 4)] == [0, 1, 2]
    for total in (5, 119, 121, 1000):
        chosen = [i for i in range(total) if is_chosen(i, total, 120)]
        assert len(chosen) == min(total, 120)
        assert max(np.diff(chosen)) <= -(-total // 120)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    picture = cv2.imread(str(SAMPLES / "astronaut.png"))
    assert picture is not None
    return picture


def test_sharpness_falls_with_blur_and_not_with_light(astronaut: np.ndarray) -> None:
    face = np.ascontiguousarray(astronaut[20:276, 95:351, ::-1])
    corners = np.array([[60.0, 40, 0], [200, 220, 0]])
    sharp = sharpness_of(face, corners)
    blurred = [sharpness_of(cv2.GaussianBlur(face, (0, 0), sigma), corners) for sigma in (1, 2, 4)]
    assert sharp > 1.5 * blurred[0] > 3 * blurred[1] > 4.5 * blurred[2]
    darker = (face * 0.5).astype(np.uint8)
    assert sharpness_of(darker, corners) == pytest.approx(sharp, rel=0.05)
    assert sharpness_of(np.zeros_like(face), corners) == 0


def test_chroma_tells_colour_from_gray_and_tint(astronaut: np.ndarray) -> None:
    gray = cv2.cvtColor(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2RGB)
    sepia = (30 + 0.7 * gray + np.array([20, 0, -20])).astype(np.uint8)
    limit = FlagLimits().min_chroma
    assert chroma_of(astronaut[..., ::-1]) > 3 * limit
    assert chroma_of(gray) == 0
    assert chroma_of(sepia) < limit


def test_a_jpeg_without_its_end_is_told_from_a_whole_one(astronaut: np.ndarray, tmp_path: Path) -> None:
    for settings in ([], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]):
        data = cv2.imencode(".jpg", astronaut, settings)[1].tobytes()
        path = tmp_path / "a.jpg"
        path.write_bytes(data)
        assert not is_cut_off(path)
        path.write_bytes(data + b"trailing bytes of a camera")
        assert not is_cut_off(path)
        for length in (len(data) - 2, len(data) // 2):
            path.write_bytes(data[:length])
            assert is_cut_off(path)
    assert not is_cut_off(SAMPLES / "astronaut.png")
    assert not is_cut_off(tmp_path / "gone.jpg")


# One small dataset, with everything that can happen to an input in it


@pytest.fixture(scope="module")
def inputs(astronaut: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: a clip, a cut, pictures of the astronaut each with another flaw, and files that are no use."""
    folder = tmp_path_factory.mktemp("inputs")
    shutil.copy(SAMPLES / "smile.mp4", folder / "man--smile.mp4")
    shutil.copy(SAMPLES / "cut.mov", folder / "man--cut.mov")
    head = astronaut[0:300, 70:370]
    pictures = {
        "plain": astronaut,
        "gray": cv2.cvtColor(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR),
        "blurred": cv2.GaussianBlur(astronaut, (0, 0), 4),
        "two": np.concatenate([head, head[:, ::-1]], axis=1),
        "edge": astronaut[70:190, 165:285],
        "nobody": np.full((200, 300, 3), 90, np.uint8),
    }
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    (folder / "text.jpg").write_bytes(b"no picture at all")
    data = cv2.imencode(".jpg", astronaut)[1].tobytes()
    (folder / "half.jpg").write_bytes(data[: len(data) // 2])
    return folder


@pytest.fixture(scope="module")
def prepared(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, prepare.PrepareReport]:
    output = tmp_path_factory.mktemp("out") / "data"
    seen: list[tuple[str, int, int]] = []

    def progress(items: Iterable[None], label: str, total: int) -> Iterable[None]:
        seen.append((label, total, sum(1 for _ in items)))
        return []

    report = prepare_dataset([inputs], output, OPTIONS, progress=progress)
    assert seen == [("prepare", 10, 10)]
    return open_dataset(output), report


def rows_of(dataset: Dataset, name: str) -> np.ndarray:
    return np.array([i for i, file in enumerate(dataset.files) if Path(file).name.startswith(f"{name}-")])


def test_prepared_crops_are_what_the_renderer_is_fed(
    prepared: tuple[Dataset, Any], make_checkpoint: Callable[..., Any]
) -> None:
    dataset, _ = prepared
    rows = np.flatnonzero([dataset.clips[c] == "man--smile.mp4" for c in dataset.clip])
    assert dataset.frame[rows].tolist() == [0, 18, 36, 54]
    with open_video(SAMPLES / "smile.mp4") as reader, FaceTracker(reader.info) as tracker:
        frames = {frame.index: frame for frame in reader if frame.index in dataset.frame[rows]}
        tracked = list(tracker.track((frame, 0) for frame in frames.values()))
        renderer = Renderer(make_checkpoint(crop_px=128, width=4), reader.info, device="cpu")
        for row, found in zip(rows, tracked, strict=True):
            face = found.faces[0]
            matrix = crop_matrix(alignment(face.landmarks), SPEC)
            landmarks = apply(matrix, face.landmarks).astype(np.float32)
            nothing = np.zeros(action_units.COUNT, np.float32)
            request = FaceRequest(matrix, landmarks, delta_au=nothing, source_au=nothing)
            fed = renderer._crops([(frames[found.index], request)])
            np.testing.assert_array_equal(to_model(dataset.image(int(row))[None]).numpy(), fed.numpy())
            np.testing.assert_array_equal(dataset.landmarks[row], landmarks)
            np.testing.assert_allclose(dataset.action_units[row], face.action_units, atol=5.1e-5)
            np.testing.assert_allclose(dataset.angles[row, 0], face.yaw_degrees, atol=1e-3)
            assert dataset.seconds[row] == pytest.approx(found.index / 30, abs=1e-3)


def test_who_and_which_recording_are_told(prepared: tuple[Dataset, Any]) -> None:
    dataset, report = prepared
    assert dataset.identities == ("blurred", "edge", "gray", "man", "plain", "two")
    assert "man--smile.mp4" in dataset.clips
    assert report.clips == len(dataset.clips)
    assert report.crops == len(dataset) == sum(1 for _ in (dataset.folder / "crops").rglob("*.png"))
    assert report.train_identities + report.eval_identities == 6
    # the eyes lie where the crop's spec says, and the man's smile grows
    eyes = dataset.landmarks[rows_of(dataset, "plain")[0]][[33, 263], :2].mean(0)
    np.testing.assert_allclose(eyes, (64, 0.4 * 128), atol=6)
    smile = dataset.action_units[dataset.frame == 54, action_units.NAMES.index("AU12L")]
    assert smile.max() > 0.3 + dataset.action_units[dataset.frame == 0, action_units.NAMES.index("AU12L")].min()


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("plain", set()),
        ("gray", {"gray"}),
        ("blurred", {"blurred"}),
        ("two", {"several_faces"}),
        ("edge", {"edge"}),
    ],
)
def test_flaws_are_flagged(prepared: tuple[Dataset, Any], name: str, flags: set[str]) -> None:
    dataset, report = prepared
    (row,) = rows_of(dataset, name)
    assert {flag for flag, on in dataset.flags.items() if on[row]} == flags
    assert all(report.flags[flag] >= 1 for flag in flags)


def test_what_gave_no_crop_is_told_with_its_reason(prepared: tuple[Dataset, Any]) -> None:
    dataset, report = prepared
    skipped = {(skip.file, skip.frames): skip.reason for skip in report.skipped}
    assert skipped.pop(("nobody.png", 1)) == "no face found"
    assert skipped.pop(("half.jpg", 1)) == "damaged picture, its end is missing"
    assert "not a video" in (reason := skipped.pop(("text.jpg", 1))) or "nothing in it can be decoded" in reason
    cut = {key for key in skipped if key[0] == "man--cut.mov"}
    assert len(cut) == 1, "the title card has no face"
    assert {skipped[key] for key in cut} == {"no face found"}
    assert len(skipped) == 1
    with (dataset.folder / "skipped.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(report.skipped)
    about = json.loads((dataset.folder / "dataset.json").read_text())
    assert about["counts"]["crops"] == len(dataset)
    assert about["options"]["frames_per_clip"] == 4
    assert about["inputs"][0]["file"] == "blurred.png"
    assert cv2.imread(str(dataset.folder / "sheet.png")) is not None


def snapshot(folder: Path) -> dict[str, bytes]:
    """What the dataset says, file by file."""
    kept = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix in (".csv", ".npy", ".png")]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in kept}


def test_a_second_run_measures_nothing_and_says_the_same(
    prepared: tuple[Dataset, Any], inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, _ = prepared
    before = snapshot(dataset.folder)
    monkeypatch.setattr(prepare, "_measure", lambda *_: pytest.fail("measured again"))
    report = prepare_dataset([inputs], dataset.folder, OPTIONS)
    assert report.inputs_reused == report.inputs == 10
    assert snapshot(dataset.folder) == before
    # other limits and other splits need no tracking either
    strict = PrepareOptions(
        crop=SPEC,
        frames_per_clip=4,
        jobs=1,
        jpeg_quality=0,
        limits=FlagLimits(max_enlargement=0.01),
        eval_fraction=0.9,
    )
    assert prepare_dataset([inputs], dataset.folder, strict).flags["small"] == report.crops
    prepare_dataset([inputs], dataset.folder, OPTIONS)
    assert snapshot(dataset.folder) == before


def test_many_processes_give_the_same(prepared: tuple[Dataset, Any], inputs: Path, tmp_path: Path) -> None:
    dataset, report = prepared
    many = PrepareOptions(crop=SPEC, frames_per_clip=4, jobs=2, jpeg_quality=0)
    again = prepare_dataset([inputs], tmp_path / "data", many)
    assert again.as_json() == report.as_json()
    assert snapshot(tmp_path / "data") == snapshot(dataset.folder)


# Runs that stop, inputs that change; with the measuring made cheap


@pytest.fixture
def cheap(inputs: Path, tmp_path: Path) -> Path:
    """A folder of two clips, which are two tasks."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in ("a", "b"):
        shutil.copy(inputs / "plain.png", folder / f"{name}.mp4")  # FFmpeg looks at what is in it
    return folder


def test_a_stopped_run_goes_on(cheap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, measure, done = tmp_path / "out", prepare._measure, []

    def stops_at_the_second(task: Any, landmarker: Any) -> None:
        if done:
            raise KeyboardInterrupt
        measure(task, landmarker)
        done.append(task.key)

    monkeypatch.setattr(prepare, "_measure", stops_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        prepare_dataset([cheap], output, OPTIONS)
    with pytest.raises(DatasetError, match="no whole dataset"):
        open_dataset(output)

    def counted(task: Any, landmarker: Any) -> None:
        measure(task, landmarker)
        done.append(task.key)

    monkeypatch.setattr(prepare, "_measure", counted)
    report = prepare_dataset([cheap], output, OPTIONS)
    assert (report.inputs, report.inputs_reused, report.crops) == (2, 1, 2)
    assert len(set(done)) == len(done) == 2

    # an input that changes is measured again, one that goes leaves nothing behind
    shutil.copy(SAMPLES / "astronaut.png", cheap / "a.mp4")
    (cheap / "b.mp4").unlink()
    report = prepare_dataset([cheap], output, OPTIONS)
    assert (report.inputs, report.inputs_reused) == (1, 0)
    assert len(list((output / "crops").rglob("*.png"))) == len(list((output / "parts").glob("*.npz"))) == 1


def test_a_full_disk_keeps_what_was_done(cheap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, write, crops = tmp_path / "out", Path.write_bytes, []

    def full_at_the_second_crop(path: Path, data: bytes) -> int:
        if path.parent.parent.name == "crops":
            crops.append(path)
            if len(crops) > 1:
                raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full_at_the_second_crop)
        with pytest.raises(
            RetargetError, match=r"out: stopped \(No space left on device; free some space"
        ) as caught:
            prepare_dataset([cheap], output, OPTIONS)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    assert len(list((output / "parts").glob("*.npz"))) == 1
    assert prepare_dataset([cheap], output, OPTIONS).inputs_reused == 1


def test_a_process_that_dies_is_told_of(cheap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: Any) -> None:
        raise BrokenProcessPool

    monkeypatch.setattr(prepare, "_measure", dies)
    with pytest.raises(RetargetError, match=r"a process ended by itself, .* use fewer jobs") as caught:
        prepare_dataset([cheap], tmp_path / "out", OPTIONS)
    assert caught.value.exit_code == 1


def test_an_output_that_holds_other_things_is_refused(inputs: Path, tmp_path: Path) -> None:
    touch(tmp_path / "file", tmp_path / "home" / "letter.txt")
    with pytest.raises(OptionError, match="file: is a file; name a folder"):
        prepare_dataset([inputs], tmp_path / "file", OPTIONS)
    with pytest.raises(OptionError, match="home: holds other files; name a new folder"):
        prepare_dataset([inputs], tmp_path / "home", OPTIONS)


def test_a_dataset_within_its_input_is_no_input(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "data/crops/a.jpg")
    assert [s.path for s in find_sources([tmp_path], leave_out=tmp_path / "data")] == [tmp_path / "a.jpg"]


def test_no_face_anywhere(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(NoFaceError, match=r"nobody.png: no face found in any of 1 inputs \(no face found\)"):
        prepare_dataset([inputs / "nobody.png"], tmp_path / "out", OPTIONS)


# Labels of OpenFace


def write_labels(path: Path, smile: float) -> None:
    names = [f"{name}_r" for name in action_units.OPENFACE_NAMES]
    values = [f"{smile:.2f}" if name == "AU12_r" else "0.00" for name in names]
    path.write_text(",".join(["face", "confidence", *names]) + "\n" + ",".join(["0", "0.9", *values]) + "\n")


def labelled(folder: Path) -> PrepareOptions:
    return PrepareOptions(crop=SPEC, frames_per_clip=4, jobs=1, jpeg_quality=0, openface=(folder,))


def test_openface_takes_the_place_of_our_units(inputs: Path, tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    write_labels(tmp_path / "labels" / "plain.csv", 2.5)
    files = [inputs / "plain.png", inputs / "gray.png"]
    report = prepare_dataset(files, tmp_path / "out", labelled(tmp_path / "labels"))
    dataset = open_dataset(tmp_path / "out")
    assert dataset.au_source == "openface-2"
    assert dataset.identities == ("plain",)
    values = dict(zip(action_units.NAMES, dataset.action_units[0].tolist(), strict=True))
    assert values["AU12L"] == values["AU12R"] == 0.5
    assert sum(values.values()) == 1.0
    assert [name for name, known in zip(action_units.NAMES, dataset.known, strict=True) if known][:2] == [
        "AU01L",
        "AU01R",
    ]
    assert not dataset.known[action_units.NAMES.index("AU28")]
    assert [(skip.file, skip.reason) for skip in report.skipped] == [("gray.png", "no OpenFace label")]

    with pytest.raises(DriverError, match=r"labels: its CSV files fit none of 1 inputs"):
        prepare_dataset([inputs / "gray.png"], tmp_path / "out", labelled(tmp_path / "labels"))

    (tmp_path / "other").mkdir()
    shutil.copy(inputs / "plain.png", tmp_path / "other" / "plain.png")
    with pytest.raises(DriverError, match=r"plain.csv: 2 inputs are called plain"):
        prepare_dataset([*files, tmp_path / "other"], tmp_path / "out", labelled(tmp_path / "labels"))


# Measuring crops again


def test_the_meter_sees_in_a_crop_what_was_seen_in_the_picture(inputs: Path, tmp_path: Path) -> None:
    prepare_dataset([inputs / "plain.png"], tmp_path / "out", PrepareOptions(jobs=1, jpeg_quality=0))
    dataset = open_dataset(tmp_path / "out")
    with CropMeter() as meter:
        measured = meter.measure(dataset.image(0), dataset.landmarks[0])
        assert meter.measure(np.full((256, 256, 3), 128, np.uint8), dataset.landmarks[0]) is None
        elsewhere = dataset.landmarks[0] * 0.3
        assert meter.measure(dataset.image(0), elsewhere) is None
    assert measured is not None
    assert np.abs(measured.action_units - dataset.action_units[0]).max() < 0.1
    misfit = np.linalg.norm((measured.landmarks - dataset.landmarks[0])[:, :2], axis=1)
    assert misfit.mean() < 1
