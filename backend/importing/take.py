"""A take: one recording as an importer gives it, and what no recording of a person can be."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from backend.importing.source import Source
from backend.motionfiles.source import check_metres, check_rate, check_size
from core.errors import InvalidMotion
from core.motion import Motion
from core.protocols import Tick
from core.rotations import Array

MAX_FRAMES = 6_000_000  # of a data set: 83 hours at 20 fps; HumanML3D has 57, mirror images included
FASTEST_M_S = 15.0  # of the root, in the middle of a take: beyond, the unit is another one
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Take:
    """One recording.

    Attributes:
        name: of its file, relative to what was imported, without suffix; unique.
        motion: y up, metres.
        label: class, as the format itself says it; "" where it does not.
        subject: who moves; "" where nobody says.
        split: ``train``, ``val`` or ``test`` as the source says; "" where it does not.
        texts: descriptions.
        notes: what was assumed or changed, in words that fit other takes too.
        recording: what parts and mirror images of one recording share, so that they stay in one split; "" where the
            take is one of its own.
    """

    name: str
    motion: Motion
    label: str = ""
    subject: str = ""
    split: str = ""
    texts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    recording: str = ""

    @property
    def whole(self) -> str:
        """What no split divides: the recording, or the take itself."""
        return self.recording or self.name


@dataclass(frozen=True)
class Importer:
    """A format.

    Attributes:
        title, description: for people.
        recognize: whether a source is of this format; looks at names and first bytes only.
        files: those of a source that are one recording each, or hold recordings.
        read: the takes of one such file. Raises InvalidMotion or DataMissing naming file and frame.
        grounded: whether its floor is y = 0 by definition, so that a body above it climbs.
    """

    title: str
    description: str
    recognize: Callable[[Source], bool]
    files: Callable[[Source], list[str]]
    read: Callable[[Source, str, "Reading"], list[Take]]
    grounded: bool = False


@dataclass
class Reading:
    """What is carried from file to file of one source.

    Attributes:
        unit: of length, where the format does not say.
        frames: read so far.
        notes: how many takes each was made for.
        lists: of names, by the file that they are from.
        ways: of the root against its bones, by number of features (see :func:`backend.importing.features.stepped`).
        left_out: files that hold no recording, or a broken one that is known, in words.
    """

    tick: Tick
    unit: str = "auto"
    frames: int = 0
    notes: dict[str, int] = field(default_factory=dict)
    lists: dict[str, frozenset[str]] = field(default_factory=dict)
    ways: dict[int, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def took(self, take: Take) -> Take:
        """The take, counted.

        Raises:
            InvalidMotion: when it can be no recording of a person, or all together are too long.
        """
        check(take)
        self.frames += len(take.motion)
        if self.frames > MAX_FRAMES:
            raise InvalidMotion(
                f"Up to {take.name} there are more than {MAX_FRAMES:,} frames.", "Import a part of it at a time."
            )
        for note in take.notes:
            self.notes[note] = self.notes.get(note, 0) + 1
        return take


def check(take: Take) -> None:
    """Refuse what is no motion of a person in metres.

    Raises:
        InvalidMotion: naming the file and the frame.
    """
    motion, name = take.motion, take.name
    check_size(len(motion), motion.skeleton.joint_count, name)
    check_rate(motion.fps, len(motion), name)
    check_finite(motion.root_position_m, name, "a position")
    check_finite(motion.local_rotations_wxyz, name, "a rotation")
    check_metres(motion.skeleton.stature_m, "auto", name)
    speed = np.linalg.norm(np.diff(motion.root_position_m, axis=0), axis=-1) * motion.fps
    if len(speed) and float(np.median(speed)) > FASTEST_M_S:
        raise InvalidMotion(
            f"{name}, frame {int(speed.argmax())}: the body moves at {np.median(speed):.0f} m/s in the median; the "
            "positions are in no metres.",
            "Bring them to metres first; centimetres are the usual cause.",
        )


def check_finite(values: Array, name: str, what: str) -> None:
    """Refuse NaN and infinite values (T, ...).

    Raises:
        InvalidMotion: naming file and frame.
    """
    wrong = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(1))
    if len(wrong):
        raise InvalidMotion(
            f"{name}, frame {wrong[0]}: {what} is NaN or infinite.",
            "Mend it, or leave out files that cannot be read (--skip-bad, or the tick on the Data page).",
        )
