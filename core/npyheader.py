"""What an array's file claims to be, found out without believing it."""

import math
import tokenize
import zipfile
import zlib
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

UNREADABLE = (
    ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError, OverflowError, EOFError,
)  # fmt: skip
"""What numpy raises for headers that it cannot make sense of."""

DAMAGED = (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, *UNREADABLE)
"""What reading a damaged archive of arrays raises; of text, where it says that names are UTF-8 and they are not."""


class Pickled(ValueError):
    """The array holds Python objects, which would run code when they are loaded."""


def check_packing(info: zipfile.ZipInfo) -> None:
    """Refuse what numpy never writes: LZMA sets aside whatever memory its header asks for.

    Raises:
        BadZipFile: naming the member.
    """
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{info.filename[:80]!r} is neither stored nor deflated, as arrays are")


def claimed(stream: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype in the header of a .npy stream of ``size`` bytes.

    Raises:
        Pickled: when it holds objects.
        ValueError: when there is no such header, or when it claims more than the stream can hold.
    """
    try:
        version = npy.read_magic(stream)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(stream)
    except UNREADABLE as error:
        raise ValueError(f"its header cannot be read ({type(error).__name__})") from None
    if dtype.hasobject:
        raise Pickled("it holds pickled objects")
    if any(isinstance(length, bool) or length < 0 for length in shape):
        raise ValueError(f"no array has the shape {shape}")
    if math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"it says {shape} but holds fewer bytes")
    if math.prod(shape) > size and not dtype.itemsize:
        raise ValueError(f"it says {shape} of nothing")
    return shape, dtype
