"""The product's own data sets: ``clips.npz`` and ``index.csv`` (see :mod:`model.datasets.npz`)."""

import csv
import io

from backend.importing.source import Source
from backend.importing.take import SPLITS, Reading, Take, check_finite
from core.errors import DataMissing
from core.motion import Motion
from model.datasets import npz_files


def recognize(source: Source) -> bool:
    return "index.csv" in source.files and any("root_pos" in source.members(file) for file in files(source)[:8])


def files(source: Source) -> list[str]:
    """Archives beside the index."""
    return [file for file in source.of(".npz") if "/" not in file]


def read(source: Source, file: str, reading: Reading) -> list[Take]:
    """A take per row of the index.

    Raises:
        DataMissing, InvalidMotion: naming the file, and the line or the frame.
    """
    archive, index = npz_files.locate(source.path(file))
    arrays = npz_files.load(archive)
    for name in ("root_pos", "quats"):
        if name in arrays and arrays[name].dtype.kind == "f" and arrays[name].ndim:
            check_finite(arrays[name], f"{archive.name}, {name}", "a value")
    skeleton = npz_files.skeleton(archive, arrays)
    root, rotations, fps = npz_files.motion(archive, arrays, skeleton)
    clips = npz_files.read_index(index, len(root))
    rows = list(csv.DictReader(io.StringIO(source.text("index.csv"))))
    takes: list[Take] = []
    for k, (clip, row) in enumerate(zip(clips, rows, strict=True)):
        reading.tick(k / len(clips), f"Reading clip {k + 1} of {len(clips)}")
        motion = Motion(skeleton, root[clip.start : clip.stop], rotations[clip.start : clip.stop], fps, clip.action)
        texts = tuple(line.strip() for line in (row.get("text") or "").splitlines() if line.strip())
        split = clip.split if clip.split in SPLITS else ""
        name = (row.get("clip") or "").strip() or f"{k:05d}"
        takes.append(Take(name, motion, clip.action, clip.subject, split, texts))
    if len({take.name for take in takes}) < len(takes):
        raise DataMissing("index.csv names two clips alike.", "Give every row a name of its own in column clip.")
    return takes
