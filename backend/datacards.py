"""The data sets that loops can learn from, and what there is to know about each."""

from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.errors import LoopscopeError
from core.protocols import Part


class DataView(BaseModel):
    """One entry of the data registry.

    Attributes:
        kind: for ``data.kind`` of a config.
        domain: the title of the domain that it belongs to.
        card: source, licence, clips, seconds, split, notes; None where options have to be given first.
        needs: why there is no card yet, in words.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    domain: str = ""
    title: str
    description: str
    options: dict[str, Any]
    card: dict[str, Any] | None = None
    needs: str = ""


def cards() -> list[DataView]:
    """Every registered data set, with its card where it loads without further options and has one."""
    from model.domains import DOMAINS

    views = []
    for domain in DOMAINS.values():
        for kind, part in domain.data.items():
            schema = part.options.model_json_schema()
            view = DataView(
                kind=kind, domain=domain.title, title=part.title, description=part.description, options=schema
            )
            try:
                views.append(view.model_copy(update={"card": _card(part)}))
            except LoopscopeError as error:
                views.append(view.model_copy(update={"needs": str(error)}))
    return views


@lru_cache(maxsize=32)
def _card(part: Part) -> dict[str, Any] | None:
    """What a data set says of itself."""
    return getattr(part.build(part.options()), "card", None)
