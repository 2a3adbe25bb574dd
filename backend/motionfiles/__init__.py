"""Motion files in and out: BVH and the product's own NPZ. Whatever is wrong with a file becomes an InvalidMotion that
names the file and the place; a library's traceback never reaches a person."""

from pathlib import Path

from backend.motionfiles.bvh import decode_bvh, encode_bvh
from backend.motionfiles.npz import decode_npz, encode_npz
from backend.motionfiles.source import MAX_BYTES, MAX_FRAMES, MotionFile, Unit, shown
from core.errors import InvalidMotion
from core.motion import Motion

__all__ = ["SUFFIXES", "MotionFile", "Unit", "read_motion", "read_motion_file", "write_motion"]

SUFFIXES = (".bvh", ".npz")
ADVICE = {
    ".fbx": "Export it as BVH (Blender: File > Export > Motion Capture).",
    ".glb": "Export it as BVH (Blender: File > Export > Motion Capture).",
    ".pkl": "Pickled files can run code and are not opened; save it as NPZ with named arrays.",
    ".pickle": "Pickled files can run code and are not opened; save it as NPZ with named arrays.",
}


def read_motion(source: str | Path | bytes, name: str = "", *, unit: Unit = "auto") -> Motion:
    """The motion of a file; see :func:`read_motion_file`."""
    return read_motion_file(source, name, unit=unit).motion


def read_motion_file(
    source: str | Path | bytes, name: str = "", *, unit: Unit = "auto", max_frames: int = MAX_FRAMES
) -> MotionFile:
    """Read a BVH or NPZ file.

    Args:
        source: a path, or the file's bytes.
        name: what to call it in messages; by default the path's last part.
        unit: length unit; a BVH file states none, and ``auto`` decides by the body's height; an NPZ file is in metres
            unless it is stated otherwise.
        max_frames: longer motions are refused.

    Raises:
        InvalidMotion: when the file is missing, too large, no motion, or damaged; when its unit must be asked for.
    """
    if isinstance(source, bytes):
        data, name = source, shown(name or "the file")
        if len(data) > MAX_BYTES:
            raise _too_large(name, len(data))
    else:
        path = Path(source)
        name = shown(name or path.name)
        data = _bytes_of(path, name)
    suffix = Path(name).suffix.lower()
    if data[:4] == b"PK\x03\x04":
        return decode_npz(data, name, unit, max_frames)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:9].upper() == b"HIERARCHY" or suffix == ".bvh":
        return decode_bvh(data, name, unit, max_frames)
    if suffix == ".npz":
        raise InvalidMotion(f"{name} is no NPZ file: it does not begin as one.", "It may be cut short or renamed.")
    if data[:1] == b"\x80":
        suffix = ".pkl"
    raise InvalidMotion(
        f"{name} is neither a BVH nor an NPZ motion file.", ADVICE.get(suffix, f"Give one of: {', '.join(SUFFIXES)}.")
    )


def write_motion(motion: Motion, suffix: str) -> bytes:
    """The bytes of a motion file that :func:`read_motion` reads back: ``.bvh`` (metres, ZXY) or ``.npz`` (exact).

    Raises:
        InvalidMotion: for another suffix, or a motion that holds NaN or infinite values.
    """
    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    if suffix.lower() == ".bvh":
        return encode_bvh(motion)
    if suffix.lower() == ".npz":
        return encode_npz(motion)
    raise InvalidMotion(f"Motions cannot be written as {suffix!r}.", f"Choose one of: {', '.join(SUFFIXES)}.")


def _bytes_of(path: Path, name: str) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _too_large(name, size)
        return path.read_bytes()
    except OSError as error:
        raise InvalidMotion(f"{name} cannot be read: {error.strerror or error}.", "Check the path.") from error


def _too_large(name: str, size: int) -> InvalidMotion:
    return InvalidMotion(
        f"{name} is {size / 2**20:.0f} MiB; at most {MAX_BYTES / 2**20:.0f} MiB are read.", "Cut it into shorter takes."
    )
