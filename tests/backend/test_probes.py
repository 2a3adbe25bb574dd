"""``/healthz``, ``/readyz`` and ``/metrics`` as a program sees them, and ``/api/v1/system``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from backend.api import PREFIX, create_api
from backend.context import Backend
from backend.gate import Actor, Forbidden, NotSignedIn, Role
from backend.observe import add_probes
from backend.observe.requests import MOST_ROUTES, OTHER, RequestCounts
from backend.presence import Presence
from tests.backend.leases import start
from tests.backend.test_observe import AwayQueue, without_sql


@dataclass(frozen=True)
class ClosedGate:
    """Nobody comes in."""

    def require(self, role: Role) -> Actor:
        raise NotSignedIn("Nobody is logged in.", "Log in first.")


@contextmanager
def served(backend: Backend) -> Iterator[TestClient]:
    app = FastAPI()
    app.mount(PREFIX, create_api(backend))
    add_probes(app, backend)
    with TestClient(app, raise_server_exceptions=False) as http:
        yield http


def families(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Samples by name, their labels' values as keys."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_a_living_process_is_healthy_whatever_is_away(make_backend: Callable[..., Backend]) -> None:
    with served(without_sql(make_backend(queue=AwayQueue()))) as http:
        answer = http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_ready_when_everything_answers(backend: Backend) -> None:
    with served(backend) as http:
        answer = http.get("/readyz")
    assert answer.status_code == 200 and answer.json()["status"] == "ready"
    assert set(answer.json()["checks"]) == {"database", "tables", "broker", "data folder", "artifact store"}
    assert answer.headers["cache-control"] == "no-store"


def test_not_ready_says_in_words_what_is_missing(make_backend: Callable[..., Backend]) -> None:
    with served(make_backend(queue=AwayQueue())) as http:
        answer = http.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["checks"]["broker"]["sentence"] == "does not answer; loops wait until it does"
        assert answer.json()["checks"]["database"]["ok"]
    with served(without_sql(make_backend())) as http:
        answer = http.get("/readyz")
        assert answer.status_code == 503 and not answer.json()["checks"]["database"]["ok"]
        assert "hunter2" not in answer.text


def test_strangers_learn_whether_but_not_what(backend: Backend) -> None:
    with served(replace(backend, gate=ClosedGate())) as http:
        ready, metrics = http.get("/readyz"), http.get("/metrics")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert metrics.status_code == 401 and "loopscope_" not in metrics.text


def test_metrics_tell_of_loops_queues_and_workers(either_backend: Backend) -> None:
    start(either_backend)
    Presence(either_backend, "here:1", "gpu,cpu", "cpu").beat()
    with served(either_backend) as http:
        http.get(f"{PREFIX}/loops")
        answer = http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = families(answer.text)
    assert found["loopscope_up"] == {("database",): 1, ("broker",): 1}
    assert found["loopscope_loops"][("queued",)] == 1 and found["loopscope_loops"][("failed",)] == 0
    assert found["loopscope_stages_waiting"] == {("gpu",): 1, ("cpu",): 0}
    assert found["loopscope_workers"] == {("gpu",): 1, ("cpu",): 1}
    assert found["loopscope_http_requests_total"][("GET", f"{PREFIX}/loops", "200")] == 1
    assert found["loopscope_database_bytes"][()] > 0 and found["loopscope_disk_free_bytes"][()] > 0
    assert found["process_resident_memory_bytes"][()] > 0


def test_metrics_are_told_while_sql_and_broker_are_away(make_backend: Callable[..., Backend]) -> None:
    with served(without_sql(make_backend(queue=AwayQueue()))) as http:
        answer = http.get("/metrics")
    found = families(answer.text)
    assert answer.status_code == 200
    assert found["loopscope_up"] == {("database",): 0, ("broker",): 0}
    assert "loopscope_loops" not in found and found["loopscope_disk_free_bytes"][()] > 0


def test_no_loop_becomes_a_label(backend: Backend) -> None:
    view, _ = start(backend)
    with served(backend) as http:
        for path in (f"/loops/{view.id}", f"/loops/{view.id}/events", "/nothing/there", f"/{view.id}"):
            http.get(f"{PREFIX}{path}")
        text = http.get("/metrics").text
    requests = families(text)["loopscope_http_requests_total"]
    assert view.id not in text
    assert requests[("GET", f"{PREFIX}/loops/{{loop_id}}", "200")] == 1
    assert requests[("GET", OTHER, "404")] == 2


def test_only_so_many_routes_become_labels() -> None:
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    counts = RequestCounts(registry)
    for number in range(MOST_ROUTES + 50):
        counts.add({"method": "GET", "route": _Route(f"/r{number}")}, 200, 0.01)
    counts.add({"method": "BREW"}, 200, 0.01)
    found = {tuple(s.labels.values()) for f in registry.collect() for s in f.samples if s.name.endswith("_total")}
    assert len(found) == MOST_ROUTES + 2
    assert ("GET", OTHER, "200") in found and (OTHER, OTHER, "200") in found


@dataclass(frozen=True)
class _Route:
    path: str


def test_an_error_inside_is_counted(backend: Backend) -> None:
    app = FastAPI()
    add_probes(app, backend)

    @app.get("/boom")
    def boom() -> None:
        raise RuntimeError("no")

    with TestClient(app, raise_server_exceptions=False) as http:
        assert http.get("/boom").status_code == 500
        found = families(http.get("/metrics").text)
    assert found["loopscope_http_requests_total"][("GET", "/boom", "500")] == 1


def test_the_api_shows_the_system(backend: Backend) -> None:
    start(backend)
    with served(backend) as http:
        body: dict[str, Any] = http.get(f"{PREFIX}/system").json()
    assert body["loops"]["queued"] == 1
    assert [queue["name"] for queue in body["queues"]] == ["gpu", "cpu"]
    assert body["database"]["kind"] == "SQLite" and body["broker"]["answers"] is True


@pytest.mark.parametrize("error", [NotSignedIn, Forbidden])
def test_refusals_of_a_gate_are_answers(backend: Backend, error: type[NotSignedIn]) -> None:
    class Gate(ClosedGate):
        def require(self, role: Role) -> Actor:
            raise error("No.", "Ask.")

    with served(replace(backend, gate=Gate())) as http:
        assert http.get("/metrics").json()["error"]["message"] == "No."
