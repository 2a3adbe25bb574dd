"""Laws of the metric registry, which API, command line and page read."""

import pytest

from model.drift import DRIFT
from model.metrics import METRICS

MOTION = METRICS | DRIFT


@pytest.mark.parametrize("name", list(MOTION))
def test_every_metric_says_what_it_is(name: str) -> None:
    metric = MOTION[name]
    assert metric.name == name
    assert metric.title and metric.description.endswith(".")
    assert metric.direction in ("lower", "higher", "real")
    assert metric.group in ("fidelity", "diversity", "physics")


def test_fidelity_diversity_and_physics_are_covered() -> None:
    wanted = {
        "fid", "kid", "multimodality", "diversity", "accuracy", "precision", "recall", "density", "coverage",
        "penetration", "float", "skate", "jerk",
    }  # fmt: skip
    assert wanted <= METRICS.keys()
