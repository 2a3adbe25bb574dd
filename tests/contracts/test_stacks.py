"""Every light domain: loops that are stacked get the numbers that each gets alone, to 1e-9, in every generation."""

from typing import Any

import pytest

from backend.parts import build_run, check, read_config
from core.config import LoopConfig
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf
from core.stack import run_stacked
from model.domains import DOMAINS

LIGHT = [kind for kind, part in DOMAINS.items() if part.light]


def config(domain: str, **changes: Any) -> LoopConfig:
    small = {"domain": domain, "n": 24, "generations": 2, "replicates": 2}
    quick = {"training": {"initial_steps": 6, "steps": 3}, "sampling": {"steps": 3}}
    return check(read_config(small | quick | {"evaluation": {"samples": 32, "panel": 4}} | changes))


def laws(configs: list[LoopConfig]) -> None:
    memo = MemoryMemo()
    alone = [list(run_loop(build_run(one, shelf=MemoryShelf(), memo=memo))) for one in configs]
    together = [build_run(one, shelf=MemoryShelf(), memo=memo) for one in configs]
    for t, records in enumerate(run_stacked(together)):
        for one, expected in zip(records, (loop[t] for loop in alone), strict=True):
            assert one.counts == expected.counts
            assert dict(one.metrics) == pytest.approx(dict(expected.metrics), abs=1e-9, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("domain", LIGHT)
def test_seeds_are_stacked(domain: str) -> None:
    laws([config(domain, seed=1), config(domain, seed=2, replicates=1)])


@pytest.mark.parametrize("domain", LIGHT)
def test_lambdas_are_stacked(domain: str) -> None:
    laws([config(domain, policy={"kind": "augment", "options": {"lam": lam}}) for lam in (0.25, 1.5)])


@pytest.mark.parametrize("domain", LIGHT)
@pytest.mark.parametrize("form", ["blend", "mixture"])
def test_gammas_are_stacked(domain: str, form: str) -> None:
    policy = {"kind": "augment", "options": {"lam": 0.5, "source": "all past"}}
    laws(
        [
            config(domain, policy=policy, corrector={"kind": "idealized", "options": {"gamma": gamma, "form": form}})
            for gamma in (0.3, 5.0)
        ]
    )
