"""Draws: asked for once, the same bits twice, refused in words, kept and deleted with their loop."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete

from backend import drawing, drawwork, jobwork, loops, lsm1, media, quotas, tripping
from backend.client import Client
from backend.context import Backend
from backend.drawing import DrawRequest
from backend.gate import Actor
from backend.jobs import DRAW
from backend.journal import lock_loop
from backend.keeping.backup import backup
from backend.keeping.gc import gc
from backend.keeping.integrity import integrity
from backend.keeping.restore import restore
from backend.motionfiles import read_motion
from backend.reconciler import reconcile
from backend.store import to_bytes
from backend.tables import Artifact, DrawJob, Loop, utc_now
from core.config import parse
from core.errors import Conflict, InvalidConfig, LoopscopeError, NotFound
from core.protocols import Tick
from tests.app.seeding import record, small
from tests.app.seedloops import gaussian, keep_seeds
from tests.backend.conftest import BackendFactory
from tests.backend.drawloops import CLASS, TEXT, drawable
from tests.backend.serving import Bridge, served


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, TestClient, str, str]]:
    """A loop told classes and one told text; tests leave them as they are."""
    home: Path = tmp_path_factory.mktemp("home")
    with served(home) as (backend, http):
        yield backend, http, drawable(backend), drawable(backend, TEXT, name="Text")


def walk(loop_id: str, **changes: Any) -> DrawRequest:
    return parse(DrawRequest, {"loop": loop_id, "generation": 0, "label": "walk", "count": 2, **changes})


def drawn(backend: Backend, request: DrawRequest) -> drawing.DrawView:
    view = drawing.start(backend, request)
    drawwork.work(backend, view.id, device="cpu")
    return drawing.show(backend, request.loop, view.id)


def artifact_of(backend: Backend, view: drawing.DrawView) -> Artifact | None:
    with backend.database.read() as session:
        return session.get(Artifact, (view.loop_id, view.generation, drawing.name_of(view.id)))


# --- what is drawn ---


def test_the_same_request_gives_the_same_bits_and_is_drawn_once(here: tuple[Backend, TestClient, str, str]) -> None:
    backend, _, loop_id, _ = here
    request = walk(loop_id)
    view = drawing.start(backend, request)
    assert view.state == "queued" and drawing.start(backend, request).id == view.id
    assert backend.queue.draws.count(view.id) == 1  # type: ignore[attr-defined]
    assert drawwork.work(backend, view.id, device="cpu")
    assert not drawwork.work(backend, view.id, device="cpu"), "a message that comes twice does nothing"
    done = drawing.start(backend, request)
    assert (done.id, done.state, done.fraction) == (view.id, "done", 1.0)
    assert [sample.label for sample in done.samples] == ["walk", "walk"]
    assert done.request.guidance_scale == 2.5, "as the loop's evaluation"
    one, other = (drawwork.compute(backend, done.request, device="cpu")[0] for _ in range(2))
    stored = artifact_of(backend, done)
    assert stored is not None and to_bytes(one) == to_bytes(other) == backend.store.read(stored.digest)


def test_noise_follows_the_seed_and_the_place_only(here: tuple[Backend, TestClient, str, str]) -> None:
    backend, _, loop_id, _ = here

    def raw(**changes: Any) -> Any:
        request = drawing.check(backend, walk(loop_id, **changes))
        return drawwork.compute(backend, request, device="cpu")[0].arrays["raw.root_position_m"]

    two = raw()
    np.testing.assert_allclose(raw(count=3)[:2], two, atol=1e-5)
    np.testing.assert_array_equal(raw(generation=1), two)  # the same model here
    for changes in ({"seed": 1}, {"label": "run"}, {"guidance_scale": 1.0}):
        assert np.abs(raw(**changes) - two).max() > 1e-4, changes


def test_a_sentence_is_drawn_where_the_model_is_told_text(here: tuple[Backend, TestClient, str, str]) -> None:
    backend, _, _, text = here
    request = walk(text, label="", prompt="  a person   walks in a circle ")
    view = drawn(backend, request)
    assert view.state == "done", view.error
    assert {sample.label for sample in view.samples} == {"a person walks in a circle"}
    by_class = drawn(backend, walk(text))
    assert all(sample.label.startswith("walk: ") for sample in by_class.samples), "drawn by a caption of the class"
    found = drawing.motion(backend, text, view.id, "corrected", 1)
    assert found.motion.text == "a person walks in a circle" and found.outcome == view.samples[1].outcome
    raw = drawing.motion(backend, text, view.id, "raw", 1)
    assert raw.outcome is None and len(raw.motion) == 40


# --- what cannot be ---


@pytest.mark.parametrize(
    ("which", "changes", "words", "field"),
    [
        (2, {"label": "moonwalk"}, "no class 'moonwalk'.*walk", "label"),
        (2, {"label": ""}, "Nothing is asked for.*Choose a class", "label"),
        (3, {"label": ""}, "Nothing is asked for.*write a sentence", "label"),
        (2, {"label": "", "prompt": "a person walks"}, "told the class, not sentences.*ask by class", "prompt"),
        (3, {"prompt": "a person walks"}, "Both a class and a sentence", "prompt"),
        (3, {"label": "", "prompt": "   "}, "1 to 200 characters", "prompt"),
        (3, {"label": "", "prompt": "x" * 201}, "1 to 200 characters", "prompt"),
        (2, {"generation": 7}, "Generation 7 of 'Tiny' is not trained yet.*generations 0 to 1", "generation"),
        (2, {"count": 9}, "at most 8", "count"),
        (2, {"guidance_scale": 21}, "at most 20", "guidance_scale"),
        (2, {"seed": -1}, "at least 0", "seed"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    here: tuple[Backend, TestClient, str, str], which: int, changes: dict[str, Any], words: str, field: str
) -> None:
    backend, http = here[:2]
    loop_id = str(here[which])
    with pytest.raises(InvalidConfig, match=words) as raised:
        drawing.start(backend, walk(loop_id, **changes))
    assert raised.value.field == field
    asked = {"generation": 0, "label": "walk", "count": 2, **changes}
    answer = http.post(f"/loops/{loop_id}/draws", json={"request": asked})
    assert answer.status_code == 422 and answer.json()["error"]["field"].removeprefix("request.") == field


def test_a_model_told_nothing_is_asked_for_nothing(backend: Backend) -> None:
    loop_id = drawable(backend, CLASS | {"condition": "none"}, last=0)
    with pytest.raises(InvalidConfig, match="a class would change nothing"):
        drawing.start(backend, walk(loop_id))
    with pytest.raises(InvalidConfig, match="told nothing, not sentences"):
        drawing.start(backend, walk(loop_id, label="", prompt="a person walks"))
    view = drawn(backend, walk(loop_id, label=""))
    assert view.state == "done" and [sample.label for sample in view.samples] == ["", ""]


def test_only_loops_of_motion_with_a_generation(backend: Backend) -> None:
    light = keep_seeds(backend, gaussian(), "light")
    with pytest.raises(InvalidConfig, match="makes no motions"):
        drawing.start(backend, walk(light.id))
    waiting = loops.launch(backend, small())
    with pytest.raises(InvalidConfig, match="has no generation yet"):
        drawing.start(backend, walk(waiting.id))
    with pytest.raises(NotFound):
        drawing.start(backend, walk("nobody"))


def test_a_checkpoint_that_is_gone_is_named(backend: Backend) -> None:
    loop_id = drawable(backend, last=3)
    with backend.database.write() as session:
        session.execute(delete(Artifact).where(Artifact.name == "model", Artifact.generation == 2))
    with pytest.raises(InvalidConfig, match="generation 2 of 'Tiny' is no longer kept.*0 to 1, 3"):
        drawing.start(backend, walk(loop_id, generation=2))


# --- as work ---


def test_a_lost_worker_is_replaced_and_cannot_publish(either_backend: Backend) -> None:
    backend = either_backend
    loop_id = drawable(backend)
    view = drawing.start(backend, walk(loop_id))
    lease = jobwork.claim(backend, DRAW, view.id, "gone")
    assert lease is not None
    with backend.database.write() as session:
        session.get_one(DrawJob, view.id).heartbeat_at = utc_now() - timedelta(hours=1)
    assert drawing.show(backend, loop_id, view.id).state == "interrupted"
    reconcile(backend)
    assert drawing.show(backend, loop_id, view.id).state == "queued"
    assert backend.queue.draws == [view.id, view.id]  # type: ignore[attr-defined]
    with pytest.raises(LoopscopeError, match="Another worker"):
        jobwork.publish(backend, lease, jobwork.Outcome({"samples": []}))
    assert drawwork.work(backend, view.id, device="cpu")
    done = drawing.show(backend, loop_id, view.id)
    assert done.state == "done" and len(done.samples) == 2
    other = drawing.start(backend, walk(loop_id, seed=1))
    assert "drawing then takes about" in drawing.show(backend, loop_id, other.id).sentence


def test_a_failure_is_told_and_asking_again_tries_anew(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    loop_id = drawable(backend)

    def compute(backend: Backend, request: DrawRequest, *, device: str = "auto", tick: Tick) -> Any:
        raise InvalidConfig("It cannot be.", "Try another.")

    with monkeypatch.context() as patch:
        patch.setattr(drawwork, "compute", compute)
        failed = drawn(backend, walk(loop_id))
    assert failed.state == "failed" and failed.error is not None and failed.error.hint == "Try another."
    assert failed.sentence == "Failed: It cannot be."
    again = drawn(backend, walk(loop_id))
    assert (again.id, again.state, again.error) == (failed.id, "done", None)


# --- with its loop ---


def test_gc_and_doctor_count_it_while_the_loop_lives_and_deletion_takes_it(backend: Backend) -> None:
    loop_id = drawable(backend)
    view = drawn(backend, walk(loop_id))
    stored = artifact_of(backend, view)
    assert stored is not None
    gc(backend, grace_hours=0.0)
    assert backend.store.read(stored.digest)
    assert not [finding for finding in integrity(backend, deep=True) if stored.digest[:12] in str(finding)]
    loops.delete(backend, loop_id)
    with pytest.raises(Conflict, match="deleted"):
        drawing.start(backend, walk(loop_id, seed=5))
    with backend.database.write() as session:
        session.get_one(Loop, loop_id).deleted_at = utc_now() - timedelta(days=99)
    gc(backend, grace_hours=0.0)
    with backend.database.read() as session:
        assert session.get(DrawJob, view.id) is None
    assert not backend.store.blobs.read(f"artifacts/{stored.digest[:2]}/{stored.digest[2:]}")


def test_a_file_that_was_lost_is_drawn_again(backend: Backend) -> None:
    loop_id = drawable(backend)
    view = drawn(backend, walk(loop_id))
    with backend.database.write() as session:
        session.execute(delete(Artifact).where(Artifact.name == drawing.name_of(view.id)))
    with pytest.raises(NotFound):
        drawing.motion(backend, loop_id, view.id, "raw", 0)
    assert drawing.start(backend, walk(loop_id)).state == "queued"


def test_rolling_back_and_deleting_forget_it(either_backend: Backend) -> None:
    backend = either_backend
    loop_id = drawable(backend)
    kept, gone = (drawn(backend, walk(loop_id, generation=t)) for t in (0, 1))
    with backend.database.write() as session:
        tripping.cut(session, lock_loop(session, loop_id), 0)
    assert [view.id for view in drawing.list_draws(backend, loop_id)] == [kept.id] != [gone.id]
    drawing.delete(backend, loop_id, kept.id)
    assert drawing.list_draws(backend, loop_id) == [] and artifact_of(backend, kept) is None
    waiting = drawing.start(backend, walk(loop_id))
    lease = jobwork.claim(backend, DRAW, waiting.id, "here")
    assert lease is not None
    drawing.delete(backend, loop_id, waiting.id)
    assert jobwork.look(backend, lease) == "lost", "the worker stops"


# --- over HTTP ---


def test_api_and_client_tell_the_same(here: tuple[Backend, TestClient, str, str]) -> None:
    backend, http, loop_id, text = here
    at = f"/loops/{loop_id}/draws"
    assert http.get(f"/loops/{text}/draws/askable").json()["told"] == "text"
    can = http.get(f"{at}/askable").json()
    assert can["told"] == "class" and "walk" in can["class_names"] and can["guidance_scale"] == 2.5
    made = http.post(at, json={"request": {"generation": 1, "label": "run", "count": 1}})
    assert made.status_code == 201 and made.json()["state"] == "queued"
    draw_id = made.json()["id"]
    assert http.get(f"{at}/{draw_id}/raw/0/motion.npz").status_code == 404, "not yet"
    drawwork.work(backend, draw_id, device="cpu")
    told = http.get(f"{at}/{draw_id}").json()
    assert told["state"] == "done" and told["samples"][0]["label"] == "run"
    assert [view["id"] for view in http.get(at, params={"generation": 1}).json()] == [draw_id]
    with Client("http://test", transport=Bridge(http)) as client:
        assert client.start_draw(walk(loop_id, generation=1, label="run", count=1)).id == draw_id
        assert client.show_draw(loop_id, draw_id) == drawing.show(backend, loop_id, draw_id)
        assert draw_id in [view.id for view in client.list_draws(loop_id)]
        assert client.list_draws(loop_id, 7) == []
        assert client.draw_file(loop_id, draw_id, "raw", 0, "bvh").startswith(b"HIERARCHY")


def test_one_person_may_ask_for_so_many_at_once(tmp_path: Path) -> None:
    with served(tmp_path, max_active_draws=2) as (backend, http):
        loop_id = drawable(backend)

        def ask(seed: int) -> Any:
            asked = {"generation": 0, "label": "walk", "count": 1, "seed": seed}
            return http.post(f"/loops/{loop_id}/draws", json={"request": asked})

        first, second, refused = ask(0).json(), ask(1).json(), ask(2)
        assert refused.status_code == 422
        told = refused.text
        assert "over_quota" in told and "There are 2 draws queued or running" in told
        assert "LOOPSCOPE_MAX_ACTIVE_DRAWS" in told
        assert ask(1).json()["id"] == second["id"], "what is under way already may be asked for again"
        drawwork.work(backend, first["id"], device="cpu")
        assert ask(0).json()["state"] == "done" and ask(2).status_code == 201
        drawing.delete(backend, loop_id, second["id"])
        assert ask(3).status_code == 201, "those that were stopped do not count"
        with backend.database.read() as session:
            quotas.check_draws(backend, session, Actor("ann", "runner"))  # nor do those of others


def test_motions_films_and_sheets(here: tuple[Backend, TestClient, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    backend, http, _, text = here
    view = drawn(backend, walk(text, label="", prompt="a person does a backflip"))
    at = f"/loops/{text}/draws/{view.id}"
    for kind in ("real", "raw", "corrected"):
        scene = lsm1.decode(http.get(f"{at}/{kind}/1/motion.lsm").content)
        npz = read_motion(http.get(f"{at}/{kind}/1/motion.npz").content, "motion.npz")
        np.testing.assert_allclose(scene.arrays["positions"], npz.world()[0], atol=1e-4)
        assert ("a person does a backflip" in scene.header["title"]) == (kind != "real")
    tag = http.get(f"{at}/raw/0/motion.bvh").headers["etag"]
    assert http.get(f"{at}/raw/0/motion.bvh", headers={"if-none-match": tag}).status_code == 304
    monkeypatch.setattr(media, "contact_sheet", lambda panes: b"\x89PNG " + panes[1].title.encode())
    assert http.get(f"{at}/0/contact-sheet.png").content == b"\x89PNG Raw: a person does a backflip"
    for wrong in (f"{at}/raw/2/motion.npz", f"{at}/raw/8/motion.npz", f"{at}/model/0/motion.npz",
                  f"/loops/{text}/draws/nobody", f"/loops/nobody/draws/{view.id}"):  # fmt: skip
        answer = http.get(wrong)
        assert answer.status_code in (404, 422) and answer.json()["error"]["message"], wrong


def test_a_draw_belongs_to_its_loop(here: tuple[Backend, TestClient, str, str]) -> None:
    backend, http, loop_id, text = here
    view = drawing.start(backend, walk(loop_id, seed=77))
    assert http.get(f"/loops/{text}/draws/{view.id}").status_code == 404
    assert http.delete(f"/loops/{text}/draws/{view.id}").status_code == 404
    assert http.delete(f"/loops/{loop_id}/draws/{view.id}").status_code == 204
    assert http.get(f"/loops/{loop_id}/draws/{view.id}").status_code == 404


def test_a_backup_brings_draws_back_and_goes_on_with_those_at_work(
    make_backend: BackendFactory, tmp_path: Path
) -> None:
    backend = make_backend()
    loop_id = drawable(backend)
    done, waiting = drawn(backend, walk(loop_id)), drawing.start(backend, walk(loop_id, seed=1))
    assert jobwork.claim(backend, DRAW, waiting.id, "gone") is not None
    backup(backend, tmp_path / "all.tar")
    other = make_backend(home=tmp_path / "other")
    restore(tmp_path / "all.tar", other)
    assert drawing.show(other, loop_id, done.id).samples == done.samples
    assert len(drawing.motion(other, loop_id, done.id, "corrected", 0).motion) == 40
    assert drawing.show(other, loop_id, waiting.id).state == "queued"
    assert drawwork.work(other, waiting.id, device="cpu")


def test_a_running_loop_can_be_drawn_from(backend: Backend) -> None:
    loop_id = drawable(backend)
    record(backend, loops.show_loop(backend, loop_id), 1, state="running")
    assert drawn(backend, walk(loop_id)).state == "done"
