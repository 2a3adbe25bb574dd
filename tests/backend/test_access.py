"""Users, passwords, tokens and log-ins: who gets in, who no longer, and how long a guesser waits."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest
from argon2 import PasswordHasher
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from backend.access import attempts, passwords, tokens, users
from backend.access.attempts import BY_ADDRESS, BY_NAME, BY_PAIR, TooManyTries
from backend.access.gate import NOBODY, SessionGate, visiting
from backend.access.sessions import WrongPassword, log_in, log_out
from backend.context import Backend
from backend.gate import Actor, Forbidden, NotSignedIn
from backend.tables import ApiToken, LoginFailure, LoginSession, User, utc_now
from core.errors import Conflict, InvalidConfig, NotFound
from tests.app.doors import fail_often, quick_hashes
from tests.backend.conftest import BackendFactory

GOOD = "correct horse battery"
HERE = "127.0.0.1"


@pytest.fixture(autouse=True)
def little_work() -> Iterator[None]:
    with quick_hashes():
        yield


def add(backend: Backend, name: str = "ada", role: str = "admin") -> None:
    users.add_user(backend, name, GOOD, role)  # type: ignore[arg-type]


def backdate(backend: Backend, by: timedelta) -> None:
    """Let the failures so far have happened earlier."""
    with backend.database.write() as session:
        for failure in session.scalars(select(LoginFailure)):
            failure.at -= by


# --- users ---


def test_a_user_logs_in_and_out(either_backend: Backend) -> None:
    backend = either_backend
    gate = SessionGate(backend)
    assert gate.identify() == NOBODY, "nobody has to log in while there are no users"
    add(backend)
    assert gate.identify() is None and gate.identify(cookie="x") is None
    secret = log_in(backend, " Ada ", GOOD, HERE)
    assert gate.identify(cookie=secret) == Actor("ada", "admin")
    log_out(backend, secret)
    assert gate.identify(cookie=secret) is None


def test_sql_keeps_no_secret(backend: Backend) -> None:
    add(backend)
    cookie = log_in(backend, "ada", GOOD, HERE)
    token = tokens.create_token(backend, "ada").secret
    assert token.startswith("ls_") and len(token) == 3 + 43 and len(cookie) == 43
    with backend.database.read() as session:
        user = session.get_one(User, "ada")
        assert user.password_hash.startswith("$argon2id$") and GOOD not in user.password_hash
        assert session.scalars(select(ApiToken.digest)).all() == [hashlib.sha256(token.encode()).hexdigest()]
        assert session.scalars(select(LoginSession.digest)).all() == [hashlib.sha256(cookie.encode()).hexdigest()]


@pytest.mark.parametrize("name", ["", "Ada", "-a", "a b", "a/b", "../x", "a" * 65, "ada\n", "ä", "a\0b", "<b>"])
def test_names_that_cannot_be(backend: Backend, name: str) -> None:
    with pytest.raises(InvalidConfig, match="cannot be a user's name"):
        add(backend, name)


@pytest.mark.parametrize("password", ["", "short", "adalovelace", "x" * 1025])
def test_passwords_that_cannot_be_are_not_repeated(backend: Backend, password: str) -> None:
    with pytest.raises(InvalidConfig) as told:
        users.add_user(backend, "adalovelace", password, "viewer")
    assert told.value.field == "password"
    assert not password or password not in str(told.value)


def test_a_name_is_given_once_and_a_role_exists(backend: Backend) -> None:
    add(backend)
    with pytest.raises(Conflict, match="already"):
        add(backend)
    with pytest.raises(InvalidConfig, match="no role 'root'"):
        users.set_role(backend, "ada", "root")  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        users.set_role(backend, "bob", "viewer")


def test_the_last_admin_stays(backend: Backend) -> None:
    add(backend)
    add(backend, "bob", "runner")
    for verb in (users.remove_user, users.disable_user):
        with pytest.raises(Conflict, match="last admin"):
            verb(backend, "ada")
    with pytest.raises(Conflict, match="last admin"):
        users.set_role(backend, "ada", "viewer")
    users.set_role(backend, "bob", "admin")
    users.remove_user(backend, "ada")
    with pytest.raises(Conflict, match="last user"):
        users.remove_user(backend, "bob")
    users.remove_user(backend, "bob", last=True)
    assert not users.has_users(backend)


def test_a_new_password_and_disabling_end_sessions(backend: Backend) -> None:
    gate = SessionGate(backend)
    add(backend)
    add(backend, "bob", "runner")
    first, token = log_in(backend, "bob", GOOD, HERE), tokens.create_token(backend, "bob").secret
    users.set_password(backend, "bob", "another password", keep_tokens=True)
    assert gate.identify(cookie=first) is None
    with pytest.raises(WrongPassword):
        log_in(backend, "bob", GOOD, HERE)
    second = log_in(backend, "bob", "another password", HERE)
    users.disable_user(backend, "bob")
    assert gate.identify(cookie=second) is None and gate.identify(token=token) is None
    with pytest.raises(WrongPassword):
        log_in(backend, "bob", "another password", HERE)
    users.enable_user(backend, "bob")
    assert gate.identify(cookie=second) is None, "an old session does not come back"
    assert gate.identify(token=token) == Actor("bob", "runner")


def test_a_new_password_ends_everything_that_may_have_leaked(backend: Backend) -> None:
    gate = SessionGate(backend)
    add(backend)
    add(backend, "bob", "runner")
    mine, other = tokens.create_token(backend, "bob"), tokens.create_token(backend, "ada")
    users.set_password(backend, "bob", "another password")
    assert gate.identify(token=mine.secret) is None and tokens.list_tokens(backend, "bob") == []
    assert gate.identify(token=other.secret) == Actor("ada", "admin"), "of that user only"
    seen = replace(backend, gate=gate)
    with visiting(Actor("ada", "admin")):
        users.change_password(seen, GOOD, "another password", keep_tokens=True)
        assert gate.identify(token=other.secret) == Actor("ada", "admin")
        users.change_password(seen, "another password", GOOD)
    assert gate.identify(token=other.secret) is None


def test_a_session_ends_by_itself(make_backend: BackendFactory) -> None:
    backend = make_backend(session_hours=1.0)
    add(backend)
    secret = log_in(backend, "ada", GOOD, HERE)
    with backend.database.write() as session:
        left = session.scalars(select(LoginSession)).one().expires_at - utc_now()
        assert timedelta(minutes=59) < left <= timedelta(hours=1)
        session.execute(update(LoginSession).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert SessionGate(backend).identify(cookie=secret) is None
    log_in(backend, "ada", GOOD, HERE)
    with backend.database.read() as session:
        assert session.scalar(select(func.count(LoginSession.digest))) == 1, "the old one is swept"


def test_a_hash_with_old_parameters_is_made_anew(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    add(backend)
    with backend.database.read() as session:
        before = session.get_one(User, "ada").password_hash
    today = PasswordHasher(time_cost=2, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", lambda: today)
    log_in(backend, "ada", GOOD, HERE)
    with backend.database.read() as session:
        after = session.get_one(User, "ada").password_hash
    assert "t=1" in before and "t=2" in after
    log_in(backend, "ada", GOOD, HERE)


def test_an_unknown_name_costs_a_hash_too(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    add(backend)
    add(backend, "bob", "viewer")
    users.disable_user(backend, "bob")
    seen: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            seen.append(str(hash))
            return super().verify(hash, password)

    counting = Counting(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", lambda: counting)
    told = set()
    for name in ("ada", "nobody", "bob", "a\0b"):
        with pytest.raises(WrongPassword) as error:
            log_in(backend, name, "wrong password", HERE)
        told.add(str(error.value))
    assert len(seen) == 4 and len(told) == 1


# --- how often ---


def test_guessing_a_name_has_to_wait_longer_and_longer(either_backend: Backend) -> None:
    backend = either_backend
    add(backend)
    for _ in range(BY_PAIR.free):
        with pytest.raises(WrongPassword):
            log_in(backend, "ada", "wrong password", HERE)
    fail_often(backend, "ada", HERE)
    with pytest.raises(TooManyTries, match=r"Wait \d+ s") as first:
        log_in(backend, "ada", GOOD, HERE)
    backdate(backend, timedelta(seconds=33))
    with pytest.raises(WrongPassword):
        log_in(backend, "ada", "wrong password", HERE)
    with pytest.raises(TooManyTries) as then:
        log_in(backend, "ada", GOOD, HERE)
    assert then.value.retry_after_s > first.value.retry_after_s
    backdate(backend, timedelta(seconds=61))
    log_in(backend, "ada", GOOD, HERE)
    with backend.database.read() as session:
        assert session.scalars(select(LoginFailure.id)).all() == []


def test_who_fails_in_anothers_name_keeps_that_one_out_only_from_many_places(backend: Backend) -> None:
    add(backend)
    fail_often(backend, "ada", "10.0.0.9")
    with pytest.raises(TooManyTries):
        log_in(backend, "ada", GOOD, "10.0.0.9")
    log_in(backend, "ada", GOOD, HERE)
    with backend.database.write() as session:
        session.add_all(LoginFailure(name="ada", address=f"10.0.1.{k}", at=utc_now()) for k in range(BY_NAME.free))
    with pytest.raises(TooManyTries) as told:
        log_in(backend, "ada", GOOD, HERE)
    assert told.value.retry_after_s <= BY_NAME.longest_s


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("10.0.0.1", "10.0.0.2", False),
    ],
)
def test_an_ipv6_network_is_one_place(backend: Backend, one: str, other: str, together: bool) -> None:
    for index in range(BY_ADDRESS.free):
        attempts.begin(backend, f"name{index}", one)
    if together:
        with pytest.raises(TooManyTries):
            attempts.begin(backend, "another", other)
    else:
        attempts.begin(backend, "another", other)


def test_guessing_from_an_address_has_to_wait(backend: Backend) -> None:
    for index in range(BY_ADDRESS.free):
        attempts.begin(backend, f"name{index}", HERE)
    with pytest.raises(TooManyTries):
        attempts.begin(backend, "another", HERE)
    attempts.begin(backend, "another", "10.0.0.9")


def test_waits_grow_to_a_limit_and_end() -> None:
    waits = [BY_PAIR.wait_s(n) for n in range(15)]
    assert waits[:5] == [0.0] * 5 and waits[5:8] == [1.0, 2.0, 4.0] and waits[-1] == 60.0
    assert BY_ADDRESS.wait_s(10_000) == 900.0


def test_old_failures_are_swept(backend: Backend) -> None:
    attempts.begin(backend, "ada", HERE)
    backdate(backend, timedelta(hours=2))
    attempts.begin(backend, "bob", HERE)
    with backend.database.read() as session:
        assert session.scalars(select(LoginFailure.name)).all() == ["bob"]


# --- tokens ---


def test_a_token_is_never_more_than_its_user(backend: Backend) -> None:
    gate = SessionGate(backend)
    add(backend)
    add(backend, "bob", "runner")
    with pytest.raises(InvalidConfig, match="no token can have the role admin"):
        tokens.create_token(backend, "bob", role="admin")
    plain, weak = tokens.create_token(backend, "bob"), tokens.create_token(backend, "bob", role="viewer")
    assert gate.identify(token=plain.secret) == Actor("bob", "runner")
    assert gate.identify(token=weak.secret) == Actor("bob", "viewer")
    users.set_role(backend, "bob", "viewer")
    assert gate.identify(token=plain.secret) == Actor("bob", "viewer")
    assert gate.identify(token=plain.id) is None and gate.identify(token="ls_wrong") is None


def test_a_token_expires_and_is_revoked(backend: Backend) -> None:
    gate = SessionGate(backend)
    add(backend)
    made = tokens.create_token(backend, "ada", label=" laptop ", days=1)
    assert made.label == "laptop" and made.expires_at is not None and made.used_at is None
    assert gate.identify(token=made.secret) == Actor("ada", "admin")
    assert tokens.list_tokens(backend)[0].used_at is not None
    with backend.database.write() as session:
        session.execute(update(ApiToken).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert gate.identify(token=made.secret) is None
    other = tokens.create_token(backend, "ada")
    tokens.revoke_token(backend, other.id)
    assert gate.identify(token=other.secret) is None
    with pytest.raises(NotFound):
        tokens.revoke_token(backend, other.id)
    for days in (0, -1, 1e9, float("nan")):
        with pytest.raises(InvalidConfig):
            tokens.create_token(backend, "ada", days=days)


def test_tokens_of_others_are_not_ones_own(backend: Backend) -> None:
    add(backend)
    add(backend, "bob", "runner")
    foreign = tokens.create_token(backend, "ada")
    seen = replace(backend, gate=SessionGate(backend))
    with visiting(Actor("bob", "runner")):
        with pytest.raises(Forbidden):
            tokens.create_token(seen, "ada")
        with pytest.raises(Forbidden):
            tokens.list_tokens(seen)
        with pytest.raises(NotFound):
            tokens.revoke_token(seen, foreign.id)
        assert tokens.create_token(seen, "bob").user == "bob"
        with pytest.raises(Forbidden):
            users.add_user(seen, "eve", GOOD, "admin")


# --- the gate ---


def test_outside_of_a_request_nobody_acts(backend: Backend) -> None:
    gate = SessionGate(backend)
    with pytest.raises(NotSignedIn):
        gate.require("viewer")
    with visiting(Actor("ada", "runner")) as visit:
        assert gate.require("runner").name == "ada"
        with pytest.raises(Forbidden, match="ada is a runner"):
            gate.require("admin")
    assert visit.over
    with visiting(None), pytest.raises(NotSignedIn):
        gate.require("viewer")


def test_what_a_request_left_running_acts_for_nobody(backend: Backend) -> None:
    from contextvars import copy_context

    gate = SessionGate(backend)
    with visiting(Actor("ada", "admin")):
        later = copy_context()
        assert later.run(gate.require, "admin").name == "ada"
    with pytest.raises(NotSignedIn):
        later.run(gate.require, "admin")


def test_a_server_on_a_network_is_never_open(backend: Backend) -> None:
    assert SessionGate(backend, may_be_open=False).identify() is None


def test_who_was_known_stays_known_while_the_database_is_away(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = SessionGate(backend)
    add(backend)
    secret = log_in(backend, "ada", GOOD, HERE)
    assert gate.identify(cookie=secret) == Actor("ada", "admin")

    def away(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(gate, "_by_cookie", away)
    assert gate.identify(cookie=secret) == Actor("ada", "admin")
    with pytest.raises(OperationalError):
        gate.identify(cookie="another")


def test_ones_password_is_changed_by_the_current_one(backend: Backend) -> None:
    add(backend)
    seen = replace(backend, gate=SessionGate(backend))
    with visiting(Actor("ada", "admin")):
        with pytest.raises(Forbidden):
            users.change_password(seen, "wrong password", "another password")
        users.change_password(seen, GOOD, "another password")
    log_in(backend, "ada", "another password", HERE)
