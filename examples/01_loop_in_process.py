"""A self-consuming loop in this process, no server and no queue: `.venv/bin/python examples/01_loop_in_process.py`.

Small on purpose: three generations of the `replace` policy on 64 windows of motion capture, about a minute on one core.
"""

from backend.parts import build_run, check
from core.config import EvaluationConfig, LoopConfig, PartConfig, TrainingConfig
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf

config = check(
    LoopConfig(
        n=64,
        policy=PartConfig(kind="replace"),
        training=TrainingConfig(initial_steps=600, steps=60),
        evaluation=EvaluationConfig(samples=150),
        generations=3,
    )
)
run = build_run(config, shelf=MemoryShelf(), memo=MemoryMemo())
for record in run_loop(run):
    print(f"generation {record.index}: FID {record.metrics['fid']:.1f}, coverage {record.metrics['coverage']:.2f}")
