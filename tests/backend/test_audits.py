"""Audits as work: asked for once, done once, cancelled, taken up again, and the same numbers wherever they run."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from backend import audits, auditwork, jobwork, loops
from backend.audits import AuditConfig
from backend.client import Client
from backend.context import Backend
from backend.jobs import AUDIT
from backend.tables import AuditJob, utc_now
from core.config import LoopConfig, PartConfig
from core.errors import Conflict, InvalidConfig, LoopscopeError, NotFound
from core.protocols import Tick, silent
from core.records import Item
from corrector.audit import Audit
from tests.app.seeding import record, small
from tests.backend.serving import Bridge, served

KINEMATIC = AuditConfig(corrector=PartConfig(kind="kinematic"), n=30, real=60, perturbations=["low"])
NOTHING = Audit(windows=30, real_windows=60, floor=(1.0,), effects=(), findings=("Nothing.",))


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> list[AuditConfig]:
    """Audits that find nothing at once; what was computed."""
    computed: list[AuditConfig] = []

    def compute(backend: Backend, config: AuditConfig, *, device: str = "auto", tick: Tick = silent) -> Audit:
        tick(0.5, "Half way")
        computed.append(config)
        return NOTHING

    monkeypatch.setattr(auditwork, "compute", compute)
    return computed


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Audits that go on until they are stopped; set once one is at work."""
    begun = threading.Event()

    def compute(backend: Backend, config: AuditConfig, *, device: str = "auto", tick: Tick = silent) -> Audit:
        limit = time.monotonic() + 30
        while time.monotonic() < limit:
            tick(0.25, "Correcting")
            begun.set()
            time.sleep(0.01)
        raise AssertionError("nobody stopped it")

    monkeypatch.setattr(auditwork, "compute", compute)
    return begun


@pytest.fixture
def quick_evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluator that hardly learns: enough to have features."""
    for name, value in (("STEPS", 8), ("TRAINING_WINDOWS", 64), ("REFERENCE_WINDOWS", 96)):
        monkeypatch.setattr(f"model.evaluator.{name}", value)


def silence(backend: Backend, audit_id: str) -> None:
    """Make its worker seem long gone."""
    with backend.database.write() as session:
        session.get_one(AuditJob, audit_id).heartbeat_at = utc_now() - timedelta(hours=1)


def test_the_same_audit_is_asked_for_once(either_backend: Backend, instant: list[AuditConfig]) -> None:
    backend = either_backend
    view = audits.start(backend, KINEMATIC)
    assert view.state == "queued" and backend.queue.audits == [view.id]  # type: ignore[attr-defined]
    assert audits.start(backend, KINEMATIC).id == view.id
    assert auditwork.work(backend, view.id)
    assert not auditwork.work(backend, view.id), "a message that comes twice does nothing"
    done = audits.start(backend, KINEMATIC)
    assert (done.id, done.state, done.result) == (view.id, "done", NOTHING)
    assert done.sentence.startswith("Done in") and done.fraction == 1.0
    assert len(instant) == 1
    again = audits.start(backend, KINEMATIC, again=True)
    other = audits.start(backend, KINEMATIC.model_copy(update={"n": 31}))
    assert len({view.id, again.id, other.id}) == 3
    assert {v.id for v in audits.list_audits(backend)} == {view.id, again.id, other.id}
    assert all(v.result is None for v in audits.list_audits(backend))


def test_every_change_is_seen_by_the_poll(backend: Backend, instant: list[AuditConfig]) -> None:
    seen = [loops.revision(backend)]
    view = audits.start(backend, KINEMATIC)
    seen.append(loops.revision(backend))
    auditwork.work(backend, view.id)
    seen.append(loops.revision(backend))
    audits.start(backend, KINEMATIC)
    assert seen[0] < seen[1] < seen[2] == loops.revision(backend)


def test_a_running_audit_is_cancelled(backend: Backend, slow: threading.Event) -> None:
    view = audits.start(backend, KINEMATIC)
    thread = threading.Thread(target=auditwork.work, args=(backend, view.id))
    thread.start()
    assert slow.wait(20)
    limit = time.monotonic() + 20
    while audits.show(backend, view.id).fraction == 0.0 and time.monotonic() < limit:
        time.sleep(0.02)
    now = audits.show(backend, view.id)
    assert now.state == "running" and now.sentence.startswith("Correcting, about ") and now.eta_s is not None
    assert audits.cancel(backend, view.id).state == "cancelling"
    thread.join(20)
    assert not thread.is_alive()
    assert audits.show(backend, view.id).state == "cancelled"
    assert audits.start(backend, KINEMATIC).id != view.id, "a cancelled one is not handed out"


def test_a_waiting_audit_is_cancelled_at_once_and_a_finished_one_not(
    backend: Backend, instant: list[AuditConfig]
) -> None:
    view = audits.start(backend, KINEMATIC)
    assert audits.cancel(backend, view.id).state == "cancelled"
    assert not auditwork.work(backend, view.id)
    done = audits.start(backend, KINEMATIC)
    auditwork.work(backend, done.id)
    with pytest.raises(Conflict, match="done already"):
        audits.cancel(backend, done.id)
    with pytest.raises(NotFound, match="nobody"):
        audits.cancel(backend, "nobody")


def test_a_worker_that_leaves_gives_it_back(backend: Backend, slow: threading.Event) -> None:
    view = audits.start(backend, KINEMATIC)
    assert not auditwork.work(backend, view.id, leaving=lambda: True)
    assert audits.show(backend, view.id).state == "queued"
    assert backend.queue.audits == [view.id, view.id]  # type: ignore[attr-defined]


def test_a_silent_worker_loses_it_and_cannot_publish(backend: Backend) -> None:
    view = audits.start(backend, KINEMATIC)
    for attempt in (1, 2, 3):
        lease = jobwork.claim(backend, AUDIT, view.id, f"worker {attempt}")
        assert lease is not None
        silence(backend, view.id)
        assert audits.show(backend, view.id).state == "interrupted"
        assert jobwork.reclaim(backend) == 1
        assert jobwork.look(backend, lease) == jobwork.heartbeat(backend, lease, 0.5, "") == "lost"
        with pytest.raises(LoopscopeError, match="Another worker"):
            jobwork.publish(backend, lease, auditwork.outcome_of(NOTHING))
    lost = audits.show(backend, view.id)
    assert lost.state == "failed" and lost.error is not None and lost.error.code == "worker_lost"
    assert jobwork.reclaim(backend) == 0


def test_lost_messages_are_sent_again(backend: Backend) -> None:
    view = audits.start(backend, KINEMATIC)
    assert jobwork.resend(backend, 60.0) == 0
    assert jobwork.resend(backend, -1.0) == 1
    assert backend.queue.audits == [view.id, view.id]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("error", "attempts", "message"),
    [(InvalidConfig("It cannot be.", "Try another."), 1, "It cannot be."), (ZeroDivisionError("oh"), 3, "oh")],
)
def test_errors_become_its_state(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, error: Exception, attempts: int, message: str
) -> None:
    def compute(*_: object, **__: object) -> Audit:
        raise error

    monkeypatch.setattr(auditwork, "compute", compute)
    view = audits.start(backend, KINEMATIC)
    for _ in range(attempts):
        assert audits.show(backend, view.id).state == "queued"
        assert not auditwork.work(backend, view.id)
    failed = audits.show(backend, view.id)
    assert failed.state == "failed" and failed.error is not None
    assert message in failed.error.message and "Traceback" in failed.error.traceback


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"corrector": {"kind": "magic"}}, "corrector.kind"),
        ({"corrector": {"kind": "physics", "options": {"mode": "half"}}}, "corrector.options.mode"),
        ({"data": {"kind": "npz", "options": {}}}, "data.options.path"),
        ({"perturbations": ["earthquake"]}, "perturbations"),
        ({"generations": [1]}, "loop"),
    ],
)
def test_what_cannot_be_names_its_field(backend: Backend, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidConfig) as raised:
        audits.start(backend, AuditConfig.model_validate(changes))
    assert raised.value.field == field
    assert audits.list_audits(backend) == []


def test_generations_must_be_there(backend: Backend) -> None:
    view = record(backend, loops.launch(backend, small()), 2, state="running")
    for generations in ([], [3], [-1]):
        with pytest.raises(InvalidConfig) as raised:
            audits.start(backend, AuditConfig(loop=view.id, generations=generations))
        assert raised.value.field == "generations"
    with pytest.raises(NotFound):
        audits.start(backend, AuditConfig(loop="nobody", generations=[0]))
    checked = audits.check(backend, AuditConfig(loop=view.id, generations=[0, 2]))
    assert checked.data is not None and checked.data.kind == "deepmimic"
    with pytest.raises(InvalidConfig) as raised:
        other = PartConfig(kind="deepmimic", options={"mirror": False})
        audits.check(backend, AuditConfig(loop=view.id, generations=[0], data=other))
    assert raised.value.field == "data"


def test_the_estimate_follows_what_was_measured_here(backend: Backend, instant: list[AuditConfig]) -> None:
    config = audits.check(backend, KINEMATIC)
    first = audits.estimate_s(backend, config)
    physics = audits.check(backend, KINEMATIC.model_copy(update={"corrector": PartConfig(kind="physics")}))
    assert audits.estimate_s(backend, physics) > first > 0
    auditwork.work(backend, audits.start(backend, KINEMATIC).id)
    measured = audits.estimate_s(backend, config)
    assert measured < first
    double = config.model_copy(update={"n": 60})
    assert audits.estimate_s(backend, double) == pytest.approx(2 * measured)


def trained(backend: Backend, **options: Any) -> str:
    """A loop with a model of generation 0 that has hardly learned."""
    from backend.parts import build_domain
    from backend.shelf import SqlShelf
    from backend.tables import Artifact

    config = small(model=PartConfig(kind="latent-mlp", options=options)) if options else small()
    view = record(backend, loops.launch(backend, config, name="Tiny"), 0)
    config = LoopConfig.model_validate(view.config)
    domain = build_domain(config, backend.memo, "cpu")
    model: Item = domain.generator().fit(domain.real(64), start=None, scratch=False, steps=2, seed=0)
    shelf = SqlShelf(backend, view.id)
    shelf.save(0, "model", model)
    stored = shelf.pending[0, "model"].stored
    with backend.database.write() as session:
        session.merge(
            Artifact(loop_id=view.id, generation=0, name="model", digest=stored.digest, size=stored.size, facts={})
        )
    return view.id


def test_real_numbers_come_out_the_same_twice(backend: Backend, quick_evaluator: None) -> None:
    loop_id = trained(backend)
    config = audits.check(backend, KINEMATIC.model_copy(update={"loop": loop_id, "generations": [0]}))
    one, other = (auditwork.compute(backend, config, device="cpu") for _ in range(2))
    timed = {"cpu_s_per_window", "realtime_factor"}
    assert [e.name for e in one.effects] == ["real", "low-0.02", "low-0.05", "low-0.1", "generation-0"]
    for a, b in zip(one.effects, other.effects, strict=True):
        assert a.model_dump(exclude=timed) == b.model_dump(exclude=timed)
    generated = one.effect("generation-0")
    assert generated.windows == 30 and generated.title == "Tiny, generation 0"
    assert generated.jerk_m_s3[1] < generated.jerk_m_s3[0], "untrained samples are noise, and are smoothed"
    low = one.effect("low-0.1")
    assert low.from_clean_mm is not None and low.from_clean_mm[1] < 20 < 99 < low.from_clean_mm[0]


@pytest.mark.parametrize("condition, corrector", [("text", "kinematic"), ("none", "kinematic"), ("none", "idealized")])
def test_whatever_a_model_is_told_its_samples_are_audited(
    backend: Backend, quick_evaluator: None, condition: str, corrector: str
) -> None:
    """Told text, each class is asked for by its captions; told nothing, samples are of no class and held against real
    motion of any."""
    loop_id = trained(backend, condition=condition, encoder="words", width=32, components=16)
    asked = KINEMATIC.model_copy(update={"corrector": PartConfig(kind=corrector), "loop": loop_id, "generations": [0]})
    config = audits.check(backend, asked)
    samples = auditwork._generated(backend, config, 0, "cpu", silent).samples
    assert set(samples.labels.tolist()) == (set(range(15)) if condition == "text" else {-1})
    assert (samples.captions >= 0).all() == (condition == "text")
    found = auditwork.compute(backend, config, device="cpu").effect("generation-0")
    assert found.windows == 30 and found.kept > 0.9 and found.ceiling_fid < found.fid[0]
    if corrector == "idealized":
        assert found.energy[1] < found.energy[0], "partners are real motion of any class"


# --- over HTTP ---


@pytest.fixture
def http(tmp_path: Path) -> Iterator[tuple[Backend, TestClient]]:
    with served(tmp_path) as opened:
        yield opened


def test_api_and_client_tell_the_same(http: tuple[Backend, TestClient], instant: list[AuditConfig]) -> None:
    backend, web = http
    body = {"config": KINEMATIC.model_dump(mode="json")}
    made = web.post("/audits", json=body)
    assert made.status_code == 201 and made.json()["state"] == "queued"
    audit_id = made.json()["id"]
    assert web.post("/audits", json=body).json()["id"] == audit_id
    auditwork.work(backend, audit_id)
    told = web.get(f"/audits/{audit_id}").json()
    assert told["state"] == "done" and told["result"]["findings"] == ["Nothing."]
    assert [view["id"] for view in web.get("/audits").json()] == [audit_id]
    with Client("http://test", transport=Bridge(web)) as client:
        assert client.start_audit(KINEMATIC) == client.show_audit(audit_id) == audits.show(backend, audit_id)
        assert [view.id for view in client.list_audits()] == [audit_id]
        with pytest.raises(Conflict):
            client.cancel_audit(audit_id)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"n": 3}, "config.n"),
        ({"nonsense": 1}, "config.nonsense"),
        ({"corrector": {"kind": "kinematic", "options": {"x": 1}}}, "corrector.options.x"),
        ({"generations": [0]}, "loop"),
    ],
)
def test_the_api_refuses_with_the_field(http: tuple[Backend, TestClient], config: dict[str, Any], field: str) -> None:
    answer = http[1].post("/audits", json={"config": config})
    assert answer.status_code == 422 and answer.json()["error"]["field"] == field
    assert http[1].get("/audits/nobody").status_code == 404
    assert http[1].post("/audits/nobody/cancel").status_code == 404
