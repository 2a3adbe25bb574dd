"""What the motions of a data set are like, by class: what curves and filters are to be compared with."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.artefacts import measure
from core.motion import Motion

MOST_CLIPS = 24  # of a class that are measured
MOST_FRAMES = 600  # of a clip


def statistics(motions: Sequence[tuple[str, Motion]]) -> dict[str, dict[str, Any]]:
    """By class: clips, seconds, mean joint speed (m/s), penetration (mm), skate (m/s) and jerk (m/s^3).

    Artefacts are means over the first seconds of some clips of each class.
    """
    by_label: dict[str, list[Motion]] = defaultdict(list)
    for label, motion in motions:
        by_label[label].append(motion)
    return {label: _class(mine) for label, mine in sorted(by_label.items())}


def _class(motions: Sequence[Motion]) -> dict[str, Any]:
    rows, weights = [], []
    for motion in motions[:: max(1, -(-len(motions) // MOST_CLIPS))]:
        cut = Motion(
            motion.skeleton, motion.root_position_m[:MOST_FRAMES], motion.local_rotations_wxyz[:MOST_FRAMES], motion.fps
        )
        if len(cut) < 4:
            continue
        found = measure(cut)
        speed = np.linalg.norm(np.diff(cut.world()[0], axis=0), axis=-1).mean() * cut.fps
        rows.append((float(speed), found.penetration_mm, found.skate_m_s, found.jerk_m_s3))
        weights.append(len(cut))
    mean = np.average(rows, axis=0, weights=weights) if rows else np.zeros(4)
    names = ("speed_m_s", "penetration_mm", "skate_m_s", "jerk_m_s3")
    return {"clips": len(motions), "seconds": round(sum(motion.seconds for motion in motions), 2)} | {
        name: round(float(value), 4) for name, value in zip(names, mean, strict=True)
    }
