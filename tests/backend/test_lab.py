"""Cards can be run as they stand, refuse in words what cannot be, run once, and tell what was measured."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend import lab, loops, measures, parts, theory
from backend.api import PREFIX, create_api
from backend.context import Backend
from backend.lab import CARDS
from backend.lab.findings import ArmFindings, Findings, above, changes, meets, near, ordered, steady
from backend.lab.launching import configured, label_of, named
from core.config import LoopConfig
from core.errors import InvalidConfig, LoopscopeError, NotFound
from tests.backend.serving import Bridge
from worker.stage import drain

SMALL = {"n": 20, "generations": 3, "replicates": 4}
KEYS = list(CARDS)


@pytest.fixture
def http(backend: Backend) -> Iterator[TestClient]:
    """A browser's view of a server whose loops can be worked off."""
    server = FastAPI()
    server.mount(PREFIX, create_api(backend))
    with TestClient(server, base_url=f"http://test{PREFIX}", raise_server_exceptions=False) as client:
        yield client


# --- cards ---


@pytest.mark.parametrize("key", KEYS)
def test_every_card_can_run_and_says_what_it_is(key: str) -> None:
    card = CARDS[key]
    labels = [label for label, _ in card.arms]
    assert len(set(labels)) == len(labels) >= 2
    for _, config in card.arms:
        assert card.metric in parts.domain_part(parts.check(config).domain).metrics
    assert card.question.endswith("?") and card.shows.endswith(".") and card.paper
    assert 0 < card.minutes <= (3 if card.light else 8)


@pytest.mark.parametrize("key", KEYS)
def test_what_a_card_offers_to_change_can_be_changed(key: str) -> None:
    card = CARDS[key]
    for path in card.edits:
        value = next(value for _, config in card.arms if (value := at(parts.check(config), path)) is not None)
        changed = configured(card, {path: value})
        assert any(at(config, path) == value for _, config in changed)


def at(config: LoopConfig, path: str) -> Any:
    node: Any = config.model_dump(mode="json")
    for name in path.split("."):
        node = node.get(name) if isinstance(node, dict) else None
    return node


@pytest.mark.parametrize("key", KEYS)
def test_a_band_has_seeds(key: str) -> None:
    card = CARDS[key]
    if card.light:
        with pytest.raises(InvalidConfig, match="at least 2 seeds") as error:
            configured(card, {"replicates": 1})
        assert error.value.field == "replicates"
    names = [name for name, _ in named(card, configured(card))]
    assert len(set(names)) == len(names)
    assert {label_of(name, dict(card.arms)) for name in names} == {label for label, _ in card.arms}


@pytest.mark.parametrize(
    ("key", "changes_wanted", "field"),
    [
        ("regression", {"n": 11}, "n"),
        ("regression", {"data.options.d": 99}, ""),
        ("quality", {"policy.options.lam": -1}, "policy.options.lam"),
        ("gaussian-gamma", {"policy.options.lam": -0.5}, "policy.options.lam"),
        ("gaussian-gamma", {"corrector.options.gamma": 2}, "corrector.options.gamma"),
        ("lambda-map", {"policy.options.lam": 2}, "policy.options.lam"),
        ("gaussian-collapse", {"no.such": 2}, "no.such"),
        ("gaussian-collapse", {"n": "many"}, "n"),
        ("gaussian-collapse", {"generations": float("inf")}, "generations"),
    ],
)
def test_refused_naming_the_field(key: str, changes_wanted: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidConfig) as error:
        configured(CARDS[key], changes_wanted)
    assert error.value.field.endswith(field) and error.value.message


def test_a_change_goes_where_there_is_such_an_option() -> None:
    changed = dict(configured(CARDS["quality"], {"corrector.options.share": 0.5, "n": 50}))
    assert {config.n for config in changed.values()} == {50}
    shares = [config.corrector.options.get("share") for config in changed.values()]
    assert shares == [None, 0.5], "an arm without that option is left alone"


# --- launching ---


def test_a_card_is_run_once_and_again_when_asked(backend: Backend) -> None:
    first = lab.launch_card(backend, "regression", SMALL)
    assert [view.name for view in first] == [label for label, _ in CARDS["regression"].arms]
    assert {view.group for view in first} == {CARDS["regression"].title}
    assert [v.id for v in lab.launch_card(backend, "regression", SMALL)] == [v.id for v in first]
    other = lab.launch_card(backend, "regression", SMALL | {"n": 30})
    assert {view.group for view in other} == {f"{CARDS['regression'].title} 2"}
    again = lab.launch_card(backend, "regression", SMALL, again=True)
    assert {view.group for view in again} == {f"{CARDS['regression'].title} 3"}
    assert len(loops.list_loops(backend)) == 9


def test_half_a_launch_is_completed(backend: Backend) -> None:
    views = lab.launch_card(backend, "regression", SMALL)
    loops.delete(backend, views[1].id)
    completed = lab.launch_card(backend, "regression", SMALL)
    assert [completed[i].id == views[i].id for i in range(3)] == [True, False, True]


def test_unknown_cards_are_named_no_card(backend: Backend) -> None:
    with pytest.raises(NotFound, match="regression"):
        lab.launch_card(backend, "regresion")
    with pytest.raises(NotFound, match="not been run"):
        lab.result(backend, "regression")
    with pytest.raises(NotFound, match="no group"):
        lab.result(backend, "regression", "elsewhere")


# --- results ---


def test_a_result_has_curves_bands_theory_and_verdicts(backend: Backend) -> None:
    views = lab.launch_card(backend, "regression", SMALL)
    waiting = lab.result(backend, "regression")
    assert waiting.state == "queued" and [arm.x for arm in waiting.arms] == [[], [], []]
    assert {v.agrees for v in waiting.verdicts} == {None}
    drain(backend)
    found = lab.result(backend, "regression")
    assert (found.name, found.state, found.metric) == ("regression", "done", "test_error")
    assert found == lab.result(backend, CARDS["regression"].title), "a group's name does as well"
    assert found.loops == {view.name: [view.id] for view in views}
    assert found.seconds > 0
    replace, accumulate, subsample = found.arms
    assert replace.x == [0, 1, 2, 3] and replace.n_seeds == 4
    fit = 10 / (20 - 10 - 1)
    assert replace.theory == pytest.approx([fit, 2 * fit, 3 * fit, 4 * fit])
    assert accumulate.theory is not None and subsample.theory is None
    traces = measures.traces(backend, [views[0].id])[views[0].id]["test_error"]
    values = np.array(traces[2][1], np.float64)
    assert replace.mean[2] == pytest.approx(values.mean()) and replace.std[2] == pytest.approx(values.std(ddof=1))
    assert any(v.agrees is not None for v in found.verdicts)
    assert not any("0.384" in v.claim for v in found.verdicts), (
        "a published figure holds for the published numbers only"
    )


def test_seeds_of_loops_that_run_alone_are_one_band(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    card = CARDS["regression"]
    many = type(card)(**{**{f: getattr(card, f) for f in card.__dataclass_fields__}, "seeds": (0, 1, 2)})
    monkeypatch.setitem(CARDS, "regression", many)
    views = lab.launch_card(backend, "regression", SMALL)
    assert [view.name for view in views][:4] == [
        "Replace, seed 0", "Accumulate, seed 0", "Accumulate-subsample, seed 0", "Replace, seed 1",
    ]  # fmt: skip
    drain(backend)
    assert [arm.n_seeds for arm in lab.result(backend, "regression").arms] == [12, 12, 12]


# --- verdicts ---


def findings(**arms: dict[int, list[float]]) -> Findings:
    config = CARDS["regression"].arms[0][1].model_copy(update={"generations": 2})
    return Findings(
        {
            label: ArmFindings(
                config,
                {"m": {t: np.array(values, np.float64) for t, values in points.items()}},
                {"m": {0: 1.0, 2: 3.0}},
            )
            for label, points in arms.items()
        }
    )


def test_verdicts_count_standard_errors() -> None:
    found = findings(a={0: [0.9, 1.1, 1.0], 2: [4.0, 4.1, 4.2]}, b={0: [1.0, 1.0, 1.1], 2: [1.0, 1.1, 1.0]})
    assert [v.agrees for v in meets(found, "a", "m", (1, 3), "it")] == [True, False]
    assert [v.agrees for v in near(found, "a", "m", 2, 4.0, 0.05, "it")] == [True]
    assert [v.agrees for v in near(found, "a", "m", 2, 2.0, 0.05, "it")] == [False]
    assert [v.agrees for v in changes(found, "a", "m", "it", up=True)] == [True]
    assert [v.agrees for v in changes(found, "b", "m", "it", up=True)] == [False]
    assert [v.agrees for v in above(found, "a", "b", "m", "it")] == [True]
    assert [v.agrees for v in above(found, "b", "a", "m", "it")] == [False]
    assert [v.agrees for v in ordered(found, ["a", "b"], "m", "it")] == [True]
    assert [v.agrees for v in ordered(found, ["b", "a"], "m", "it")] == [False]
    half = findings(a={1: [1.0, 1.1], 2: [2.0, 2.1]}, b={1: [1.0, 1.1], 2: [1.1, 1.0]})
    assert [v.agrees for v in (*steady(half, "a", "m", "it"), *steady(half, "b", "m", "it"))] == [False, True]


def test_what_was_not_measured_is_not_judged() -> None:
    found = findings(a={0: [1.0, 1.1]}, b={})
    open_ones = [
        *meets(found, "b", "m", (1,), "it"), *changes(found, "a", "m", "it", up=True),
        *above(found, "a", "b", "m", "it"), *ordered(found, ["a", "b"], "m", "it"), *steady(found, "a", "m", "it"),
    ]  # fmt: skip
    assert [v.agrees for v in open_ones] == [None] * 5
    assert meets(found, "a", "m", (99,), "it") == [], "beyond the run there is nothing to say"


# --- theory of loops ---


def gaussian(**more: Any) -> LoopConfig:
    return parts.read_config({"domain": "gaussian", "n": 20, "generations": 4, "replicates": 3, **more})


def test_lines_are_those_whose_assumptions_hold() -> None:
    keys = [line.key for line in theory.lines(gaussian(), 4)]
    assert "gaussian-spread" in keys and "gaussian-biased-variance" not in keys
    refused = {refusal.key: refusal.reason for refusal in theory.refusals(gaussian())}
    assert "biased" in refused["gaussian-biased-variance"] and not set(keys) & set(refused)
    assert not any(key.startswith("regression") for key in refused), "other domains are none of its business"
    assert theory.lines(LoopConfig(), 4) == [] and theory.lines(gaussian(), 4)[0].points[3] == (3, 1.2)


def test_constants_are_derived_set_or_estimated_and_it_is_said_which() -> None:
    config = gaussian(policy={"kind": "augment", "options": {"lam": 0.25}})
    assert "stability-bound" in {refusal.key for refusal in theory.refusals(config)}
    measured = {"w2": [(0, 0.2), (1, 0.3)]}
    [line] = [one for one in theory.lines(config, 4, measured=measured) if one.kind == "bound"]
    assert line.points[0] == (0, 0.4) and "estimated" in line.note and "derived" in line.note
    [line] = [one for one in theory.lines(config, 4, {"tau": 1.0, "start": 0.0}) if one.kind == "bound"]
    assert line.points[1][1] == pytest.approx(1 + 1 / 3) and "tau = 1 (set)" in line.note
    assert [t.value for t in theory.thresholds(config)] == [0.5, 0.5]
    assert [t.value for t in theory.thresholds(config, {"ratio": 1.0})] == [0.25, 0.25]


@pytest.mark.parametrize("constants", [{"tau": -1.0}, {"ratio": float("nan")}, {"magic": 1.0}])
def test_impossible_constants_are_refused(constants: dict[str, float]) -> None:
    with pytest.raises(InvalidConfig) as error:
        theory.lines(gaussian(), 4, constants)
    assert error.value.field == f"constants.{next(iter(constants))}"


def test_beyond_contraction_the_bound_is_refused_with_the_reason() -> None:
    config = gaussian(policy={"kind": "augment", "options": {"lam": 2.0}})
    reasons = {r.key: r.reason for r in theory.refusals(config, measured={"w2": [(0, 0.2)]})}
    assert "infinite" in reasons["stability-bound"]


@pytest.mark.parametrize("policy", ["replace", "augment", "accumulate", "fresh-real", "real"])
@pytest.mark.parametrize("estimator", ["unbiased", "biased"])
def test_loops_of_gaussians_follow_their_theory(policy: str, estimator: str) -> None:
    model = {"kind": "gaussian-fit", "options": {"estimator": estimator}}
    follows(
        {"domain": "gaussian", "n": 20, "model": model, "policy": {"kind": policy}, "data": {"options": {"std": 2.0}}},
        600,
    )


@pytest.mark.parametrize("policy", ["replace", "augment", "accumulate", "real"])
def test_loops_of_regression_follow_their_theory(policy: str) -> None:
    follows({"domain": "regression", "n": 24, "data": {"options": {"d": 3}}, "policy": {"kind": policy}}, 600)


def follows(plain: dict[str, Any], replicates: int) -> None:
    """Every exact line lies within 4 standard errors of the mean over the seeds of a run in this process."""
    from core.loop import run_loop
    from core.memory import MemoryMemo, MemoryShelf

    config = parts.check(parts.read_config(plain | {"generations": 3, "replicates": replicates, "seed": 1}))
    shelf = MemoryShelf()
    list(run_loop(parts.build_run(config, shelf=shelf, memo=MemoryMemo())))
    lines = [line for line in theory.lines(config, 3) if line.kind == "exact"]
    assert lines
    for line in lines:
        for t, value in line.points:
            seen = np.array(shelf.load(t, "metrics").meta["traces"][line.metric], np.float64)
            assert abs(seen.mean() - value) < 4 * seen.std(ddof=1) / np.sqrt(len(seen)), (line.key, t)


# --- over HTTP ---


def test_the_api_lists_launches_and_tells(backend: Backend, http: TestClient) -> None:
    assert [card["key"] for card in http.get("/lab").json()] == KEYS
    made = http.post("/lab/regression/launch", json={"changes": SMALL})
    assert made.status_code == 201 and len(made.json()) == 3
    drain(backend)
    told = http.get("/lab/regression/result").json()
    assert {"name", "arms", "seconds"} <= set(told) and told["state"] == "done"
    assert {"label", "x", "mean", "std", "n_seeds", "theory"} == set(told["arms"][0])
    answer = http.get(f"/loops/{made.json()[0]['id']}/theory").json()
    assert [line["key"] for line in answer["lines"]] == ["regression-replace"]
    assert answer["lines"][0]["symbols"]["T"] and answer["refusals"]


def test_the_client_has_the_same_verbs(backend: Backend, http: TestClient) -> None:
    from backend.client import Client

    with Client("http://test", transport=Bridge(http)) as client:
        assert [card.key for card in client.cards()] == KEYS
        views = client.launch_card("gaussian-biased", SMALL)
        drain(backend)
        assert client.lab_result("gaussian-biased") == lab.result(backend, "gaussian-biased")
        assert client.theory(views[0].id, {"ratio": 0.5}) == theory.of_loop(backend, views[0].id, {"ratio": 0.5})
        with pytest.raises(InvalidConfig, match="at least 2 seeds"):
            client.launch_card("gaussian-biased", {"replicates": 1})


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/lab/regression/launch", {"changes": {"n": 10}}, 422, "n"),
        ("/lab/regression/launch", {"changes": {"replicates": 1}}, 422, "2 seeds"),
        ("/lab/quality/launch", {"changes": {"policy.options.lam": -1}}, 422, "lam"),
        ("/lab/gaussian-gamma/launch", {"changes": {"corrector.options.gamma": 1e999}}, 422, ""),
        ("/lab/nothing/launch", {}, 404, "nothing"),
        ("/lab/regression/launch", {"change": {}}, 422, "change"),
    ],
)
def test_refused_over_http_in_words(http: TestClient, path: str, body: dict[str, Any], status: int, said: str) -> None:
    import json

    answer = http.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert said in error["message"] + error.get("field", "") and "Traceback" not in answer.text


def test_constants_over_http_are_checked(backend: Backend, http: TestClient) -> None:
    loop = lab.launch_card(backend, "lambda-map", SMALL)[0]
    assert http.get(f"/loops/{loop.id}/theory", params={"tau": -1}).status_code == 422
    assert http.get(f"/loops/{loop.id}/theory", params={"tau": "inf"}).status_code == 422
    assert http.get("/loops/none/theory").status_code == 404
    bounds = http.get(f"/loops/{loop.id}/theory", params={"tau": 1, "start": 1}).json()["lines"]
    assert "bound" in {line["kind"] for line in bounds}


def test_errors_are_the_products_own() -> None:
    with pytest.raises(LoopscopeError):
        lab.card("")
