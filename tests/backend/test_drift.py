"""The verdict on a generation: what gained beyond the noise of generation 0, and the cure."""

import numpy as np
import pytest

from backend.drift import Band, Drift, Setting, drift_of

NOISE = {
    "fid": [7.0, 8.0, 7.5, 8.4, 7.2], "fid_snapped": [5.5, 6.4, 6.0, 6.8, 5.6],
    "mode_share": [0.85, 0.86, 0.81, 0.84, 0.87], "multimodality": [7.9, 7.7, 7.7, 7.4, 7.8],
}  # fmt: skip
GUIDED = Setting(guided=True, keeps_real=False, corrects=False)


def verdict(
    fid: float, snapped: float, modes: float = 0.85, diversity: float = 7.7, setting: Setting = GUIDED
) -> Drift:
    now = {"fid": fid, "fid_snapped": snapped, "mode_share": modes, "multimodality": diversity}
    found = drift_of(5, now, NOISE, setting, floor=2.2)
    assert found is not None and found.generation == 5
    return found


def test_jitter_is_named_artefacts_and_the_cure_is_correction() -> None:
    found = verdict(24.0, 7.0)
    assert found.verdict == "artefacts" and "Correction is the cure" in found.sentence
    assert "from 24 to 7" in found.sentence
    assert "stronger" in verdict(24.0, 7.0, setting=Setting(True, True, corrects=True)).sentence


def test_lost_modes_are_named_and_the_cure_is_guidance_or_real_data() -> None:
    found = verdict(30.0, 29.0, modes=0.2, diversity=3.0)
    assert found.verdict == "modes" and "20 %" in found.sentence
    assert "guidance 1" in found.sentence and "keep real data" in found.sentence
    plain = verdict(30.0, 29.0, modes=0.2, setting=Setting(guided=False, keeps_real=True, corrects=False))
    assert "guidance" not in plain.sentence and "more real data" in plain.sentence


def test_of_both_the_larger_gain_names_the_cure() -> None:
    assert verdict(40.0, 30.0, modes=0.2).verdict == "modes"
    assert "26 % of the drift" in verdict(40.0, 30.0, modes=0.2).sentence
    assert verdict(40.0, 12.0, modes=0.6).verdict == "artefacts"


def test_within_the_noise_there_is_nothing_to_cure() -> None:
    found = verdict(8.5, 6.9)
    assert found.verdict == "noise" and "nothing to cure" in found.sentence


def test_a_steady_model_full_of_artefacts_is_told_of_its_output() -> None:
    noise = NOISE | {"fid": [fid + 20 for fid in NOISE["fid"]]}
    found = drift_of(3, {"fid": 27.5, "fid_snapped": 6, "mode_share": 0.8, "multimodality": 7.7}, noise, GUIDED, 2.2)
    assert found is not None and found.verdict == "noise" and "correcting the output" in found.sentence


def test_drift_of_neither_kind_is_called_so() -> None:
    assert verdict(14.0, 12.6).verdict == "unclear"


def test_correction_is_not_the_cure_where_most_of_the_drift_is_in_which_motions_are_made() -> None:
    found = verdict(35.5, 24.9)
    assert found.verdict == "unclear" and "32 % of the drift" in found.sentence
    assert "from 35.5 to 24.9" in found.sentence and "the first part only" in found.sentence


def test_generation_zero_is_the_yardstick() -> None:
    now = {name: values[0] for name, values in NOISE.items()}
    found = drift_of(0, now, NOISE, GUIDED)
    assert found is not None and found.verdict == "start"


@pytest.mark.parametrize("name", ["fid", "fid_snapped", "mode_share"])
def test_without_the_figures_nothing_is_said(name: str) -> None:
    now = {one: values[0] for one, values in NOISE.items()}
    assert drift_of(1, {one: value for one, value in now.items() if one != name}, NOISE, GUIDED) is None
    assert drift_of(1, now, {one: values for one, values in NOISE.items() if one != name}, GUIDED) is None


def test_a_band_holds_one_more_draw_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(1500, 6))
    bands = [Band.of(row[:5].tolist()) for row in draws]
    held = [band is not None and band.low <= row[5] <= band.high for band, row in zip(bands, draws, strict=True)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)
    assert Band.of([1.0]) is None
