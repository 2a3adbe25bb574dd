"""Loops that differ in one number are known by it: its symbol, its values, a colour each."""

import itertools
from typing import Any

import pytest

from app.groups import group_loops, varied
from app.variation import ramp, varied_option
from backend import loops
from backend.context import Backend
from core.config import LoopConfig
from tests.app.seedloops import gaussian

LIGHT, DARK = (1.0, 1.0, 1.0), tuple(int("171d26"[i : i + 2], 16) / 255 for i in (0, 2, 4))


def found(*configs: LoopConfig) -> Any:
    return varied_option([[config.model_dump(mode="json")] for config in configs])


def test_the_only_number_that_differs_is_found() -> None:
    option = found(*(gaussian(lam=lam) for lam in (0.25, 0.5, 1.0)))
    assert (option.path, option.symbol, option.values) == ("policy.options.lam", "λ", (0.25, 0.5, 1.0))
    assert option.words == ("λ = 0.25", "λ = 0.5", "λ = 1")


def test_no_correction_is_gamma_zero_and_real_only_is_lambda_zero() -> None:
    assert found(gaussian(lam=0.5), gaussian(lam=0.5, gamma=1.0)).values == (0.0, 1.0)
    assert found(gaussian(policy={"kind": "real"}), gaussian(lam=0.5)).values == (0.0, 0.5)


@pytest.mark.parametrize(
    "configs",
    [
        [gaussian(lam=0.5, n=50), gaussian(lam=1.0, n=100)],
        [gaussian(policy={"kind": "replace"}), gaussian(policy={"kind": "accumulate"})],
        [gaussian(lam=0.5), gaussian(lam=0.5, seed=3)],
        [gaussian(lam=0.5)],
    ],
)
def test_two_differences_words_seeds_and_single_loops_are_no_variation(configs: list[LoopConfig]) -> None:
    assert found(*configs) is None


def test_loops_of_one_name_are_called_by_their_number(backend: Backend) -> None:
    views = [loops.launch(backend, gaussian(gamma=gamma), name="toy") for gamma in (0.1, 0.3)]
    groups = group_loops(views)
    assert [group.label for group in groups] == ["γ = 0.1", "γ = 0.3"]
    assert groups[0].title == "toy, γ = 0.1 (40 seeds)"


def test_names_that_tell_loops_apart_are_kept(backend: Backend) -> None:
    views = [loops.launch(backend, gaussian(gamma=gamma), name=name) for gamma, name in ((0.1, "weak"), (5, "strong"))]
    assert [group.label for group in group_loops(views)] == ["weak", "strong"]


def test_many_lines_are_coloured_in_the_order_of_their_numbers(backend: Backend) -> None:
    lams = (1.0, 0.2, 0.4, 0.6, 0.8)
    groups = group_loops([loops.launch(backend, gaussian(lam=lam), name="sweep") for lam in lams])
    option = varied(groups)
    assert option is not None
    colours = dict(zip(option.values, (group.colour for group in groups), strict=True))
    assert [colours[lam] for lam in sorted(lams)] == ramp(5)


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_the_scale_is_legible_on_white_and_on_black(count: int) -> None:
    colours = ramp(count)
    assert len(set(colours)) == count
    for colour, paper in itertools.product(colours, (LIGHT, DARK)):
        channels = tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        assert contrast(channels, paper) >= 3.0, colour


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """WCAG 2 contrast ratio of two sRGB colours (channels 0-1)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(channels: tuple[float, ...]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
