"""Pages as the server drives them: a view opens from its address, gives it back, and is refreshed in place."""

from collections.abc import Callable
from typing import Any

import gradio as gr
import pytest

from app.dashboard import build_blocks, header_markup, opened_at
from app.pages import audit, compare, inspect, launch, loops, system
from app.pages import data as data_page
from app.pages.page import Page, ids_of, quiet, whole
from backend import loops as verbs
from backend.context import Backend
from backend.presets import launch_preset
from backend.views import LoopView
from tests.app.seeding import keep_motions, record, running, small

BUILDERS: dict[str, Callable[[Backend, Any], Page]] = {
    "launch": launch.build, "loops": loops.build, "compare": compare.build, "inspect": inspect.build,
    "audit": audit.build, "data": data_page.build, "system": system.build,
}  # fmt: skip


def page(backend: Backend, name: str) -> Page:
    with gr.Blocks():
        return BUILDERS[name](backend, gr.Textbox())


def shown(page: Page, updates: list[Any], elem_id: str) -> Any:
    """What a list of updates gives a component."""
    position = next(i for i, c in enumerate(page.outputs) if c.elem_id == elem_id)
    update = updates[position]
    return update["value"] if isinstance(update, dict) and update.get("__type__") == "update" else update


def demo(backend: Backend, last: int = 3) -> list[LoopView]:
    return [record(backend, view, last) for view in launch_preset(backend, "demo")]


@pytest.mark.parametrize("name", BUILDERS)
def test_a_page_opens_on_an_empty_data_folder_and_says_what_to_do(backend: Backend, name: str) -> None:
    found = page(backend, name)
    assert found.name == name
    updates = found.open({})
    assert len(updates) == len(found.outputs)
    words = str(updates)
    assert "Traceback" not in words and any(word in words for word in ("Launch", "API", "run one"))


@pytest.mark.parametrize("name", BUILDERS)
def test_a_page_takes_any_nonsense_for_an_address(backend: Backend, name: str) -> None:
    demo(backend)
    names = ("loop", "loops", "generation", "sample", "by", "clone", "frame", "mode", "audit", "domain", "card")
    nonsense = dict.fromkeys(names, "<x>,../..,-1")
    found = page(backend, name)
    assert len(found.open(nonsense)) == len(found.outputs)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_refresh_sets_what_opening_sets(backend: Backend, name: str) -> None:
    demo(backend)
    found = page(backend, name)
    values: dict[str, Any] = {
        "loops-chosen": "", "loops-filter": "", "compare-loops": [], "compare-by": "setting", "compare-band": "min-max",
        "compare-group": None, "compare-stamp": "", "compare-metrics": [], "compare-log": False,
        "compare-log-x": False, "compare-theory": True,
        "inspect-mode": "one", "inspect-loop": "", "inspect-loops": [], "inspect-sample": 0, "inspect-generation": 0,
        "inspect-start": "", "inspect-draw": "", "inspect-key": "",
        "launch-origin": "", "launch-stamp": "", "field-domain": "motion", "field-data-stored-id": None,
        "audit-chosen": "", "audit-data": "", "audit-of": "", "loops-of": "",
        "data-chosen": "", "data-class": "", "data-clip": 0, "data-filled": "1", "data-of": "",
    }  # fmt: skip
    updates = found.refresh(*(values[c.elem_id] for c in found.inputs))
    assert len(updates) == len(found.outputs)


def test_compare_begins_with_the_latest_group(backend: Backend) -> None:
    record(backend, verbs.launch(backend, small(), name="older"), 2)
    views = demo(backend)
    found = page(backend, "compare")
    updates = found.open({})
    assert shown(found, updates, "compare-loops") == [view.id for view in views]
    assert len(shown(found, updates, "compare-plot")["charts"]) == len(compare.FIRST_METRICS)


def test_a_comparison_gives_its_address_back(backend: Backend) -> None:
    views = demo(backend)
    found = page(backend, "compare")
    asked = {"loops": f"{views[2].id},{views[0].id}", "by": "name", "band": "std", "metrics": "fid,skate", "log": "1"}
    updates = found.open(asked)
    values = [shown(found, updates, c.elem_id) for c in found.inputs]
    assert found.query(*values) == asked
    assert [chart["key"] for chart in shown(found, updates, "compare-plot")["charts"]] == ["fid", "skate"]


def test_inspect_gives_its_address_back(backend: Backend) -> None:
    views = demo(backend)
    found = page(backend, "inspect")
    for asked in (
        {"loop": views[1].id, "generation": "2", "sample": "3"},
        {"mode": "loops", "loops": f"{views[0].id}:raw,{views[1].id}:corrected", "generation": "1", "sample": "0"},
    ):
        updates = found.open(asked)
        values = [shown(found, updates, c.elem_id) for c in found.inputs]
        assert found.query(*values) == asked
        panes = shown(found, updates, "inspect-viewer")["panes"]
        assert all(f"/generations/{asked['generation']}/" in pane["url"] for pane in panes)


def test_a_new_panel_extends_the_slider_and_leaves_the_choice(backend: Backend) -> None:
    view = record(backend, verbs.launch(backend, small()), 2, state="running")
    running(backend, view, 3)
    found = page(backend, "inspect")
    first = found.open({"loop": view.id, "generation": "1"})
    values = [shown(found, first, c.elem_id) for c in found.inputs]
    record(backend, view, 4, state="running")
    position = [c.elem_id for c in found.outputs].index("inspect-generation")
    update = found.refresh(*values)[position]
    assert update["maximum"] == 4 and "value" not in update


def test_a_clone_fills_the_form_with_the_loops_settings(backend: Backend) -> None:
    view = verbs.launch(backend, small(seed=5, n=99), name="source")
    found = page(backend, "launch")
    updates = found.open({"clone": view.id})
    assert shown(found, updates, "field-n") == 99 and shown(found, updates, "field-seed") == "5"
    assert shown(found, updates, "field-policy") == "replace"
    assert found.query(*(shown(found, updates, c.elem_id) for c in found.inputs)) == {"clone": view.id}


def test_verbs_of_the_loops_page(backend: Backend) -> None:
    view = verbs.launch(backend, small(), name="mine")
    assert "Asked 'mine' to stop" in loops._act(backend, "cancel", view.id, {})[0].replace("&#x27;", "'")
    assert loops._act(backend, "resume", view.id, {})[1] == view.id
    said, chosen = loops._act(backend, "delete", view.id, {})
    assert "Undo" in said and chosen == ""
    assert loops._act(backend, "restore", view.id, {})[1] == view.id
    record(backend, view, 10)
    loops._act(backend, "extend", view.id, {"generations": "5"})
    assert verbs.show_loop(backend, view.id).config["generations"] == 15
    for action, data in (("extend", {"generations": "x"}), ("cancel", {}), ("explode", {})):
        said, _ = loops._act(backend, action, "nowhere" if action == "cancel" else view.id, data)
        assert 'data-kind="error"' in said


def test_an_answer_from_before_a_choice_is_put_right(backend: Backend) -> None:
    view = demo(backend, 1)[0]
    found = page(backend, "loops")
    late = shown(found, found.refresh("", "", ""), "loops-of")  # a poll that is answered after the row was opened
    assert found.behind(view.id, "", late), "the next poll shows what was chosen"
    again = found.refresh(view.id, "", late)
    assert "loop-delete" in shown(found, again, "loops-table")
    assert not found.behind(view.id, "", shown(found, again, "loops-of"))
    assert found.behind(view.id, "demo", shown(found, again, "loops-of")), "the filter counts, too"


@pytest.mark.slow
def test_motions_of_the_panel_are_there_for_the_viewer(backend: Backend) -> None:
    from fastapi.testclient import TestClient

    from backend.api import create_api

    view = demo(backend, 1)[0]
    keep_motions(backend, view, 1)
    found = page(backend, "inspect")
    spec = shown(found, found.open({"loop": view.id, "generation": "1"}), "inspect-viewer")
    client = TestClient(create_api(backend))
    for pane in spec["panes"]:
        answer = client.get(pane["url"].removeprefix("/api/v1"))
        assert answer.status_code == 200 and answer.content[:4] == b"LSM1"


def test_every_listener_is_quiet(backend: Backend) -> None:
    """No queue, no spinner, no public name: what the pages do is theirs alone."""
    config = build_blocks(backend).get_config_file()
    for dependency in config["dependencies"]:
        assert dependency["queue"] is False and dependency["show_progress"] == "hidden"
        assert dependency["api_visibility"] == "private"


def test_the_header_counts() -> None:
    assert "2 running, 1 queued" in header_markup(2, 1)
    assert "idle" in header_markup(0, 0)


def test_helpers() -> None:
    assert ids_of("a,,b") == ["a", "b"] and ids_of(None) == []
    assert whole("7") == 7 and whole("x", 3) == 3 and whole(None) == 0
    assert quiet(trigger_mode="once")["trigger_mode"] == "once"


def test_the_page_begins_on_the_tab_of_its_address() -> None:
    page = b'{"props":{"selected":"launch"}}{"selected":"launch"}'
    assert opened_at(page, b"loops=a&tab=compare") == b'{"props":{"selected":"compare"}}{"selected":"launch"}'
    for query in (b"", b"tab=nowhere", b"tab=%22%3E%3Cscript%3E", b"tab=\xff"):
        assert opened_at(page, query) == page
