"""Sink some real motions into the floor and let the physics corrector bring them back.

`.venv/bin/python examples/02_correct_motions.py`
"""

from dataclasses import replace

import numpy as np

from core.artefacts import measure
from core.memory import MemoryMemo
from core.protocols import Reference
from corrector.registry import CORRECTORS
from model.datasets.registry import DATASETS

dataset = DATASETS["deepmimic"].build(DATASETS["deepmimic"].options())
real = dataset.train(60)
corrector = CORRECTORS["physics"].build(CORRECTORS["physics"].options(), Reference(real, "example", MemoryMemo()))

held_out = dataset.held_out(6)
sunk = replace(held_out, root_position_m=held_out.root_position_m - np.array([0.0, 0.05, 0.0]))
corrections = corrector.correct(sunk)
for motion, done, outcome in zip(sunk, corrections.samples, corrections.outcomes, strict=True):
    before, after = measure(motion).penetration_mm, measure(done).penetration_mm
    print(f"{outcome.status:10s} penetration {before:5.1f} -> {after:5.1f} mm, moved {outcome.moved_m * 1e3:5.1f} mm")
