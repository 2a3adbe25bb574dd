"""A thin client of the REST API: the verbs of :mod:`backend.loops`, over HTTP, raising the same errors.

with Client("http://127.0.0.1:7860") as client:
    loop = client.launch({"policy": {"kind": "replace"}}, name="first")
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter

from backend.audits import AuditConfig, AuditView
from backend.datacards import DataView
from backend.datasets import IMPORT_TIMEOUT_S, DatasetView
from backend.drawing import DrawRequest, DrawView
from backend.drifts import DriftView
from backend.estimate import Estimate
from backend.exports import Form
from backend.failures import rebuilt
from backend.grouped import GroupOutcome, GroupVerb
from backend.importing.work import ImportOptions
from backend.lab import CardView, LabResult
from backend.playing import Kind
from backend.presets import PresetEstimate, PresetView
from backend.sweep import Sweep, SweepView
from backend.theory import TheoryAnswer
from backend.views import EventView, GenerationView, LoopView, PanelView
from core.config import LoopConfig
from core.errors import (
    InvalidConfig,
    LoopscopeError,
)
from core.protocols import Tick, silent

PREFIX = "/api/v1"
MotionForm = Literal["lsm", "npz", "bvh"]
T = TypeVar("T")


class Unreachable(LoopscopeError):
    """No Loopscope answers at the address."""

    code = "unreachable"


class Client:
    """A connection to a running server.

    Args:
        url: of the server, without ``/api/v1``.
        token: an API token, where the server has users.
        timeout_s: for one answer.
        transport: instead of the network, in tests.

    Every method raises what its namesake in :mod:`backend.loops` raises, and Unreachable.
    """

    def __init__(
        self, url: str, *, token: str = "", timeout_s: float = 30.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise InvalidConfig(
                f"{url!r} is not the address of a server.", "Give it as http://127.0.0.1:7860.", "server"
            )
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=self.url + PREFIX, headers=headers, timeout=timeout_s, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # --- loops ---

    def launch(self, config: LoopConfig | Mapping[str, Any], *, name: str = "", group: str = "") -> LoopView:
        plain = config.model_dump(mode="json") if isinstance(config, BaseModel) else dict(config)
        return self._ask(LoopView, "POST", "/loops", json={"config": plain, "name": name, "group": group})

    def list_loops(self, *, group: str | None = None, deleted: bool = False, limit: int = 500) -> list[LoopView]:
        query: dict[str, str | int | bool] = {"deleted": deleted, "limit": limit}
        if group is not None:
            query["group"] = group
        return self._ask(list[LoopView], "GET", "/loops", params=query)

    def show_loop(self, loop_id: str) -> LoopView:
        return self._ask(LoopView, "GET", _loop(loop_id))

    def cancel(self, loop_id: str) -> LoopView:
        return self._ask(LoopView, "POST", _loop(loop_id, "cancel"))

    def resume(self, loop_id: str) -> LoopView:
        return self._ask(LoopView, "POST", _loop(loop_id, "resume"))

    def retry(self, loop_id: str) -> LoopView:
        return self._ask(LoopView, "POST", _loop(loop_id, "retry"))

    def rollback(self, loop_id: str, to: int | Literal["best"], *, metric: str = "") -> LoopView:
        return self._ask(LoopView, "POST", _loop(loop_id, "rollback"), json={"to": to, "metric": metric})

    def prioritize(self, loop_id: str, priority: int) -> LoopView:
        return self._ask(LoopView, "POST", _loop(loop_id, "prioritize"), json={"priority": priority})

    def restore(self, loop_id: str) -> LoopView:
        return self._ask(LoopView, "POST", _loop(loop_id, "restore"))

    def delete(self, loop_id: str) -> LoopView:
        return self._ask(LoopView, "DELETE", _loop(loop_id))

    def clone(self, loop_id: str, changes: Mapping[str, Any], *, name: str = "") -> LoopView:
        body = {"changes": dict(changes), "name": name}
        return self._ask(LoopView, "POST", _loop(loop_id, "clone"), json=body)

    def extend(self, loop_id: str, generations: int, *, seen: int | None = None) -> LoopView:
        body = {"generations": generations, "seen": seen}
        return self._ask(LoopView, "POST", _loop(loop_id, "extend"), json=body)

    # --- what loops left behind ---

    def generations(self, loop_id: str) -> list[GenerationView]:
        return self._ask(list[GenerationView], "GET", _loop(loop_id, "generations"))

    def events(self, loop_id: str, *, limit: int = 200) -> list[EventView]:
        return self._ask(list[EventView], "GET", _loop(loop_id, "events"), params={"limit": limit})

    def floor(self, loop_id: str) -> dict[str, list[float]]:
        return self._ask(dict[str, list[float]], "GET", _loop(loop_id, "floor"))

    def drift(self, loop_id: str) -> DriftView:
        """What has drifted in each generation, and the cure."""
        return self._ask(DriftView, "GET", _loop(loop_id, "drift"))

    def curves(self, loop_ids: Sequence[str]) -> dict[str, dict[str, list[tuple[int, float]]]]:
        shape = dict[str, dict[str, list[tuple[int, float]]]]
        return self._ask(shape, "GET", "/curves", params={"loops": ",".join(loop_ids)})

    def traces(self, loop_id: str, metric: str | None = None) -> dict[str, list[tuple[int, list[float | None]]]]:
        """The metrics of each seed that runs in one loop."""
        query = {"metric": metric} if metric is not None else {}
        shape = dict[str, list[tuple[int, list[float | None]]]]
        return self._ask(shape, "GET", _loop(loop_id, "traces"), params=query)

    def panel(self, loop_id: str, generation: int) -> PanelView:
        return self._ask(PanelView, "GET", _loop(loop_id, "generations", str(generation), "panel"))

    def panel_file(
        self,
        loop_id: str,
        generation: int,
        kind: Kind,
        index: int,
        form: MotionForm = "npz",
    ) -> bytes:
        """One motion of the panel as a file."""
        parts = ("generations", str(generation), "panel", kind, str(index), f"motion.{form}")
        return self._send("GET", _loop(loop_id, *parts)).content

    def export(self, loop_id: str, form: Form = "json") -> bytes:
        """Configuration and metrics of all generations as a file."""
        return self._send("GET", _loop(loop_id, f"export.{form}")).content

    # --- audits of correctors ---

    def start_audit(self, config: AuditConfig, *, again: bool = False) -> AuditView:
        body = {"config": config.model_dump(mode="json"), "again": again}
        return self._ask(AuditView, "POST", "/audits", json=body)

    def show_audit(self, audit_id: str) -> AuditView:
        return self._ask(AuditView, "GET", f"/audits/{quote(audit_id, safe='')}")

    def list_audits(self, *, limit: int = 100) -> list[AuditView]:
        return self._ask(list[AuditView], "GET", "/audits", params={"limit": limit})

    def cancel_audit(self, audit_id: str) -> AuditView:
        return self._ask(AuditView, "POST", f"/audits/{quote(audit_id, safe='')}/cancel")

    # --- new samples of a generation ---

    def start_draw(self, request: DrawRequest) -> DrawView:
        body = {"request": request.model_dump(mode="json", exclude={"loop"})}
        return self._ask(DrawView, "POST", _loop(request.loop, "draws"), json=body)

    def show_draw(self, loop_id: str, draw_id: str) -> DrawView:
        return self._ask(DrawView, "GET", _loop(loop_id, "draws", draw_id))

    def list_draws(self, loop_id: str, generation: int | None = None) -> list[DrawView]:
        query = {} if generation is None else {"generation": generation}
        return self._ask(list[DrawView], "GET", _loop(loop_id, "draws"), params=query)

    def delete_draw(self, loop_id: str, draw_id: str) -> None:
        self._send("DELETE", _loop(loop_id, "draws", draw_id))

    def draw_file(self, loop_id: str, draw_id: str, kind: Kind, index: int, form: MotionForm = "npz") -> bytes:
        """One motion of a draw as a file."""
        return self._send("GET", _loop(loop_id, "draws", draw_id, kind, str(index), f"motion.{form}")).content

    # --- published experiments ---

    def cards(self) -> list[CardView]:
        return self._ask(list[CardView], "GET", "/lab")

    def launch_card(self, key: str, changes: Mapping[str, Any] | None = None, *, again: bool = False) -> list[LoopView]:
        body = {"changes": dict(changes or {}), "again": again}
        return self._ask(list[LoopView], "POST", f"/lab/{quote(key, safe='')}/launch", json=body)

    def lab_result(self, key: str, group: str = "") -> LabResult:
        return self._ask(LabResult, "GET", f"/lab/{quote(key, safe='')}/result", params={"group": group})

    def theory(self, loop_id: str, constants: Mapping[str, float] | None = None) -> TheoryAnswer:
        """Predicted curves of a loop; constants as in :mod:`backend.theory`."""
        return self._ask(TheoryAnswer, "GET", _loop(loop_id, "theory"), params=dict(constants or {}))

    # --- what there is ---

    def presets(self) -> list[PresetView]:
        return self._ask(list[PresetView], "GET", "/presets")

    def launch_preset(
        self, key: str, choices: Mapping[str, Any] | None = None, *, again: bool = False
    ) -> list[LoopView]:
        body = {"choices": dict(choices or {}), "again": again}
        return self._ask(list[LoopView], "POST", f"/presets/{quote(key, safe='')}/launch", json=body)

    def look_at_preset(self, key: str, choices: Mapping[str, Any] | None = None) -> PresetEstimate:
        body = {"choices": dict(choices or {})}
        return self._ask(PresetEstimate, "POST", f"/presets/{quote(key, safe='')}/estimate", json=body)

    # --- many at once ---

    def look_at_sweep(self, wanted: Sweep, *, title: str = "") -> SweepView:
        return self._ask(SweepView, "POST", "/sweeps/estimate", json={**_sweep(wanted), "title": title})

    def launch_sweep(self, wanted: Sweep, *, title: str = "", again: bool = False) -> list[LoopView]:
        body = {**_sweep(wanted), "title": title, "again": again}
        return self._ask(list[LoopView], "POST", "/sweeps", json=body)

    def to_group(self, verb: GroupVerb, group: str) -> GroupOutcome:
        return self._ask(GroupOutcome, "POST", f"/groups/{verb}", json={"group": group})

    def parts(self) -> dict[str, dict[str, Any]]:
        return self._ask(dict[str, dict[str, Any]], "GET", "/parts")

    def metrics(self) -> list[dict[str, Any]]:
        return self._ask(list[dict[str, Any]], "GET", "/metrics")

    def data(self) -> list[DataView]:
        return self._ask(list[DataView], "GET", "/data")

    def import_data(self, path: Path, options: ImportOptions, tick: Tick = silent) -> DatasetView:
        """Send a file, or a folder as one zip, to be imported there."""
        from backend.importing.source import parcel

        with parcel(path) as (name, stream):
            tick(0.2, f"Sending {name}")
            form = {field: str(value) for field, value in options.model_dump(mode="json").items()}
            form["name"] = options.name
            request: dict[str, Any] = {"files": {"files": (name, stream)}, "data": form, "timeout": IMPORT_TIMEOUT_S}
            return self._ask(DatasetView, "POST", "/datasets", **request)

    def list_datasets(self, *, deleted: bool = False) -> list[DatasetView]:
        return self._ask(list[DatasetView], "GET", "/datasets", params={"deleted": deleted})

    def show_dataset(self, wanted: str) -> DatasetView:
        """By id or name."""
        named = [view.id for view in self.list_datasets() if view.name == wanted]
        return self._ask(DatasetView, "GET", _dataset(named[0] if named else wanted))

    def delete_dataset(self, wanted: str) -> DatasetView:
        """By id or name."""
        return self._ask(DatasetView, "DELETE", _dataset(self.show_dataset(wanted).id))

    def restore_dataset(self, dataset_id: str) -> DatasetView:
        return self._ask(DatasetView, "POST", _dataset(dataset_id, "restore"))

    def estimate(self, configs: Sequence[LoopConfig]) -> Estimate:
        plain = [config.model_dump(mode="json") for config in configs]
        return self._ask(Estimate, "POST", "/estimate", json={"configs": plain})

    def health(self) -> dict[str, Any]:
        return self._ask(dict[str, Any], "GET", "/health")

    def _ask(self, shape: type[T], method: str, path: str, **request: Any) -> T:
        return TypeAdapter(shape).validate_json(self._send(method, path, **request).content)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise Unreachable(
                f"No Loopscope answers at {self.url} ({error or type(error).__name__}).",
                "Start one with: loopscope up",
            ) from None
        if answer.is_error:
            raise error_of(answer)
        return answer


def error_of(answer: httpx.Response) -> LoopscopeError:
    """The error that an answer's JSON tells of: the one that was raised in the server."""
    try:
        told = answer.json()["error"]
        code, message, hint = str(told["code"]), str(told["message"]), str(told.get("hint", ""))
        field = str(told.get("field") or "")
    except (ValueError, KeyError, TypeError):
        return LoopscopeError(
            f"{answer.request.url} answered with status {answer.status_code}, which is no answer of Loopscope.",
            "Check the address.",
        )
    return rebuilt(code, message, hint, field)


def _loop(loop_id: str, *more: str) -> str:
    return "/".join(["/loops", *(quote(part, safe="") for part in (loop_id, *more))])


def _dataset(dataset_id: str, *more: str) -> str:
    return "/".join(["/datasets", *(quote(part, safe="") for part in (dataset_id, *more))])


def _sweep(wanted: Sweep) -> dict[str, Any]:
    return {
        "config": wanted.base.model_dump(mode="json"),
        "vary": {axis.path: list(axis.values) for axis in wanted.axes},
        "seeds": list(wanted.seeds),
    }
