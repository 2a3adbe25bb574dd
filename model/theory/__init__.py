"""Closed forms of published loops, with what they assume. One registry, ``THEORIES``."""

from model.theory import gaussian, regression, stability
from model.theory.base import Constants, Theory

THEORIES: dict[str, Theory] = {
    theory.key: theory for theory in (*regression.THEORIES, *gaussian.THEORIES, *stability.THEORIES)
}

__all__ = ["THEORIES", "Constants", "Theory"]
