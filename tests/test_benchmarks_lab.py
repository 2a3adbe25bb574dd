"""The Lab's benchmark compares like with like; how fast is measured by running it, not here."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.parts import check, domain_part, read_config
from benchmarks import lab
from benchmarks._plainloops import LOOPS

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", LOOPS)
def test_the_plain_loop_measures_what_the_domain_measures(name: str) -> None:
    config = check(read_config(lab.cases(True)[name].points[0]))
    found = LOOPS[name](config.model_copy(update={"generations": 1}), np.random.default_rng(0))
    assert set(found) == set(domain_part(config.domain).metrics)
    assert all(np.isfinite(value) for value in found.values())


def test_the_document_has_its_form() -> None:
    command = [sys.executable, "-m", "benchmarks.lab", "--quick", "--json", "--only", "gaussian,regression"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    found = json.loads(ended.stdout)
    assert set(found) == {"gaussian", "regression"}
    for row in found.values():
        assert row["us"] > 0 and row["plain_us"] > 0 and row["ratio"] > 0 and row["agrees"] is True


def test_nonsense_is_refused() -> None:
    command = [sys.executable, "-m", "benchmarks.lab", "--only", "magic"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 2 and "magic" in ended.stderr and "Traceback" not in ended.stderr
