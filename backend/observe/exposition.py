"""The installation's numbers for Prometheus, in a registry of their own."""

from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from backend.context import Backend
from backend.observe.caching import Cached
from backend.observe.ledger import BUCKETS_S, Durations, Ledger
from backend.observe.observer import KEEP_S, Observer
from backend.observe.requests import RequestCounts
from backend.observe.views import DiskView, QueueView, SystemView
from backend.presence import ProcessView

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exposition:
    """What ``/metrics`` answers with. Two servers of one installation tell the same, requests and memory aside."""

    def __init__(self, backend: Backend, observer: Observer) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self.requests = RequestCounts(self.registry)
        self.registry.register(InstallationCollector(backend, observer))
        ProcessCollector(registry=self.registry)

    def text(self) -> bytes:
        return generate_latest(self.registry)


class InstallationCollector(Collector):
    """Families of one look at the installation. Labels are states, queues, stages, kinds: never a loop or a user."""

    def __init__(self, backend: Backend, observer: Observer) -> None:
        self._observer, self._ledger = observer, Ledger(backend)
        self._look = Cached(self._ledger.look, KEEP_S)

    def collect(self) -> Iterable[Any]:
        system = self._observer.system()
        yield InfoMetricFamily("loopscope", "What runs here.", value=_version(system))
        yield _labelled(
            "loopscope_up", "Whether it answers.", "part",
            {"database": float(system.database.answers), "broker": float(system.broker.answers)},
        )  # fmt: skip
        if system.database.answers:
            yield from _of_sql(system)
            yield from self._of_ledger()
        yield from _of_machine(system)

    def _of_ledger(self) -> Iterator[Any]:
        try:
            self._look.get()
        except SQLAlchemyError:
            return
        events = CounterMetricFamily("loopscope_events", "Events of loops, by kind.", labels=["kind"])
        for kind, count in sorted(self._ledger.events.items()):
            events.add_metric([kind], count)
        yield events
        attempts = CounterMetricFamily(
            "loopscope_stage_attempts", "Attempts that finished stages took.", labels=["stage"]
        )
        for stage, count in sorted(self._ledger.attempts.items()):
            attempts.add_metric([stage], count)
        yield attempts
        durations = HistogramMetricFamily("loopscope_stage_seconds", "Of finished stages.", labels=["stage"])
        for stage, found in sorted(self._ledger.durations.items()):
            durations.add_metric([stage], _buckets(found), found.total_s)
        yield durations


def _version(system: SystemView) -> dict[str, str]:
    return {name: system.versions.get(name, "") for name in ("loopscope", "python")}


def _buckets(found: Durations) -> list[tuple[str, float]]:
    edges = [*(str(edge) for edge in BUCKETS_S), "+Inf"]
    return list(zip(edges, map(float, accumulate(found.counts)), strict=True))


def _of_sql(system: SystemView) -> Iterator[Any]:
    yield _labelled("loopscope_loops", "Loops that are not deleted, by state.", "state", system.loops)
    yield _by_queue(system, "loopscope_stages_waiting", "Parts that a worker could start now.", lambda q: q.waiting)
    yield _by_queue(system, "loopscope_stages_at_work", "Parts that a worker holds.", lambda q: q.at_work)
    yield _by_queue(
        system, "loopscope_queue_oldest_seconds", "Age of the oldest part that waits; 0 where none does.",
        lambda q: q.oldest_s or 0.0,
    )  # fmt: skip
    if system.broker.answers:
        yield _by_queue(system, "loopscope_queue_messages", "Messages in the broker.", lambda q: q.messages or 0)
    yield _by_queue(system, "loopscope_workers", "Worker processes that are there.", lambda q: q.workers)
    yield _labelled(
        "loopscope_processes", "Processes of the last day, by state.", "state",
        {state: sum(p.state == state for p in system.processes) for state in ("alive", "silent", "ended")},
    )  # fmt: skip
    yield _by_queue(
        system, "loopscope_worker_memory_bytes", "Memory of the workers that are there.",
        lambda q: sum((p.rss_mb or 0.0) * 1e6 for p in _alive(system, q)),
    )  # fmt: skip
    yield _plain("loopscope_database_seconds", "Of the simplest question.", system.database.seconds)
    yield _plain("loopscope_database_bytes", "Size of the database.", system.database.size_bytes)
    yield _plain("loopscope_artifact_bytes", "Of files that published items name.", system.disk.artifacts)
    yield _plain("loopscope_artifact_files", "Files that published items name.", system.disk.artifact_files)
    yield _plain("loopscope_leader", "Whether a process reconciles.", float(system.leader is not None))


def _of_machine(system: SystemView) -> Iterator[Any]:
    disk: DiskView = system.disk
    yield _plain("loopscope_disk_free_bytes", "Of the data folder's disk.", disk.free)
    yield _plain("loopscope_disk_total_bytes", "Of the data folder's disk.", disk.total)
    yield _plain("loopscope_disk_needed_bytes", "What launching and working leave free.", disk.needed)
    if system.memory is not None:
        yield _plain("loopscope_memory_available_bytes", "Of this machine.", system.memory.available)
        yield _plain("loopscope_memory_total_bytes", "Of this machine.", system.memory.total)


def _alive(system: SystemView, queue: QueueView) -> list[ProcessView]:
    return [p for p in system.processes if p.state == "alive" and queue.name in p.queues]


def _by_queue(system: SystemView, name: str, words: str, value: Callable[[QueueView], float]) -> GaugeMetricFamily:
    return _labelled(name, words, "queue", {queue.name: value(queue) for queue in system.queues})


def _labelled(name: str, words: str, label: str, values: dict[str, Any]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _plain(name: str, words: str, value: float | None) -> GaugeMetricFamily:
    """A family without labels, empty where the value is unknown."""
    family = GaugeMetricFamily(name, words)
    if value is not None:
        family.add_metric([], value)
    return family
