"""From a path to the files of a data set: read all takes, make them agree, label, split, describe, write."""

import csv
import hashlib
import io
import json
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from pydantic import Field

from backend.importing.labels import Row, labelled, read_table
from backend.importing.registry import AUTO, importer_of
from backend.importing.source import Source, opened
from backend.importing.split import divided
from backend.importing.statistics import statistics
from backend.importing.take import Importer, Reading, Take
from backend.importing.uniform import uniform
from core.config import Options
from core.errors import DataMissing, InvalidConfig, LoopscopeError
from core.protocols import Tick, silent
from core.rotations import Array
from model.datasets.base import WINDOW_S

VERSION = 2  # raise it when the same files give another data set
WAYS = ("auto", "folder", "file", "none")
SHOWN = 12
CLIPS, INDEX, CARD = "clips.npz", "index.csv", "card.json"


class ImportOptions(Options):
    """What a person may say of what is imported."""

    kind: str = Field(AUTO, max_length=32, title="Format")
    name: str = Field("", max_length=80, title="Name", description="Empty = the file's or folder's.")
    licence: str = Field("", max_length=500, title="Licence", description="Under which the data may be used.")
    source: str = Field("", max_length=500, title="Source", description="Where the data are from; whom to cite.")
    labels: str = Field(
        "auto", max_length=1024, title="Labels",
        description="auto, folder, file, none; or a CSV file with the columns file,label,subject,split,text.",
    )  # fmt: skip
    unit: str = Field("auto", max_length=8, title="Unit", description="Of lengths in BVH files, which state none.")
    fps: float = Field(0.0, ge=0, le=240, title="Frames per second", description="0 = as the files, at most 30.")
    floor: bool = Field(True, title="Floor", description="Move takes vertically whose feet are off the floor.")
    skip_bad: bool = Field(
        False, title="Skip bad files", description="Leave out files that cannot be read, and list them in the card."
    )


@dataclass(frozen=True)
class Made:
    """The files of a data set, and its card."""

    files: dict[str, bytes]
    card: dict[str, Any]


def make(path: str | Path, options: ImportOptions, tick: Tick = silent) -> Made:
    """Read everything below a path.

    Raises:
        DataMissing, InvalidMotion: naming the file, and the frame or line, that is wrong.
        InvalidConfig: when options do not fit.
    """
    with tempfile.TemporaryDirectory(prefix="loopscope-import-") as scratch, opened(path, Path(scratch)) as source:
        kind, importer = importer_of(options.kind, source)
        how, table = _labels(options.labels, source)
        reading = Reading(lambda fraction, sentence: tick(0.7 * fraction, sentence), options.unit)
        takes, bad = _takes(source, importer, reading, options.skip_bad)
        tick(0.7, "Bringing takes to one skeleton and rate")
        takes, where = labelled(takes, table, how)
        same = uniform(takes, options.fps, options.floor and not importer.grounded)
        content = hashlib.sha256(b"".join(take.motion.root_position_m.tobytes() for take in same.takes)).digest()
        parts = divided(same.takes, int.from_bytes(content[:8], "little"))
        shift = dict(zip((take.name for take in takes), same.floor_shift_m, strict=True))
        tick(0.8, "Measuring")
        notes = [f"{note} ({count} of {len(takes)} takes)" for note, count in reading.notes.items()]
        card = _card(source, kind, importer, options, parts.takes) | {
            "labels": where, "split": parts.how, "notes": [*notes, *same.notes, *_unusable(parts.takes)],
            "left_out": bad,
        }  # fmt: skip
        tick(0.9, "Writing")
        return Made(_files(parts.takes, shift, card), card)


def _takes(source: Source, importer: Importer, reading: Reading, skip_bad: bool) -> tuple[list[Take], list[str]]:
    files = importer.files(source)
    if not files:
        raise DataMissing(f"{source.name} holds no files of this format.", importer.description)
    takes: list[Take] = []
    bad: list[str] = []
    for k, file in enumerate(files):
        reading.tick(k / len(files), f"Reading {file} ({k + 1} of {len(files)})")
        try:
            takes += [reading.took(take) for take in importer.read(source, file, reading)]
        except LoopscopeError as error:
            if not skip_bad:
                raise
            bad.append(error.message)
    bad += reading.left_out[:SHOWN]
    if len(reading.left_out) > SHOWN:
        bad.append(f"And {len(reading.left_out) - SHOWN} more files like these.")
    names = Counter(take.name for take in takes)
    if not takes:
        raise DataMissing(f"None of the {len(files)} files can be read; the first: {bad[0] if bad else 'empty'}")
    if max(names.values()) > 1:
        raise DataMissing(f"Two takes are called {names.most_common(1)[0][0]!r}.", "Rename one of the files.")
    return takes, bad


def _labels(given: str, source: Source) -> tuple[str, dict[str, Row]]:
    """How labels are found, and the table where one was given: by path, or as labels.csv among the files."""
    if given in WAYS:
        inside = "labels.csv" if "labels.csv" in source.files and given == "auto" else ""
        return given, read_table(source.text(inside), inside) if inside else {}
    from core.typedpaths import typed_path

    path = typed_path(given)
    if not path.is_file():
        raise InvalidConfig(f"There is no table {given!r}.", f"Give a CSV file, or one of {', '.join(WAYS)}.", "labels")
    table = Source(path.parent, path.name, (path.name,))
    return "auto", read_table(table.text(path.name), path.name)


def _card(
    source: Source, kind: str, importer: Importer, options: ImportOptions, takes: Sequence[Take]
) -> dict[str, Any]:
    body, fps = takes[0].motion.skeleton, takes[0].motion.fps
    seconds = {s: round(sum(t.motion.seconds for t in takes if t.split == s), 1) for s in ("train", "val", "test")}
    return {
        "version": VERSION,
        "name": options.name.strip() or source.name,
        "format": importer.title,
        "kind": kind,
        "licence": options.licence.strip() or "Not stated. See what came with the files.",
        "source": options.source.strip() or "Not stated.",
        "skeleton": {
            "joints": body.joint_count, "stature_m": round(body.stature_m, 3), "names": list(body.joint_names),
            "mirrored": body.mirror is not None,
        },
        "fps": fps,
        "clips": len(takes),
        "frames": sum(len(take.motion) for take in takes),
        "seconds": round(sum(take.motion.seconds for take in takes), 1),
        "shortest_s": round(min(take.motion.seconds for take in takes), 2),
        "split_s": seconds,
        "classes": dict(sorted(Counter(take.label for take in takes).items())),
        "subjects": sorted({take.subject for take in takes if take.subject}, key=lambda s: (len(s), s)),
        "texts": sum(len(take.texts) for take in takes),
        "example_texts": list(dict.fromkeys(take.texts[0] for take in takes if take.texts))[:SHOWN],
        "statistics": statistics([(take.label, take.motion) for take in takes]),
    }  # fmt: skip


UNUSABLE = "No loop can learn from it: no class has a window in both splits. Import more or longer takes."
"""Among the notes of a card: what is left to do with the data is to look at them."""


def _unusable(takes: Sequence[Take]) -> list[str]:
    """What of the data no loop can learn from, in words."""
    train, test = (
        {take.label for take in takes if take.split == split and take.motion.seconds >= WINDOW_S}
        for split in ("train", "test")
    )
    short = sum(take.motion.seconds < WINDOW_S for take in takes)
    words = (
        [f"Shorter than a window of {WINDOW_S:.2f} s, so that loops leave them out: {short} clips."] if short else []
    )
    left = {take.label for take in takes} - (train & test)
    if not train & test:
        words.append(UNUSABLE)
    elif left:
        words.append(
            f"Classes without a window in both splits, which loops leave out: {', '.join(sorted(left)[:SHOWN])}."
        )
    return words


def _files(takes: Sequence[Take], shift: dict[str, float], card: dict[str, Any]) -> dict[str, bytes]:
    body = takes[0].motion.skeleton
    arrays: dict[str, Any] = {
        "joint_names": np.array(body.joint_names),
        "parents": np.array(body.parents, np.int32),
        "offsets": body.offsets_m.copy(),
        "fps": np.float64(takes[0].motion.fps),
        "up": np.array("y"), "quat_order": np.array("wxyz"), "units": np.array("metre"),
    }  # fmt: skip
    arrays["offsets"][0] = 0.0
    if body.toe_tips_m:
        arrays |= {
            "end_names": np.array([f"{body.joint_names[foot]}_toe" for foot in body.feet]),
            "end_parents": np.array(body.feet, np.int32), "end_offsets": np.array(body.toe_tips_m),
        }  # fmt: skip
    tracks = {
        "root_pos": [take.motion.root_position_m for take in takes],
        "quats": [take.motion.local_rotations_wxyz for take in takes],
    }
    table = io.StringIO(newline="")
    names = ("clip", "subject", "split", "action", "text", "start", "stop", "frames", "floor_shift_m")
    writer = csv.DictWriter(table, names, lineterminator="\n")
    writer.writeheader()
    at = 0
    for take in takes:
        stop = at + len(take.motion)
        writer.writerow({
            "clip": take.name, "subject": take.subject, "split": take.split, "action": take.label,
            "text": "\n".join(take.texts),
            "start": at, "stop": stop, "frames": stop - at,
            "floor_shift_m": f"{shift.get(take.name, shift.get(take.name.rsplit('@', 1)[0], 0.0)):.6f}",
        })  # fmt: skip
        at = stop
    plain = json.dumps(card, ensure_ascii=False, sort_keys=True, indent=1)
    return {CLIPS: _npz(tracks, arrays), INDEX: table.getvalue().encode(), CARD: plain.encode()}


def _npz(tracks: Mapping[str, Sequence[Array]], arrays: Mapping[str, Any]) -> bytes:
    """As ``savez_compressed`` of the tracks joined, in float32, and the arrays; but the whole is never in memory."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, pieces in tracks.items():
            shape = (sum(len(piece) for piece in pieces), *pieces[0].shape[1:])
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": shape})
                for piece in pieces:
                    member.write(piece.astype("<f4").tobytes())
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, np.asanyarray(values), allow_pickle=False)
    return packed.getvalue()
