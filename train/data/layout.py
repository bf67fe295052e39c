"""A prepared dataset on disk, as `retarget-train prepare` writes it: pictures, one table, one array.

    dataset.json    format version, crop, where the action units come from, options, counts; written last
    table.csv       a row a crop: file, identity, clip, frame, seconds, split, pose, measures, flags, action units
    landmarks.npy   (n, 478, 3) float32, crop pixels, in the table's order
    crops/          the aligned pictures
    sheet.png       random crops to look at; skipped.csv: what was left out and why
    parts/          what each input gave, so that a run that was stopped goes on

The table can be opened, filtered and edited with anything that knows CSV; rows and landmarks stay in step.
"""

from __future__ import annotations

FORMAT_VERSION = 1

ABOUT_FILE, TABLE_FILE, LANDMARKS_FILE = "dataset.json", "table.csv", "landmarks.npy"
CROPS_FOLDER = "crops"

ANGLES = ("yaw", "pitch", "roll")
TEXTS = ("file", "identity", "clip", "split")
NUMBERS = ("frame", "seconds", *ANGLES, "residual", "face_px", "sharpness")
LEADING_COLUMNS = ("file", "identity", "clip", "frame", "seconds", "split", *NUMBERS[2:])
"""Columns before the flags and the action units, in their order."""

SPLITS = ("train", "eval")
