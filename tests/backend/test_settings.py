from pathlib import Path

import pytest

from backend.settings import SOCKET_PATH_LIMIT, Settings, read_settings
from core.errors import InvalidConfig


def test_defaults_listen_to_this_machine_only() -> None:
    settings = read_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 7860)
    assert settings.home == Path("~/.loopscope").expanduser()
    assert settings.sql_url.startswith("sqlite:///")
    assert settings.processes_for_physics >= 2


def test_variables_are_read_and_empty_ones_are_unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOOPSCOPE_HOME", str(tmp_path))
    monkeypatch.setenv("LOOPSCOPE_PORT", "")
    monkeypatch.setenv("LOOPSCOPE_DATABASE_URL", "postgresql://me@there/db")
    settings = read_settings()
    assert (settings.home, settings.port, settings.sql_url) == (tmp_path, 7860, "postgresql://me@there/db")
    assert read_settings(port=1234).port == 1234


@pytest.mark.parametrize(("name", "value"), [("PORT", "http"), ("DEVICE", "tpu"), ("CPU_WORKERS", "-1")])
def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"LOOPSCOPE_{name}", value)
    with pytest.raises(InvalidConfig, match=f"LOOPSCOPE_{name}.*{value}"):
        read_settings()


def test_children_get_the_same_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, port=4321, redis_url="redis://there", stale_after_s=4)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert read_settings() == settings


def test_the_broker_has_a_socket_path_short_enough_and_of_its_own(tmp_path: Path) -> None:
    deep = [Settings(home=tmp_path / ("x" * 120) / name) for name in "ab"]
    assert all(len(str(s.broker_socket)) <= SOCKET_PATH_LIMIT for s in deep)
    assert deep[0].broker_socket != deep[1].broker_socket
    near = Settings(home=Path("/data"))
    assert near.broker_socket.is_relative_to(near.home)
    assert near.broker_url == "redis+socket:///data/broker/valkey.sock"
