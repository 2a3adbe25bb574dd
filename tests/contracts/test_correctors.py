"""Laws that every corrector of motions keeps, whatever it does."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from backend.parts import ANYWHERE
from core.artefacts import measure
from core.config import PartConfig, parse
from core.memory import MemoryMemo
from core.motion import MotionBatch
from core.protocols import Corrections, Corrector, Reference
from corrector.registry import CORRECTORS
from model.datasets.registry import DATASETS
from model.domains.motion import MOTION

CHAIN = {"parts": [PartConfig(kind="idealized", options={"gamma": 1.0}), PartConfig(kind="kinematic")]}
KINDS = [kind for kind in CORRECTORS if kind in (*ANYWHERE, *MOTION.correctors)]


@pytest.fixture(scope="module")
def real() -> MotionBatch:
    dataset = DATASETS["deepmimic"].build(DATASETS["deepmimic"].options())
    batch: MotionBatch = dataset.train(45)
    return batch


@pytest.fixture(scope="module")
def broken(real: MotionBatch) -> MotionBatch:
    """Six windows: two as they are, two sunk by 6 cm, two that slide."""
    chosen = real.take(np.arange(6))
    position = chosen.root_position_m.copy()
    position[2:4, :, 1] -= 0.06
    position[4:6] += np.arange(chosen.frames)[:, None] / chosen.fps * np.array([0.4, 0.0, 0.0])
    return replace(chosen, root_position_m=position)


@pytest.fixture(scope="module")
def correctors(real: MotionBatch) -> dict[str, Corrector]:
    reference = Reference(real, "contract", MemoryMemo())
    options: dict[str, Any] = {"chain": CHAIN}
    parts = {kind: CORRECTORS[kind] for kind in KINDS}
    return {kind: part.build(parse(part.options, options.get(kind, {})), reference) for kind, part in parts.items()}


def same(a: Corrections, b: Corrections) -> bool:
    arrays = zip(a.samples.arrays().values(), b.samples.arrays().values(), strict=True)
    return a.outcomes == b.outcomes and all(np.array_equal(x, y) for x, y in arrays)


@pytest.mark.parametrize("kind", KINDS)
def test_entries_describe_themselves(kind: str) -> None:
    part = CORRECTORS[kind]
    assert part.title and part.description
    options = part.options()
    assert parse(part.options, options.model_dump(mode="json")) == options
    assert all(field.description or field.title for field in part.options.model_fields.values())


@pytest.mark.parametrize("kind", KINDS)
def test_shape_order_and_labels_are_kept(kind: str, correctors: dict[str, Corrector], broken: MotionBatch) -> None:
    done = correctors[kind].correct(broken, seed=1)
    assert done.samples.root_position_m.shape == broken.root_position_m.shape
    assert np.array_equal(done.samples.labels, broken.labels)
    assert len(done.outcomes) == len(broken)
    assert all(track.shape == (len(broken), broken.frames) for track in done.tracks.values())
    norms = np.linalg.norm(done.samples.local_rotations_wxyz, axis=-1)
    assert np.allclose(norms, 1.0, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_outcomes_are_json_and_say_before_and_after(
    kind: str, correctors: dict[str, Corrector], broken: MotionBatch
) -> None:
    done = correctors[kind].correct(broken, seed=1)
    assert json.loads(json.dumps([o.as_dict() for o in done.outcomes]))
    for index, outcome in enumerate(done.outcomes):
        if outcome.status == "corrected":
            after = measure(done.samples[index])
            assert outcome.after["penetration_mm"] == pytest.approx(after.penetration_mm, abs=0.5)
            assert outcome.moved_m > 0
        if outcome.status == "unchanged":
            assert np.allclose(done.samples[index].root_position_m, broken[index].root_position_m, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_result(kind: str, correctors: dict[str, Corrector], broken: MotionBatch) -> None:
    assert same(correctors[kind].correct(broken, seed=3), correctors[kind].correct(broken, seed=3))


@pytest.mark.parametrize("kind", KINDS)
def test_rows_apart_are_rows_together(kind: str, correctors: dict[str, Corrector], broken: MotionBatch) -> None:
    corrector = correctors[kind]
    if not corrector.splittable:
        pytest.skip("corrects whole batches only, and says so")
    whole = corrector.correct(broken, seed=2)
    rows = corrector.correct(broken, rows=slice(2, 5), seed=2)
    assert rows.outcomes == whole.outcomes[2:5]
    assert np.array_equal(rows.samples.local_rotations_wxyz, whole.samples.local_rotations_wxyz[2:5])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_in_nothing_out(kind: str, correctors: dict[str, Corrector], broken: MotionBatch) -> None:
    done = correctors[kind].correct(broken.take(np.arange(0)), seed=0)
    assert len(done.samples) == 0 and done.outcomes == ()


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "none"])
def test_one_bad_sample_is_data_not_an_exception(
    kind: str, correctors: dict[str, Corrector], broken: MotionBatch
) -> None:
    position = broken.root_position_m.copy()
    position[1, 7] = np.nan
    rotations = broken.local_rotations_wxyz.copy()
    rotations[3, :, 2] = np.inf
    spoilt = replace(broken, root_position_m=position, local_rotations_wxyz=rotations)
    done = correctors[kind].correct(spoilt, seed=0)
    statuses = [o.status for o in done.outcomes]
    assert statuses[1] == statuses[3] == "rejected"
    assert all(done.outcomes[i].reason for i in (1, 3))
    assert "rejected" not in (statuses[0], statuses[2])
    assert np.isfinite(done.samples.root_position_m[[0, 2, 4, 5]]).all()


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("none", "idealized", "quality")])
def test_a_second_pass_moves_less_than_the_first(
    kind: str, correctors: dict[str, Corrector], broken: MotionBatch
) -> None:
    first = correctors[kind].correct(broken, seed=0)
    second = correctors[kind].correct(first.samples, seed=0)
    moved = [np.mean([o.moved_m for o in done.outcomes]) for done in (first, second)]
    assert moved[0] > 0
    assert moved[1] < moved[0]


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_options_are_refused(kind: str) -> None:
    from core.errors import InvalidConfig

    with pytest.raises(InvalidConfig, match="nonsense"):
        parse(CORRECTORS[kind].options, {"nonsense": 1}, "corrector.options")
