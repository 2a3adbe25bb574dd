"""What one person may ask of the machine, in the sentences that refuse it."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from backend import lab, loops
from backend.context import Backend
from backend.gate import Actor
from backend.lab.launching import configured, named
from backend.parts import check, read_config
from backend.presets import PRESETS
from backend.quotas import OverQuota, check_active, check_sizes, free_megabytes
from backend.settings import Settings
from backend.tables import Artifact, Loop
from core.config import LoopConfig, with_changes
from tests.backend.conftest import BackendFactory

CARDS = {view.key: lab.card(view.key) for view in lab.views()}
SHIPPED = {key: [config for _, config in preset.loops] for key, preset in PRESETS.items()} | {
    key: [config for _, config in named(card, configured(card))] for key, card in CARDS.items()
}


@pytest.fixture
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with 100 GB of free space, wherever the tests run."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=2e11, used=1e11, free=1e11))


@pytest.mark.parametrize("key", SHIPPED)
@pytest.mark.usefixtures("roomy")
def test_all_that_is_shipped_may_be_launched(backend: Backend, key: str) -> None:
    check_sizes(backend, [check(config) for config in SHIPPED[key]])


@pytest.mark.parametrize(
    ("plain", "changes", "field", "numbers"),
    [
        ({}, {"n": 100_001}, "n", ("100,001", "100,000")),
        ({}, {"n": 2000, "policy": {"kind": "augment", "options": {"lam": 60}}}, "policy.options", ("120,000",)),
        ({}, {"n": 2000, "policy": {"kind": "accumulate"}, "generations": 99}, "generations", ("200,000",)),
        ({"domain": "gaussian"}, {"n": 1000, "replicates": 10_000}, "replicates", ("10,000 seeds", "20,000,000")),
    ],
)
@pytest.mark.usefixtures("roomy")
def test_more_samples_than_allowed(
    backend: Backend, plain: dict[str, object], changes: dict[str, object], field: str, numbers: Sequence[str]
) -> None:
    config = with_changes(read_config(plain), changes)
    with pytest.raises(OverQuota) as caught:
        check_sizes(backend, [config])
    assert caught.value.field == field and caught.value.code == "over_quota"
    assert all(number in caught.value.message for number in numbers), caught.value.message
    assert "LOOPSCOPE_MAX_SAMPLES" in caught.value.hint
    check_sizes(replace(backend, settings=backend.settings.model_copy(update={"max_samples": 10_000_000})), [config])


def test_the_disk_must_hold_all_loops_of_a_group_and_stay_usable(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = check(LoopConfig(generations=10))  # 11 models of 12 MB, and samples
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=800e6))
    check_sizes(backend, [config])
    with pytest.raises(OverQuota) as caught:
        check_sizes(backend, [config] * 4)
    assert "These 4 loops would store about 6" in caught.value.message
    assert "800 MB are free, of which 300 MB stay free" in caught.value.message
    assert "gc" in caught.value.hint
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=200e6))
    with pytest.raises(OverQuota, match="This loop would store about"):
        check_sizes(backend, [config])


def test_a_launch_without_room_leaves_nothing_behind(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0.0))
    with pytest.raises(OverQuota, match="0 MB are free"):
        loops.launch(backend, LoopConfig())
    assert loops.list_loops(backend) == []


def test_room_is_counted_with_the_models_that_were_stored_here(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = check(LoopConfig(generations=1))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000e6))
    view = loops.launch(backend, config)
    with backend.database.write() as session:
        session.get_one(Loop, view.id).generation = 0
        session.add(Artifact(loop_id=view.id, generation=0, name="model", digest="0" * 64, size=500_000_000, facts={}))
    with pytest.raises(OverQuota, match=r"about 1,0\d\d MB"):
        check_sizes(backend, [config])


def test_where_free_space_is_looked_for(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free / 1e6
    for address in ("", f"file://{tmp_path}/a%20b/c"):
        found = free_megabytes(Settings(home=tmp_path / "not" / "there", artifacts_url=address))
        assert found is not None and found == pytest.approx(free, rel=0.2)
    assert free_megabytes(Settings(home=tmp_path, artifacts_url="s3://bucket/prefix")) is None


def test_loops_at_once_are_counted_per_person(make_backend: BackendFactory) -> None:
    backend = make_backend(max_active_loops=2)
    first = loops.launch(backend, LoopConfig(generations=1))
    loops.launch(backend, LoopConfig(generations=1, seed=1))
    with pytest.raises(OverQuota, match="There are 2 loops queued or running; 1 more"):
        loops.launch(backend, LoopConfig(generations=1, seed=2))
    with backend.database.read() as session:
        check_active(backend, session, Actor("ann", "runner"), 2)
        with pytest.raises(OverQuota, match="ann has 0 loops"):
            check_active(backend, session, Actor("ann", "runner"), 3)
    loops.cancel(backend, first.id)
    loops.launch(backend, LoopConfig(generations=1, seed=2))
