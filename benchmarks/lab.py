"""Time per loop-generation of the Lab's light domains, against a plain NumPy / scikit-learn loop over the same grid.

python -m benchmarks.lab [--json] [--quick] [--only gaussian,regression]

A loop-generation is one generation of one seed of one grid point: draw, (correct,) fit, measure. Ours runs all seeds of
a grid point at once (core.loop.run_loop, in process); the plain loop runs one seed after another and does the same
things. Both are timed over whole runs in this process, one thread, setting up left out; their headline metric at the
last generation must agree.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (the number of threads is read at import)

from app.console import print_table, print_text  # noqa: E402
from backend.parts import build_run, check, read_config  # noqa: E402
from benchmarks._plainloops import LOOPS  # noqa: E402
from core.config import LoopConfig  # noqa: E402
from core.loop import run_loop  # noqa: E402
from core.memory import MemoryMemo, MemoryShelf  # noqa: E402

GAMMAS = (0.0, 0.1, 0.3, 1.0, 5.0)
FEW = 4.0  # standard errors that the two may differ by


@dataclass(frozen=True)
class Case:
    """A grid: its points as plain configs, the metric that must agree, and how many seeds the plain loop runs."""

    points: tuple[dict[str, Any], ...]
    metric: str
    plain_seeds: int


def cases(quick: bool) -> dict[str, Case]:
    """By name; ``quick``: fewer seeds and generations, to test the program."""
    size = {"generations": 4 if quick else 49}
    seeds = 20 if quick else 1000
    few = {**size, "replicates": 20 if quick else 100}
    toy = {
        "domain": "gaussian", "n": 50, "data": {"kind": "normal", "options": {"d": 2}},
        "policy": {"kind": "augment", "options": {"lam": 0.5, "source": "all past"}},
    }  # fmt: skip
    rejection = [{"kind": "idealized", "options": {"gamma": gamma, "form": "rejection"}} for gamma in GAMMAS]
    return {
        "gaussian": Case(({"domain": "gaussian", "n": 100, **size, "replicates": seeds},), "spread", 20),
        "gaussian-gamma": Case(tuple({**toy, **few, "corrector": corrector} for corrector in rejection), "w2", 4),
        "regression": Case(({"domain": "regression", "n": 100, **size, "replicates": seeds},), "test_error", 20),
        "kde": Case(({"domain": "kde", "n": 200, **few},), "sliced_w2", 10),
        "gmm": Case(({"domain": "gmm", "n": 1000, **few},), "sliced_w2", 6),
    }


def run(names: Sequence[str], quick: bool) -> dict[str, dict[str, Any]]:
    """Times and their ratio by case."""
    chosen = cases(quick)
    return {name: compare(LOOPS[name], chosen[name]) for name in names}


def compare(plain: Any, case: Case) -> dict[str, Any]:
    """Both sides of one case."""
    configs = [check(read_config(point)) for point in case.points]
    ours, ours_cpu, ours_wall, last = 0, 0.0, 0.0, list[np.ndarray]()
    for config in configs:
        cpu, wall, values = ours_of(config, case.metric)
        ours, ours_cpu, ours_wall = (
            ours + config.replicates * (config.generations + 1),
            ours_cpu + cpu,
            ours_wall + wall,
        )
        last.append(values)
    theirs, plain_cpu, plain_wall, figures = 0, 0.0, 0.0, list[np.ndarray]()
    for config in configs:
        once = config.model_copy(update={"generations": 0})
        plain(once, np.random.default_rng(1))  # imports and first calls
        finals: list[float] = []
        for seed in range(case.plain_seeds):
            cpu, wall = time.process_time(), time.perf_counter()
            finals.append(plain(config, np.random.default_rng(seed))[case.metric])
            plain_cpu, plain_wall = plain_cpu + time.process_time() - cpu, plain_wall + time.perf_counter() - wall
            theirs += config.generations + 1
            cpu, wall = time.process_time(), time.perf_counter()
            plain(once, np.random.default_rng(seed))  # setting up and generation 0, which are not compared
            plain_cpu, plain_wall = plain_cpu - time.process_time() + cpu, plain_wall - time.perf_counter() + wall
            theirs -= 1
        figures.append(np.array(finals))
    agrees = [apart(a, b) <= FEW for a, b in zip(last, figures, strict=True)]
    return {
        "loops": sum(config.replicates for config in configs),
        "generations": configs[0].generations,
        "us": round(1e6 * ours_cpu / ours, 2),
        "plain_us": round(1e6 * plain_cpu / theirs, 1),
        "ratio": round(plain_cpu / theirs / (ours_cpu / ours), 1),
        "wall_ratio": round(plain_wall / theirs / (ours_wall / ours), 1),
        "metric": case.metric,
        "value": [round(float(a.mean()), 4) for a in last],
        "plain_value": [round(float(b.mean()), 4) for b in figures],
        "agrees": all(agrees),
    }


def ours_of(config: LoopConfig, metric: str) -> tuple[float, float, np.ndarray]:
    """CPU and wall seconds of a run, and the metric of all seeds at its last generation."""
    memo = MemoryMemo()
    warm = build_run(config.model_copy(update={"generations": 0}), shelf=MemoryShelf(), memo=memo)
    list(run_loop(warm))  # imports, tables and real data
    shelf = MemoryShelf()
    live = build_run(config, shelf=shelf, memo=memo)
    cpu, wall = time.process_time(), time.perf_counter()
    for record in run_loop(live):
        for t, name in list(shelf.items):
            if t < record.index and name not in ("raw", "model", "metrics") and not name.startswith("corrected-"):
                del shelf.items[t, name]  # panels of the past would only fill the memory
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return cpu, wall, np.array(shelf.load(config.generations, "metrics").meta["traces"][metric], np.float64)


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Difference of means in standard errors."""
    error = math.hypot(a.std(ddof=1) / math.sqrt(len(a)), b.std(ddof=1) / math.sqrt(len(b)))
    return abs(float(a.mean() - b.mean())) / error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, and nothing else")
    parser.add_argument("--only", default="", metavar="CASES", help=f"some of {', '.join(LOOPS)}")
    parser.add_argument("--quick", action="store_true", help="few seeds and generations: tests the program only")
    arguments = parser.parse_args()
    names = [name.strip() for name in arguments.only.split(",") if name.strip()] or list(LOOPS)
    if unknown := set(names) - set(LOOPS):
        parser.error(f"There is no case {sorted(unknown)[0]!r}; choose from {', '.join(LOOPS)}.")
    found = run(names, arguments.quick)
    if arguments.json:
        print(json.dumps(found, indent=1, allow_nan=False))
        return
    rows = [
        (
            name, row["loops"], row["generations"], row["us"], row["plain_us"], f"{row['ratio']:g}x",
            f"{row['wall_ratio']:g}x", row["metric"], " ".join(map(str, row["value"])),
            " ".join(map(str, row["plain_value"])), "yes" if row["agrees"] else "NO",
        )
        for name, row in found.items()
    ]  # fmt: skip
    columns = ("", "loops", "generations", "us CPU", "plain us CPU", "CPU", "wall", "metric", "ours", "plain", "agree")
    print_table(columns, rows, title="Time per loop-generation, one thread each")
    print_text("ours: all seeds of a grid point at once; plain: NumPy, SciPy and scikit-learn, one seed after another.")


if __name__ == "__main__":
    main()
