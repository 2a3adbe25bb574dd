"""Real handwritten digits, split once and for all: to train on, to judge by, and to know the judge's noise from."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.config import digest
from core.draws import Draws
from core.errors import DataMissing, InvalidConfig
from core.typedpaths import typed_path
from model.digits.idx import read_idx

VERSION = 1  # raise it when the split changes: evaluators and generations 0 are kept by it
CLASSES = 10
TRAIN_PER_CLASS = 100  # of scikit-learn's 174 or more
REFERENCE_SHARE = 0.55  # of what is held out; the rest is for floors
SPLIT_SEED = 1797


@dataclass(frozen=True, eq=False)
class DigitData:
    """Images as rows of pixels in [0, 1], in turn of class 0, 1, ... 9, 0, ...: every beginning is balanced.

    Attributes:
        name: of the data set, in words.
        shape: (height, width) of an image.
        train, reference, spare: (1, N, pixels) draws: to learn from, to judge by, and other held-out ones (floors).
        digest: names the images and the split.
    """

    name: str
    shape: tuple[int, int]
    train: Draws
    reference: Draws
    spare: Draws
    digest: str

    def real(self, count: int) -> Draws:
        """The first ``count`` training images.

        Raises:
            InvalidConfig: when there are not so many.
        """
        if count > len(self.train):
            raise InvalidConfig(
                f"{count} real images were asked for; {self.name} has {len(self.train)} to train on.",
                f"Choose at most {len(self.train)}; the others are held out to judge by.",
                "n",
            )
        return self.train.take(slice(0, count))


@lru_cache(maxsize=1)
def sklearn_digits() -> DigitData:
    """The 1,797 digits of 8 x 8 pixels that scikit-learn brings along (from NIST's forms; Alpaydin & Kaynak 1998)."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    pixels = (images / 16.0).astype(np.float32)
    train, held_out = _split(labels.astype(np.int64), TRAIN_PER_CLASS)
    return _data("The digits of scikit-learn", (8, 8), (pixels, labels.astype(np.int64)), train, held_out, "sklearn")


def mnist(path: str) -> DigitData:
    """MNIST from a folder with its four IDX files; kept in memory until one of them changes.

    Raises:
        DataMissing: naming the file that is missing, truncated or something else.
    """
    folder = typed_path(path)
    if not path or not folder.is_dir():
        raise DataMissing(
            f"There is no folder {path!r} with the files of MNIST.", "Give the folder that holds them as path."
        )
    names = [(f"{split}-images", "idx3") for split in ("train", "t10k")]
    names += [(f"{split}-labels", "idx1") for split in ("train", "t10k")]
    files = tuple(_file(folder, *name) for name in names)
    return _mnist(files, tuple(file.stat().st_mtime for file in files))


@lru_cache(maxsize=2)
def _mnist(files: tuple[Path, ...], stamp: tuple[float, ...]) -> DigitData:
    del stamp
    images, labels = [read_idx(file, 3) for file in files[:2]], [read_idx(file, 1) for file in files[2:]]
    for pictures, classes, file, of in zip(images, labels, files[2:], files[:2], strict=True):
        if len(pictures) != len(classes):
            raise DataMissing(f"{file} has {len(classes)} labels for the {len(pictures)} images of {of.name}.")
        if np.unique(classes).tolist() != list(range(CLASSES)):
            raise DataMissing(f"{file} must have all labels from 0 to 9; it has {np.unique(classes).tolist()[:12]}.")
    if images[0].shape[1:] != images[1].shape[1:]:
        raise DataMissing(f"{files[1]} has images of {images[1].shape[1:]}; {files[0].name} of {images[0].shape[1:]}.")
    height, width = images[0].shape[1:]
    pixels = np.concatenate(images).reshape(-1, height * width)
    every = np.concatenate(labels).astype(np.int64)
    first = len(images[0])
    train, held_out = _in_turn(every[:first]), first + _in_turn(every[first:])
    content = hashlib.sha256(pixels.tobytes() + every.tobytes()).hexdigest()
    scaled = (pixels / np.float32(255)).astype(np.float32)
    return _data("MNIST", (height, width), (scaled, every), train, held_out, content)


def _file(folder: Path, stem: str, kind: str) -> Path:
    """The file as LeCun named it, or with the dot that some copies have; gzipped or not."""
    names = [f"{stem}{mark}{kind}-ubyte{end}" for end in ("", ".gz") for mark in ("-", ".")]
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise DataMissing(f"There is no file {names[0]} (or {names[0]}.gz) in {folder}.", "MNIST has four files.")
    return found[0]


def _split(labels: NDArray[np.int64], train_per_class: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers to train on and held out, in turn of class."""
    order = _in_turn(labels)
    return order[: train_per_class * CLASSES], order[train_per_class * CLASSES :]


def _in_turn(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Row numbers, shuffled by a fixed seed, one of each class in turn; as many of each as the rarest class has."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
    by_class = [order[labels[order] == label] for label in range(CLASSES)]
    count = min(len(rows) for rows in by_class)
    return np.stack([rows[:count] for rows in by_class], axis=1).ravel()


def _data(
    name: str,
    shape: tuple[int, int],
    images: tuple[NDArray[np.float32], NDArray[np.int64]],
    train: NDArray[np.int64],
    held_out: NDArray[np.int64],
    content: str,
) -> DigitData:
    whole = Draws(images[0][None], images[1])
    judged = round(len(held_out) * REFERENCE_SHARE / CLASSES) * CLASSES
    return DigitData(
        name, shape, whole.take(train), whole.take(held_out[:judged]), whole.take(held_out[judged:]),
        digest(["digits", VERSION, content, *shape]),
    )  # fmt: skip
