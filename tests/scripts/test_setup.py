"""scripts/setup on machines that miss something, played by small programs in a PATH of their own."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = (
    "awk bash cat chmod cut dirname env find grep head ln mkdir printf rm sed sha256sum shasum sleep sort tr xargs"
).split()

# Plays Python: says its version, makes an "environment" out of itself, and writes down what pip is asked for.
PYTHON = """#!/bin/sh
case "$*" in
    "-c "*"%d.%d"*) echo VERSION ;;
    "-c import sys; print(sys.executable)") echo "$0" ;;
    "-c "*) exit 0 ;;
    "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; : >"$3/bin/pip"; chmod +x "$3/bin/pip"
                 echo "command = $0 $*" >"$3/pyvenv.cfg" ;;
    *) echo "$*" >>"$(dirname "$0")/../../asked"
       case "$*" in *--no-deps*) cp "$0" "$(dirname "$0")/loopscope" ;; esac
       case "$*" in *$(cat "$(dirname "$0")/../../failing" 2>/dev/null || echo never)*)
           echo "Collecting things"; echo "ERROR: No matching distribution found for parrot==1.0"; exit 1 ;; esac ;;
esac
"""

Run = subprocess.CompletedProcess[str]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing but what set-up reads."""
    root = tmp_path / "check out"  # a path with a blank, as people have them
    (root / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "setup", root / "scripts")
    (root / "requirements.lock").write_text('numpy==2.0.0\nsetuptools==80.0.0\ntriton==3.0 ; extra == "cuda"\n')
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    return root


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Path]:
    """Makes a PATH folder with the usual tools and the given programs (name -> shell script)."""

    def make(**programs: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for tool in TOOLS:
            found = shutil.which(tool)
            if found and not (folder / tool).exists():
                (folder / tool).symlink_to(found)
        defaults = {
            "id": "echo 1000",
            "sudo": "exit 1",
            "uname": "echo Linux",
            "chromium": "exit 0",
            "df": "echo head; echo /dev/disk 100000000 0 99999999 0% /",
            "cp": 'exec /bin/cp "$@"',
        }
        for name, script in (defaults | programs).items():
            path = folder / name.replace("_", "-")
            path.write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        return folder

    return make


def python(version: str = "3.11") -> str:
    return PYTHON.replace("VERSION", version)


def setup(checkout: Path, path: Path, *options: str, **environment: str) -> Run:
    keep = {name: value for name, value in os.environ.items() if name in ("HOME", "TMPDIR", "LANG")}
    command = [str(checkout / "scripts" / "setup"), *options]
    return subprocess.run(
        command,
        env=keep | {"PATH": str(path)} | environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def asked(checkout: Path) -> list[str]:
    log = checkout / "asked"
    return log.read_text().splitlines() if log.exists() else []


def test_installs_once_and_then_finds_nothing_to_do(checkout: Path, machine: Callable[..., Path]) -> None:
    path = machine(**{"python3.11": python()})
    first = setup(checkout, path, "--no-system")
    assert first.returncode == 0, first.stderr
    calls = asked(checkout)
    assert len(calls) == 3, calls  # what builds need, the lock, the project
    second = setup(checkout, path, "--no-system", "--quiet")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert asked(checkout) == calls


def test_a_changed_lock_is_installed_again(checkout: Path, machine: Callable[..., Path]) -> None:
    path = machine(python3=python())
    setup(checkout, path, "--no-system")
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("parrot==1.0\n")
    before = len(asked(checkout))
    assert setup(checkout, path, "--no-system").returncode == 0
    assert [call for call in asked(checkout)[before:] if "requirements.lock" in call]


def test_a_moved_checkout_gets_a_new_environment(checkout: Path, machine: Callable[..., Path]) -> None:
    path = machine(python3=python())
    setup(checkout, path, "--no-system")
    moved = checkout.rename(checkout.with_name("moved"))
    assert setup(moved, path, "--no-system").returncode == 0
    assert str(moved) in (moved / ".venv" / "pyvenv.cfg").read_text()
    assert len(asked(moved)) == 6


def test_another_python_is_refused_in_one_line(checkout: Path, machine: Callable[..., Path]) -> None:
    shim = "echo 'python3.11: command not found' >&2; exit 127"
    result = setup(checkout, machine(**{"python3.11": shim, "python3": python("3.9"), "python": python("2.7")}))
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "needs Python 3.11" in line
    assert "python3 is 3.9" in line


def test_a_full_disk_is_said_in_one_line(checkout: Path, machine: Callable[..., Path]) -> None:
    path = machine(python3=python(), df="echo head; echo /dev/disk 9 9 1048576 99% /")
    result = setup(checkout, path)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "not enough disk" in line and "1024 MB" in line
    assert not (checkout / ".venv").exists()


def test_a_failing_step_names_itself_its_reason_and_its_log(checkout: Path, machine: Callable[..., Path]) -> None:
    path = machine(python3=python())
    (checkout / "failing").write_text("requirements.lock")
    result = setup(checkout, path, "--no-system")
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert "FAILED: Installing 2 Python packages" in last
    assert "No matching distribution found for parrot==1.0" in last
    log = checkout / last.split("(log: ")[1].rstrip(")")
    assert "Collecting things" in log.read_text()
    # The next run takes the step up again.
    (checkout / "failing").unlink()
    assert setup(checkout, path, "--no-system").returncode == 0


def test_missing_system_packages_are_named_once_and_stop_nothing(checkout: Path, machine: Callable[..., Path]) -> None:
    path = machine(python3=python(), dpkg_query="exit 1", apt_get="exit 1")
    first = setup(checkout, path)
    assert first.returncode == 0, first.stderr
    assert "sudo apt-get install -y --no-install-recommends libegl1" in first.stderr
    assert setup(checkout, path, "--quiet").stderr == ""


def test_root_installs_missing_system_packages(checkout: Path, machine: Callable[..., Path]) -> None:
    record = f'echo "$*" >>"{checkout}/apt"'
    path = machine(python3=python(), id="echo 0", dpkg_query="exit 1", apt_get=record)
    assert setup(checkout, path).returncode == 0
    update, install = (checkout / "apt").read_text().splitlines()
    assert update == "update"
    assert install.startswith("install -y --no-install-recommends libegl1")


@pytest.mark.parametrize(("options", "environment"), [(["--no-system"], {}), ([], {"LOOPSCOPE_SKIP_SYSTEM": "1"})])
def test_system_packages_can_be_left_alone(
    checkout: Path, machine: Callable[..., Path], options: list[str], environment: dict[str, str]
) -> None:
    path = machine(python3=python(), id="echo 0", dpkg_query="exit 1", apt_get=f'touch "{checkout}/apt"')
    result = setup(checkout, path, *options, **environment)
    assert result.returncode == 0
    assert "apt-get" not in result.stderr
    assert not (checkout / "apt").exists()


def test_the_viewer_is_built_when_its_sources_change(checkout: Path, machine: Callable[..., Path]) -> None:
    viewer = checkout / "app" / "viewer"
    viewer.mkdir(parents=True)
    (viewer / "package.json").write_text("{}")
    (viewer / "package-lock.json").write_text("{}")
    npm = (
        f'[ "$1" = --version ] && exit 0; echo "$3 $4" >>"{checkout}/npm"; '
        'mkdir -p "$2/node_modules" "$2/dist"; echo 1 >"$2/dist/main.js"'
    )
    path = machine(python3=python(), node="echo v22.1.0", npm=npm)

    def built() -> list[str]:
        assert setup(checkout, path, "--no-system").returncode == 0
        return [line.split()[0] for line in (checkout / "npm").read_text().splitlines()]

    assert built() == ["ci", "run"]
    assert built() == ["ci", "run"]
    (viewer / "main.ts").write_text("export {};")
    assert built() == ["ci", "run", "run"]


def test_an_unknown_option_is_refused(checkout: Path, machine: Callable[..., Path]) -> None:
    result = setup(checkout, machine(python3=python()), "--fast")
    assert result.returncode == 2
    assert "--fast" in result.stderr
