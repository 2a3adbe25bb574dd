"""Per-frame tracks as people are shown them, in the viewer's strip and in the report."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.motion import Motion, batch_of


def stance_of_motion(motion: Motion) -> NDArray[np.bool_]:
    """(T, F) whether a foot stands, see :func:`corrector.contacts.stance_of`; never in a motion that holds NaN."""
    from corrector.contacts import stance_of

    if not (np.isfinite(motion.root_position_m).all() and np.isfinite(motion.local_rotations_wxyz).all()):
        return np.zeros((len(motion), len(motion.skeleton.feet)), dtype=bool)
    with np.errstate(over="ignore", invalid="ignore"):
        stance: NDArray[np.bool_] = stance_of(batch_of([motion]))[0]
    return stance


def track_of(tracks: Mapping[str, NDArray[Any]], names: Sequence[str], frames: int) -> NDArray[np.float64] | None:
    """The first of the named (T,) tracks that is there, has a value per frame and is not zero throughout."""
    for name in names:
        track = np.asarray(tracks.get(name, ()), dtype=np.float64)
        if track.shape == (frames,) and np.nan_to_num(track).any():
            return np.nan_to_num(track, posinf=0.0, neginf=0.0)
    return None
