"""Jobs as the command line waits for them: done here or followed, with a bar on stderr."""

import logging
import sys
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from core.protocols import Tick

POLL_S = 0.5


class Followed(Protocol):
    """The view of a job."""

    @property
    def state(self) -> str: ...

    @property
    def fraction(self) -> float: ...

    @property
    def sentence(self) -> str: ...


V = TypeVar("V", bound=Followed)


def followed(view: V, show: Callable[[V], V], do: Callable[[V, Tick], object] | None = None) -> V:
    """The job once it is over.

    Args:
        show: the same job now.
        do: does it in this process, where that is to be done; what fails unexpectedly is tried again, three times in
            all.
    """
    from backend.jobs import PENDING

    with Progress() as progress:
        if do is not None:
            logging.getLogger("backend.jobwork").setLevel(logging.CRITICAL)  # failures are told as the job's state
        while do is not None and view.state == "queued":
            do(view, progress)
            view = show(view)
        while view.state in PENDING:
            time.sleep(POLL_S)
            view = show(view)
            progress(view.fraction, view.sentence)
    return view


class Progress:
    """A bar with a sentence and the time left, on a terminal's stderr; silent elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.percentage:.0f} %"),
            TimeRemainingColumn(compact=True), console=Console(stderr=True), transient=True,
            disable=not sys.stderr.isatty(), speed_estimate_period=120.0,
        )  # fmt: skip
        self._task = self._bar.add_task("Starting", total=1.0)

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, fraction: float, sentence: str) -> None:
        from rich.markup import escape

        self._bar.update(self._task, completed=fraction, description=escape(sentence[:72]))
