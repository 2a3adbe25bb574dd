"""What the command line prints: results on stdout (tables, or pure JSON), everything else on stderr."""

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from core.errors import LoopscopeError


def plain(value: Any) -> Any:
    """JSON-ready form of views, and of lists and dicts of them."""
    if isinstance(value, BaseModel):
        return plain(value.model_dump(mode="json"))
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no NaN
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def print_json(value: Any) -> None:
    """The whole answer as one JSON document on stdout."""
    sys.stdout.write(json.dumps(plain(value), indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line for the person at the terminal, on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def print_text(text: str) -> None:
    """A result in words, on stdout."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_error(error: LoopscopeError) -> None:
    """Message and hint, a line each, on stderr."""
    say(f"Error: {error.message}" + (f"\n{error.hint}" if error.hint else ""))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """A table on stdout; what users typed is shown as it is, never read as mark-up."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, title=Text(title, style="bold") if title else None, title_justify="left", box=None)
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # nothing is cut in a file or a pipe
    console.print(table)


def number(value: float | None, digits: int = 3) -> str:
    """A few significant digits; empty for nothing."""
    return "" if value is None else f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:.0f}"
