"""A loop as a file to work on elsewhere: JSON (everything) and CSV (one row per generation)."""

import csv
import io
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.drift import Drift
    from backend.measures import Doubt
    from backend.views import GenerationView, LoopView

Form = Literal["json", "csv"]
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Of what spreadsheets take for a formula; the last four are = + - @ in full width."""


def export_json(
    loop: "LoopView",
    generations: "list[GenerationView]",
    floor: dict[str, list[float]],
    doubt: "Doubt | None" = None,
    drift: "Drift | None" = None,
) -> dict[str, Any]:
    """Configuration, state, metrics of every generation, the floor that they are to be read against, and, where it is
    known, their noise at generation 0, what too few samples were measured for, and what has drifted."""
    told = {"noise": doubt.noise, "caveats": doubt.caveats} if doubt is not None else {}
    return {
        "loop": loop.model_dump(mode="json", include={"id", "name", "group", "arm", "state", "config", "created_at"}),
        "floor": floor,
        **told,
        **({"drift": asdict(drift)} if drift is not None else {}),
        "generations": [generation.model_dump(mode="json") for generation in generations],
    }


def export_csv(loop: "LoopView", generations: "list[GenerationView]") -> str:
    """One row per generation; columns ``metric.fid``, ``count.real``, ``training.loss``, ``seconds.learn``..."""
    rows = [
        {
            "loop_id": loop.id,
            "name": loop.name,
            "group": loop.group,
            "arm": loop.arm,
            "seed": loop.config.get("seed", ""),
            "generation": generation.index,
        }
        | _prefixed("metric", generation.metrics)
        | _prefixed("count", generation.counts)
        | _prefixed("training", generation.training)
        | _prefixed("seconds", generation.seconds)
        for generation in generations
    ]
    columns = list(dict.fromkeys(name for row in rows for name in row)) or ["loop_id", "generation"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([safe_cell(name) for name in columns])
    writer.writerows([safe_cell(row.get(name, "")) for name in columns] for row in rows)
    return out.getvalue()


def safe_cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula, made text by a leading apostrophe; numbers stay numbers."""
    if isinstance(value, str) and value.lstrip(" \u00a0\u3000\ufeff").startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def export(backend: "Backend", loop_id: str, form: Form) -> bytes:
    """The file's bytes.

    Raises:
        NotFound: when there is no such loop.
    """
    from backend import loops, measures
    from backend.drift import drift_of_loop

    loop, generations = loops.show_loop(backend, loop_id), loops.generations(backend, loop_id)
    if form == "csv":
        return export_csv(loop, generations).encode()
    floor = measures.floor(backend, loop_id) if generations else {}
    doubt = measures.doubts(backend, [loop_id]).get(loop_id)
    drift = drift_of_loop(backend, loop) if generations else None
    return json.dumps(export_json(loop, generations, floor, doubt, drift), indent=1).encode()


def _prefixed(prefix: str, values: Any) -> dict[str, Any]:
    return {f"{prefix}.{name}": value for name, value in values.items()}
