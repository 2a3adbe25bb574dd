"""The verbs of :class:`backend.client.Client` on a data folder, without any server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from backend import (
    audits,
    datacards,
    datasets,
    drawing,
    drifts,
    estimate,
    exports,
    grouped,
    lab,
    loops,
    presence,
    presets,
    rollback,
    sweep,
    theory,
)
from backend.audits import AuditConfig, AuditView
from backend.context import Backend
from backend.datasets import DatasetView
from backend.drawing import DrawRequest, DrawView
from backend.drifts import DriftView
from backend.grouped import GroupOutcome, GroupVerb
from backend.importing.work import ImportOptions
from backend.lab import CardView, LabResult
from backend.motionfiles import write_motion
from backend.playing import Kind
from backend.sweep import Sweep, SweepView
from backend.theory import TheoryAnswer
from backend.views import EventView, GenerationView, LoopView
from core.config import LoopConfig
from core.protocols import Tick, silent


@dataclass(frozen=True)
class Local:
    backend: Backend

    def launch(self, config: LoopConfig, *, name: str = "", group: str = "") -> LoopView:
        return loops.launch(self.backend, config, name=name, group=group)

    def list_loops(self, *, group: str | None = None, deleted: bool = False, limit: int = 500) -> list[LoopView]:
        return loops.list_loops(self.backend, group=group, deleted=deleted, limit=limit)

    def show_loop(self, loop_id: str) -> LoopView:
        return loops.show_loop(self.backend, loop_id)

    def cancel(self, loop_id: str) -> LoopView:
        return loops.cancel(self.backend, loop_id)

    def resume(self, loop_id: str) -> LoopView:
        return loops.resume(self.backend, loop_id)

    def retry(self, loop_id: str) -> LoopView:
        return loops.retry(self.backend, loop_id)

    def rollback(self, loop_id: str, to: int | Literal["best"], *, metric: str = "") -> LoopView:
        return rollback.rollback(self.backend, loop_id, to, metric)

    def prioritize(self, loop_id: str, priority: int) -> LoopView:
        return loops.prioritize(self.backend, loop_id, priority)

    def restore(self, loop_id: str) -> LoopView:
        return loops.restore(self.backend, loop_id)

    def delete(self, loop_id: str) -> LoopView:
        return loops.delete(self.backend, loop_id)

    def clone(self, loop_id: str, changes: Mapping[str, Any], *, name: str = "") -> LoopView:
        return loops.clone(self.backend, loop_id, dict(changes), name=name)

    def extend(self, loop_id: str, generations: int, *, seen: int | None = None) -> LoopView:
        return loops.extend(self.backend, loop_id, generations, seen=seen)

    def generations(self, loop_id: str) -> list[GenerationView]:
        return loops.generations(self.backend, loop_id)

    def events(self, loop_id: str, *, limit: int = 200) -> list[EventView]:
        return loops.events(self.backend, loop_id, limit=limit)

    def drift(self, loop_id: str) -> DriftView:
        return drifts.drift(self.backend, loop_id)

    def export(self, loop_id: str, form: exports.Form = "json") -> bytes:
        return exports.export(self.backend, loop_id, form)

    def start_audit(self, config: AuditConfig, *, again: bool = False) -> AuditView:
        return audits.start(self.backend, config, again=again)

    def show_audit(self, audit_id: str) -> AuditView:
        return audits.show(self.backend, audit_id)

    def list_audits(self, *, limit: int = 100) -> list[AuditView]:
        return audits.list_audits(self.backend, limit)

    def cancel_audit(self, audit_id: str) -> AuditView:
        return audits.cancel(self.backend, audit_id)

    def start_draw(self, request: DrawRequest) -> DrawView:
        return drawing.start(self.backend, request)

    def show_draw(self, loop_id: str, draw_id: str) -> DrawView:
        return drawing.show(self.backend, loop_id, draw_id)

    def draw_file(
        self, loop_id: str, draw_id: str, kind: Kind, index: int, form: Literal["npz", "bvh"] = "npz"
    ) -> bytes:
        return write_motion(drawing.motion(self.backend, loop_id, draw_id, kind, index).motion, form)

    def launch_preset(
        self, key: str, choices: Mapping[str, Any] | None = None, *, again: bool = False
    ) -> list[LoopView]:
        return presets.launch_preset(self.backend, key, choices, again=again)

    def look_at_preset(self, key: str, choices: Mapping[str, Any] | None = None) -> presets.PresetEstimate:
        return presets.look(self.backend, key, choices)

    def presets(self) -> list[presets.PresetView]:
        return presets.views(presence.device_found(self.backend))

    def look_at_sweep(self, wanted: Sweep, *, title: str = "") -> SweepView:
        return sweep.look(self.backend, wanted, title)

    def launch_sweep(self, wanted: Sweep, *, title: str = "", again: bool = False) -> list[LoopView]:
        return sweep.launch_sweep(self.backend, wanted, title, again=again)

    def to_group(self, verb: GroupVerb, group: str) -> GroupOutcome:
        return grouped.to_group(self.backend, verb, group)

    def cards(self) -> list[CardView]:
        return lab.views()

    def launch_card(self, key: str, changes: Mapping[str, Any] | None = None, *, again: bool = False) -> list[LoopView]:
        return lab.launch_card(self.backend, key, changes, again=again)

    def lab_result(self, key: str, group: str = "") -> LabResult:
        return lab.result(self.backend, key, group)

    def theory(self, loop_id: str, constants: Mapping[str, float] | None = None) -> TheoryAnswer:
        return theory.of_loop(self.backend, loop_id, constants)

    def data(self) -> list[datacards.DataView]:
        return datacards.cards()

    def import_data(self, path: Path, options: ImportOptions, tick: Tick = silent) -> DatasetView:
        return datasets.import_path(self.backend, path, options, tick)

    def list_datasets(self, *, deleted: bool = False) -> list[DatasetView]:
        return datasets.list_datasets(self.backend, deleted=deleted)

    def show_dataset(self, wanted: str) -> DatasetView:
        return datasets.show(self.backend, wanted)

    def delete_dataset(self, wanted: str) -> DatasetView:
        return datasets.delete(self.backend, wanted)

    def restore_dataset(self, dataset_id: str) -> DatasetView:
        return datasets.restore(self.backend, dataset_id)

    def estimate(self, configs: Sequence[LoopConfig]) -> estimate.Estimate:
        return estimate.estimate(self.backend, configs)
