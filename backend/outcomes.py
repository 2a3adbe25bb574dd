"""What a corrector's outcome says to people: the same words and units in the page, the viewer and the report."""

import re
from collections.abc import Mapping
from typing import Any

SIMULATION: Mapping[str, tuple[str, str]] = {
    "residual_force_bw": ("Residual force, mean", "body weights"),
    "residual_force_peak_bw": ("Residual force, peak", "body weights"),
    "residual_torque_nm": ("Residual torque, mean", "N m"),
    "residual_torque_peak_nm": ("Residual torque, peak", "N m"),
    "at_limit_share": ("Frames at the limit of help", "%"),
    "limit_bw": ("Limit of help", "body weights"),
    "global_mm": ("Tracking error, mean", "mm"),
    "root_relative_mm": ("Tracking error, relative to the root", "mm"),
    "tracking_error_peak_mm": ("Tracking error, peak", "mm"),
}
"""Title and unit of each number in ``Outcome.simulation`` that people are shown, in their order."""

_FRAME = re.compile(r"\bframe (\d+)\b")


def simulation_rows(simulation: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """(title, unit, value) of what a simulation needed; empty where nothing was simulated."""
    rows = []
    for name, (title, unit) in SIMULATION.items():
        value = simulation.get(name)
        if isinstance(value, int | float):
            rows.append((title, unit, 100.0 * value if unit == "%" else float(value)))
    return rows


def simulation_sentence(simulation: Mapping[str, Any]) -> str:
    """How much help from outside the physics a simulated motion needed; "" where nothing was simulated."""
    if not isinstance(simulation.get("residual_force_bw"), int | float):
        return ""
    words = f"Help from outside the physics: {_mean_and_peak(simulation, 'residual_force', 'bw', 'body weights')}"
    if "residual_torque_nm" in simulation:
        words += f", {_mean_and_peak(simulation, 'residual_torque', 'nm', 'N m')}"
    limit = float(simulation.get("limit_bw") or 0.0)
    if limit > 0:
        share = 100.0 * float(simulation.get("at_limit_share") or 0.0)
        words += f"; at the limit of {limit:.2g} body weights in {share:.0f}% of the frames"
    return f"{words}."


def help_sentence(outcome: Mapping[str, Any]) -> str:
    """The same of a whole outcome; outcomes of earlier versions know the mean force only."""
    force = outcome.get("residual_force_bw") or 0.0
    old = {"residual_force_bw": force} if force > 0 else {}
    return simulation_sentence(outcome.get("simulation") or old)


def rejected_frame(outcome: Mapping[str, Any] | None) -> int | None:
    """The frame that a rejection's reason names; None where it names none, or where nothing was rejected."""
    if not outcome or outcome.get("status") != "rejected":
        return None
    found = _FRAME.search(str(outcome.get("reason") or ""))
    return int(found[1]) if found else None


def _mean_and_peak(simulation: Mapping[str, Any], stem: str, suffix: str, unit: str) -> str:
    words = f"{_number(simulation[f'{stem}_{suffix}'])} {unit} on average"
    peak = simulation.get(f"{stem}_peak_{suffix}")
    return words if peak is None else f"{words} ({_number(peak)} at most)"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"
