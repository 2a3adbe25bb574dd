"""The Gaussian toy of Gillman et al. 2024 in the loop: d = 2, n = 50, lambda = 1/2 from all past generations."""

import numpy as np
import pytest

from backend.parts import build_run, check, read_config
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.rotations import Array

GENERATIONS, SEEDS = 60, 20


def distances(gamma: float, form: str) -> Array:
    """(S,) 2-Wasserstein distance of each seed's last generation."""
    config = check(
        read_config(
            {
                "domain": "gaussian", "n": 50, "generations": GENERATIONS, "replicates": SEEDS,
                "data": {"kind": "normal", "options": {"d": 2}},
                "model": {"kind": "gaussian-fit", "options": {"estimator": "biased"}},
                "policy": {"kind": "augment", "options": {"lam": 0.5, "source": "all past"}},
                "corrector": {"kind": "idealized", "options": {"gamma": gamma, "form": form}},
                "evaluation": {"samples": 16, "panel": 1},
            }
        )
    )  # fmt: skip
    run = build_run(config, shelf=MemoryShelf(), memo=MemoryMemo())
    records = list(run_loop(run))
    assert records[-1].counts["synthetic"] == sum(25 * k // GENERATIONS for k in range(1, GENERATIONS + 1))
    return np.array(run.shelf.load(GENERATIONS, "metrics").meta["traces"]["w2"])


@pytest.mark.parametrize("form", ["rejection", "mixture"])
def test_the_distance_falls_with_gamma(form: str) -> None:
    found = [distances(gamma, form) for gamma in (0.0, 0.3, 5.0)]
    for weaker, stronger in zip(found[:-1], found[1:], strict=True):
        error = np.sqrt((weaker.var() + stronger.var()) / SEEDS)
        assert weaker.mean() - stronger.mean() > 3 * error
