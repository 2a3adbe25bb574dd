"""What the correctors do to held-out real windows and to windows that were broken on purpose.

    python -m benchmarks.physics [--json] [--windows 30] [--cmu FOLDER]

Bounds come from 256 training windows, the test windows from the held-out split. "from clean" is the mean joint distance
to the window before it was broken. One thread; CPU seconds.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (the number of threads is read at import)

from core import rotations as R  # noqa: E402
from core.motion import MotionBatch  # noqa: E402
from core.protocols import Reference, Tick, silent  # noqa: E402
from core.records import Item, count_statuses  # noqa: E402
from corrector.registry import CORRECTORS  # noqa: E402
from corrector.report import moved_m  # noqa: E402
from model.datasets.registry import DATASETS  # noqa: E402

TRAINING_WINDOWS = 256
ARMS: dict[str, tuple[str, dict[str, Any], bool]] = {  # kind, options, with bounds of the data set
    "kinematic": ("kinematic", {}, True),
    "kinematic, class-free": ("kinematic", {}, False),
    "physics, minimal": ("physics", {}, True),
    "physics, moved": ("physics", {"simulate": "moved"}, True),
    "physics, full": ("physics", {"mode": "full"}, True),
}


class KeptInMemory:
    """A memo for one process."""

    def __init__(self) -> None:
        self._kept: dict[str, Item] = {}

    def get(self, key: str, compute: Callable[[], Item], tick: Tick = silent) -> Item:
        del tick
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


def broken(clean: MotionBatch) -> dict[str, MotionBatch]:
    """The clean windows, and five ways to break them."""
    rng = np.random.default_rng(5)
    root, rotations = clean.root_position_m, clean.local_rotations_wxyz
    direction = rng.normal(size=(len(clean), 2))
    direction *= 0.3 / np.linalg.norm(direction, axis=1, keepdims=True)
    slid = root.copy()
    slid[..., [0, 2]] += direction[:, None] * (np.arange(clean.frames) / clean.fps)[:, None]
    noise = R.rotvec_to_unitquat(rng.normal(0, 0.1, (*rotations.shape[:-1], 3)))
    return {
        "clean": clean,
        "jitter .1 rad 3 cm": replace(
            clean,
            root_position_m=root + rng.normal(0, 0.03, root.shape),
            local_rotations_wxyz=R.multiply(rotations, noise),
        ),
        "slide .3 m/s": replace(clean, root_position_m=slid),
        "5 cm low": replace(clean, root_position_m=root - np.array([0.0, 0.05, 0.0])),
        "5 cm high": replace(clean, root_position_m=root + np.array([0.0, 0.05, 0.0])),
    }


def measure(windows: int, dataset: str, options: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per arm and way to break."""
    part = DATASETS[dataset]
    data = part.build(part.options(**options))
    reference = Reference(data.train(TRAINING_WINDOWS), data.digest, KeptInMemory())
    clean = data.held_out(windows)
    clean = replace(clean, root_position_m=clean.root_position_m.astype(np.float64))
    rows = []
    for arm, (kind, arm_options, bounded) in ARMS.items():
        entry = CORRECTORS[kind]
        corrector = entry.build(entry.options(**arm_options), reference if bounded else None)
        warm = broken(clean)["jitter .1 rad 3 cm"].take([0])
        corrector.correct(warm)  # learns bounds and dead zone, builds the body
        for name, motions in broken(clean).items():
            began = time.process_time()
            result = corrector.correct(motions)
            seconds = (time.process_time() - began) / len(motions)
            again = corrector.correct(result.samples)
            outcomes = [outcome.as_dict() for outcome in result.outcomes]
            after = [o["after"] for o in outcomes if o["after"]]
            rows.append(
                {
                    "data": dataset,
                    "corrector": arm,
                    "input": name,
                    "moved_mm": 1e3 * float(moved_m(motions, result.samples).mean()),
                    "second_pass_mm": 1e3 * float(moved_m(result.samples, again.samples).mean()),
                    "from_clean_before_mm": 1e3 * float(moved_m(clean, motions).mean()),
                    "from_clean_after_mm": 1e3 * float(moved_m(clean, result.samples).mean()),
                    "cpu_s_per_window": seconds,
                    "residual_force_bw": float(np.mean([o["residual_force_bw"] for o in outcomes])),
                    **{name: float(np.mean([a[name] for a in after])) for name in (after[0] if after else {})},
                    **count_statuses(outcomes),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--cmu", default="", metavar="FOLDER", help="folder with clips.npz and index.csv to test instead"
    )
    arguments = parser.parse_args()
    rows = (
        measure(arguments.windows, "npz", {"path": arguments.cmu})
        if arguments.cmu
        else measure(arguments.windows, "deepmimic", {})
    )
    if arguments.json:
        print(json.dumps(rows, indent=1))
        return
    print(
        f"{'corrector':22} {'input':19} {'moved':>6} {'2nd':>5} {'from clean mm':>15} {'ms CPU':>7} {'force':>6} "
        f"{'pen mm':>7} {'skate':>6} {'jerk':>6}  corrected/unchanged/rejected"
    )
    for row in rows:
        print(
            f"{row['corrector']:22} {row['input']:19} {row['moved_mm']:6.1f} {row['second_pass_mm']:5.1f} "
            f"{row['from_clean_before_mm']:7.1f}->{row['from_clean_after_mm']:6.1f} "
            f"{1e3 * row['cpu_s_per_window']:7.1f} "
            f"{row['residual_force_bw']:6.2f} {row.get('penetration_mm', 0):7.1f} {row.get('skate_m_s', 0):6.2f} "
            f"{row.get('jerk_m_s3', 0):6.0f}  {row['corrected']}/{row['unchanged']}/{row['rejected']}"
        )


if __name__ == "__main__":
    main()
