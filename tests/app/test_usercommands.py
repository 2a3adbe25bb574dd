"""``loopscope users``: people and tokens from the command line; passwords never as arguments."""

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from app.cli import app
from backend.access.gate import SessionGate
from backend.gate import Actor
from tests.app.commandline import home
from tests.app.seeding import open_silent

__all__ = ["home"]

PASSWORD = "correct horse battery"


def run(*words: str, typed: str = "", status: int = 0) -> Result:
    result = CliRunner().invoke(app, ["users", *words], input=typed)
    assert result.exit_code == status, f"{words}: {result.output}\n{result.exception!r}"
    return result


def test_people_from_first_to_last(home: Path) -> None:
    assert "nobody has to log in" in run("list").stdout
    run("add", "ada", "--role", "admin", "--password-stdin", typed=f"{PASSWORD}\n")
    run("add", "bob", "--password-stdin", typed=f"{PASSWORD}\n")
    run("role", "bob", "runner")
    run("disable", "bob")
    found = {user["name"]: (user["role"], user["disabled"]) for user in json.loads(run("list", "--json").stdout)}
    assert found == {"ada": ("admin", False), "bob": ("runner", True)}
    run("enable", "bob")
    run("password", "bob", "--password-stdin", typed="another password\n")
    assert "last admin" in run("remove", "ada", status=2).stderr
    run("remove", "bob")
    assert "--last" in run("remove", "ada", status=2).stderr
    run("remove", "ada", "--last")
    assert json.loads(run("list", "--json").stdout) == []
    assert PASSWORD.encode() not in (home / "loopscope.db").read_bytes()


def test_what_cannot_be_is_two_lines(home: Path) -> None:
    del home
    assert "cannot be a user's name" in run("add", "A B", "--password-stdin", typed=PASSWORD, status=2).stderr
    assert "5 characters" in run("add", "ada", "--password-stdin", typed="short\n", status=2).stderr
    assert "no role 'king'" in run("add", "ada", "--role", "king", "--password-stdin", typed=PASSWORD, status=2).stderr
    assert "--password-stdin" in run("add", "ada", status=2).stderr, "nobody sits there to type"
    assert "no user 'eve'" in run("password", "eve", status=2).stderr
    run("add", "ada", PASSWORD, status=2)


def test_a_token_is_printed_once_and_works(home: Path) -> None:
    run("add", "ada", "--role", "admin", "--password-stdin", typed=f"{PASSWORD}\n")
    secret = run("token", "create", "ada", "--label", "laptop", "--role", "runner", "--days", "7").stdout.strip()
    backend = open_silent(home)
    gate = SessionGate(backend)
    assert gate.identify(token=secret) == Actor("ada", "runner")
    (listed,) = json.loads(run("token", "list", "--json").stdout)
    assert listed["label"] == "laptop" and secret not in json.dumps(listed)
    assert "laptop" in run("token", "list", "ada").stdout
    run("token", "revoke", listed["id"])
    assert gate.identify(token=secret) is None
    backend.close()
    run("token", "revoke", listed["id"], status=2)
    run("token", "create", "eve", status=2)
