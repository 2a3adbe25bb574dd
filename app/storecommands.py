"""``loopscope backup``, ``restore`` and ``gc``: what an installation keeps, saved, brought back, cleaned up."""

import typer


def register(app: typer.Typer) -> None:
    """Give the command line these commands."""
    del app
