"""The System page's pictures: what is there, what is not, and words in place of what is missing."""

from datetime import timedelta
from typing import Any

from app.pages import machine
from backend import loops
from backend.context import Backend
from backend.journal import note
from backend.observe.observer import Observer
from backend.observe.views import SystemView
from backend.presence import Presence
from backend.tables import Loop, WorkerProcess, utc_now
from tests.app.seeding import running, small


def look(backend: Backend) -> SystemView:
    return Observer(backend).system()


def changed(system: SystemView, part: str, **values: Any) -> SystemView:
    return system.model_copy(update={part: getattr(system, part).model_copy(update=values)})


def test_without_a_worker_it_says_how_to_start_one(backend: Backend) -> None:
    html = machine.overview(look(backend))
    assert "No worker is here: start one with <code>loopscope worker</code>" in html
    assert "Nothing has gone wrong lately." in html


def test_a_worker_shows_what_it_does_with_a_way_there(backend: Backend) -> None:
    view = loops.launch(backend, small(), name="<b>mine</b>")
    running(backend, view, 1)
    Presence(backend, "gpu@here", "gpu", "cpu").beat()
    html = machine.workers(look(backend))
    assert f'<a href="?tab=loops&amp;loop={view.id}" data-nav>&lt;b&gt;mine&lt;/b&gt;</a>' in html
    assert "learn 1 of " in html and "At work" in html and "No worker" not in html
    assert "<b>mine" not in html


def test_a_lost_worker_is_shown_and_older_ones_are_counted(backend: Backend) -> None:
    for name in ("lost:1", "long-lost:1", "here:1"):
        Presence(backend, name, "cpu", "cpu").beat()
    with backend.database.write() as session:
        for name, seconds in (("lost:1", 40), ("long-lost:1", 7200)):
            session.get_one(WorkerProcess, name).seen_at = utc_now() - timedelta(seconds=seconds)
    html = machine.workers(look(backend))
    assert "Silent for 40 s" in html and "long-lost" not in html
    assert "In the last day 1 more fell silent." in html


def test_a_queue_that_nobody_serves_is_marked(backend: Backend) -> None:
    loops.launch(backend, small())
    html = machine.overview(look(backend))
    assert "nobody serves it" in html and "nobody serves gpu" in html


def test_without_sql_the_page_says_so(backend: Backend) -> None:
    system = changed(look(backend), "database", answers=False, sentence="does not answer: connection refused")
    html = machine.overview(system.model_copy(update={"queues": [], "processes": [], "loops": {}}))
    assert "Not known: the database does not answer: connection refused." in html
    assert "No worker is here" not in html


def test_a_full_disk_is_marked(backend: Backend) -> None:
    system = look(backend)
    assert "nearly full" not in machine.tiles(system)
    assert "nearly full" in machine.tiles(changed(system, "disk", free=1_000_000))


def test_artifacts_elsewhere_are_not_on_this_disk(backend: Backend) -> None:
    system = look(backend)
    html = machine.overview(changed(system, "disk", artifacts_here=False, artifacts=5_000_000, artifacts_at="s3://b"))
    assert "Artifacts: 5.0 MB in s3://b." in html and "artifacts 5.0 MB" not in html


def test_last_errors_lead_to_their_loops(backend: Backend) -> None:
    view = loops.launch(backend, small(), name="a loop")
    with backend.database.write() as session:
        note(session, session.get_one(Loop, view.id), "failed", "Training diverged <now>.", 1, "learn")
    html = machine.overview(look(backend))
    assert "Training diverged &lt;now&gt;." in html and f"loop={view.id}" in html


def test_a_bar_is_in_proportion_and_told_in_words() -> None:
    html = machine.stacked([("used", 1.0, "#000"), ("none", 0.0, "#111"), ("free", 3.0, "")], "1 of 4 used")
    assert 'aria-label="1 of 4 used"' in html
    assert "flex-grow:0.2500" in html and "flex-grow:0.7500" in html and "#111" not in html
