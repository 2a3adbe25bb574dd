"""What the container files promise, read by a parser: no engine is needed."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
OURS = ("web", "worker-model", "worker-gpu", "worker-cpu")
LOOPBACK = "127.0.0.1:"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def locked() -> dict[str, str]:
    """Name -> version of every line of the lock, marked ones included."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = [line.split(";")[0].strip() for line in lines if line and not line.startswith("#")]
    return dict(line.split("==", 1) for line in pinned)


def test_all_services_are_there(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {*OURS, "redis", "postgres"}


def test_every_queue_is_served_without_a_gpu(compose: dict[str, Any]) -> None:
    plain = {n: s for n, s in compose["services"].items() if "profiles" not in s}
    served = {s["command"].split("--queues ")[1] for s in plain.values() if "--queues" in s.get("command", "")}
    assert served == {"gpu", "cpu"}
    assert all("devices" not in str(service.get("deploy", {})) for service in plain.values())


def test_only_the_gpu_profile_reserves_a_device(compose: dict[str, Any]) -> None:
    service = compose["services"]["worker-gpu"]
    assert service["profiles"] == ["gpu"]
    (device,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu"]


def test_ports_are_published_on_loopback_only(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(str(port).startswith(LOOPBACK) for port in published), published


def test_only_a_loopback_port_lets_a_server_without_users_listen_to_all(compose: dict[str, Any]) -> None:
    assert "LOOPSCOPE_ALLOW_PUBLIC" not in (ROOT / "Dockerfile").read_text()
    allowed = {name for name, s in compose["services"].items() if "LOOPSCOPE_ALLOW_PUBLIC" in s.get("environment", {})}
    assert allowed == set(OURS)
    assert {name for name in allowed if "ports" in compose["services"][name]} == {"web"}


def test_every_variable_of_ours_is_a_setting(compose: dict[str, Any]) -> None:
    named = {name for s in compose["services"].values() for name in s.get("environment", {})}
    ours = {name for name in named if name.startswith("LOOPSCOPE_")} - {"LOOPSCOPE_ALLOW_PUBLIC"}
    assert ours <= {f"LOOPSCOPE_{name.upper()}" for name in Settings.model_fields}


def test_physics_runs_in_two_containers_and_the_health_check_needs_no_log_in(compose: dict[str, Any]) -> None:
    assert compose["services"]["worker-cpu"]["deploy"]["replicas"] == "${LOOPSCOPE_CPU_CONTAINERS:-2}"
    assert "/healthz'" in compose["services"]["web"]["healthcheck"]["test"][-1]


def test_the_password_comes_from_the_environment(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    required = "${POSTGRES_PASSWORD:?"
    assert compose["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith(required)
    for name in OURS:
        url = compose["services"][name]["environment"]["LOOPSCOPE_DATABASE_URL"]
        assert url.startswith(f"postgresql+psycopg://loopscope:{required}")
    # No value stands where a secret belongs, in either file.
    for line in (text + (ROOT / "Dockerfile").read_text()).splitlines():
        secret = re.search(r"(?i)(password|secret|token)\w*\s*[:=]\s*(\S+)", line.split("#")[0])
        assert secret is None or secret[2].startswith(("${", "?")), line


def test_processes_share_data_and_settings(compose: dict[str, Any]) -> None:
    for name in OURS:
        service = compose["services"][name]
        assert service["environment"]["LOOPSCOPE_REDIS_URL"] == "redis://redis:6379/0"
        assert f"data:{service['environment']['LOOPSCOPE_HOME']}" in service["volumes"]
    named = {mount.split(":")[0] for s in compose["services"].values() for mount in s.get("volumes", [])}
    assert named == set(compose["volumes"])


def test_start_waits_for_health(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        for other, condition in service.get("depends_on", {}).items():
            assert condition == {"condition": "service_healthy"}, name
            assert "healthcheck" in services[other], other
    assert set(services["web"]["depends_on"]) == {"redis", "postgres"}


def test_the_image_runs_as_a_person_without_rights() -> None:
    instructions = [line.split() for line in (ROOT / "Dockerfile").read_text().splitlines() if line[:1].isupper()]
    users = [words[1] for words in instructions if words[0] == "USER"]
    assert users and users[-1] not in ("root", "0")
    assert instructions[-1][0] == "CMD"


def test_image_and_set_up_install_the_same_system_libraries() -> None:
    libraries = re.compile(r"\blib[a-z0-9-]+\b")
    (line,) = [
        line for line in (ROOT / "scripts" / "setup").read_text().splitlines() if "system_packages rendering" in line
    ]
    assert libraries.findall(line)
    assert set(libraries.findall(line)) == set(libraries.findall((ROOT / "Dockerfile").read_text()))


def test_the_lock_fixes_every_wanted_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    wanted += project["optional-dependencies"]["node"]
    names = {re.split(r"[\[=<>~! ]", requirement)[0].lower() for requirement in wanted}
    assert names <= set(locked())
    assert locked()["torch"] == "2.13.0"


def test_the_lock_holds_plain_versions_only() -> None:
    for name, version in locked().items():
        assert re.fullmatch(r"[a-z0-9-]+", name), name
        assert re.fullmatch(r"[0-9][0-9a-z.]*", version), f"{name}=={version}"
