"""A thousand regressions that learn from their own labels, beside what theory says: seconds, in process.

.venv/bin/python examples/04_theory_beside_measurement.py
"""

from backend.parts import build_run, check, read_config
from backend.theory import lines
from core.loop import run_loop
from core.memory import MemoryMemo, MemoryShelf

for policy in ("replace", "accumulate"):
    config = check(
        read_config(
            {"domain": "regression", "policy": {"kind": policy}, "n": 100, "generations": 19, "replicates": 1000}
        )
    )
    run = build_run(config, shelf=MemoryShelf(), memo=MemoryMemo())
    theory = {line.key: line for line in lines(config, config.generations) if line.metric == "test_error"}
    print(f"\n{policy}: test error;", "; ".join(f"{line.title}: {line.formula}" for line in theory.values()))
    predicted = [dict(line.points) for line in theory.values()]
    for record in run_loop(run):
        if record.index in (0, 1, 4, 9, 19):
            closed_forms = "  ".join(f"{points[record.index]:8.4f}" for points in predicted)
            print(f"  generation {record.index:2}: measured {record.metrics['test_error']:.4f}   theory {closed_forms}")
