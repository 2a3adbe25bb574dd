"""The audit on the page and at the terminal: the same numbers, fields that say what is wrong, names that stay text."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner, Result

from app import audittable
from app.auditfigure import chart, figure
from app.auditreport import page as report_page
from app.cli import app
from app.pages import audit as audit_page
from app.pages.audit import OWN
from app.pages.auditresult import earlier, result, table
from app.pages.page import Page
from app.pulse import pulse_of
from app.server import create_app
from backend import audits, auditwork, datasets, jobwork, loops
from backend.audits import AuditConfig, AuditView
from backend.context import Backend
from backend.jobs import AUDIT
from core.config import PartConfig
from core.errors import DataMissing, InvalidConfig
from core.protocols import Tick, silent
from corrector.audit import Audit, Effect
from corrector.gamma import Gamma
from tests.app.seeding import Silent, open_silent, record, small
from tests.backend.datafolders import imported

EVIL = '<img src=x onerror="alert(1)">'
KINEMATIC = AuditConfig(corrector=PartConfig(kind="kinematic"), n=30, real=60)


def effect(name: str, title: str, group: Any, before: float, after: float, **changes: Any) -> Effect:
    unknown = Gamma(value=None, low=None, high=None, words="not identifiable")
    values: dict[str, Any] = {
        "name": name, "title": title, "group": group, "strength": None, "windows": 30, "kept": 0.9, "untouched": 0.1,
        "simulated": 0.0, "moved_mm": 20.0, "second_pass_mm": 1.0, "from_clean_mm": (50.0, 5.0), "fid": (before, after),
        "energy": (1.0, 0.1), "ceiling_fid": 6.0, "gamma": unknown, "penetration_mm": (50.0, 10.0),
        "float_mm": (0.0, 0.0),
        "skate_m_s": (0.5, 0.4), "jerk_m_s3": (1300.0, 250.0), "residual_force_bw": 0.0, "residual_torque_nm": 0.0,
        "cpu_s_per_window": 0.002, "realtime_factor": 1000.0,
    }  # fmt: skip
    return Effect(**(values | changes))


FOUND = Audit(
    windows=30,
    real_windows=60,
    floor=(4.0, 5.0),
    effects=(
        effect("real", "Held-out real", "real", 4.4, 4.3, from_clean_mm=None),
        effect("low-0.05", "Too low 0.05 m", "perturbed", 40.0, 7.0,
               gamma=Gamma(value=None, low=2.1, high=None, words="at least 2.1")),
        effect("generation-6", f"{EVIL}, generation 6", "generated", 60.0, 52.0, simulated=0.5, residual_force_bw=0.31,
               gamma=Gamma(value=0.25, low=0.1, high=0.4, words="0.25 (0.1 to 0.4)")),
    ),
    findings=("Leaves real motion alone: 4.4 -> 4.3.", EVIL),
)  # fmt: skip


@pytest.fixture(autouse=True)
def computed(monkeypatch: pytest.MonkeyPatch) -> list[AuditConfig]:
    """Every audit finds FOUND."""
    done: list[AuditConfig] = []

    def compute(backend: Backend, config: AuditConfig, *, device: str = "auto", tick: Tick = silent) -> Audit:
        tick(0.5, "Half way")
        done.append(config)
        return FOUND

    monkeypatch.setattr(auditwork, "compute", compute)
    return done


@pytest.fixture
def done(backend: Backend) -> AuditView:
    view = audits.start(backend, KINEMATIC)
    assert auditwork.work(backend, view.id)
    return audits.show(backend, view.id)


@pytest.fixture
def page(backend: Backend) -> Page:
    with gr.Blocks():
        return audit_page.build(backend, gr.Textbox())


def shown(page: Page, updates: list[Any]) -> dict[str, Any]:
    """elem_id -> value."""
    assert len(updates) == len(page.outputs)
    found = {}
    for component, update in zip(page.outputs, updates, strict=True):
        known = isinstance(update, dict) and update.get("__type__") == "update"
        found[str(component.elem_id)] = update.get("value") if known else update
    return found


def of(page: Page, updates: list[Any], elem_id: str) -> Any:
    """The update of one component."""
    return updates[[c.elem_id for c in page.outputs].index(elem_id)]


def stored(dataset_id: str, **options: Any) -> PartConfig:
    return PartConfig(kind="stored", options={"id": dataset_id, **options})


# --- markup ---


def test_cells_are_one_per_column_and_say_what_cannot_be_known() -> None:
    names = [name for name, _ in audittable.COLUMNS]
    rows = [dict(zip(names, audittable.cells(e), strict=True)) for e in FOUND.effects]
    assert [row["Gamma"] for row in rows] == ["-", "> 2.1", "0.25"]
    assert [row["From clean mm"] for row in rows] == ["-", "50 -> 5", "50 -> 5"]
    assert [row["Force BW"] for row in rows] == ["-", "-", "0.31"]
    assert rows[1]["FID"] == "40.0 -> 7.0" and rows[1]["Jerk m/s³"] == "1,300 -> 250"


def test_names_and_findings_are_never_markup(done: AuditView) -> None:
    for html in (result(done), table(FOUND), report_page(done).split("</head>")[1]):
        assert "<img" not in html
    assert "<img" not in json.dumps(chart(FOUND)["charts"][0]["data"])
    assert "4.4 → 4.3" in result(done)


def test_the_picture_has_an_arrow_per_change_the_floor_and_the_ceilings() -> None:
    picture = figure(FOUND)
    arrows = {a["name"]: a for a in picture["layout"]["annotations"] if a.get("showarrow")}
    assert set(arrows) == {"low-0.05", "generation-6"}, "no change worth an arrow, no arrow"
    assert all(arrow["x"] < arrow["ax"] for arrow in arrows.values())
    assert [trace["name"] for trace in picture["data"]] == ["before", "after", "ceiling (nearest real)"]
    assert picture["data"][0]["x"] == [4.4, 40.0, 60.0]
    line = next(shape for shape in picture["layout"]["shapes"] if shape["name"] == "floor")
    assert line["x0"] == line["x1"] == 4.5


# --- page ---


def test_an_empty_page_teaches(page: Page) -> None:
    values = shown(page, page.open({}))
    assert "No audit yet" in values["audit-result"] and values["audit-chosen"] == ""
    assert "13 inputs of 255 windows" in values["audit-status"] and "min" in values["audit-status"]


def test_an_audit_has_an_address(page: Page, done: AuditView) -> None:
    values = shown(page, page.open({"audit": done.id}))
    assert page.query(values["audit-chosen"]) == {"audit": done.id}
    assert values["audit-corrector"] == "kinematic" and values["audit-n"] == 30
    assert values["audit-corrector-options"] == "", "defaults need not be read"
    assert "Done in" in values["audit-result"] and "Leaves real motion alone" in values["audit-result"]
    assert len(values["audit-plot"]["charts"]) == 1 and "Too low 0.05 m" in values["audit-table"]
    assert shown(page, page.refresh(done.id, OWN, done.id))["audit-table"] == values["audit-table"]
    assert shown(page, page.open({}))["audit-chosen"] == done.id, "the newest is shown first"
    assert "no audit" in shown(page, page.open({"audit": "nowhere"}))["audit-result"]


def test_an_answer_from_before_a_choice_is_put_right(backend: Backend, page: Page, done: AuditView) -> None:
    other = audits.start(backend, KINEMATIC.model_copy(update={"n": 40}))
    late = shown(page, page.refresh(other.id, OWN, other.id))  # a poll that is answered after `done` was chosen
    assert page.behind(done.id, OWN, late["audit-of"]), "the next poll shows what was chosen"
    again = shown(page, page.refresh(done.id, OWN, late["audit-of"]))
    assert "Done in" in again["audit-result"] and not page.behind(done.id, OWN, again["audit-of"])
    gone = shown(page, page.refresh("nowhere", OWN, ""))
    assert not page.behind("nowhere", OWN, gone["audit-of"]), "nor is it asked for again and again"


def test_a_loop_leads_here_with_its_last_generation(backend: Backend, page: Page) -> None:
    view = record(backend, loops.launch(backend, small(), name="Mine"), 3)
    values = shown(page, page.open({"loop": view.id}))
    assert (values["audit-loop"], values["audit-generations"]) == (view.id, "3")
    assert "14 inputs" in values["audit-status"]


def test_running_and_failed_audits_say_so(backend: Backend, page: Page) -> None:
    view = audits.start(backend, KINEMATIC)
    lease = jobwork.claim(backend, AUDIT, view.id, "here")
    assert lease is not None
    jobwork.heartbeat(backend, lease, 0.4, "Jitter 0.1 rad (3 of 13)")
    running = shown(page, page.refresh(view.id, OWN, view.id))
    assert "Jitter 0.1 rad (3 of 13)" in running["audit-result"] and "progressbar" in running["audit-result"]
    assert "audit-cancel" in running["audit-result"] and running["audit-plot"]["charts"] == []
    for _ in range(3):
        jobwork.fail(backend, lease, ValueError(EVIL), f"Traceback {EVIL}")
        again = jobwork.claim(backend, AUDIT, view.id, "here")
        lease = again or lease
    failed = shown(page, page.refresh(view.id, OWN, view.id))["audit-result"]
    assert "Failed" in failed and "Run again" in failed and "<img" not in failed
    assert failed.index("<details>") < failed.index("Traceback")


@pytest.mark.parametrize(
    ("position", "value", "field", "word"),
    [
        (1, "{", "audit-corrector-options", "JSON"),
        (1, '{"nonsense": 1}', "audit-corrector-options", "nonsense"),
        (4, 2.5, "audit-n", "whole number"),
        (4, None, "audit-n", "whole number"),
        (4, 3, "audit-n", "16"),
        (5, 1, "audit-real", "16"),
    ],
)
def test_a_wrong_field_is_marked(backend: Backend, position: int, value: Any, field: str, word: str) -> None:
    values = audit_page._values(AuditConfig())
    values[position] = value
    with pytest.raises(InvalidConfig) as raised:
        audits.check(backend, audit_page._typed(values))
    line = audit_page._wrong(raised.value)
    assert f'data-invalid="{field}"' in line and word in line and 'data-state="invalid"' in line


def test_what_is_typed_is_what_is_asked_for(backend: Backend) -> None:
    view = record(backend, loops.launch(backend, small()), 6)
    config = AuditConfig(
        corrector=PartConfig(kind="physics", options={"mode": "full"}), data=PartConfig(kind="deepmimic"),
        n=64, real=128, loop=view.id, generations=[0, 6],
    )  # fmt: skip
    checked = audits.check(backend, config)
    assert audits.check(backend, audit_page._typed(audit_page._values(checked))) == checked
    assert audit_page._values(checked)[1] == '{"mode": "full"}'


def test_imported_data_sets_are_offered_by_name_and_what_is_gone_is_seen(
    backend: Backend, page: Page, tmp_path: Path
) -> None:
    people = imported(backend, tmp_path / "people")
    config = KINEMATIC.model_copy(update={"data": stored(people.id, frames=20)})
    view = audits.start(backend, config)
    values = shown(page, page.open({"audit": view.id}))
    assert (values["audit-data"], values["audit-data-options"]) == (f"stored:{people.id}", '{"frames": 20}')
    typed = audit_page._typed(audit_page._values(view.config))
    assert audits.check(backend, typed) == view.config, "what the controls hold is what was asked for"
    update = of(page, page.refresh(view.id, f"stored:{people.id}", view.id), "audit-data")
    assert ("people (10 clips, 2 classes)", f"stored:{people.id}") in update["choices"] and "value" not in update
    datasets.delete(backend, people.id)
    pulse_of(backend)._beaten_at = float("-inf")  # the next beat
    update = of(page, page.refresh(view.id, f"stored:{people.id}", view.id), "audit-data")
    assert update["choices"][-1] == ("people (deleted)", f"stored:{people.id}")


def test_a_data_set_that_is_not_here_is_refused_in_words(backend: Backend) -> None:
    values = audit_page._values(KINEMATIC.model_copy(update={"data": stored("nowhere")}))
    with pytest.raises(DataMissing, match="no imported data set 'nowhere'"):
        audits.check(backend, audit_page._typed(values))


def test_all_audits_are_listed(backend: Backend, done: AuditView) -> None:
    assert earlier([done], done.id) == "", "one that is shown already"
    other = audits.start(backend, KINEMATIC.model_copy(update={"n": 40}))
    html = earlier(audits.list_audits(backend), done.id)
    assert f'data-audit="{other.id}"' in html and "40 windows per input" in html


def test_the_report_is_one_file(backend: Backend, done: AuditView) -> None:
    web = TestClient(create_app(backend=backend), base_url="http://127.0.0.1:7860")
    answer = web.get(f"/ui/audit/{done.id}.html")
    assert answer.status_code == 200 and "attachment" in answer.headers["content-disposition"]
    assert "Plotly.newPlot" in answer.text and "<script src" not in answer.text
    assert web.get("/ui/audit/nowhere.html").status_code == 404
    waiting = audits.start(backend, KINEMATIC.model_copy(update={"n": 41}))
    assert "no result" in web.get(f"/ui/audit/{waiting.id}.html").text


# --- terminal ---


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    for name in ("LOOPSCOPE_REDIS_URL", "LOOPSCOPE_DATABASE_URL", "LOOPSCOPE_SERVER", "LOOPSCOPE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOOPSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("backend.context.open_queue", lambda _: Silent())

    def call(*words: str, status: int = 0) -> Result:
        ended = CliRunner().invoke(app, ["audit", *words])
        assert ended.exit_code == status, f"{words}: {ended.output}\n{ended.exception!r}"
        return ended

    return call


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Backend]:
    opened = open_silent(tmp_path / "home")
    yield opened
    opened.close()


def test_the_command_computes_once_and_tells_what_it_means(
    run: Callable[..., Result], computed: list[AuditConfig], home: Backend, tmp_path: Path
) -> None:
    words = ("--corrector", "kinematic", "--n", "30", "--real", "60")
    first = run(*words, "--html", str(tmp_path / "report.html")).stdout
    assert "Held-out real" in first and "40.0 -> 7.0" in first and "- Leaves real motion alone" in first
    assert "Plotly.newPlot" in (tmp_path / "report.html").read_text()
    told = json.loads(run(*words, "--json").stdout)
    assert told["state"] == "done" and told["result"]["floor"] == [4.0, 5.0] and len(computed) == 1
    assert audits.show(home, told["id"]).result == FOUND, "page and API show the same one"
    run(*words, "--again")
    assert len(computed) == 2


def test_the_command_passes_everything_on(
    run: Callable[..., Result], computed: list[AuditConfig], home: Backend
) -> None:
    view = record(home, loops.launch(home, small()), 6)
    run(
        "--corrector-options", "mode=full", "--data-options", "mirror=true", "--loop", view.id, "--generation", "0",
        "--generation", "6", "--perturbation", "low", "--perturbation", "jitter", "--seed", "3", "--json",
    )  # fmt: skip
    [config] = computed
    assert config.corrector.options["mode"] == "full" and config.data is not None
    assert (config.loop, config.generations, config.seed) == (view.id, [0, 6], 3)
    assert config.perturbations == ["low", "jitter"]
    run("--perturbation", "none", "--json")
    assert computed[-1].perturbations == []


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (("--corrector", "magic"), "magic"),
        (("--n", "3"), "n:"),
        (("--corrector-options", "nonsense=1"), "nonsense"),
        (("--generation", "1"), "loop"),
        (("--loop", "nobody", "--generation", "1"), "nobody"),
        (("--perturbation", "earthquake"), "jitter"),
        (("--data", "npz"), "path"),
        (("--html", "/nowhere/at/all.html"), "/nowhere/at"),
    ],
)
def test_errors_are_two_lines_and_status_2(run: Callable[..., Result], words: tuple[str, ...], word: str) -> None:
    ended = run(*words, status=2)
    assert ended.stdout == "" and word in ended.stderr and len(ended.stderr.strip().splitlines()) <= 2


def test_a_failure_is_told(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    def compute(*_: object, **__: object) -> Audit:
        raise InvalidConfig("It cannot be.", "Try another.")

    monkeypatch.setattr(auditwork, "compute", compute)
    ended = run("--corrector", "kinematic", status=2)
    assert "The audit is failed: It cannot be." in ended.stderr and "Try another." in ended.stderr
    tried: list[int] = []

    def odd(*_: object, **__: object) -> Audit:
        tried.append(1)
        raise ZeroDivisionError("broken")

    monkeypatch.setattr(auditwork, "compute", odd)
    ended = run("--corrector", "kinematic", status=2)
    assert len(tried) == 3 and "ZeroDivisionError: broken" in ended.stderr and "Traceback" not in ended.stderr
