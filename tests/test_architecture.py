"""The house rules on imports, as tests: contracts of pyproject.toml, and packages that are cheap to import."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("core", "model", "corrector", "backend", "worker", "app")
HEAVY = ("torch", "pybullet", "pyrender", "gradio", "scipy.stats", "sklearn", "transformers", "tokenizers", "diffusers")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports; exit(lint_imports())"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def empty_house(tmp_path: Path) -> Path:
    """The six packages without content, under the contracts of the real ones."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    return tmp_path


def test_import_contracts_are_kept() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_an_empty_house_keeps_the_contracts(empty_house: Path) -> None:
    assert lint_imports(empty_house).returncode == 0


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("core", "model"),
        ("core", "torch"),
        ("core", "scipy"),
        ("model", "corrector"),
        ("corrector", "model"),
        ("model", "sqlalchemy"),
        ("backend", "worker"),
        ("backend", "app"),
        ("app", "worker"),
        ("worker", "app"),
    ],
)
def test_a_forbidden_import_breaks_them(empty_house: Path, importer: str, imported: str) -> None:
    (empty_house / importer / "offender.py").write_text(f"import {imported}\n")
    result = lint_imports(empty_house)
    assert result.returncode == 1, result.stdout + result.stderr


def packages_of(name: str) -> list[str]:
    """A package and its sub-packages, which hold the registries."""
    folders = sorted(path.parent for path in (ROOT / name).rglob("__init__.py"))
    return [".".join(f.relative_to(ROOT).parts) for f in folders if "node_modules" not in f.parts]


@pytest.mark.parametrize("name", ["core", "model", "corrector", "backend"])
def test_packages_are_cheap_to_import(name: str) -> None:
    program = (
        "import importlib, sys\n"
        f"for name in {packages_of(name)!r}: importlib.import_module(name)\n"
        f"print(*[heavy for heavy in {HEAVY!r} if heavy in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
