"""Training stops in words as soon as numbers are not finite, whichever they are, and lives with little memory."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from core.config import TrainingConfig
from core.errors import MemoryExhausted, TrainingDiverged
from core.protocols import silent
from model.devices import autocast, own_chance, pays_to_compile, repeatable
from model.learning import Learned, _Losses, learn

CPU = torch.device("cpu")


def losses(network: nn.Linear, turns: Callable[[Tensor, int], Tensor]) -> Callable[[Tensor], Tensor]:
    """The loss of each batch in turn, as ``turns`` makes it of the ordinary one."""
    step = -1

    def loss(rows: Tensor) -> Tensor:
        nonlocal step
        step += 1
        return turns((network(rows) ** 2).mean(), step)

    return loss


def train(turns: Callable[[Tensor, int], Tensor], steps: int = 10) -> Learned:
    torch.manual_seed(0)
    network = nn.Linear(2, 1)
    loss_of = losses(network, turns)
    return learn(network, lambda: (torch.ones(4, 2),), loss_of, steps=steps, rate=0.01, fresh=False, tick=silent)


def test_finite_numbers_are_reported_and_the_clock_apart_from_them() -> None:
    told = train(lambda loss, _: loss)
    assert told.training["steps"] == 10
    assert told.training["loss"] > 0
    assert told.training == train(lambda loss, _: loss).training
    assert set(told.pace) == {"steps_per_s", "samples_per_s", "peak_memory_mb"}
    assert told.pace["samples_per_s"] == pytest.approx(4 * told.pace["steps_per_s"])
    assert told.pace["peak_memory_mb"] > 10
    assert train(lambda loss, _: loss, steps=0).pace == {}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_training_with_its_step(bad: float) -> None:
    with pytest.raises(TrainingDiverged, match=f"the loss was {bad} at step 7") as found:
        train(lambda loss, step: loss * bad if step == 7 else loss)
    assert found.value.step == 7


@pytest.mark.parametrize("every", [1, 3, 50])
def test_losses_looked_at_now_and_then_still_name_the_step(every: int) -> None:
    seen = _Losses(every)
    with pytest.raises(TrainingDiverged, match="the loss was nan at step 7"):
        for step in range(20):
            seen.add(torch.tensor(float("nan") if step >= 7 else float(step)))
        seen.look()
    assert seen.seen == [float(step) for step in range(7)]


def test_weights_that_are_not_finite_after_the_last_step_are_not_kept() -> None:
    def endless_slope(loss: Tensor, step: int) -> Tensor:
        return loss + (loss - loss.detach()) * float("inf") if step == 9 else loss

    def finite_loss_endless_slope(loss: Tensor, step: int) -> Tensor:
        return loss + _endless(loss) if step == 9 else loss

    with pytest.raises(TrainingDiverged, match="weights were no longer finite at step 9"):
        train(finite_loss_endless_slope)
    with pytest.raises(TrainingDiverged, match="step 9"):
        train(endless_slope)


def on_a_device_that_holds(rows: int, *, batch: int = 7, steps: int = 5) -> tuple[list[Tensor], Learned]:
    """Weights after training where more rows than these run out of memory, whatever had been added before."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.Linear(8, 1))
    source = torch.Generator().manual_seed(1)

    def loss_of(x: Tensor, y: Tensor) -> Tensor:
        found: Tensor = ((network(x) - y) ** 2).mean()
        if len(x) > rows:
            found.backward()  # type: ignore[no-untyped-call]
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return found

    def draw() -> tuple[Tensor, Tensor]:
        return torch.randn(batch, 3, generator=source), torch.randn(batch, 1, generator=source)

    told = learn(network, draw, loss_of, steps=steps, rate=0.01, fresh=False, tick=silent)
    return [weight.detach() for weight in network.parameters()], told


def test_half_a_batch_at_a_time_gives_the_same_numbers() -> None:
    whole, told = on_a_device_that_holds(7)
    halved, of_halves = on_a_device_that_holds(4)
    for a, b in zip(whole, halved, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    assert of_halves.training["loss"] == pytest.approx(told.training["loss"], rel=1e-5)
    assert of_halves.pace["micro_batch"] == 4 and "micro_batch" not in told.pace


@pytest.mark.parametrize(("rows", "batch", "at_once"), [(3, 7, 4), (0, 1, 1)])
def test_memory_for_less_than_half_a_batch_ends_training_in_words(rows: int, batch: int, at_once: int) -> None:
    with pytest.raises(MemoryExhausted, match=f"step 0, also with {at_once} of the batch's {batch} samples") as found:
        on_a_device_that_holds(rows, batch=batch)
    assert found.value.code == "out_of_memory" and "smaller" in found.value.hint


def test_precision_is_that_asked_for() -> None:
    a = torch.ones(2, 2)
    for precision, expected in {"auto": torch.float32, "fp32": torch.float32, "bf16": torch.bfloat16}.items():
        with autocast(TrainingConfig.model_validate({"precision": precision}), CPU):
            assert (a @ a).dtype == expected


def test_only_long_training_on_an_accelerator_is_compiled_by_itself() -> None:
    cuda, long = torch.device("cuda"), TrainingConfig(initial_steps=100_000, steps=60)
    assert pays_to_compile(long, cuda)
    assert not pays_to_compile(TrainingConfig(initial_steps=60), cuda)
    assert not pays_to_compile(long, CPU)
    assert pays_to_compile(TrainingConfig(compile="on", initial_steps=1), CPU)
    assert not pays_to_compile(long.model_copy(update={"compile": "off"}), cuda)


def test_repeatable_algorithms_are_asked_for_within_and_no_longer() -> None:
    for wanted in (True, False):
        with repeatable(wanted):
            assert torch.are_deterministic_algorithms_enabled() == wanted
        assert not torch.are_deterministic_algorithms_enabled()


def test_own_chance_is_the_seeds_and_uses_up_nobody_elses() -> None:
    before = torch.get_rng_state()
    drawn = []
    for _ in range(2):
        with own_chance(5, CPU):
            drawn.append(torch.rand(3))
    assert torch.equal(*drawn) and torch.equal(before, torch.get_rng_state())


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
