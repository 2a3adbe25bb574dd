"""The benchmarks' documents have their agreed form; what they say is measured by running them, not here."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import _clips as clips
from benchmarks import _plainmodel as plain
from benchmarks import model as benchmarked
from benchmarks import physics
from benchmarks._tables import print_tables
from core.config import LoopConfig, TrainingConfig, with_changes
from core.motion import Motion
from corrector.minimal import Unchanged

ROOT = Path(__file__).resolve().parents[1]
KEYS = {"deepmimic", "cmu_test", "perturbed", "real_moved_mm", "idempotence_mm", "deterministic", "audit", "scaling"}


MODEL_KEYS = {
    "device", "train_steps_per_s", "train_ratio", "motions_per_s", "sample_ratio", "fid", "fid_reference", "fid_floor",
    "multimodality", "multimodality_real", "peak_memory_mb",
}  # fmt: skip


def silent(words: str) -> None:
    del words


@pytest.fixture
def quick_evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("STEPS", 8), ("TRAINING_WINDOWS", 64), ("REFERENCE_WINDOWS", 96)):
        monkeypatch.setattr(f"model.evaluator.{name}", value)


def finite(figures: dict[str, Any]) -> None:
    for name in clips.FIGURES:
        assert isinstance(figures[name], int | float) and math.isfinite(figures[name]), name


@pytest.mark.slow
def test_the_document_has_its_form(quick_evaluator: None, capsys: pytest.CaptureFixture[str]) -> None:
    found = physics.run(("deepmimic", "audit", "scaling"), "", (1,), True, silent)
    assert set(found) >= KEYS
    assert found["cmu_test"] is None and found["perturbed"] is None and found["deterministic"] is None
    finite(found["deepmimic"])
    assert found["deepmimic"]["clips"] == 3 and 0 < found["deepmimic"]["kept"] <= 3
    assert found["deepmimic"]["penetration_mm"] < found["deepmimic"]["penetration_before_mm"]
    audit = found["audit"]
    assert {"floor", "real_before", "real_after", "low-0.05"} <= set(audit)
    assert audit["low-0.05"] == audit["effects"]["low-0.05"]["fid"] and len(audit["low-0.05"]) == 2
    assert found["real_moved_mm"] >= 0 and found["idempotence_mm"] >= 0
    [alone] = found["scaling"]
    assert alone["processes"] == 1 and alone["realtime_factor"] > 0
    json.dumps(physics.finite(found), allow_nan=False)
    print_tables(physics.finite(found))
    assert "DeepMimic clips" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["latent-mlp", "transformer"])
def test_the_models_document_has_its_form(kind: str, quick_evaluator: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks._plainmodel.LEVELS", 5)
    monkeypatch.setattr("benchmarks.model.ROUNDS", 1)
    small = {"width": 32, "layers": 1, **({"heads": 2} if kind == "transformer" else {"components": 16})}
    config = with_changes(
        LoopConfig(), {"n": 30, "model": {"kind": kind, "options": small}, "training.initial_steps": 2}
    )
    found = benchmarked.measure(config, torch.device("cpu"), timed_steps=2, samples=16)
    assert found.pop("flops_share") is None  # of a GPU only
    assert set(found) == MODEL_KEYS
    assert found["device"].startswith("cpu")
    assert all(math.isfinite(value) and value > 0 for name, value in found.items() if name != "device")


def test_a_corrector_that_does_nothing_has_no_error() -> None:
    whole = physics.whole_clips(True)
    figures = clips.measure(Unchanged(), whole)
    finite(figures)
    assert figures["kept"] == 3 and figures["kept_share"] == 1.0
    for name in ("global_mm", "root_relative_mm", "residual_force_bw", "residual_torque_nm"):
        assert figures[name] == pytest.approx(0.0, abs=1e-9)
    assert figures["jerk_before"] == pytest.approx(figures["jerk_after"]) and figures["jerk_before"] > 0


def test_distances_are_of_joints_and_of_joints_about_the_root() -> None:
    [clip] = physics.whole_clips(True)[:1]
    before = clips.as_batch(clip)
    after = clips.as_batch(next(clips.broken([clip], "10 cm low")))
    assert clips.root_relative_m(before, after) == pytest.approx(0.0, abs=1e-9)
    figures = clips.measure(Unchanged(), [after[0]], [clip])
    assert figures["from_clean_before_mm"] == figures["from_clean_after_mm"] == pytest.approx(100.0)


@pytest.mark.parametrize("name", clips.BROKEN)
def test_clips_are_broken_the_same_way_each_time(name: str) -> None:
    whole = physics.whole_clips(True)[:2]
    one, again = list(clips.broken(whole, name)), list(clips.broken(whole, name))
    for a, b, clip in zip(one, again, whole, strict=True):
        assert isinstance(a, Motion) and a.label == clip.label
        assert a.root_position_m.tobytes() == b.root_position_m.tobytes()
        assert a.local_rotations_wxyz.tobytes() == b.local_rotations_wxyz.tobytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--only", "magic"), "magic"), (("--cmu", "/nowhere"), "/nowhere"), (("--processes", "0"), "1")],
)
def test_nonsense_is_refused(words: tuple[str, ...], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.physics", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2 and said in ended.stderr and "Traceback" not in ended.stderr


def test_nothing_but_json_on_stdout() -> None:
    command = [sys.executable, "-m", "benchmarks.physics", "--quick", "--json", "--only", "cmu", "--cmu", ""]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(json.loads(ended.stdout)) == KEYS


class Knowing(torch.nn.Module):
    """Predicts the class's number, whatever it sees, and learns one more."""

    def __init__(self) -> None:
        super().__init__()
        self.more = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x: torch.Tensor, t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (y[:, None] + self.more).expand_as(x)


def test_textbook_sampling_ends_at_the_guided_prediction() -> None:
    """x0 = u + 2.5 (c - u), with u = 3 where there is no class."""
    found = plain.sample(Knowing(), (2,), torch.tensor([0, 1]), 3, 2.5, 0)
    torch.testing.assert_close(found, torch.tensor([[-4.5, -4.5], [-2.0, -2.0]]))


def test_textbook_training_goes_to_the_best_prediction() -> None:
    training = TrainingConfig(batch_size=4, learning_rate=0.05, label_dropout=0)
    average = plain.train(Knowing(), torch.full((4, 2), 1.5), torch.ones(4).long(), 2, 200, training)
    assert next(average.parameters()).item() == pytest.approx(0.5, abs=0.05)
