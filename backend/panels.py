"""What a panel that is no motion shows, in plain numbers and words; and the tails that go with it."""

import base64
from collections.abc import Sequence
from math import floor, log10
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from backend import loops, parts
from backend.context import Backend
from backend.shelf import SqlShelf
from backend.tables import MetricValue
from backend.views import View
from core.config import LoopConfig
from core.draws import for_the_eye
from core.errors import DataMissing, NotFound

KINDS: tuple[loops.Kind, ...] = ("real", "raw", "corrected")
MOST_REAL = 400  # real samples behind a picture: a cloud, not a data set
FACTS = {"points": ("limits",), "curve": ("abscissa", "title"), "images": ("shape", "range"), "text": ()}
"""What a picture needs of a domain's body beside the values, by view."""

Rows = NDArray[Any]


class PanelValues(View):
    """One generation's panel, of the first seed where several run at once.

    Attributes:
        view: how it is shown: ``points``, ``curve``, ``images`` or ``text``.
        facts: what that view asks for (see :class:`core.protocols.DomainPart`), and ``class_names``.
        labels: (N) numbers by which the samples were asked for.
        values: real (nearest of the class), raw and corrected form: points as (N) rows of coordinates, a curve as (N)
            numbers, images as base64 of (N, height, width) grey values 0-255, text as (N) strings.
        statuses: (N) what the corrector did.
    """

    loop_id: str
    generation: int
    view: Literal["points", "curve", "images", "text"]
    facts: dict[str, Any]
    labels: list[int]
    values: dict[str, Any]
    statuses: list[str]


class RealValues(View):
    """A sample of a loop's real training data, in the form of :class:`PanelValues`."""

    loop_id: str
    view: Literal["points", "curve"]
    labels: list[int]
    values: list[Any]


class TailsView(View):
    """How much of a generation lies beyond quantiles of the real data (see :class:`core.protocols.Tails`)."""

    loop_id: str
    generation: int
    score: str
    levels: list[float]
    shares: list[float]
    edges: list[float]
    real: list[float]
    generated: list[float]


def panel_values(backend: Backend, loop_id: str, generation: int) -> PanelValues:
    """The panel of one generation.

    Raises:
        NotFound: when there is no such panel, or its samples are motions, which are files of their own.
    """
    shelf = SqlShelf(backend, loop_id)
    try:
        body = shelf.load(generation, loops.BODY).meta
        items = {kind: shelf.load(generation, f"panel-{kind}") for kind in KINDS}
    except DataMissing as error:
        loops.show_loop(backend, loop_id)  # says so where there is no such loop
        raise NotFound(error.message, "Wait until the panel is drawn.") from None
    view = body.get("view", "motion")
    if view not in FACTS:
        raise NotFound(f"The panel of loop {loop_id} shows {view}, not numbers.", "Ask for its motions instead.")
    labels = items["raw"].arrays["labels"]
    return PanelValues(
        loop_id=loop_id, generation=generation, view=view,
        facts={name: body[name] for name in (*FACTS[view], "class_names") if name in body},
        labels=[int(label) for label in labels],
        values={kind: shown(body, _rows(item.arrays["values"], len(labels))) for kind, item in items.items()},
        statuses=[str(outcome.get("status", "")) for outcome in items["corrected"].meta.get("outcomes", [])],
    )  # fmt: skip


def real_values(backend: Backend, loop_id: str, count: int = MOST_REAL) -> RealValues:
    """Real training samples of a loop's first seed, for the cloud behind its panels.

    Raises:
        NotFound: where a domain's real data are not quickly had; the panel holds the nearest real samples there.
    """
    config = LoopConfig.model_validate(loops.show_loop(backend, loop_id).config)
    part = parts.domain_part(config.domain)
    if not part.light or part.view not in ("points", "curve"):
        raise NotFound(f"Loop {loop_id} shows no cloud of its real data.", "Its panels hold the nearest real samples.")
    real = parts.build_domain(config, backend.memo).real(config.n)
    first = for_the_eye(real)
    labels, values = np.asarray(first.labels), _rows(np.asarray(first.values), len(first.labels))
    chosen = np.linspace(0, len(labels) - 1, min(count, len(labels))).round().astype(int)
    return RealValues(
        loop_id=loop_id, view="points" if part.view == "points" else "curve",
        labels=[int(label) for label in labels[chosen]], values=shown({"view": part.view}, values[chosen]),
    )  # fmt: skip


def tails(backend: Backend, loop_id: str, generation: int) -> TailsView:
    """What vanished by a generation.

    Raises:
        NotFound: when the generation is not measured yet, or its domain does not say.
    """
    try:
        item = SqlShelf(backend, loop_id).load(generation, "metrics")
    except DataMissing as error:
        loops.show_loop(backend, loop_id)
        raise NotFound(error.message, "Wait until the generation is measured.") from None
    if "tails" not in item.meta:
        raise NotFound(f"Generation {generation} of loop {loop_id} has no tails.", "Its domain counts none.")
    arrays = {name: _plain(item.arrays[f"tails.{name}"]) for name in TAILS}
    return TailsView(loop_id=loop_id, generation=generation, score=str(item.meta["tails"]["score"]), **arrays)


TAILS = ("levels", "shares", "edges", "real", "generated")


def measured(backend: Backend, loop_id: str, generation: int) -> dict[str, float]:
    """The metrics of one generation; empty before it is recorded."""
    with backend.database.read() as session:
        rows = session.execute(
            select(MetricValue.name, MetricValue.value).where(
                MetricValue.loop_id == loop_id, MetricValue.generation == generation, MetricValue.value.is_not(None)
            )
        ).all()
    return {name: value for name, value in rows if value is not None}


def shown(body: dict[str, Any], values: Rows) -> Any:
    """Values (N, ...) of one seed as JSON, in the form of their view."""
    if body["view"] == "points":
        return _plain(values.reshape(len(values), -1))
    if body["view"] == "curve":
        return _plain(values.reshape(len(values)))
    if body["view"] == "images":
        return base64.b64encode(grey(values, body["shape"], body["range"]).tobytes()).decode()
    return [text_of(body["pieces"], row) for row in values.reshape(len(values), -1)]


def grey(values: Rows, shape: Sequence[int], limits: Sequence[float]) -> NDArray[np.uint8]:
    """(N, height, width) grey values; ``limits`` are those of black and white."""
    low, high = limits
    scaled = (np.nan_to_num(values.astype(np.float64), nan=low) - low) / ((high - low) or 1.0)
    levels: NDArray[np.uint8] = (scaled.clip(0, 1) * 255).round().astype(np.uint8).reshape(len(values), *shape)
    return levels


def text_of(pieces: Sequence[str], ids: Rows) -> str:
    """Token ids put together; what has no piece is left out."""
    return "".join(pieces[int(token)] for token in ids if 0 <= int(token) < len(pieces))


def _rows(values: Rows, count: int) -> Rows:
    """(N, ...) of the first seed; a domain without a seeds axis has one seed."""
    return values[0] if values.ndim > 1 and values.shape[1] == count else values


def _plain(values: Rows) -> Any:
    """Nested lists of numbers to five digits of the largest, null for what is none."""
    numbers = values.astype(np.float64)
    finite = np.abs(numbers[np.isfinite(numbers)])
    size = float(finite.max()) if finite.size else 0.0
    rounded = np.round(numbers, min(max(4 - floor(log10(size)), 0), 15) if size > 0 else 0)
    plain = rounded.astype(object)
    plain[~np.isfinite(rounded)] = None
    return plain.tolist()
