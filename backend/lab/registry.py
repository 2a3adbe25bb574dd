"""Every card by its key, in the order of the page."""

from backend.lab import densities, gaussians, learned, regressions
from backend.lab.card import Card

CARDS: dict[str, Card] = gaussians.CARDS | regressions.CARDS | densities.CARDS | learned.CARDS
