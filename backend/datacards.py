"""The data sets that loops can learn from, and what there is to know about each."""

from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.errors import LoopscopeError


class DataView(BaseModel):
    """One entry of the data registry.

    Attributes:
        kind: for ``data.kind`` of a config.
        card: source, licence, clips, seconds, split, notes; None where options have to be given first.
        needs: why there is no card yet, in words.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    title: str
    description: str
    options: dict[str, Any]
    card: dict[str, Any] | None = None
    needs: str = ""


def cards() -> list[DataView]:
    """Every registered data set, with its card where it loads without further options."""
    from backend import parts

    views = []
    for kind, part in parts.catalogue()["data"].items():
        view = DataView(
            kind=kind, title=part.title, description=part.description, options=part.options.model_json_schema()
        )
        try:
            views.append(view.model_copy(update={"card": _card(kind)}))
        except LoopscopeError as error:
            views.append(view.model_copy(update={"needs": str(error)}))
    return views


@lru_cache(maxsize=16)
def _card(kind: str) -> dict[str, Any]:
    from backend import parts

    part = parts.catalogue()["data"][kind]
    card: dict[str, Any] = part.build(part.options()).card
    return card
