"""What an audit's numbers mean, in plain sentences."""

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from corrector.perturb import PERTURBATIONS

if TYPE_CHECKING:
    from corrector.audit import Audit, Effect

ALONE_MM = 4.0
"""Real motion that moves no further than this counts as left alone (the capture itself is no more exact)."""
WORSE = 0.02
"""Share by which FID may grow, if the floor's own draws do not differ by more, and still count as the same."""


def findings(audit: "Audit") -> Iterator[str]:
    """One sentence or two on real motion, on each perturbation, on each generation, and on the cost."""
    yield _real(audit, audit.effect("real"))
    for name, effects in groupby((e for e in audit.effects if e.group == "perturbed"), lambda e: e.name.split("-")[0]):
        yield _perturbed(audit, name, list(effects))
    for effect in audit.effects:
        if effect.group == "generated":
            yield _generated(audit, effect)
    yield _cost(audit)


def _real(audit: "Audit", effect: "Effect") -> str:
    before, after = effect.fid
    numbers = (
        f"held-out windows move {_mm(effect.moved_mm)}, {_mm(effect.second_pass_mm)} in a second pass; "
        f"FID {before:.2f} -> {after:.2f}, floor {audit.floor_fid:.2f}"
    )
    noise = max(audit.floor) - min(audit.floor)
    if effect.moved_mm is None:
        verdict = "Lets no real motion through"
    elif after - before > max(noise, WORSE * before):
        verdict = "Makes real motion less real"
    elif effect.moved_mm > ALONE_MM:
        verdict = "Moves real motion, and leaves it as real as it was"
    else:
        verdict = "Leaves real motion alone"
    lost = f" It rejects {100 * (1 - effect.kept):.0f} % of them." if effect.kept < 1 else ""
    return f"{verdict}: {numbers}.{lost}"


def _perturbed(audit: "Audit", name: str, effects: "list[Effect]") -> str:
    way = PERTURBATIONS[name]
    middle = next((e for e in effects if e.strength == way.strengths[1]), effects[len(effects) // 2])
    parts = []
    if middle.from_clean_mm is not None:
        was, now = middle.from_clean_mm
        parts.append(f"{was:.0f} -> {now:.0f} mm from the clean windows")
    parts.append(f"FID {middle.fid[0]:.1f} -> {middle.fid[1]:.1f} (floor {audit.floor_fid:.1f})")
    parts.append(f"effective gamma {middle.gamma.words}")
    lost = f" It rejects {100 * (1 - middle.kept):.0f} % of them." if middle.kept < 0.995 else ""
    return f"{middle.title}: {'; '.join(parts)}.{lost}"


def _generated(audit: "Audit", effect: "Effect") -> str:
    before, after = effect.fid
    first = (
        f"{effect.title}: FID {before:.1f} -> {after:.1f}; floor {audit.floor_fid:.1f}, ceiling "
        f"{effect.ceiling_fid:.1f} (every window replaced by its nearest real one). Penetration "
        f"{effect.penetration_mm[0]:.1f} -> {effect.penetration_mm[1]:.1f} mm, skate {effect.skate_m_s[0]:.2f} -> "
        f"{effect.skate_m_s[1]:.2f} m/s; effective gamma {effect.gamma.words}."
    )
    # Even real windows lose something when they are snapped to a few hundred others: that is not their fault.
    beyond = effect.ceiling_fid - max(audit.effect("real").ceiling_fid, audit.floor_fid)
    gap = before - audit.floor_fid
    if gap > 1 and beyond > 0.2 * gap:
        first += (
            f" About {100 * min(beyond / gap, 1):.0f} % of its distance from real motion is in which motions are made, "
            "not in how: no corrector of single motions removes that."
        )
    return first


def _cost(audit: "Audit") -> str:
    fast = min(audit.effects, key=lambda e: e.cpu_s_per_window)
    slow = max(audit.effects, key=lambda e: e.cpu_s_per_window)
    words = (
        f"Costs {1e3 * fast.cpu_s_per_window:.3g} ms of CPU per window at best ({fast.title}, "
        f"{_times(fast)} real time) and {1e3 * slow.cpu_s_per_window:.3g} ms at worst ({slow.title}, "
        f"{_times(slow)})."
    )
    simulated = [e for e in audit.effects if e.simulated > 0]
    if simulated:
        lean = max(simulated, key=lambda e: e.residual_force_bw)
        words += (
            f" Where it simulates it leans on at most {lean.residual_force_bw:.2f} body weights of outside force "
            f"({lean.title})."
        )
    return words


def _times(effect: "Effect") -> str:
    factor = effect.realtime_factor
    return f"{factor:.0f} times" if factor >= 10 else f"{factor:.1f} times"


def _mm(value: float | None) -> str:
    return "by nothing (all are rejected)" if value is None else f"{value:.1f} mm"
