"""Panels of every view, put on the shelf by hand."""

from typing import Any

import numpy as np

from backend.context import Backend
from backend.tables import Artifact
from backend.views import LoopView
from core.protocols import Tails
from core.records import Item

Bodies = dict[str, tuple[dict[str, Any], np.ndarray]]

LABELS = np.array([0, 1, 1])
BODIES: Bodies = {
    "points": (
        {"view": "points", "limits": [[-4.0, 4.0], [-4.0, 4.0]], "class_names": ["a", "b"]},
        np.array([[[0.5, 1.0], [np.nan, 2.0], [1234.56789, -3.0]]]),
    ),
    "curve": (
        {"view": "curve", "abscissa": [0.25, 0.75], "title": "label", "class_names": ["a", "b"]},
        np.array([[0.1, 0.2, 0.3]]),
    ),
    "images": (
        {"view": "images", "shape": [1, 2], "range": [0.0, 16.0], "class_names": ["0", "1"]},
        np.array([[[0.0, 16.0], [8.0, 99.0], [np.nan, 4.0]]]),
    ),
    "text": (
        {"view": "text", "pieces": ["<i>no", " mark", "up"], "class_names": ["a", "b"]},
        np.array([[[0, 1, 2], [2, 2, 99], [1, -1, 0]]]),
    ),
}
"""By view: a domain's body and (1, 3, ...) values of a panel."""

TAILS = Tails(
    np.array([0.5, 0.05]), np.array([[0.4, 0.01]]), "distance", np.array([0.0, 1.0, 2.0]), np.array([0.7, 0.3]),
    np.array([0.9, 0.1]),
)  # fmt: skip


def keep_panel(backend: Backend, view: LoopView, kind: str, t: int = 0, *, tails: Tails | None = TAILS) -> None:
    """Generation t's panel and metrics of a loop that nobody has run."""
    body, values = BODIES[kind]
    arrays = {"values": values, "labels": LABELS}
    outcomes = [{"status": "corrected"}, {"status": "rejected", "reason": "too <far>"}, {"status": "unchanged"}]
    judged = tails.as_item() if tails is not None else Item()
    items = {
        "body": Item(meta=body), "panel-real": Item(arrays), "panel-raw": Item(arrays),
        "panel-corrected": Item(arrays, {"outcomes": outcomes}), "metrics": Item(judged.arrays, judged.meta),
    }  # fmt: skip
    with backend.database.write() as session:
        for name, item in items.items():
            stored = backend.store.put(item)
            session.merge(
                Artifact(loop_id=view.id, generation=t, name=name, digest=stored.digest, size=stored.size, facts={})
            )
