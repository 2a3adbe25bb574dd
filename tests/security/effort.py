"""How many cases a property is tried with: few on every run, more than 10,000 in all with ``LOOPSCOPE_LONG=1``."""

import functools
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.configuration import set_hypothesis_home_dir

set_hypothesis_home_dir(os.path.join(tempfile.gettempdir(), "loopscope-hypothesis"))  # and not among the sources

LONG = bool(os.environ.get("LOOPSCOPE_LONG"))
TIMEOUT_S = 3600 if LONG else 300
"""Of one test, with all of its cases."""

CASES: Counter[str] = Counter()
"""What was really tried so far: generated cases by file, and written requests over a socket."""


def tried(short: int, long: int) -> Callable[[Any], Any]:
    """The same cases on every short run; others each time in the long mode. Each that is tried is counted."""
    chosen = settings(
        max_examples=long if LONG else short,
        deadline=None,
        database=None,
        derandomize=not LONG,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )

    def apply(test: Any) -> Any:
        once = test.hypothesis.inner_test
        file = f"{once.__module__.rpartition('.')[2]}, generated"

        @functools.wraps(once)
        def counted(*values: Any, **named: Any) -> None:
            CASES[file] += 1
            once(*values, **named)

        test.hypothesis.inner_test = counted
        return chosen(test)

    return apply
