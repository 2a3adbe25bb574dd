"""The numbers that a card of the Lab invites to change: their titles, what was typed, and how a run differs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic.fields import FieldInfo

from app import forms
from app.pages.labview import Edit
from backend import parts
from core.config import LoopConfig

if TYPE_CHECKING:
    from backend.lab.card import Card
    from backend.views import LoopView


def edits_of(card: "Card") -> list[Edit]:
    """The card's numbers with the titles that the launch form uses, and their published values."""
    found = []
    for path in card.edits:
        for _, config in card.arms:
            checked = parts.check(config)
            value = value_at(checked.model_dump(mode="json"), path)
            info = info_of(checked, path)
            if value is not None and info is not None:
                field = forms.field_of(path, info)
                found.append(Edit(path, field.title, field.info, words(value)))
                break
    return found


def info_of(config: LoopConfig, path: str) -> FieldInfo | None:
    """The field of a config that a dotted path leads to; None where it leads nowhere."""
    first, *rest = path.split(".")
    if not rest:
        return LoopConfig.model_fields.get(first)
    if first in forms.SECTIONS:
        return forms.SECTIONS[first].model_fields.get(rest[0])
    if rest[0] == "options" and len(rest) == 2:
        entry = parts.catalogue(config.domain).get(first, {}).get(getattr(config, first).kind)
        return None if entry is None else entry.options.model_fields.get(rest[1])
    return None


def value_at(plain: Mapping[str, Any], path: str) -> Any:
    node: Any = plain
    for name in path.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def words(value: Any) -> str:
    """A value as a person types it."""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def typed_value(text: str) -> Any:
    """A number where the text is one, else the text: what refuses it says so in words."""
    bare = text.strip()
    for kind in (int, float):
        try:
            return kind(bare)
        except ValueError:
            continue
    return bare


def changes_of(card: "Card", data: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed and is not as published, by path."""
    return {
        edit.path: typed_value(str(data[edit.path]))
        for edit in edits_of(card)
        if edit.path in data and str(data[edit.path]).strip() != edit.value
    }


def differences(card: "Card", edits: Sequence[Edit], views: "Sequence[LoopView]") -> str:
    """``With n = 200 instead of 100.``; "" for a run as published."""
    del card
    found = []
    for edit in edits:
        for view in views:
            value = value_at(view.config, edit.path)
            if value is None:
                continue
            if edit.path != "seed" and words(value) != edit.value:
                found.append(f"{edit.title} = {words(value)} instead of {edit.value}")
            break
    return f"This run: {', '.join(found)}." if found else ""
