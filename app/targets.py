"""Whom the command line talks to: this machine's data folder, or a server elsewhere. Both have the same verbs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from backend.datacards import DataView
    from backend.estimate import Estimate
    from backend.exports import Form
    from backend.presets import PresetView
    from backend.settings import Settings
    from backend.views import EventView, GenerationView, LoopView
    from core.config import LoopConfig


class Target(Protocol):
    """What :class:`backend.local.Local` and :class:`backend.client.Client` have in common."""

    def launch(self, config: "LoopConfig", *, name: str = "", group: str = "") -> "LoopView": ...
    def list_loops(self, *, group: str | None = None, deleted: bool = False, limit: int = 500) -> "list[LoopView]": ...
    def show_loop(self, loop_id: str) -> "LoopView": ...
    def cancel(self, loop_id: str) -> "LoopView": ...
    def resume(self, loop_id: str) -> "LoopView": ...
    def restore(self, loop_id: str) -> "LoopView": ...
    def delete(self, loop_id: str) -> "LoopView": ...
    def clone(self, loop_id: str, changes: Mapping[str, Any], *, name: str = "") -> "LoopView": ...
    def extend(self, loop_id: str, generations: int) -> "LoopView": ...
    def generations(self, loop_id: str) -> "list[GenerationView]": ...
    def events(self, loop_id: str, *, limit: int = 200) -> "list[EventView]": ...
    def export(self, loop_id: str, form: "Form" = "json") -> bytes: ...
    def launch_preset(self, key: str, *, again: bool = False) -> "list[LoopView]": ...
    def presets(self) -> "list[PresetView]": ...
    def data(self) -> "list[DataView]": ...
    def estimate(self, configs: "Sequence[LoopConfig]") -> "Estimate": ...


@contextmanager
def open_target(server: str, settings: "Settings | None") -> Iterator[Target]:
    """The server at that address, or the settings' data folder when there is none."""
    if server:
        from backend.client import Client

        with Client(server) as client:
            yield client
        return
    from backend.context import open_backend
    from backend.local import Local

    backend = open_backend(settings)
    try:
        yield Local(backend)
    finally:
        backend.close()
