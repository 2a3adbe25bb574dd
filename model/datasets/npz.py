"""Motion capture of any skeleton from a folder with ``clips.npz`` and ``index.csv``.

``clips.npz``: root_pos (N, 3) metres, quats (N, J, 4) local wxyz, joint_names, parents, offsets (J, 3) metres, fps, and
optionally end_names / end_parents / end_offsets (fixed points; those named toe become the toes' tips); y up.
``index.csv``: one row per clip with at least split, action, start, stop (frames); subject where known; text, what the
clip shows in words, several captions one per line.
Training windows come from split ``train`` only, held-out windows from split ``test`` only.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.config import Options, digest
from core.errors import DataMissing, InvalidConfig
from core.rotations import Array
from core.typedpaths import typed_path
from model.datasets import npz_files as files
from model.datasets.base import WINDOW_FPS, WINDOW_FRAMES, Dataset, Split, slerp_near
from model.datasets.captions import unique_captions

SPLITS: Mapping[Split, str] = {"train": "train", "held-out": "test"}


class WindowOptions(Options):
    """How windows are cut; what is left at its default is not written, so that configs of before stay what they are."""

    frames: int = Field(
        WINDOW_FRAMES, ge=20, le=196, exclude_if=lambda frames: frames == WINDOW_FRAMES, title="Frames per window",
        description="Clips shorter than a window are left out.",
    )  # fmt: skip
    fps: float = Field(
        WINDOW_FPS, ge=5, le=60, exclude_if=lambda fps: fps == WINDOW_FPS, title="Frames per second",
        description="Of the windows; the data are interpolated.",
    )  # fmt: skip

    @property
    def seconds(self) -> float:
        """From a window's first frame to its last."""
        return (self.frames - 1) / self.fps


class NpzOptions(WindowOptions):
    path: str = Field(
        "", title="Path", description="Folder with clips.npz and index.csv, or the npz file beside its index.csv."
    )
    mirror: bool = Field(
        True, title="Mirror images", description="Show every second window as its left-right mirror image."
    )


def build(options: NpzOptions) -> Dataset:
    """The data set.

    Raises:
        InvalidConfig: without a path.
        DataMissing: when files are not there or not in the layout.
    """
    if not options.path.strip():
        raise InvalidConfig(
            "The data set 'npz' needs a path.", "Give a folder with clips.npz and index.csv.", "data.options.path"
        )
    archive, index = files.locate(typed_path(options.path))
    arrays = files.load(archive)
    skeleton = files.skeleton(archive, arrays)
    root, rotations, fps = files.motion(archive, arrays, skeleton)
    listed = files.read_index(index, len(root))
    _keep_subjects_apart(index, listed)
    clips = [clip for clip in listed if (clip.stop - 1 - clip.start) / fps >= options.seconds]
    actions = _actions(index, clips, options.seconds)
    if options.mirror and skeleton.mirror is None:
        raise InvalidConfig(
            f"The joints of {archive.name} do not pair left with right by name, so windows cannot be mirrored.",
            "Switch mirror images off.",
            "data.options.mirror",
        )
    used = [clip for clip in clips if clip.action in actions and clip.split in SPLITS.values()]
    captions = unique_captions((text for clip in used for text in clip.captions), mirror=options.mirror)
    train, test = (", ".join(_subjects(used, split)) or "not named" for split in ("train", "test"))
    content = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (archive, index)]
    return Dataset(
        name="npz",
        skeleton=skeleton,
        class_names=actions,
        digest=digest(["npz-1", content, options.mirror, *_unusual(options)]),
        card={
            "title": f"Motion capture from {archive.parent.name}/{archive.name}",
            "source": "A file of yours; see what came with it for its source.",
            "licence": "As given by the file's source.",
            "clips": len(used),
            "seconds": round(sum(c.stop - c.start for c in used) / fps, 1),
            "classes": list(actions),
            "split": (
                "By subject, as in index.csv: training windows from split train "
                f"(subjects {train}), held-out windows from split test (subjects {test}); split val is left alone."
            ),
            "notes": [
                f"Windows of {options.frames} frames at {options.fps:g} fps, interpolated from {fps:g} fps.",
                f"Actions with a window in both splits only; clips under {options.seconds:g} s are left out "
                f"({len(listed) - len(clips)} of {len(listed)}).",
                "Held-out subjects move differently: a perfect copy of the training set scores above the FID floor.",
            ],
        },
        clips=_Recordings(root, rotations, fps, actions, used, options, captions),
        mirror=options.mirror,
        fps=options.fps,
        frames=options.frames,
        captions=captions,
    )


def _unusual(options: WindowOptions) -> list[float]:
    """What a digest has to tell of windows that are not cut as by default."""
    usual = (options.frames, options.fps) == (WINDOW_FRAMES, WINDOW_FPS)
    return [] if usual else [options.frames, options.fps]


class _Recordings:
    """Windows at any fractional start inside the index's clips."""

    def __init__(
        self, root: Array, rotations: Array, fps: float, actions: Sequence[str], clips: Sequence[files.Clip],
        window: WindowOptions, captions: Sequence[str],
    ) -> None:  # fmt: skip
        self._root, self._rotations, self._fps, self._window = root, rotations, fps, window
        self._starts: dict[tuple[str, int], tuple[Array, Array]] = {}
        self._said: dict[tuple[str, int], list[NDArray[np.int64]]] = {}
        at = {text: i for i, text in enumerate(captions)}
        for split in SPLITS.values():
            for label, action in enumerate(actions):
                mine = [c for c in clips if c.split == split and c.action == action]
                first = np.array([c.start for c in mine], dtype=np.float64)
                room = np.array([c.stop - 1 - c.start - window.seconds * fps for c in mine], dtype=np.float64)
                self._starts[split, label] = (first, np.maximum(room, 0.0))
                self._said[split, label] = [np.array([at[t] for t in c.captions] or [-1], np.int64) for c in mine]

    def cut(self, split: Split, labels: NDArray[np.int64], where: Array) -> tuple[Array, Array]:
        start = np.empty(len(labels))
        for label in np.unique(labels):
            rows = labels == label
            start[rows] = self._found(split, int(label), where[rows])[1]
        frame = start[:, None] + np.arange(self._window.frames) * (self._fps / self._window.fps)
        left = np.minimum(np.floor(frame + 1e-9).astype(np.int64), len(self._root) - 1)
        weight = (frame - left).clip(0.0).astype(np.float32)
        right = np.minimum(left + (weight > 1e-6), len(self._root) - 1)
        root = self._root[left] + weight[..., None] * (self._root[right] - self._root[left])
        return root, slerp_near(self._rotations[left], self._rotations[right], weight[..., None])

    def captions(self, split: Split, labels: NDArray[np.int64], where: Array, which: Array) -> NDArray[np.int64]:
        captions = np.empty(len(labels), np.int64)
        for label in np.unique(labels):
            rows = labels == label
            said = self._said[SPLITS[split], int(label)]
            clips = self._found(split, int(label), where[rows])[0]
            captions[rows] = [said[c][int(w * len(said[c]))] for c, w in zip(clips, which[rows], strict=True)]
        return captions

    def _found(self, split: Split, label: int, where: Array) -> tuple[NDArray[np.int64], Array]:
        """Clip of a class (N,) and first frame (N,), fractional, of the windows at ``where`` (N,)."""
        first, room = self._starts[SPLITS[split], label]
        ends = np.cumsum(room + 1.0)  # one frame more, so that a clip as long as a window is drawn too
        at = where * ends[-1]
        clip = np.minimum(np.searchsorted(ends, at, side="right"), len(ends) - 1)
        start: Array = first[clip] + np.minimum(at - (ends[clip] - room[clip] - 1.0), room[clip])
        return clip, start


def _subjects(clips: Sequence[files.Clip], split: str) -> list[str]:
    found = {clip.subject for clip in clips if clip.split == split and clip.subject}
    return sorted(found, key=lambda subject: (len(subject), subject))


def _keep_subjects_apart(index: Path, clips: Sequence[files.Clip]) -> None:
    shared = set(_subjects(clips, "train")) & set(_subjects(clips, "test"))
    if shared:
        raise DataMissing(
            f"{index.name} puts the subjects {', '.join(sorted(shared))} into both train and test.",
            "Every subject belongs to one split.",
        )


def _actions(index: Path, clips: Sequence[files.Clip], window_s: float) -> tuple[str, ...]:
    train, test = ({c.action for c in clips if c.split == split} for split in ("train", "test"))
    actions = tuple(sorted(train & test))
    if not actions:
        raise DataMissing(
            f"{index.name} has no action with a clip of {window_s:g} s or more in both splits, train and test.",
            files.LAYOUT_HINT,
        )
    return actions
