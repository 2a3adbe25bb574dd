"""Reading clips.npz and index.csv with distrust: nothing is unpickled, and nothing is allocated on a header's word."""

import csv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import DataMissing, InvalidMotion
from core.npyheader import DAMAGED, Pickled, check_packing, claimed
from core.rotations import Array
from core.skeleton import Skeleton
from model.datasets.captions import captions_in

MAX_BYTES = 4 << 30
MAX_RATIO = 2000  # deflate's best is 1032
MAX_MEMBERS = 64
MAX_INDEX_BYTES = 64 << 20
MAX_NAME = 200  # characters of a joint's or an action's name
MAX_JOINTS = 256
LAYOUT_HINT = "model/datasets/npz.py describes the layout of clips.npz and index.csv."
LONGEST_BONE_M = 3.0
_COLUMNS = ("split", "action", "start", "stop")


@dataclass(frozen=True)
class Clip:
    split: str
    action: str
    subject: str
    start: int
    stop: int
    captions: tuple[str, ...] = ()


def locate(path: Path) -> tuple[Path, Path]:
    archive = path / "clips.npz" if path.is_dir() else path
    index = archive.parent / "index.csv"
    for each in (archive, index):
        try:
            found = each.is_file()
        except OSError as error:
            raise DataMissing(f"{str(each)!r} cannot be read: {error.strerror}.", "Check who may read it.") from None
        if not found:
            raise DataMissing(f"There is no file {str(each)!r}.", "Give a folder with clips.npz and index.csv.")
    return archive, index


def load(archive: Path) -> dict[str, NDArray[Any]]:
    """The archive's arrays, after a look at what they claim to be."""
    try:
        with zipfile.ZipFile(archive) as members:
            infos = members.infolist()
            total = sum(info.file_size for info in infos)
            if total > MAX_BYTES:
                raise DataMissing(
                    f"{archive.name} unpacks to {total / 2**30:.1f} GiB; at most {MAX_BYTES / 2**30:.0f} are read.",
                    "Split it into smaller data sets.",
                )
            if total > MAX_RATIO * archive.stat().st_size or len(infos) > MAX_MEMBERS:
                raise DataMissing(
                    f"{archive.name} holds {len(infos)} arrays that unpack to {total / 2**20:.0f} MiB: no data set of "
                    "motions.",
                    LAYOUT_HINT,
                )
            for info in infos:
                check_packing(info)
                with members.open(info) as member:
                    _check_header(archive, info, member)
        with np.load(archive, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except DAMAGED as error:
        raise DataMissing(f"{archive.name} cannot be read as an npz archive: {error}.", LAYOUT_HINT) from None


def _check_header(archive: Path, info: zipfile.ZipInfo, member: IO[bytes]) -> None:
    """Refuse pickled objects, and headers that claim more than the member holds (which would be allocated first)."""
    try:
        claimed(member, info.file_size)
    except Pickled:
        raise DataMissing(
            f"The member {info.filename!r} of {archive.name} holds pickled objects, which are never loaded.",
            "Save plain number and text arrays.",
        ) from None
    except ValueError as error:
        raise DataMissing(f"The member {info.filename!r} of {archive.name} cannot be read: {error}.") from None


def _member(
    archive: Path, arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int | None, ...], kind: str
) -> NDArray[Any]:
    """A member of the expected shape (None = any) and dtype kind: ``f`` any real number, ``i`` integer, ``U`` text."""
    if name not in arrays:
        raise DataMissing(
            f"{archive.name} has no member {name!r}; it has {', '.join(sorted(arrays)) or 'none'}.", LAYOUT_HINT
        )
    array = arrays[name]
    kinds = {"f": "fiu", "i": "iu", "U": "U"}[kind]
    fits = array.ndim == len(shape) and all(e is None or e == a for e, a in zip(shape, array.shape, strict=True))
    if not fits or array.dtype.kind not in kinds:
        expected = "(" + ", ".join("any" if e is None else str(e) for e in shape) + ")"
        raise DataMissing(
            f"The member {name!r} of {archive.name} must be {'text' if kind == 'U' else 'numbers'} of shape "
            f"{expected}; got {array.dtype} of shape {array.shape}.",
            LAYOUT_HINT,
        )
    if kind == "f" and not np.isfinite(array).all():
        raise DataMissing(f"The member {name!r} of {archive.name} holds NaN or infinite values.")
    return array


def skeleton(archive: Path, arrays: Mapping[str, NDArray[Any]]) -> Skeleton:
    names = tuple(str(name) for name in _member(archive, arrays, "joint_names", (None,), "U"))
    joints = len(names)
    if any(len(name) > MAX_NAME or not name.isprintable() for name in names):
        raise DataMissing(f"A joint's name in {archive.name} is no single line of at most {MAX_NAME} characters.")
    if not 1 < joints <= MAX_JOINTS:
        raise DataMissing(f"{archive.name} has {joints} joints; 2 to {MAX_JOINTS} are possible.")
    parents = tuple(int(p) for p in _member(archive, arrays, "parents", (joints,), "i"))
    offsets = _member(archive, arrays, "offsets", (joints, 3), "f")
    if np.abs(offsets).max() > LONGEST_BONE_M:
        raise DataMissing(
            f"The offsets of {archive.name} reach {np.abs(offsets).max():g} m, which is no body.", "Metres are read."
        )
    try:
        plain = Skeleton(archive.parent.name or "npz", names, parents, offsets)
    except InvalidMotion as error:
        raise DataMissing(f"{archive.name}: {error.message}", LAYOUT_HINT) from None
    tips = _toe_tips(archive, arrays, plain)
    return Skeleton(plain.name, names, parents, offsets, plain.feet, tips) if tips else plain


def _toe_tips(
    archive: Path, arrays: Mapping[str, NDArray[Any]], skeleton: Skeleton
) -> tuple[tuple[float, float, float], ...]:
    """End points named toe that hang on the feet, in the order of the feet; empty unless every foot has one."""
    if "end_names" not in arrays:
        return ()
    names = _member(archive, arrays, "end_names", (None,), "U")
    parents = _member(archive, arrays, "end_parents", (len(names),), "i")
    offsets = _member(archive, arrays, "end_offsets", (len(names), 3), "f")
    by_foot = {
        int(parent): (float(x), float(y), float(z))
        for name, parent, (x, y, z) in zip(names, parents, offsets, strict=True)
        if "toe" in str(name).lower()
    }
    tips = [by_foot[foot] for foot in skeleton.feet if foot in by_foot]
    return tuple(tips) if len(tips) == len(skeleton.feet) else ()


def motion(archive: Path, arrays: Mapping[str, NDArray[Any]], skeleton: Skeleton) -> tuple[Array, Array, float]:
    for name, expected in (("up", "y"), ("quat_order", "wxyz"), ("units", "metre")):
        if name in arrays and str(arrays[name]) != expected:
            raise DataMissing(f"{archive.name} has {name} = {str(arrays[name])!r}; {expected!r} is read.", LAYOUT_HINT)
    root = _member(archive, arrays, "root_pos", (None, 3), "f").astype(np.float32)
    rotations = _member(archive, arrays, "quats", (len(root), skeleton.joint_count, 4), "f").astype(np.float32)
    norms = np.linalg.norm(rotations, axis=-1, keepdims=True)
    if len(root) and not (np.abs(norms - 1) < 0.05).all():
        raise DataMissing(
            f"The member 'quats' of {archive.name} holds quaternions that are not of length one.", LAYOUT_HINT
        )
    fps = float(_member(archive, arrays, "fps", (), "f"))
    if not 1 <= fps <= 1000:
        raise DataMissing(f"{archive.name} says fps = {fps:g}; 1 to 1000 are possible.", LAYOUT_HINT)
    return root, rotations / norms, fps


def read_index(index: Path, frames: int) -> list[Clip]:
    try:
        if index.stat().st_size > MAX_INDEX_BYTES:
            raise DataMissing(
                f"{index.name} has {index.stat().st_size / 2**20:.0f} MiB; {MAX_INDEX_BYTES / 2**20:.0f} are read.",
                LAYOUT_HINT,
            )
        with index.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DataMissing(f"{index.name} lacks the columns {', '.join(missing)}.", LAYOUT_HINT)
            rows = list(reader)
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise DataMissing(f"{index.name} cannot be read as a table: {error}.", LAYOUT_HINT) from None
    clips = []
    for number, row in enumerate(rows, start=2):
        try:
            start, stop = int(row["start"]), int(row["stop"])
        except (TypeError, ValueError):
            raise DataMissing(
                f"Line {number} of {index.name}: start and stop must be whole numbers; "
                f"got {row['start']!r} and {row['stop']!r}."
            ) from None
        if not 0 <= start < stop <= frames:
            raise DataMissing(f"Line {number} of {index.name}: frames {start} to {stop} are outside 0 to {frames}.")
        if len(row["action"] or "") > MAX_NAME or not str(row["action"]).isprintable():
            raise DataMissing(f"Line {number} of {index.name}: an action's name is one line of {MAX_NAME} characters.")
        captions = captions_in(row.get("text") or "")
        clips.append(Clip(str(row["split"]), str(row["action"]), str(row.get("subject") or ""), start, stop, captions))
    return clips
