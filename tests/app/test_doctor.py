"""The doctor says what is wrong without falling over it."""

from pathlib import Path

import pytest

from app import doctor
from app.doctor import Check, examine
from backend.settings import Settings


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two checks that load torch and OpenGL in a child are tried apart."""
    monkeypatch.setattr(doctor, "_run", lambda *_, **__: "cpu|2|2.13.0\n")


def found(settings: Settings) -> dict[str, Check]:
    return {check.name: check for check in examine(settings)}


def test_a_sound_machine(tmp_path: Path) -> None:
    checks = found(Settings(home=tmp_path))
    assert list(checks)[0] == "Python"
    assert {"packages", "device", "data folder", "database", "artifacts", "broker", "3-D viewer", "chromium"} <= set(
        checks
    )
    assert all(checks[name].ok for name in ("Python", "packages", "device", "database", "broker"))
    assert all(not check.hint for check in checks.values() if check.ok)
    assert not list(tmp_path.iterdir()), "examining makes nothing"


@pytest.mark.parametrize(
    ("changes", "name", "word"),
    [
        ({"redis_url": "redis://127.0.0.1:9/0"}, "broker", "LOOPSCOPE_REDIS_URL"),
        ({"redis_url": "nonsense"}, "broker", "LOOPSCOPE_REDIS_URL"),
        ({"redis_url": "redis://:geheim@127.0.0.1:x/0"}, "broker", "LOOPSCOPE_REDIS_URL"),
        ({"redis_url": "redis://geheim@127.0.0.1:geheim/0"}, "broker", "LOOPSCOPE_REDIS_URL"),
        ({"database_url": "postgresql:/user:geheim@host"}, "database", "DATABASE_URL"),
        ({"artifacts_url": "s3://key:geheim@bucket"}, "artifacts", "AWS_ACCESS_KEY_ID"),
        ({"artifacts_url": "s3://bucket", "s3_endpoint": "http://127.0.0.1:9"}, "artifacts", "LOOPSCOPE_S3_ENDPOINT"),
        ({"artifacts_url": "nowhere"}, "artifacts", "s3://"),
        ({"database_url": "postgresql://user:geheim@127.0.0.1:9/x"}, "database", "LOOPSCOPE_DATABASE_URL"),
        ({"database_url": "oracle://x"}, "database", "sqlite"),
    ],
)
def test_what_does_not_answer_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], name: str, word: str
) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "geheim")
    check = found(Settings.model_validate({"home": tmp_path, **changes}))[name]
    assert not check.ok
    assert word in check.hint
    assert "geheim" not in check.detail + check.hint


def test_no_viewer_and_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "VIEWER", tmp_path / "main.js")
    monkeypatch.setattr(doctor, "LOW_DISK_GB", 1e9)
    checks = found(Settings(home=tmp_path / "not" / "yet"))
    assert "setup" in checks["3-D viewer"].hint
    assert "LOOPSCOPE_HOME" in checks["data folder"].hint


def test_a_broken_torch_or_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_run", lambda *_, **__: None)
    checks = found(Settings(home=tmp_path))
    assert not checks["device"].ok
    assert checks["device"].needed
    assert not checks["off-screen rendering"].needed
    assert "apt-get install" in checks["off-screen rendering"].hint


def test_a_folder_for_artifacts_that_is_made_at_the_first_start(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/not/yet"
    check = found(Settings(home=tmp_path / "home", artifacts_url=url))["artifacts"]
    assert (check.ok, check.detail) == (True, f"the folder {tmp_path}/not/yet")
    assert not (tmp_path / "not").exists()
    (tmp_path / "not").touch()
    check = found(Settings(home=tmp_path / "home", artifacts_url=url))["artifacts"]
    assert (check.ok, "LOOPSCOPE_ARTIFACTS_URL" in check.hint) == (False, True)
