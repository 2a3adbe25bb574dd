"""``loopscope users``: who may log in, and the tokens of their programs."""

import typer

users_app = typer.Typer(no_args_is_help=True, help="Who may log in, and API tokens.")
