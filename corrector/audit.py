"""What a corrector does to real motion, to motion broken on purpose and to generated motion, as a distribution too.

The theory asks for a correction that makes samples more likely under the real distribution (Gillman et al. 2024): real
motion is a fixed point, and everything else comes nearer. So every input is measured before and after, at equal n.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from core import rotations as R
from core.errors import InvalidMotion
from core.motion import MotionBatch, nearest_of_class
from core.protocols import Corrections, Corrector, Tick, silent
from core.records import count_statuses, usable
from corrector.findings import findings
from corrector.gamma import Embedding, Gamma, gamma_of
from corrector.perturb import PERTURBATIONS, perturbed
from corrector.report import moved_m, precise

LEAST_WINDOWS = 16
ARTEFACTS = ("penetration", "float", "skate", "jerk")

Group = Literal["real", "perturbed", "generated"]
Pair = tuple[float, float]
"""Before and after."""


class Judge(Protocol):
    """A :class:`core.protocols.Evaluator` that shows its features too."""

    @property
    def reference(self) -> NDArray[np.float64]: ...

    def features(self, samples: Any) -> NDArray[np.float64]: ...

    def measure(self, samples: Any) -> dict[str, float]: ...

    def floor(self, count: int) -> dict[str, list[float]]: ...


@dataclass(frozen=True, eq=False)
class Given:
    """Windows to correct; ``clean``: what they were before they were broken, where that is known."""

    name: str
    title: str
    group: Group
    samples: MotionBatch
    clean: MotionBatch | None = None
    strength: float | None = None


class Effect(BaseModel):
    """What the corrector did to one input. Pairs are before and after; means over all windows unless said otherwise.

    Attributes:
        name, title, group, strength: of the input; the perturbation's strength in its unit.
        windows: how many were measured (windows with NaN are left out).
        kept, untouched, simulated: shares that were not rejected, came back as they were, went through a simulation.
        moved_mm: mean joint distance between input and output of the kept windows; None where none is kept.
        second_pass_mm: the same between output and the output of a second correction.
        from_clean_mm: mean joint distance to the windows before they were broken.
        fid: at equal n; what was rejected counts as it came in.
        energy: distance to the reference that gamma is estimated from, unbiased (:mod:`corrector.gamma`).
        ceiling_fid: of the input with every window replaced by its nearest real training window of its class.
        gamma: strength of the paper's correction that would change the distribution as much.
        penetration_mm, float_mm, skate_m_s, jerk_m_s3: artefacts.
        residual_force_bw, residual_torque_nm: mean over the simulated windows; 0 where there are none.
        cpu_s_per_window, realtime_factor: process CPU seconds of the first pass, and seconds of motion per CPU second.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    title: str
    group: Group
    strength: float | None
    windows: int
    kept: float
    untouched: float
    simulated: float
    moved_mm: float | None
    second_pass_mm: float | None
    from_clean_mm: Pair | None
    fid: Pair
    energy: Pair
    ceiling_fid: float
    gamma: Gamma
    penetration_mm: Pair
    float_mm: Pair
    skate_m_s: Pair
    jerk_m_s3: Pair
    residual_force_bw: float
    residual_torque_nm: float
    cpu_s_per_window: float
    realtime_factor: float


class Audit(BaseModel):
    """A corrector's audit.

    Attributes:
        windows: n of every FID here.
        real_windows: training windows that bounds were learned from and windows were snapped to.
        floor: FID of real held-out windows, one per draw of n.
        effects: real first, then perturbed, then generated.
        findings: what that means, in plain sentences.
    """

    model_config = ConfigDict(frozen=True)

    windows: int
    real_windows: int
    floor: tuple[float, ...]
    effects: tuple[Effect, ...]
    findings: tuple[str, ...] = ()

    @property
    def floor_fid(self) -> float:
        return float(np.mean(self.floor))

    def effect(self, name: str) -> Effect:
        """The effect on the input of that name."""
        return next(effect for effect in self.effects if effect.name == name)


def audit(
    corrector: Corrector,
    judge: Judge,
    real: MotionBatch,
    held_out: MotionBatch,
    *,
    generated: Sequence[Given] = (),
    perturbations: Sequence[str] = tuple(PERTURBATIONS),
    seed: int = 0,
    tick: Tick = silent,
) -> Audit:
    """Measure a corrector.

    Args:
        real: training windows, the ones that the corrector learned from.
        held_out: (n) windows that neither the corrector nor the judge's reference has.
        generated: samples of loops, n each.
        perturbations: names of :data:`corrector.perturb.PERTURBATIONS`, three strengths each.
        seed: of the perturbations, and handed to the corrector.

    Raises:
        InvalidMotion: when an input has fewer than LEAST_WINDOWS windows without NaN.
    """
    inputs = list(inputs_of(held_out, perturbations, seed)) + list(generated)
    tick(0.0, "Measuring the floor")
    floor = judge.floor(len(held_out))["fid"]
    embedding = Embedding.of(judge.reference)
    # What is learned once (bounds, the tracker's error) and built once (the body) is nobody's running cost.
    tick(0.0, "Preparing the corrector")
    corrector.correct(inputs[-1].samples.take([0]), seed=seed, tick=lambda _, words: tick(0.0, words))
    effects = []
    for k, given in enumerate(inputs):

        def part_tick(fraction: float, sentence: str, k: int = k, title: str = given.title) -> None:
            tick((k + fraction) / len(inputs), f"{title} ({k + 1} of {len(inputs)}): {sentence}")

        effects.append(_effect(given, corrector, judge, embedding, real, seed, part_tick))
    found = Audit(windows=len(held_out), real_windows=len(real), floor=tuple(floor), effects=tuple(effects))
    return found.model_copy(update={"findings": tuple(findings(found))})


def inputs_of(held_out: MotionBatch, perturbations: Sequence[str], seed: int) -> Iterator[Given]:
    """The held-out windows, and each perturbation of them at its three strengths."""
    clean = precise(held_out)
    yield Given("real", "Held-out real", "real", clean, clean)
    for name in perturbations:
        way = PERTURBATIONS[name]
        for strength in way.strengths:
            broken = perturbed(clean, name, strength, seed)
            yield Given(f"{name}-{strength:g}", way.words(strength), "perturbed", broken, clean, strength)


def snapped(samples: MotionBatch, real: MotionBatch) -> MotionBatch:
    """Every window replaced by the nearest real one of its class (of any class where there is none), by mean joint
    distance between canonical windows: the most that making single motions valid can give."""
    return real.take(nearest_of_class(samples, real)[0])


def _effect(
    given: Given, corrector: Corrector, judge: Judge, embedding: Embedding, real: MotionBatch, seed: int, tick: Tick
) -> Effect:
    sound = np.flatnonzero(_finite(given.samples))
    if len(sound) < LEAST_WINDOWS:
        raise InvalidMotion(
            f"{given.title}: {len(sound)} of {len(given.samples)} windows are free of NaN.",
            f"An audit needs {LEAST_WINDOWS}.",
        )
    samples = precise(given.samples.take(sound))
    clean = None if given.clean is None else precise(given.clean.take(sound))
    began = time.process_time()
    first = corrector.correct(samples, seed=seed, tick=lambda f, words: tick(0.5 * f, words))
    cpu_s = (time.process_time() - began) / len(samples)
    second = corrector.correct(first.samples, seed=seed, tick=lambda f, words: tick(0.5 + 0.4 * f, f"again, {words}"))
    tick(0.9, "measuring distances")
    kept = usable([outcome.as_dict() for outcome in first.outcomes])
    was, now = judge.measure(samples), judge.measure(first.samples)
    pair = {name: (was.get(name, 0.0), now.get(name, 0.0)) for name in ("fid", *ARTEFACTS)}
    before, after = (embedding.distance(judge.features(each)) for each in (samples, first.samples))
    ceiling = judge.measure(snapped(samples, real))["fid"]
    simulated, force, torque = _simulation(first)
    return Effect(
        name=given.name,
        title=given.title,
        group=given.group,
        strength=given.strength,
        windows=len(samples),
        kept=float(kept.mean()),
        untouched=count_statuses([o.as_dict() for o in first.outcomes])["unchanged"] / len(samples),
        simulated=simulated,
        moved_mm=_mean_mm(moved_m(samples, first.samples), kept),
        second_pass_mm=_mean_mm(moved_m(first.samples, second.samples), kept),
        from_clean_mm=None if clean is None else _distances_mm(clean, samples, first.samples),
        fid=pair["fid"],
        energy=(before.value, after.value),
        ceiling_fid=ceiling,
        gamma=gamma_of(before, after),
        penetration_mm=pair["penetration"],
        float_mm=pair["float"],
        skate_m_s=pair["skate"],
        jerk_m_s3=pair["jerk"],
        residual_force_bw=force,
        residual_torque_nm=torque,
        cpu_s_per_window=cpu_s,
        realtime_factor=samples.frames / samples.fps / max(cpu_s, 1e-9),
    )


def _finite(batch: MotionBatch) -> NDArray[np.bool_]:
    """(N,) whether a window has neither NaN nor infinities."""
    root = np.isfinite(batch.root_position_m).all((1, 2))
    return np.asarray(root & np.isfinite(batch.local_rotations_wxyz).all((1, 2, 3)))


def _mean_mm(distance_m: R.Array, kept: NDArray[np.bool_]) -> float | None:
    return 1e3 * float(distance_m[kept].mean()) if kept.any() else None


def _distances_mm(clean: MotionBatch, before: MotionBatch, after: MotionBatch) -> Pair:
    return 1e3 * float(moved_m(clean, before).mean()), 1e3 * float(moved_m(clean, after).mean())


def _simulation(corrections: Corrections) -> tuple[float, float, float]:
    """Share of simulated windows, and their mean residual force (body weights) and torque (newton metres)."""
    done = [o for o in corrections.outcomes if o.simulation or o.residual_force_bw > 0]
    if not done:
        return 0.0, 0.0, 0.0
    force = float(np.mean([o.simulation.get("residual_force_bw", o.residual_force_bw) for o in done]))
    torque = float(np.mean([o.simulation.get("residual_torque_nm", 0.0) for o in done]))
    return len(done) / len(corrections.outcomes), force, torque
