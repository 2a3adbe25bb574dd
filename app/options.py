"""Options that several commands share, and what they mean."""

import json
import logging
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.targets import Target, open_target
from core.errors import InvalidConfig

if TYPE_CHECKING:
    from backend.context import Backend
    from backend.settings import Settings

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]
Home = Annotated[Path | None, typer.Option(help="Data folder (default: LOOPSCOPE_HOME, else ~/.loopscope).")]
Host = Annotated[str | None, typer.Option(help="Address to listen on (default: LOOPSCOPE_HOST, else 127.0.0.1).")]
Port = Annotated[int | None, typer.Option(help="Port to listen on (default: LOOPSCOPE_PORT, else 7860).")]
Server = Annotated[
    str, typer.Option(envvar="LOOPSCOPE_SERVER", help="Work on the server at this address, not on the data folder.")
]
LoopId = Annotated[str, typer.Argument(metavar="ID", help="Identifier of a loop; its first letters do.")]
Changes = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="An option, e.g. n=64.")]


def settings_of(**given: Any) -> "Settings":
    from backend.settings import read_settings

    return read_settings(**{name: value for name, value in given.items() if value is not None})


def target_of(server: str, home: Path | None) -> AbstractContextManager[Target]:
    if server:
        return open_target(server, None)
    from app.home import check_home

    settings = settings_of(home=home)
    check_home(settings)
    # Nobody need work on this data folder now; whether somebody does is said once, not per message.
    logging.getLogger("backend.queue").setLevel(logging.ERROR)
    return open_target("", settings)


def changes_of(pairs: list[str] | None) -> dict[str, Any]:
    """``["n=64", "corrector.kind=physics"]`` as values: JSON where it is JSON, else text."""
    changes: dict[str, Any] = {}
    for pair in pairs or []:
        path, equals, text = pair.partition("=")
        if not equals or not path.strip():
            raise InvalidConfig(f"{pair!r} sets nothing.", "Write it as PATH=VALUE, e.g. sampling.steps=20.", "set")
        path = path.strip()
        if path.endswith(".kind"):  # another part has other options
            changes.setdefault(f"{path.removesuffix('.kind')}.options", {})
        try:
            changes[path] = json.loads(text, parse_float=_finite, parse_constant=str)
        except ValueError:
            changes[path] = text
    return changes


def _finite(text: str) -> float | str:
    """Text that would be an endless number is none, such as the id 7862e71905102123."""
    value = float(text)
    return value if math.isfinite(value) else text


@contextmanager
def opened_home(home: Path | None, *, make_room: bool = False) -> "Iterator[Backend]":
    """This machine's installation, for a command.

    Args:
        make_room: the command may run where hardly any disk is free.
    """
    from app.home import check_home
    from backend.context import open_backend

    settings = settings_of(home=home)
    if not make_room:  # a full disk is no reason not to clean up
        check_home(settings)
    backend = open_backend(settings)
    try:
        yield backend
    finally:
        backend.close()
