"""How many cases a property is tried with: few on every run, at least 10,000 in all with ``LOOPSCOPE_LONG=1``."""

import os
import tempfile
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.configuration import set_hypothesis_home_dir

set_hypothesis_home_dir(os.path.join(tempfile.gettempdir(), "loopscope-hypothesis"))  # and not among the sources

LONG = bool(os.environ.get("LOOPSCOPE_LONG"))


def tried(short: int, long: int) -> Callable[[Any], Any]:
    """The same cases on every short run; others each time in the long mode."""
    return settings(
        max_examples=long if LONG else short,
        deadline=None,
        database=None,
        derandomize=not LONG,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
