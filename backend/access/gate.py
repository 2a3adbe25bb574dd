"""The web server's gate: who acts is whom the present request has shown to be."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from backend.access.tokens import digest_of, weaker
from backend.access.users import has_users
from backend.context import Backend
from backend.gate import ROLES, Actor, Forbidden, NotSignedIn, Role
from backend.journal import sql_now
from backend.tables import ApiToken, LoginSession, User

NOBODY: Final = Actor("", "admin")
"""Whoever reaches a server without users."""

USED_EVERY = timedelta(minutes=5)  # how exact a token's last use is
REMEMBERED_S = 900.0
MOST_REMEMBERED = 1000


@dataclass
class Visit:
    """One request. What it started and left running acts for nobody once it is over."""

    actor: Actor | None
    over: bool = False


_present: ContextVar[Visit | None] = ContextVar("loopscope_visit", default=None)


@contextmanager
def visiting(actor: Actor | None) -> Iterator[Visit]:
    """What runs inside, threads of the request included, acts for ``actor``."""
    visit = Visit(actor)
    mark = _present.set(visit)
    try:
        yield visit
    finally:
        visit.over = True
        _present.reset(mark)


@dataclass(eq=False)
class SessionGate:
    """Knows people by cookie or token, and everybody as an admin while there are no users.

    Attributes:
        backend: where users are.
        may_be_open: False where the server listens to a network: without users nobody comes in then.
    """

    backend: Backend
    may_be_open: bool = True
    _remembered: dict[str, tuple[float, Actor]] = field(default_factory=dict)

    def require(self, role: Role) -> Actor:
        """As in :class:`backend.gate.Gate`; outside of a request nobody acts."""
        visit = _present.get()
        if visit is None or visit.over or visit.actor is None:
            raise NotSignedIn("Nobody is logged in.", "Log in first; programs send an API token.")
        if ROLES.index(visit.actor.role) < ROLES.index(role):
            raise Forbidden(
                f"{visit.actor.name} is a {visit.actor.role} and may not do this.", f"Ask an admin for the role {role}."
            )
        return visit.actor

    def identify(self, *, cookie: str = "", token: str = "") -> Actor | None:
        """Who sends a request. A token, where there is one, decides alone.

        While the database does not answer, those are known who were a short time ago.

        Raises:
            SQLAlchemyError: when it does not answer, and nothing is remembered.
        """
        key = digest_of(f"token {token}" if token else f"cookie {cookie}")
        try:
            actor = self._by_token(token) if token else self._by_cookie(cookie) if cookie else None
            if actor is None and self.may_be_open and not has_users(self.backend):
                actor = NOBODY
        except SQLAlchemyError:
            at, actor = self._remembered.get(key, (0.0, NOBODY))
            if not at or time.monotonic() - at > REMEMBERED_S:
                raise
            return actor
        self._remembered.pop(key, None)
        if actor is not None:
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = (time.monotonic(), actor)
        return actor

    def _by_cookie(self, secret: str) -> Actor | None:
        with self.backend.database.read() as session:
            found = session.execute(
                select(User.name, User.role)
                .join(LoginSession, LoginSession.user == User.name)
                .where(
                    LoginSession.digest == digest_of(secret),
                    LoginSession.expires_at > sql_now(session),
                    User.disabled_at.is_(None),
                )
            ).one_or_none()
        return None if found is None else Actor(found.name, found.role)

    def _by_token(self, secret: str) -> Actor | None:
        with self.backend.database.read() as session:
            now = sql_now(session)
            found = session.execute(
                select(User.name, User.role.label("most"), ApiToken.id, ApiToken.role, ApiToken.used_at)
                .join(ApiToken, ApiToken.user == User.name)
                .where(
                    ApiToken.digest == digest_of(secret),
                    ApiToken.expires_at.is_(None) | (ApiToken.expires_at > now),
                    User.disabled_at.is_(None),
                )
            ).one_or_none()
        if found is None:
            return None
        if found.used_at is None or now - found.used_at > USED_EVERY:
            with suppress(SQLAlchemyError), self.backend.database.write() as session:
                session.execute(update(ApiToken).where(ApiToken.id == found.id).values(used_at=now))
        return Actor(found.name, weaker(found.role, found.most))
