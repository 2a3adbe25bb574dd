"""Loops that belong together, launched as one group."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backend import loops
from core.config import LoopConfig

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.views import LoopView


def launch_group(
    backend: "Backend", title: str, wanted: Sequence[tuple[str, LoopConfig]], *, again: bool = False
) -> "list[LoopView]":
    """Loops by (name, checked config), in this order, in one group; those that this data folder already has unless
    ``again``.

    A group whose launch stopped half way is completed, never doubled; with other configs it is one of its own, named
    by the title and a number.
    """
    configs = {name: config.model_dump(mode="json") for name, config in wanted}
    number, group = 1, title
    kept: dict[str, LoopView] = {}
    while found := [
        view for deleted in (False, True) for view in loops.list_loops(backend, group=group, deleted=deleted)
    ]:
        mine = {view.name: view for view in found if not view.deleted}
        kept = {name: view for name, view in mine.items() if configs.get(name) == view.config}
        if not again and kept and len(kept) == len(mine):
            break
        number, kept = number + 1, {}
        group = f"{title} {number}"
    return [
        kept[name] if name in kept else loops.launch(backend, config, name=name, group=group) for name, config in wanted
    ]
