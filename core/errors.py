"""The errors of the product. Code below the worker raises these; one boundary turns them into a loop's state, an API
answer or a sentence on the page: ``message`` says what was wrong (with the value), ``hint`` what to do about it."""

import math
from collections.abc import Iterable
from typing import Any


class LoopscopeError(Exception):
    """Base of all expected failures.

    Attributes:
        code: stable identifier for programs, e.g. ``"invalid_config"``.
        message: what was wrong, in words, with the value.
        hint: what to do; may be empty.
    """

    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def __reduce__(self) -> tuple[Any, ...]:
        return _revived, (type(self), self.args, self.__dict__)  # subclasses are made from other arguments


def _revived(kind: type[LoopscopeError], args: tuple[Any, ...], state: dict[str, Any]) -> LoopscopeError:
    """An error on the other side of a process boundary."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class InvalidConfig(LoopscopeError):
    """A configuration that cannot run. ``field`` is the dotted path of the offending value."""

    code = "invalid_config"

    def __init__(self, message: str, hint: str = "", field: str = "") -> None:
        super().__init__(message, hint)
        self.field = field


class UnknownPart(InvalidConfig):
    """A part's kind that no registry knows."""

    code = "unknown_part"

    def __init__(self, what: str, kind: str, choices: Iterable[str], field: str = "") -> None:
        named = kind if len(kind) <= 80 else f"{kind[:77]}..."
        super().__init__(f"There is no {what} named {named!r}.", f"Choose one of: {', '.join(choices)}.", field)


class InvalidMotion(LoopscopeError):
    """Motion data whose shape or values cannot be a motion."""

    code = "invalid_motion"


class DataMissing(LoopscopeError):
    """A data set or file that is not where the configuration says."""

    code = "data_missing"


class NotFound(LoopscopeError):
    """An id that names nothing."""

    code = "not_found"


class Conflict(LoopscopeError):
    """A verb that the current state does not allow."""

    code = "conflict"


class TrainingDiverged(LoopscopeError):
    """Training loss, or (where ``loss`` is finite) a weight, became NaN or infinite."""

    code = "training_diverged"

    def __init__(self, step: int, loss: float) -> None:
        what = f"the loss was {loss}" if not math.isfinite(loss) else "weights were no longer finite"
        super().__init__(
            f"Training diverged: {what} at step {step}.",
            "Lower the learning rate or clip gradients harder.",
        )
        self.step = step
        self.loss = loss


class MemoryExhausted(LoopscopeError):
    """The device's memory cannot hold even half a training batch."""

    code = "out_of_memory"

    def __init__(self, step: int, samples: int, batch: int) -> None:
        super().__init__(
            f"Memory ran out at training step {step}, also with {samples} of the batch's {batch} samples at a time.",
            "Use a smaller model or smaller batches, or end what else uses the device; then resume.",
        )
        self.step = step


class SimulationFailed(LoopscopeError):
    """The physics engine could not run at all (a single bad motion is a rejection, not an error)."""

    code = "simulation_failed"


class Cancelled(LoopscopeError):
    """Raised inside a stage when its loop has been asked to stop."""

    code = "cancelled"

    def __init__(self, message: str = "The loop was cancelled.") -> None:
        super().__init__(message, "Resume it to go on from the last recorded generation.")


class LeaseLost(LoopscopeError):
    """Another worker holds this stage now; whatever this one computed must not be published."""

    code = "lease_lost"
