"""The client's verbs do and raise over HTTP what the same verbs do on the data folder."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.targets import Target
from backend import loops, measures
from backend.client import Client, Unreachable
from backend.context import Backend
from backend.local import Local
from core.errors import Conflict, InvalidConfig, LoopscopeError, NotFound
from tests.app.seeding import keep_motions, record, small
from tests.backend.serving import Bridge, served


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[Backend, Client]]:
    with served(tmp_path) as (backend, http), Client("http://test", transport=Bridge(http)) as client:
        yield backend, client


def answering(content: bytes, status: int = 200) -> Client:
    return Client("http://test", transport=httpx.MockTransport(lambda _: httpx.Response(status, content=content)))


def test_the_verbs_answer_what_the_backend_answers(both: tuple[Backend, Client]) -> None:
    backend, client = both
    loop = client.launch(small(), name="a", group="trial")
    assert loop == loops.show_loop(backend, loop.id) == client.show_loop(loop.id)
    assert client.list_loops(group="trial") == [loop]
    assert client.list_loops(group="other") == []
    assert client.cancel(loop.id).state == "cancelled"
    assert client.resume(loop.id).state == "queued"
    assert client.extend(loop.id, 3).config["generations"] == loop.config["generations"] + 3
    with pytest.raises(Conflict, match="by now"):
        client.extend(loop.id, 3, seen=1)
    assert client.prioritize(loop.id, 4).priority == 4
    assert client.retry(loop.id).state == "queued"
    with pytest.raises(Conflict, match="Cancel it first"):
        client.rollback(loop.id, 2)
    assert client.clone(loop.id, {"seed": 4}, name="b").config["seed"] == 4
    ruled = client.clone(loop.id, {"tripwires": ["fid>60"]})
    assert ruled.config["tripwires"] == ["fid > 60"]
    assert client.delete(loop.id).deleted
    assert [view.id for view in client.list_loops(deleted=True)] == [loop.id]
    assert not client.restore(loop.id).deleted


def test_what_loops_left_behind(both: tuple[Backend, Client]) -> None:
    backend, client = both
    loop = record(backend, loops.launch(backend, small()), last=2)
    keep_motions(backend, loop, last=0)
    assert client.generations(loop.id) == loops.generations(backend, loop.id)
    assert client.events(loop.id) == loops.events(backend, loop.id)
    assert client.floor(loop.id) == measures.floor(backend, loop.id)
    assert client.curves([loop.id]) == measures.curves(backend, [loop.id])
    assert client.panel(loop.id, 0) == loops.panel(backend, loop.id, 0)
    assert client.panel_file(loop.id, 0, "raw", 1, "lsm")[:4] == b"LSM1"
    for form in ("json", "csv"):
        assert client.export(loop.id, form) == Local(backend).export(loop.id, form)


def test_the_catalogue(both: tuple[Backend, Client]) -> None:
    backend, client = both
    local = Local(backend)
    assert client.presets() == local.presets()
    assert client.data() == local.data()
    assert client.estimate([small()]) == local.estimate([small()])
    assert {"policy", "corrector"} <= set(client.parts())
    assert client.metrics()[0]["name"]
    assert client.health()["database"] is True
    assert [view.name for view in client.launch_preset("demo")] == ["Raw", "Corrected", "Real only"]


def test_errors_come_back_as_they_were_raised(both: tuple[Backend, Client]) -> None:
    backend, client = both
    loop = record(backend, loops.launch(backend, small()), last=1)
    with pytest.raises(NotFound, match="nobody") as missing:
        client.show_loop("nobody")
    assert missing.value.hint
    with pytest.raises(Conflict, match="done already"):
        client.cancel(loop.id)
    with pytest.raises(InvalidConfig) as invalid:
        client.launch({"policy": {"kind": "replce"}})
    assert (invalid.value.code, invalid.value.field) == ("unknown_part", "policy.kind")
    with pytest.raises(InvalidConfig) as wrong:
        client.launch({"n": 1})
    assert wrong.value.field == "config.n"


def test_an_id_cannot_leave_its_place_in_the_address(both: tuple[Backend, Client]) -> None:
    _, client = both
    with pytest.raises(LoopscopeError):
        client.show_loop("../health")


def test_a_server_that_is_away() -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9") as error, Client("http://127.0.0.1:9") as client:
        client.health()
    assert "loopscope up" in error.value.hint


@pytest.mark.parametrize(
    ("content", "status"), [(b"<html>", 502), (b"{}", 500), (b'{"error": "x"}', 404), (b"[]", 400)]
)
def test_an_answer_that_is_not_loopscopes(content: bytes, status: int) -> None:
    with pytest.raises(LoopscopeError, match=str(status)), answering(content, status) as client:
        client.health()


@pytest.mark.parametrize("url", ["", "127.0.0.1:7860", "ftp://x"])
def test_an_address_that_cannot_be(url: str) -> None:
    with pytest.raises(InvalidConfig) as error:
        Client(url)
    assert error.value.field == "server"


@pytest.mark.parametrize("kind", [Client, Local])
def test_both_targets_have_the_same_verbs(kind: type) -> None:
    verbs = {name: f for name, f in vars(Target).items() if inspect.isfunction(f) and not name.startswith("_")}
    assert len(verbs) > 12
    for name, wanted in verbs.items():
        assert list(inspect.signature(getattr(kind, name)).parameters) == list(inspect.signature(wanted).parameters)
