"""The IDX files that MNIST comes in (LeCun et al. 1998), read by numpy alone; gzipped or not."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import DataMissing

BYTES = 0x08  # the only type code that MNIST uses
MOST_VALUES = 2**28  # a header that promises more is no MNIST file


def read_idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """The array of unsigned bytes in an IDX file.

    Args:
        axes: how many the array must have: 3 for images (N, height, width), 1 for labels (N,).

    Raises:
        DataMissing: naming the file, when it cannot be read or is not such a file.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(MOST_VALUES + 4 + 4 * axes + 1)  # a gzipped file may unpack to a thousand times its size
    except (OSError, EOFError, zlib.error) as error:
        raise DataMissing(f"{path} cannot be read: {str(error) or type(error).__name__}.", _HINT) from None
    if len(data) < 4 + 4 * axes:
        raise DataMissing(f"{path} is truncated: {len(data)} bytes are less than its header.", _HINT)
    zeros, kind, count = struct.unpack(">HBB", data[:4])
    if (zeros, kind, count) != (0, BYTES, axes):
        raise DataMissing(
            f"{path} begins with {data[:4].hex()}; an IDX file of bytes with {axes} axes begins with "
            f"{struct.pack('>HBB', 0, BYTES, axes).hex()}.",
            _HINT,
        )
    sizes = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    wanted, found = math.prod(sizes), len(data) - 4 - 4 * axes
    if wanted != found or wanted > MOST_VALUES:
        state = "truncated" if found < wanted else "not what its header says"
        raise DataMissing(f"{path} is {state}: {list(sizes)} are {wanted} bytes, {found} follow.", _HINT)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(sizes)


_HINT = "Get the four MNIST files again, e.g. train-images-idx3-ubyte.gz, and give their folder as path."
