"""Configs with anything at all in any of their fields: launched, or refused in words."""

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from backend.context import Backend
from backend.parts import read_config
from backend.presets import PRESETS
from tests.backend.serving import served
from tests.security.effort import tried

DOMAINS = ("motion", "gaussian", "gmm", "kde", "regression", "flow", "digits", "text")
STARTS = [read_config({"domain": kind}).model_dump(mode="json") for kind in DOMAINS]
STARTS += [config.model_dump(mode="json") for key in ("demo", "paper-regime") for _, config in PRESETS[key].loops]

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(
        [
            "../../etc/passwd",
            "/etc/passwd",
            "\0",
            "~nobody/x",
            "a" * 5000,
            "\ud800",
            "{{7*7}}",
            "${7*7}",
            "file:///etc",
            "1e999",
            "NaN",
            "__class__",
            "'; DROP TABLE loops; --",
            [[]] * 50,
            {"kind": "chain"},
            {"a": {"b": {}}},
        ]
    ),
    st.recursive(
        st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
    ),
)


def places(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(node, dict):
        for name, inner in node.items():
            yield (*path, name)
            yield from places(inner, (*path, name))


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """A config of some domain with one to three fields replaced."""
    config: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from(STARTS))))
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from(list(places(config))))
        node = config
        for name in above:
            node = node[name] if isinstance(node.get(name), dict) else {}
        node[last] = copy.deepcopy(draw(odd))  # else the next one may be put into it, and into itself
    return config


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, TestClient]]:
    with served(tmp_path_factory.mktemp("configs")) as opened:
        yield opened


def send(http: TestClient, path: str, body: dict[str, Any]) -> None:
    answer = http.post(path, content=_json(body), headers={"content-type": "application/json"})
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert len(answer.json()["error"]["message"]) < 2000, "a sentence, not an echo"


def _json(body: object) -> bytes:
    """With NaN and lone surrogates, as no honest client writes it."""
    return json.dumps(body).encode()


@tried(40, 1200)
@given(config=spoiled())
def test_an_estimate_of_anything(here: tuple[Backend, TestClient], config: dict[str, Any]) -> None:
    send(here[1], "/estimate", {"configs": [config]})


@tried(40, 1200)
@given(config=spoiled(), name=odd, group=odd)
def test_a_launch_of_anything(here: tuple[Backend, TestClient], config: Any, name: Any, group: Any) -> None:
    send(here[1], "/loops", {"config": config, "name": name, "group": group})


@tried(25, 600)
@given(changes=st.dictionaries(st.sampled_from([".".join(path) for path in places(STARTS[0])]) | st.text(), odd))
def test_a_clone_with_any_change(here: tuple[Backend, TestClient], changes: dict[str, Any]) -> None:
    backend, http = here
    from backend import loops

    found = loops.list_loops(backend, group="origin")
    origin = found[0].id if found else http.post("/loops", json={"config": {}, "group": "origin"}).json()["id"]
    send(http, f"/loops/{origin}/clone", {"changes": changes})


@tried(25, 600)
@given(config=st.dictionaries(st.sampled_from(["data", "corrector", "n", "real", "loop", "generations", "seed"]), odd))
def test_an_audit_of_anything(here: tuple[Backend, TestClient], config: dict[str, Any]) -> None:
    send(here[1], "/audits", {"config": config})


def test_numbers_that_json_has_not(here: tuple[Backend, TestClient]) -> None:
    for value in (math.nan, math.inf, 10**400):
        send(here[1], "/loops", {"config": {"n": value, "training": {"learning_rate": value}}})


def test_deep_json_is_no_way_in(here: tuple[Backend, TestClient]) -> None:
    deep = b'{"config": {"data": {"options": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}}}"
    answer = here[1].post("/loops", content=deep, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500, answer.text
    brackets = here[1].post("/loops", content=b"[" * 400_000, headers={"content-type": "application/json"})
    assert 400 <= brackets.status_code < 500, brackets.text


def test_paths_that_are_none(here: tuple[Backend, TestClient], tmp_path: Path) -> None:
    for path in ("a\0b", "~nobody-at-all/x", "x" * 300, "/x" * 3000, "/proc/self/mem", str(tmp_path), "\n"):
        for data in ({"kind": "npz"}, {"kind": "mnist"}, {"kind": "corpus"}):
            domain = {"npz": "motion", "mnist": "digits", "corpus": "text"}[data["kind"]]
            config = {"domain": domain, "data": {**data, "options": {"path": path}}}
            send(here[1], "/loops", {"config": config})
        model = {"kind": "causal-lm", "options": {"path": path}}
        send(here[1], "/loops", {"config": {"domain": "text", "model": model}})
