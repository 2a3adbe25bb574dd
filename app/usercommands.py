"""``loopscope users``: who may log in, and the tokens of their programs. Works on the data folder."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from app import console
from app.options import Home, Json, opened_home
from core.errors import InvalidConfig

if TYPE_CHECKING:
    from backend.access.users import UserView

users_app = typer.Typer(no_args_is_help=True, help="Who may log in, and API tokens.")
token_app = typer.Typer(no_args_is_help=True, help="Keys of programs, shown once.")
users_app.add_typer(token_app, name="token")

Name = Annotated[str, typer.Argument(help="The user's name.")]
Role = Annotated[str, typer.Option(help="viewer (look), runner (launch, stop, delete) or admin (users, everything).")]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input: one line.")]


@users_app.command("add")
def add(name: Name, role: Role = "viewer", password_stdin: Stdin = False, home: Home = None) -> None:
    """Let somebody log in. From the first user on, everybody has to."""
    from backend.access import users

    with opened_home(home) as backend:
        password = _password(from_stdin=password_stdin)
        view = users.add_user(backend, name, password, role)  # type: ignore[arg-type]  # it checks the role
    console.print_text(f"{view.name} may log in now, as {view.role}.")


@users_app.command("list")
def list_users(as_json: Json = False, home: Home = None) -> None:
    """All users."""
    from backend.access import users

    with opened_home(home) as backend:
        found = users.list_users(backend)
    if as_json:
        console.print_json(found)
    elif not found:
        console.print_text("There are no users: nobody has to log in.")
    else:
        console.print_table(("name", "role", "", "since"), [_row(view) for view in found])


@users_app.command("remove")
def remove(
    name: Name,
    last: Annotated[bool, typer.Option("--last", help="Also the last one: nobody has to log in any more.")] = False,
    home: Home = None,
) -> None:
    """Forget a user, with sessions and tokens. Loops stay, and keep their owner's name."""
    from backend.access import users

    with opened_home(home) as backend:
        users.remove_user(backend, name, last=last)
    console.print_text(f"{name} is removed.")


@users_app.command("disable")
def disable(name: Name, home: Home = None) -> None:
    """Let somebody in no longer, at once."""
    from backend.access import users

    with opened_home(home) as backend:
        users.disable_user(backend, name)
    console.print_text(f"{name} may not log in any more.")


@users_app.command("enable")
def enable(name: Name, home: Home = None) -> None:
    """Let somebody in again."""
    from backend.access import users

    with opened_home(home) as backend:
        users.enable_user(backend, name)
    console.print_text(f"{name} may log in again.")


@users_app.command("role")
def role(name: Name, role: Annotated[str, typer.Argument(help="viewer, runner or admin.")], home: Home = None) -> None:
    """Let somebody do more, or less, at once."""
    from backend.access import users

    with opened_home(home) as backend:
        view = users.set_role(backend, name, role)  # type: ignore[arg-type]  # it checks the role
    console.print_text(f"{view.name} is a {view.role} now.")


@users_app.command("password")
def password(
    name: Name,
    password_stdin: Stdin = False,
    keep_tokens: Annotated[bool, typer.Option("--keep-tokens", help="Leave the user's API tokens.")] = False,
    home: Home = None,
) -> None:
    """Give somebody another password; open sessions and API tokens end."""
    from backend.access import users

    with opened_home(home) as backend:
        users.show_user(backend, name)  # says so where there is none, before anybody types
        users.set_password(backend, name, _password(from_stdin=password_stdin), keep_tokens=keep_tokens)
    ended = "Open sessions" if keep_tokens else "Open sessions and API tokens"
    console.print_text(f"{name} has a new password. {ended} have ended.")


@token_app.command("create")
def create_token(
    name: Name,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    role: Annotated[str, typer.Option(help="What it may do; default: what its user may.")] = "",
    days: Annotated[float | None, typer.Option(help="How long it is good for; default: until it is revoked.")] = None,
    as_json: Json = False,
    home: Home = None,
) -> None:
    """A new API token, printed this once. Programs send it as LOOPSCOPE_TOKEN, or as a Bearer header."""
    from backend.access import tokens

    with opened_home(home) as backend:
        made = tokens.create_token(backend, name, label=label, role=role or None, days=days)  # type: ignore[arg-type]
    if as_json:
        console.print_json(made)
    else:
        console.print_text(made.secret)
        console.say(f"Token {made.id} of {made.user}, a {made.role}. It is not shown again.")


@token_app.command("list")
def list_tokens(
    name: Annotated[str, typer.Argument(help="Only this user's.")] = "", as_json: Json = False, home: Home = None
) -> None:
    """API tokens, without their secrets."""
    from backend.access import tokens

    with opened_home(home) as backend:
        found = tokens.list_tokens(backend, name or None)
    if as_json:
        console.print_json(found)
        return
    rows = [
        (t.id, t.user, t.role, t.label, f"{t.expires_at:%Y-%m-%d}" if t.expires_at else "never", _when(t.used_at))
        for t in found
    ]
    console.print_table(("id", "user", "role", "label", "expires", "last used"), rows)


@token_app.command("revoke")
def revoke_token(token_id: Annotated[str, typer.Argument(metavar="ID")], home: Home = None) -> None:
    """Make a token useless, at once."""
    from backend.access import tokens

    with opened_home(home) as backend:
        tokens.revoke_token(backend, token_id)
    console.print_text(f"Token {token_id} is revoked.")


def _password(*, from_stdin: bool) -> str:
    """Asked for twice and not shown; never an argument, which other programs could read."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise InvalidConfig("There is nobody to ask for a password.", "Send it with --password-stdin.", "password")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _row(view: "UserView") -> tuple[str, ...]:
    return view.name, view.role, "disabled" if view.disabled else "", f"{view.created_at:%Y-%m-%d}"


def _when(time: object) -> str:
    return "never" if time is None else f"{time:%Y-%m-%d %H:%M}"
