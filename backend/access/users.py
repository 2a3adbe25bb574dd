"""Users: who may log in, and as what. Every verb here asks the gate for an admin."""

import re
from datetime import datetime
from typing import get_args

from pydantic import BaseModel
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.access import attempts
from backend.access.passwords import check_password, hash_password, is_right
from backend.context import Backend
from backend.gate import Forbidden, Role
from backend.journal import sql_now
from backend.tables import ApiToken, LoginSession, User
from core.errors import Conflict, InvalidConfig, NotFound

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


class UserView(BaseModel):
    """A user, without the password's hash."""

    name: str
    role: Role
    created_at: datetime
    disabled: bool


def has_users(backend: Backend) -> bool:
    """Whether anybody is known at all; while nobody is, there is no log-in."""
    with backend.database.read() as session:
        return session.scalar(select(User.name).limit(1)) is not None


def list_users(backend: Backend) -> list[UserView]:
    """All users, by name."""
    backend.gate.require("admin")
    with backend.database.read() as session:
        return [_view(user) for user in session.scalars(select(User).order_by(User.name))]


def show_user(backend: Backend, name: str) -> UserView:
    """One user.

    Raises:
        NotFound: when there is none of that name.
    """
    backend.gate.require("admin")
    with backend.database.read() as session:
        return _view(get_user(session, name))


def add_user(backend: Backend, name: str, password: str, role: Role) -> UserView:
    """Let somebody log in.

    Raises:
        InvalidConfig: for a name, password or role that cannot be.
        Conflict: when there is one of that name.
    """
    backend.gate.require("admin")
    if not NAME.fullmatch(name):
        raise InvalidConfig(
            f"{name[:80]!r} cannot be a user's name.",
            "Use 1 to 64 of a-z, 0-9, _, . and -, the first a letter or digit.",
            "name",
        )
    check_role(role)
    check_password(name, password)
    hashed = hash_password(password)
    try:
        with backend.database.write() as session:
            user = User(name=name, role=role, password_hash=hashed, created_at=sql_now(session))
            session.add(user)
            session.flush()
            return _view(user)
    except IntegrityError:
        raise Conflict(f"There is a user {name!r} already.", "Choose another name.") from None


def remove_user(backend: Backend, name: str, *, last: bool = False) -> None:
    """Forget a user with sessions and tokens; loops keep the name of their owner.

    Args:
        last: also when nobody would be left, which ends the log-in: whoever reaches the server may do everything.

    Raises:
        NotFound: when there is none of that name.
        Conflict: when it is the last admin, or (without ``last``) the last user.
    """
    backend.gate.require("admin")
    with backend.database.write() as session:
        user = _locked(session, name)
        session.delete(user)
        session.flush()
        if session.scalar(select(User.name).limit(1)) is not None:
            _keep_an_admin(session, name)
        elif not last:
            raise Conflict(
                f"{name!r} is the last user: without one, whoever reaches the server may do everything.",
                "Say --last if that is what you want.",
            )


def set_role(backend: Backend, name: str, role: Role) -> UserView:
    """Let somebody do more, or less; at once, in open sessions and with old tokens too.

    Raises:
        NotFound, InvalidConfig, Conflict: no such user; no such role; it is the last admin.
    """
    backend.gate.require("admin")
    check_role(role)
    with backend.database.write() as session:
        user = _locked(session, name)
        user.role = role
        session.flush()
        _keep_an_admin(session, name)
        return _view(user)


def disable_user(backend: Backend, name: str) -> UserView:
    """Let somebody in no longer: sessions end, tokens stop working.

    Raises:
        NotFound, Conflict: no such user; it is the last admin.
    """
    backend.gate.require("admin")
    with backend.database.write() as session:
        user = _locked(session, name)
        user.disabled_at = user.disabled_at or sql_now(session)
        end_sessions(session, name)
        session.flush()
        _keep_an_admin(session, name)
        return _view(user)


def enable_user(backend: Backend, name: str) -> UserView:
    """Let somebody in again.

    Raises:
        NotFound: when there is none of that name.
    """
    backend.gate.require("admin")
    with backend.database.write() as session:
        user = _locked(session, name)
        user.disabled_at = None
        return _view(user)


def set_password(backend: Backend, name: str, password: str, *, keep_tokens: bool = False) -> None:
    """Give somebody another password; all sessions of that user end, and all API tokens.

    Args:
        keep_tokens: leave the tokens, where nothing has leaked and programs shall go on.

    Raises:
        NotFound, InvalidConfig: no such user; a password that cannot be.
    """
    backend.gate.require("admin")
    _replace_password(backend, name, password, keep_tokens)


def change_password(backend: Backend, current: str, password: str, *, keep_tokens: bool = False) -> None:
    """Give oneself another password, by the current one; sessions and API tokens end as in :func:`set_password`.

    Raises:
        Forbidden, InvalidConfig: the current one is wrong; the new one cannot be.
        TooManyTries: after many wrong ones.
    """
    name = backend.gate.require("viewer").name
    attempts.begin(backend, name, f"user {name}")
    with backend.database.read() as session:
        user = session.get(User, name)
        kept = None if user is None else user.password_hash
    if not is_right(kept, current):
        raise Forbidden("The current password is wrong.", "Ask an admin to set a new one if it is forgotten.")
    _replace_password(backend, name, password, keep_tokens)
    with backend.database.write() as session:
        attempts.forgive(session, name, f"user {name}")


def check_role(role: str) -> None:
    """
    Raises:
        InvalidConfig: when there is no such role.
    """
    if role not in get_args(Role):
        raise InvalidConfig(f"There is no role {role[:40]!r}.", f"Choose one of: {', '.join(get_args(Role))}.", "role")


def end_sessions(session: Session, name: str) -> None:
    session.execute(delete(LoginSession).where(LoginSession.user == name))


def get_user(session: Session, name: str) -> User:
    """
    Raises:
        NotFound: when there is none of that name.
    """
    user = session.get(User, name)
    if user is None:
        raise _nobody(name)
    return user


def _replace_password(backend: Backend, name: str, password: str, keep_tokens: bool) -> None:
    check_password(name, password)
    hashed = hash_password(password)
    with backend.database.write() as session:
        _locked(session, name).password_hash = hashed
        end_sessions(session, name)
        if not keep_tokens:  # one that leaked may have made others
            session.execute(delete(ApiToken).where(ApiToken.user == name))


def _locked(session: Session, name: str) -> User:
    """The user's row; all rows are locked, so that two admins cannot remove each other at once."""
    users = {user.name: user for user in session.scalars(select(User).order_by(User.name).with_for_update())}
    if name not in users:
        raise _nobody(name)
    return users[name]


def _keep_an_admin(session: Session, name: str) -> None:
    left = select(User.name).where(User.role == "admin", User.disabled_at.is_(None)).limit(1)
    if session.scalar(left) is None:
        raise Conflict(f"{name!r} is the last admin who can log in.", "Make somebody else an admin first.")


def _nobody(name: str) -> NotFound:
    return NotFound(f"There is no user {name[:80]!r}.", "List the users to see their names.")


def _view(user: User) -> UserView:
    return UserView.model_validate(
        {"name": user.name, "role": user.role, "created_at": user.created_at, "disabled": user.disabled_at is not None}
    )
