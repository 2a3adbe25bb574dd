"""A generation's panel as it is looked at: what became of each sample, and each motion to be played."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from backend.context import Backend
from backend.journal import finite, get_loop
from backend.shelf import SqlShelf, missing
from backend.tables import PanelSample
from backend.views import PanelSampleView, PanelView
from core.errors import DataMissing, NotFound
from core.motion import Motion
from core.skeleton import Skeleton

BODY = "body"
"""Artifact that says what a panel's arrays mean: skeleton, frame rate and class names."""

Kind = Literal["real", "raw", "corrected"]


@dataclass(frozen=True, eq=False)
class PanelMotion:
    """One motion of a panel; a corrected one with its outcome and the corrector's per-frame ``tracks`` (T,)."""

    motion: Motion
    outcome: dict[str, Any] | None
    tracks: dict[str, NDArray[Any]]


def panel(backend: Backend, loop_id: str, generation: int) -> PanelView:
    """What became of each panel sample in a generation.

    Raises:
        NotFound: when the generation has no panel yet.
    """
    with backend.database.read() as session:
        reached = get_loop(session, loop_id).generation
        rows = session.scalars(
            select(PanelSample)
            .where(PanelSample.loop_id == loop_id, PanelSample.generation == generation)
            .order_by(PanelSample.index)
        ).all()
    if rows:
        samples = [PanelSampleView(index=row.index, label=row.label, outcome=row.outcome) for row in rows]
    else:
        samples = _packed_panel(backend, loop_id, generation, reached)
    return PanelView(loop_id=loop_id, generation=generation, samples=samples)


def _packed_panel(backend: Backend, loop_id: str, generation: int, reached: int) -> list[PanelSampleView]:
    """The same of a generation that was made in a block: its file says it, SQL has no rows of it."""
    shelf = SqlShelf(backend, loop_id)
    try:
        if generation > reached:  # the file may hold more than the loop, if it was rolled back
            raise missing(loop_id, generation, "panel-corrected")
        corrected, names = shelf.load(generation, "panel-corrected"), shelf.load(generation, BODY).meta["class_names"]
    except DataMissing:
        raise NotFound(
            f"Generation {generation} of loop {loop_id} has no panel yet.", "Wait until it is drawn."
        ) from None
    labels = [int(label) for label in corrected.arrays["labels"]]
    return [
        PanelSampleView(index=i, label=names[label] if 0 <= label < len(names) else "", outcome=finite(outcome))
        for i, (label, outcome) in enumerate(zip(labels, corrected.meta["outcomes"], strict=True))
    ]


def panel_motion(backend: Backend, loop_id: str, generation: int, kind: Kind, index: int) -> PanelMotion:
    """One motion of a panel: the nearest real one, the raw sample, or its corrected form.

    Raises:
        NotFound: when there is no such panel, kind, sample, or the samples are no motions.
    """
    view = panel(backend, loop_id, generation)
    if not 0 <= index < len(view.samples):
        raise NotFound(f"The panel has samples 0 to {len(view.samples) - 1}; got {index}.")
    if kind not in ("real", "raw", "corrected"):
        raise NotFound(f"A panel shows no {kind!r}.", "Choose one of: real, raw, corrected.")
    shelf = SqlShelf(backend, loop_id)
    try:
        body = shelf.load(generation, BODY).meta
        arrays = shelf.load(generation, f"panel-{kind}").arrays
    except DataMissing as error:
        raise NotFound(error.message, "Only panels of motions can be played.") from None
    return motion_of(body, arrays, index, view.samples[index].outcome if kind == "corrected" else None)


def motion_of(
    body: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    index: int,
    outcome: dict[str, Any] | None,
    text: str = "",
) -> PanelMotion:
    """One of N motions.

    Args:
        body: skeleton, fps and class names.
        arrays: those of a batch of motions (N, T, ...), with ``track.*`` (N, T) of what was corrected.
        text: the words that it was asked by.
    """
    label = int(arrays["labels"][index])
    motion = Motion(
        Skeleton.from_dict(body["skeleton"]),
        np.asarray(arrays["root_position_m"][index], dtype=np.float64),
        np.asarray(arrays["local_rotations_wxyz"][index], dtype=np.float64),
        float(body["fps"]),
        body["class_names"][label] if 0 <= label < len(body["class_names"]) else "",
        text,
    )
    tracks = {k.removeprefix("track."): v[index] for k, v in arrays.items() if k.startswith("track.")}
    return PanelMotion(motion, outcome, tracks)
