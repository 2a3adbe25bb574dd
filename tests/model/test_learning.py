"""Training stops in words as soon as numbers are not finite, whichever they are."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from core.errors import TrainingDiverged
from core.protocols import silent
from model.learning import learn


def losses(network: nn.Linear, turns: Callable[[Tensor, int], Tensor]) -> Callable[[], Tensor]:
    """The loss of each batch in turn, as ``turns`` makes it of the ordinary one."""
    step = -1

    def loss() -> Tensor:
        nonlocal step
        step += 1
        return turns((network(torch.ones(4, 2)) ** 2).mean(), step)

    return loss


def train(turns: Callable[[Tensor, int], Tensor], steps: int = 10) -> dict[str, float]:
    torch.manual_seed(0)
    network = nn.Linear(2, 1)
    return learn(network, losses(network, turns), steps=steps, rate=0.01, fresh=False, tick=silent)


def test_finite_numbers_are_reported() -> None:
    told = train(lambda loss, _: loss)
    assert told["steps"] == 10
    assert told["loss"] > 0


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_training_with_its_step(bad: float) -> None:
    with pytest.raises(TrainingDiverged, match=f"the loss was {bad} at step 7") as found:
        train(lambda loss, step: loss * bad if step == 7 else loss)
    assert found.value.step == 7


def test_weights_that_are_not_finite_after_the_last_step_are_not_kept() -> None:
    def endless_slope(loss: Tensor, step: int) -> Tensor:
        return loss + (loss - loss.detach()) * float("inf") if step == 9 else loss

    def finite_loss_endless_slope(loss: Tensor, step: int) -> Tensor:
        return loss + _endless(loss) if step == 9 else loss

    with pytest.raises(TrainingDiverged, match="weights were no longer finite at step 9"):
        train(finite_loss_endless_slope)
    with pytest.raises(TrainingDiverged, match="step 9"):
        train(endless_slope)


def _endless(value: Tensor) -> Tensor:
    found: Tensor = _Endless.apply(value)  # type: ignore[no-untyped-call]
    return found


class _Endless(torch.autograd.Function):
    """Zero whose gradient is not a number."""

    @staticmethod
    def forward(ctx: object, value: Tensor) -> Tensor:
        return torch.zeros_like(value)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient * float("nan")
