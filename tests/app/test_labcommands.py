"""``loopscope lab``: what it prints, its exit status, and refusals in words."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from backend import loops
from backend.context import Backend, open_backend
from backend.lab import CARDS
from backend.queue import ListQueue
from backend.settings import Settings
from worker.stage import drain

Run = Callable[..., Result]
SMALL = ("--set", "n=20", "--set", "generations=3", "--set", "replicates=4")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LOOPSCOPE_REDIS_URL", "LOOPSCOPE_DATABASE_URL", "LOOPSCOPE_SERVER", "LOOPSCOPE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOOPSCOPE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def backend(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """A data folder whose loops are worked off, in this process, as soon as somebody follows them."""
    from app import demo

    opened = open_backend(Settings(home=home), queue=ListQueue())
    follow = demo.follow

    @contextmanager
    def embedded(settings: Settings) -> Iterator[Backend]:
        assert settings.home == home
        yield opened

    def worked_off(backend: Backend, loop_ids: Any, settings: Settings) -> Any:
        drain(backend)
        return follow(backend, loop_ids, settings)

    monkeypatch.setattr("backend.processes.embedded", embedded)
    monkeypatch.setattr("app.demo.follow", worked_off)
    monkeypatch.setattr("backend.context.open_queue", lambda _: ListQueue())
    yield opened
    opened.close()


@pytest.fixture
def run(backend: Backend) -> Run:
    def call(*words: str, status: int = 0) -> Result:
        result = CliRunner().invoke(app, ["lab", *words])
        assert result.exit_code == status, f"{words}: {result.output}\n{result.exception!r}"
        return result

    return call


def test_the_list_tells_of_every_card(run: Run) -> None:
    told = json.loads(run("list", "--json").stdout)
    assert [card["key"] for card in told] == list(CARDS)
    assert told[0]["arms"][0]["config"]["domain"] == "gaussian"
    words = run("list").stdout
    for key, card in CARDS.items():
        assert key in words and card.question in words


def test_json_is_what_was_promised(run: Run, backend: Backend) -> None:
    result = run("run", "regression", *SMALL, "--json")
    told = json.loads(result.stdout)
    assert told["name"] == "regression" and told["seconds"] > 0 and told["state"] == "done"
    replace, accumulate, subsample = told["arms"]
    assert set(replace) == {"label", "x", "mean", "std", "n_seeds", "theory"}
    assert (replace["label"], replace["x"], replace["n_seeds"]) == ("Replace", [0, 1, 2, 3], 4)
    assert len(replace["mean"]) == len(replace["std"]) == len(replace["theory"]) == 4
    assert accumulate["theory"] and subsample["theory"] is None
    count = len(loops.list_loops(backend))
    assert json.loads(run("run", "regression", *SMALL, "--json").stdout) == told, "what is there is not run again"
    assert len(loops.list_loops(backend)) == count == 3
    run("run", "regression", *SMALL, "--again", "--json")
    assert len(loops.list_loops(backend)) == 6


def test_a_table_and_verdicts_for_people(run: Run) -> None:
    shown = run("run", "regression", *SMALL).stdout
    assert "Accumulate-subsample" in shown and "2 standard errors" in shown
    assert "agrees" in shown or "DOES NOT AGREE" in shown
    assert run("result", "regression").stdout == shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("run", "regression", "--set", "n=11"), "11"),
        (("run", "regression", "--set", "replicates=1"), "at least 2 seeds"),
        (("run", "quality", "--set", "policy.options.lam=-1"), "lam"),
        (("run", "gaussian-gamma", "--set", "corrector.options.gamma=Infinity"), "gamma"),
        (("run", "regression", "--set", "no.such=1"), "no.such"),
        (("run", "regresion"), "regression"),
        (("result", "regression"), "not been run"),
        (("result", "regression", "--group", "elsewhere"), "elsewhere"),
    ],
)
def test_refused_in_two_lines(run: Run, backend: Backend, words: tuple[str, ...], said: str) -> None:
    result = run(*words, status=2)
    assert said in result.stderr and "Traceback" not in result.output
    assert result.stdout == "" and loops.list_loops(backend) == []


def test_a_loop_that_failed_counts(run: Run, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.demo.follow", lambda backend, ids, settings: [loops.cancel(backend, one) for one in ids])
    assert "cancelled" in run("run", "regression", *SMALL, status=1).stdout


def test_an_empty_corpus_is_refused(run: Run, home: Path) -> None:
    if "text" not in CARDS:
        pytest.skip("there is no text domain")
    empty = home / "empty.txt"
    empty.write_text("")
    result = run("run", "text", "--set", f"data.options.path={empty}", status=2)
    assert "empty.txt" in result.stderr and "Traceback" not in result.output
