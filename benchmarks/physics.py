"""What the physics corrector does: whole clips through the full simulation, broken clips, the audit of its minimal form
on windows, other correctors beside it, determinism across processes, and speed.

    python -m benchmarks.physics [--json] [--only deepmimic,audit] [--cmu FOLDER] [--processes 4] [--quick]

Speed is motion seconds per CPU second of the corrector's process, one thread; only the scaling over processes is by the
clock, and says nothing where other work runs beside it. Distances are mean joint distances.
"""

import argparse
import hashlib
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import numpy as np  # noqa: E402  (the number of threads is read at import)

from benchmarks._clips import BROKEN, CMU, as_batch, broken, cmu_clips, measure  # noqa: E402
from benchmarks._tables import print_tables  # noqa: E402
from core.config import PartConfig  # noqa: E402
from core.memory import MemoryMemo  # noqa: E402
from core.motion import Motion, MotionBatch  # noqa: E402
from core.protocols import Corrector, Reference  # noqa: E402
from core.records import count_statuses  # noqa: E402
from corrector import audit as audits  # noqa: E402
from corrector.features import window_artefacts  # noqa: E402
from corrector.registry import CORRECTORS  # noqa: E402
from corrector.report import moved_m, precise  # noqa: E402
from model.datasets import deepmimic  # noqa: E402
from model.datasets.base import Dataset  # noqa: E402
from model.datasets.registry import DATASETS  # noqa: E402

PARTS = ("deepmimic", "cmu", "perturbed", "audit", "arms", "deterministic", "scaling")
TRAINING_WINDOWS = 256
HELD_OUT_DRAW = 4  # 0 is the evaluator's reference, 1 to 3 are its floors
ARMS: dict[str, tuple[str, dict[str, Any], bool]] = {  # kind, options, with bounds of the data set
    "kinematic": ("kinematic", {}, True),
    "kinematic, class-free": ("kinematic", {}, False),
    "physics, minimal": ("physics", {}, True),
    "physics, moved": ("physics", {"simulate": "moved"}, True),
    "physics, full": ("physics", {"mode": "full"}, True),
}
ARM_INPUTS = ("real", "jitter-0.1", "slide-0.3", "low-0.05", "high-0.05")
FULL = {"mode": "full"}

Say = Callable[[str], None]


def build(kind: str, options: dict[str, Any], reference: Reference | None = None) -> Corrector:
    part = CORRECTORS[kind]
    corrector: Corrector = part.build(part.options(**options), reference)
    return corrector


@cache
def dataset(folder: str) -> Dataset:
    """The DeepMimic clips, or those of a folder."""
    part = DATASETS["npz" if folder else "deepmimic"]
    data: Dataset = part.build(part.options(**({"path": folder} if folder else {})))
    return data


@cache
def reference(folder: str, windows: int) -> Reference:
    data = dataset(folder)
    return Reference(data.train(windows), f"{data.digest}-{windows}", memo())


@cache
def memo() -> MemoryMemo:
    """What was learned once in this process."""
    return MemoryMemo()


# --- the parts ---


def whole_clips(quick: bool) -> list[Motion]:
    clips = deepmimic.whole_clips()
    return clips[:3] if quick else clips


def perturbed_clips(quick: bool, say: Say) -> dict[str, Any]:
    clips, corrector = whole_clips(quick), build("physics", FULL)
    found = {}
    for name in BROKEN:
        say(f"broken clips, {name}")
        found[name] = measure(corrector, list(broken(clips, name)), clips)
    return found


def audit_windows(folder: str, quick: bool, say: Say, ways: Sequence[str]) -> audits.Audit:
    """The minimal form on held-out windows, judged by the data set's evaluator."""
    from model.evaluator import MotionEvaluator

    data, real = dataset(folder), reference(folder, 60 if quick else TRAINING_WINDOWS)
    judge = MotionEvaluator(data, memo(), lambda fraction, words: say(f"{words} ({100 * fraction:.0f} %)"))
    return audits.audit(
        build("physics", {}, real), judge, real.real, data.held_out(30 if quick else 255, HELD_OUT_DRAW),
        perturbations=ways, tick=lambda fraction, words: say(f"{words} ({100 * fraction:.0f} %)"),
    )  # fmt: skip


def audit_figures(found: audits.Audit) -> dict[str, Any]:
    """FID before and after by input, beside everything else that was measured."""
    real = found.effect("real")
    pairs = {effect.name: list(effect.fid) for effect in found.effects if effect.name != "real"}
    return {
        "windows": found.windows, "floor": found.floor_fid, "real_before": real.fid[0], "real_after": real.fid[1],
        **pairs, "effects": {e.name: e.model_dump(mode="json") for e in found.effects},
        "findings": list(found.findings),
    }  # fmt: skip


def arms(folder: str, windows: int, say: Say) -> list[dict[str, Any]]:
    """One row per corrector and input of ARM_INPUTS."""
    data = dataset(folder)
    inputs = {g.name: g for g in audits.inputs_of(data.held_out(windows, HELD_OUT_DRAW), ("jitter", "slide", "low",
                                                                                          "high"), 0)}  # fmt: skip
    clean, rows = inputs["real"].samples, []
    for arm, (kind, options, bounded) in ARMS.items():
        corrector = build(kind, options, reference(folder, TRAINING_WINDOWS) if bounded else None)
        corrector.correct(inputs["jitter-0.1"].samples.take([0]))  # learns bounds and dead zone, builds the body
        for name in ARM_INPUTS:
            say(f"{arm}, {inputs[name].title}")
            rows.append({"corrector": arm, "input": inputs[name].title, **_arm(corrector, inputs[name].samples, clean)})
    return rows


def _arm(corrector: Corrector, samples: MotionBatch, clean: MotionBatch) -> dict[str, Any]:
    began = time.process_time()
    result = corrector.correct(samples)
    seconds = (time.process_time() - began) / len(samples)
    done, again = precise(result.samples), corrector.correct(result.samples)
    return {
        "moved_mm": 1e3 * float(moved_m(samples, done).mean()),
        "second_pass_mm": 1e3 * float(moved_m(done, precise(again.samples)).mean()),
        "from_clean_before_mm": 1e3 * float(moved_m(clean, samples).mean()),
        "from_clean_after_mm": 1e3 * float(moved_m(clean, done).mean()),
        "cpu_s_per_window": seconds,
        "residual_force_bw": float(np.mean([outcome.residual_force_bw for outcome in result.outcomes])),
        **{name: float(values.mean()) for name, values in window_artefacts(done).items()},
        **count_statuses([outcome.as_dict() for outcome in result.outcomes]),
    }


def fingerprint(quick: bool) -> str:
    """SHA-256 of what the corrector makes of some windows (minimal) and clips (full) in this process."""
    bytes_ = hashlib.sha256()
    windows = dataset("").held_out(4 if quick else 15, HELD_OUT_DRAW)
    corrector = build("physics", {}, reference("", 60))
    for given in audits.inputs_of(windows, ("jitter", "low"), 0):
        _add(bytes_, corrector.correct(given.samples).samples)
    full = build("physics", FULL)
    for clip in whole_clips(True):
        _add(bytes_, full.correct(as_batch(clip)).samples)
    return bytes_.hexdigest()


def _add(bytes_: Any, samples: MotionBatch) -> None:
    for values in (samples.root_position_m, samples.local_rotations_wxyz):
        bytes_.update(np.ascontiguousarray(values, dtype=np.float64).tobytes())


def deterministic(quick: bool) -> bool:
    """Whether two fresh processes make the same bytes."""
    command = [sys.executable, "-m", "benchmarks.physics", "--fingerprint", *(["--quick"] if quick else [])]
    root = Path(__file__).resolve().parents[1]
    found = [subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    return found[0] == found[1] and len(found[0].strip()) == 64


def scaling(processes: Sequence[int], quick: bool, say: Say) -> list[dict[str, Any]]:
    """Times real time by the clock of the full simulation in so many processes, on equal work per process."""
    from corrector.pool import CorrectorPool

    clips = [as_batch(clip) for clip in whole_clips(quick)]
    found = []
    for count in processes:
        say(f"{count} processes")
        work = clips * (1 if quick else 2 * count)
        with CorrectorPool(PartConfig(kind="physics", options=dict(FULL)), count) as pool:
            pool.correct_each(clips[:1] * (2 * count))  # starts the processes, builds their bodies
            began, cpu = time.perf_counter(), _cpu_s(pool.pids)
            pool.correct_each(work)
            wall_s, cpu_s = time.perf_counter() - began, _cpu_s(pool.pids) - cpu
        motion_s = sum(batch.frames / batch.fps for batch in work)
        found.append(
            {
                "processes": count, "realtime_factor": motion_s / wall_s, "per_cpu_s": motion_s / max(cpu_s, 1e-9),
                "wall_s": wall_s, "cpu_s": cpu_s, "cores": os.cpu_count(),
            }
        )  # fmt: skip
    return found


def _cpu_s(pids: Sequence[int]) -> float:
    """CPU seconds of this process and of those given (Linux; others count themselves only)."""
    total, tick = time.process_time(), os.sysconf("SC_CLK_TCK")
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / tick
    return total


# --- all of it ---


def run(only: Sequence[str], cmu: str, processes: Sequence[int], quick: bool, say: Say) -> dict[str, Any]:
    """The document that ``--json`` prints; parts that were left out are null."""
    found: dict[str, Any] = dict.fromkeys(
        ("deepmimic", "cmu_test", "perturbed", "real_moved_mm", "idempotence_mm", "deterministic", "audit", "scaling")
    )
    if "deepmimic" in only:
        found["deepmimic"] = measure(build("physics", FULL), whole_clips(quick), say=say)
    if "cmu" in only and cmu:
        clips = cmu_clips(Path(cmu))
        found["cmu_test"] = measure(build("physics", FULL), clips[:3] if quick else clips, say=say)
    if "perturbed" in only:
        found["perturbed"] = perturbed_clips(quick, say)
    if "audit" in only:
        ways = ("low",) if quick else ("jitter", "slide", "low", "high")
        result = audit_windows("", quick, say, ways)
        real = result.effect("real")
        found |= {"audit": audit_figures(result), "real_moved_mm": real.moved_mm, "idempotence_mm": real.second_pass_mm}
        if cmu and not quick:
            found["cmu_audit"] = audit_figures(audit_windows(cmu, quick, say, ways))
    if "arms" in only:
        found["arms"] = arms("", 30, say)
        if cmu:
            found["cmu_arms"] = arms(cmu, 30, say)
    if "deterministic" in only:
        say("two fresh processes")
        found["deterministic"] = deterministic(quick)
    if "scaling" in only:
        found["scaling"] = scaling(processes, quick, say)
    return found


def finite(value: Any) -> Any:
    """JSON knows neither NaN nor infinities."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, and nothing else")
    parser.add_argument("--only", default="", metavar="PARTS", help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--cmu", default=str(CMU) if CMU.is_dir() else "", metavar="FOLDER",
                        help="folder with clips.npz and index.csv; empty for none")  # fmt: skip
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="scaling over 1 to so many")
    parser.add_argument(
        "--quick", action="store_true", help="a few clips and windows: tests the program, not the product"
    )
    parser.add_argument("--fingerprint", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fingerprint:
        print(fingerprint(arguments.quick))
        return
    default = [p for p in PARTS if p != "arms"] if arguments.quick else list(PARTS)
    only = [part.strip() for part in arguments.only.split(",") if part.strip()] or default
    if unknown := set(only) - set(PARTS):
        parser.error(f"There is no part {sorted(unknown)[0]!r}; choose from {', '.join(PARTS)}.")
    if arguments.cmu and not Path(arguments.cmu).is_dir():
        parser.error(f"There is no folder {arguments.cmu}.")
    if arguments.processes < 1:
        parser.error("--processes is 1 or more.")

    def say(words: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{words[:100]}", end="", file=sys.stderr, flush=True)

    found = run(only, arguments.cmu, range(1, arguments.processes + 1), arguments.quick, say)
    say("")
    print(json.dumps(finite(found), indent=1, allow_nan=False)) if arguments.json else print_tables(found)


if __name__ == "__main__":
    main()
