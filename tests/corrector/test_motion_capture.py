"""Motion capture of another skeleton (21 joints), where the data is at hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.config import parse
from core.protocols import Reference
from corrector.registry import CORRECTORS
from corrector.report import moved_m
from model.datasets import npz
from tests.corrector.conftest import CountingMemo, raised

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "cmu"


@pytest.fixture(scope="module")
def capture() -> Any:
    if not (FOLDER / "clips.npz").is_file():
        pytest.skip(f"no motion capture in {FOLDER.name}")
    return npz.build(npz.NpzOptions(path=str(FOLDER)))


@pytest.fixture(scope="module")
def learned(capture: Any) -> Reference:
    return Reference(capture.train(64), capture.digest, CountingMemo())


def test_real_windows_of_unseen_subjects_are_left_alone(capture: Any, learned: Reference) -> None:
    windows = capture.held_out(32)
    part = CORRECTORS["kinematic"]
    result = part.build(part.options(), learned).correct(windows)
    assert moved_m(windows, result.samples).mean() < 0.015
    again = part.build(part.options(), learned).correct(result.samples)
    assert moved_m(result.samples, again.samples).mean() < 0.004
    assert all(o.status != "rejected" for o in result.outcomes)


def test_its_body_is_simulated_close_to_the_motion(capture: Any) -> None:
    windows = capture.train(8)
    part = CORRECTORS["physics"]
    result = part.build(parse(part.options, {"mode": "full"}), None).correct(windows.take([1, 2]))
    for outcome in result.outcomes:
        assert outcome.status == "corrected", outcome.reason
        assert outcome.moved_m < 0.1


def test_built_in_bounds_find_the_floor(capture: Any) -> None:
    windows = capture.train(24)
    part = CORRECTORS["kinematic"]
    corrector = part.build(part.options(), None)
    sunk = corrector.correct(raised(windows, -0.3)).samples
    assert np.median(moved_m(windows, sunk)) < 0.06
