"""What the pages say: states in words, errors with a way out, and names that stay text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import forms
from app.groups import group_loops
from app.pages import data, launchstatus
from app.pages.cards import motions_query, preset_cards
from app.pages.finals import finals_table, legend
from app.pages.launchstatus import default_name
from app.pages.looprows import loop_detail, loop_table
from app.pages.loops import _act as act_on
from app.pages.loops import matches
from app.pages.sampledetail import across_detail, measure_title, one_loop_detail, outcome_words
from backend import loops, measures, parts
from backend.context import Backend
from backend.presets import PRESETS, launch_preset
from backend.tables import Loop
from backend.views import LoopView, PanelSampleView, PanelView, RunningStage
from core.config import PartConfig
from model.domains import DOMAINS
from model.metrics import METRICS
from tests.app.seeding import FLOOR, failed, outcome, record, running, small
from tests.app.seedloops import gaussian, keep_seeds
from tests.backend.datafolders import imported, learning_from

EVIL = '<img src=x onerror="alert(1)">${alert(2)}{{x}}'


def evil(backend: Backend) -> LoopView:
    view = record(backend, loops.launch(backend, small(), name=EVIL, group=EVIL), 2, state="failed")
    failed(backend, view, f"Traceback: {EVIL}")
    return loops.show_loop(backend, view.id)


RENDERINGS: dict[str, Callable[[Backend, LoopView], str]] = {
    "table": lambda _, view: loop_table([view], view.id),
    "detail": lambda b, view: loop_detail(view, loops.generations(b, view.id), loops.events(b, view.id)),
    "legend": lambda _, view: legend(group_loops([view])),
    "finals": lambda b, view: finals_table(
        group_loops([view]), measures.curves(b, [view.id]), FLOOR, list(METRICS.values())
    ),
    "across": lambda b, view: across_detail([(view, "raw", loops.panel(b, view.id, 1))], 1, 0, {view.id: 8.5}),
    "one loop": lambda b, view: one_loop_detail(view, loops.panel(b, view.id, 1), 0),
    "launched": lambda _, view: launchstatus.launched([view]),
    "outcome": lambda *_: outcome_words({"status": "rejected", "reason": EVIL}),
}


@pytest.mark.parametrize("name", RENDERINGS)
def test_a_name_is_never_markup(backend: Backend, name: str) -> None:
    html = RENDERINGS[name](backend, evil(backend))
    assert "<img" not in html
    assert html.count("&lt;img") + html.count("%3Cimg") == html.count("onerror"), "every occurrence is escaped"


def test_the_table_says_state_progress_and_numbers(backend: Backend) -> None:
    view = record(backend, loops.launch(backend, small(), name="mine"), 3, state="running")
    running(backend, view, 4)
    view = loops.show_loop(backend, view.id)
    html = loop_table([view], "")
    assert "Running" in html and "3 / 10" in html and "progressbar" in html and "polyline" in html
    assert f"{view.latest['fid']:.3g}" in html


def test_imported_data_are_told_by_their_name(backend: Backend, tmp_path: Path) -> None:
    people = imported(backend, tmp_path / "people", name="dancers")
    config = learning_from(people.id)
    view = loops.launch(backend, config, name="mine")
    assert view.data == "dancers" and "dancers, 32" in loop_table([view], "")
    assert matches(view, "dancers") and not matches(view, "deepmimic")
    assert default_name(backend, config).endswith("dancers 32")
    assert loops.launch(backend, small(), name="other").data == small().data.kind


def test_a_group_stands_under_its_name_with_a_way_to_compare(backend: Backend) -> None:
    views = launch_preset(backend, "demo")
    html = loop_table(views[::-1], "")
    assert "Collapse and correction (3)" in html
    assert html.index("Raw") < html.index("Real only"), "in the order of their launch"
    assert "tab=compare" in html


def detail(backend: Backend, view: LoopView) -> str:
    return loop_detail(view, loops.generations(backend, view.id), loops.events(backend, view.id))


def changed(backend: Backend, view: LoopView, **columns: Any) -> LoopView:
    with backend.database.write() as session:
        loop = session.get_one(Loop, view.id)
        for name, value in columns.items():
            setattr(loop, name, value)
    return loops.show_loop(backend, view.id)


def test_stop_rules_say_what_became_of_them(backend: Backend) -> None:
    rules = ("fid > 60", "fid flat for 5", "hours > 2")
    view = record(backend, loops.launch(backend, small(tripwires=rules)), 4, state="stopped")
    stop = {"rule": "fid flat for 5", "sentence": "fid flat for 5 generations, at 4", "generation": 4}
    html = detail(backend, changed(backend, view, stop=stop, disarmed=["fid > 60"]))
    assert 'data-state="off"><code>fid &gt; 60</code>' in html and "no longer applies" in html
    assert 'data-state="fired"><code>fid flat for 5</code> <span>fired at generation 4' in html
    assert 'data-state="armed"><code>hours &gt; 2</code>' in html
    assert "Stopped after generation 4 of 10: fid flat for 5 generations, at 4" in html
    assert "Stop rules" not in detail(backend, record(backend, loops.launch(backend, small(seed=1)), 2))


def test_owner_and_priority_are_told_where_they_are_anything(backend: Backend) -> None:
    view = loops.launch(backend, small(), name="mine")
    assert "priority" not in loop_table([view], "")
    html = loop_table([changed(backend, view, owner="<b>maria", priority=-3)], "")
    assert "&lt;b&gt;maria, priority -3" in html


def test_what_a_loop_waits_for_stands_beside_what_to_do(backend: Backend) -> None:
    trouble = {"code": "disk_full", "message": "The disk is full.", "hint": "Make room; it goes on by itself."}
    html = detail(backend, changed(backend, loops.launch(backend, small()), trouble=trouble))
    assert "Waits: The disk is full." in html
    assert html.count("The disk is full") == 1
    assert 'data-kind="warn"' in html and "Make room" in html


@pytest.mark.parametrize(
    "state, there, not_there",
    [
        ("running", "prioritize", "rollback"), ("done", "rollback", "prioritize"), ("stopped", "resume", "retry"),
        ("failed", "retry", "resume"), ("cancelled", "rollback-best", "cancel"), ("cancelling", "extend", "rollback"),
    ],
)  # fmt: skip
def test_further_verbs_fit_the_state(backend: Backend, state: str, there: str, not_there: str) -> None:
    html = detail(backend, record(backend, loops.launch(backend, small()), 2, state=state))
    assert f'data-act="{there}"' in html
    assert f'data-act="{not_there}"' not in html
    assert 'data-seen="10"' in html


def test_verbs_of_the_page_answer_in_words(backend: Backend) -> None:
    def said(action: str, loop_id: str, **data: str) -> str:
        return act_on(backend, action, loop_id, data)[0]

    view = record(backend, loops.launch(backend, small(), name="mine", group="g"), 4)
    assert "now runs to generation 15" in said("extend", view.id, generations="5", seen="10")
    assert "has 15 generations by now, not 10" in said("extend", view.id, generations="5", seen="10")
    other = loops.launch(backend, small(seed=1), name="other", group="g")
    assert "Asked 2 loops to stop" in said("cancel-all", "", loops=f"{view.id},{other.id}")
    assert "Resume 2" in loop_table(loops.list_loops(backend), "")
    assert "is back at generation 2" in said("rollback", view.id, to="2")
    assert "is back at generation 0" in said("rollback-best", view.id)
    assert "None is yet" in said("rollback", other.id, to="x")
    assert "priority -2" in said("prioritize", view.id, priority="-2")
    assert "from -10 to 10" in said("prioritize", view.id, priority="x")
    assert "2 loops go on" in said("resume-all", "", loops=f"{view.id},{other.id}")
    assert "Cancel 2" in loop_table(loops.list_loops(backend), "")


def test_what_training_cost_stands_beside_the_generations_that_know_it(backend: Backend) -> None:
    view = record(backend, loops.launch(backend, small()), 2, state="running")
    known = loops.generations(backend, view.id)
    assert "steps/s" not in loop_detail(view, known, [])
    cost = {"loss": 0.5, "steps_per_s": 1234.5, "samples_per_s": 79_008.0, "peak_memory_mb": 612.0}
    html = loop_detail(view, [known[0], known[1].model_copy(update={"training": cost})], [])
    assert "pace of training" in html and "peak MB" in html
    later, first = html.split('data-key="g')[1:3]
    assert "1,234" in later and "79,008" in later and "612" in later
    assert first.count(">-</td>") >= 3


def test_a_running_generation_shows_its_stages(backend: Backend) -> None:
    config = small(corrector=PartConfig(kind="physics"))
    view = record(backend, loops.launch(backend, config), 2, state="running")
    running(backend, view, 3, "correct")
    view = loops.show_loop(backend, view.id)
    html = loop_detail(view, loops.generations(backend, view.id), [])
    assert "Generation 3 of 10" in html
    states = [part.split('"')[0] for part in html.split('class="ls-stage" data-state="')[1:]]
    assert states == ["done", "running", "waiting", "waiting", "waiting"]
    assert "step 38 of 60" in html


def test_a_failure_says_what_where_and_what_to_do_with_the_traceback_folded(backend: Backend) -> None:
    view = record(backend, loops.launch(backend, small()), 2, state="failed")
    failed(backend, view, "Traceback (most recent call last)")
    html = loop_detail(loops.show_loop(backend, view.id), [], [])
    assert "stage learn of generation 3" in html and "Lower the learning rate" in html and "Retry" in html
    assert html.index("<details>") < html.index("Traceback (most recent call last)")


def test_a_loop_of_another_domain_shows_its_own_headline_its_seeds_and_no_audit(backend: Backend) -> None:
    view = keep_seeds(backend, gaussian(), "mine")
    html = loop_table([view], view.id, loop_detail(view, loops.generations(backend, view.id), []))
    assert "Gaussian, 40 seeds" in html and "Wasserstein-2" in html and "FID" not in html
    assert f"{view.latest['w2']:.3g}" in html
    assert ">Samples</a>" in html and "tab=audit" not in html
    assert matches(view, "gaussian normal") and not matches(view, "motion")


def test_a_long_loop_is_told_by_some_of_its_generations(backend: Backend) -> None:
    view = keep_seeds(backend, gaussian(generations=400), "long", last=400)
    html = loop_detail(view, loops.generations(backend, view.id), [])
    assert "one in 7 of 401 generations" in html
    assert html.count('data-key="g') == 58 and 'data-key="g400"' in html


def test_a_light_loop_at_work_says_how_far_it_is(backend: Backend) -> None:
    view = keep_seeds(backend, gaussian(generations=400), "light", last=120)
    block = RunningStage(generation=120, stage="block", part_fraction=0.46, sentence="", worker="w")
    html = loop_detail(view.model_copy(update={"state": "running", "running": [block], "eta_s": 12.0}), [], [])
    assert "Generation 120 of 400, about 12 s left in all" in html and "46 %" in html


def test_a_policy_is_told_by_what_is_not_as_usual(backend: Backend) -> None:
    table = loop_table([loops.launch(backend, gaussian(lam=0.5)), loops.launch(backend, gaussian())], "")
    assert ">augment λ=0.5<" in table and ">replace<" in table


def test_every_data_set_has_its_line_on_the_data_page() -> None:
    html = data._built_in_cards()
    for domain in DOMAINS.values():
        assert domain.title in html
        for part in domain.data.values():
            assert part.title in html


@pytest.mark.parametrize(
    "state, present, absent",
    [("running", "loop-cancel", "loop-resume"), ("cancelled", "loop-resume", "loop-cancel"),
     ("done", "loop-extend", "loop-resume")],
)  # fmt: skip
def test_only_verbs_that_make_sense(backend: Backend, state: str, present: str, absent: str) -> None:
    view = record(backend, loops.launch(backend, small()), 1, state=state)
    html = loop_detail(view, [], [])
    assert present in html and absent not in html


def test_filter_words(backend: Backend) -> None:
    view = loops.launch(backend, small(corrector=PartConfig(kind="physics")), name="Alpha", group="week")
    assert matches(view, "") and matches(view, "alpha physics") and matches(view, "WEEK queued")
    assert not matches(view, "alpha failed")


def test_the_demo_card_comes_first_with_minutes_and_what_it_does_not_show(backend: Backend) -> None:
    del backend
    html = preset_cards(PRESETS, {})
    demo = PRESETS["demo"]
    assert html.index('id="launch-demo"') < html.index('id="launch-paper-regime"')
    assert f"{demo.minutes:g} min" in html and "What it does not show" in html and "<svg" in html


def test_the_card_of_a_launched_preset_leads_to_its_loops(backend: Backend) -> None:
    views = [record(backend, view, 2) for view in launch_preset(backend, "demo")]
    html = preset_cards(PRESETS, {"demo": views})
    assert "3 of 3 done" in html and "Run again" in html
    assert ",".join(view.id for view in views) in html


def test_the_presets_lead_to_the_lab() -> None:
    assert 'href="?tab=lab"' in preset_cards(PRESETS, {})


def test_motions_of_a_comparison_begin_at_the_last_common_generation(backend: Backend) -> None:
    views = [record(backend, view, last) for view, last in zip(launch_preset(backend, "demo"), (4, 2, 3), strict=True)]
    query = motions_query(views)
    assert query["generation"] == 2
    assert str(query["loops"]).split(",")[0].startswith(views[2].id), "the real-only control comes first"


def typed(seeds: str = "0", **changes: Any) -> launchstatus.Typed:
    form = forms.form_of(parts.catalogue())
    values = form.defaults()
    for path, value in changes.items():
        values[form.index(path.replace("__", "."))] = value
    return launchstatus.Typed(form, "", seeds, values)


def test_the_button_says_what_will_be_launched(backend: Backend) -> None:
    line, button = launchstatus.status(backend, typed("0,1,2"))
    assert button["value"].startswith("Launch 3 loops, about ") and button["interactive"]
    assert "MB" in line


def test_a_wrong_field_is_named_in_its_own_words_and_nothing_can_be_launched(backend: Backend) -> None:
    line, button = launchstatus.status(backend, typed(training__batch_size=0))
    assert "Batch size" in line and 'data-invalid="field-training-batch-size"' in line
    assert not button["interactive"]


def test_a_finished_twin_is_offered(backend: Backend) -> None:
    held = typed()
    record(backend, launchstatus.launch_typed(backend, held, "twin")[0], 10)
    line, button = launchstatus.status(backend, held)
    assert "finished already" in line and "twin" in line
    assert button["value"] == "Launch it again"


def test_seeds_become_a_group_of_their_own(backend: Backend) -> None:
    held = typed("3-5")
    first = launchstatus.launch_typed(backend, held, "mine")
    second = launchstatus.launch_typed(backend, held, "mine")
    assert [view.config["seed"] for view in first] == [3, 4, 5]
    assert {view.group for view in first} == {"mine"} and {view.group for view in second} == {"mine 2"}


def test_finals_tell_the_difference_to_real_only(backend: Backend) -> None:
    drifts = (0.5, 0.2, 0.0)
    views = [record(backend, v, 2, drift=d) for v, d in zip(launch_preset(backend, "demo"), drifts, strict=True)]
    curves = measures.curves(backend, [view.id for view in views])
    html = finals_table(group_loops(views), curves, FLOOR, [METRICS["fid"]])
    raw, real = (curves[views[i].id]["fid"][-1][1] for i in (0, 2))
    assert f"+{raw - real:.3g}" in html and "ls-delta-worse" in html and "Held-out real data" in html


def test_measures_have_titles_and_units() -> None:
    assert measure_title("penetration_mm") == ("Floor penetration", "mm")
    assert measure_title("skate_m_s") == ("Foot skate", "m/s")
    assert measure_title("jerk_m_s3")[1] == "m/s³"
    assert measure_title("new_thing") == ("New thing", "")


def test_a_sample_shows_before_and_after_and_its_files(backend: Backend) -> None:
    view = record(backend, loops.launch(backend, small()), 1)
    html = one_loop_detail(view, loops.panel(backend, view.id, 1), 0)
    assert "Moved 21 mm on average" in html and "body weights" in html
    base = f"/api/v1/loops/{view.id}/generations/1/panel"
    for file in ("raw/0/motion.bvh", "corrected/0/motion.npz", "0/side-by-side.mp4", "0/contact-sheet.png"):
        assert f"{base}/{file}" in html
    rejected = one_loop_detail(view, loops.panel(backend, view.id, 1), 2)
    assert "Rejected" in rejected and outcome(2)["reason"] in rejected


def test_a_simulated_sample_shows_what_help_it_took(backend: Backend) -> None:
    view = record(backend, loops.launch(backend, small()), 1)
    told = outcome(0) | {"simulation": {"residual_force_bw": 0.31, "residual_torque_nm": 17.25, "at_limit_share": 0.03}}
    sample = PanelSampleView(index=0, label="walk", outcome=told)
    html = one_loop_detail(view, PanelView(loop_id=view.id, generation=1, samples=[sample]), 0)
    for row in (
        "Residual force, mean (body weights)",
        "Residual torque, mean (N m)",
        "Frames at the limit of help (%)",
    ):
        assert row in html
    assert ">0.310<" in html and ">17.2<" in html and ">3.00<" in html
    assert "Tracking error" not in html
