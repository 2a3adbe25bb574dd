"""Words of outcomes: every number with its unit, nothing said where nothing was simulated."""

import pytest

from backend.outcomes import SIMULATION, help_sentence, rejected_frame, simulation_rows, simulation_sentence

FULL = {name: 0.25 for name in SIMULATION} | {"limit_bw": 1.5, "at_limit_share": 0.04, "motion_s": 2.0, "cpu_s": 0.1}


def test_the_sentence_names_force_torque_and_limit() -> None:
    words = simulation_sentence(FULL | {"residual_torque_peak_nm": 96.4})
    assert "0.25 body weights on average (0.25 at most)" in words
    assert "0.25 N m on average (96 at most)" in words
    assert words.endswith("at the limit of 1.5 body weights in 4% of the frames.")


def test_less_is_said_where_less_is_known() -> None:
    assert simulation_sentence({}) == ""
    assert simulation_sentence({"residual_force_bw": 0.06}) == (
        "Help from outside the physics: 0.06 body weights on average."
    )
    assert "limit" not in simulation_sentence(FULL | {"limit_bw": 0.0})


def test_outcomes_of_earlier_versions() -> None:
    assert "0.06 body weights" in help_sentence({"status": "corrected", "residual_force_bw": 0.06})
    assert help_sentence({"status": "corrected", "residual_force_bw": 0.0}) == ""
    assert help_sentence({"simulation": FULL}) == simulation_sentence(FULL)


def test_rows_have_units_and_shares_are_percent() -> None:
    rows = {title: (unit, value) for title, unit, value in simulation_rows(FULL)}
    assert len(rows) == len(SIMULATION)
    unit, value = rows["Frames at the limit of help"]
    assert unit == "%" and value == pytest.approx(4.0)
    assert simulation_rows({}) == []


@pytest.mark.parametrize(
    ("status", "reason", "frame"),
    [
        ("rejected", "The simulation diverged in frame 7.", 7),
        ("rejected", "NaN or infinite values in 3 of 60 frames, first in frame 10.", 10),
        ("rejected", "The joints move at 30 m/s on average (limit 20 m/s).", None),
        ("corrected", "lifted in frame 7", None),
        ("rejected", "", None),
    ],
)
def test_the_frame_of_a_rejection(status: str, reason: str, frame: int | None) -> None:
    assert rejected_frame({"status": status, "reason": reason}) == frame


def test_no_outcome_has_no_frame() -> None:
    assert rejected_frame(None) is None
