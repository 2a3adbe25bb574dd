"""API tokens: keys of programs. Shown once; SQL keeps their SHA-256 only."""

import hashlib
import secrets
from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlalchemy import select

from backend.access.users import check_role, get_user
from backend.context import Backend
from backend.gate import ROLES, Forbidden, Role
from backend.journal import sql_now
from backend.tables import ApiToken
from core.errors import InvalidConfig, NotFound

PREFIX = "ls_"
LONGEST_LABEL = 100
MOST_DAYS = 3650


class TokenView(BaseModel):
    """A token, without its secret."""

    id: str
    user: str
    label: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None


class NewToken(TokenView):
    """A token with its secret, which is never shown again."""

    secret: str


def digest_of(secret: str) -> str:
    """What SQL keeps of a secret of 32 random bytes."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def weaker(one: str, other: str) -> Role:
    """The role of the two that may do less."""
    return ROLES[min(ROLES.index(one), ROLES.index(other))]


def create_token(
    backend: Backend, user: str, *, label: str = "", role: Role | None = None, days: float | None = None
) -> NewToken:
    """A new key for a user's programs.

    Args:
        role: what it may do; None = what the user may. Never more than that.
        days: how long it is good for; None = until it is revoked.

    Raises:
        NotFound, Forbidden, InvalidConfig: no such user; not one's own and no admin; a value that cannot be.
    """
    _own(backend, user)
    if role is not None:
        check_role(role)
    if len(label) > LONGEST_LABEL:
        raise InvalidConfig("The label is too long.", f"Use at most {LONGEST_LABEL} characters.", "label")
    if days is not None and not 0 < days <= MOST_DAYS:
        raise InvalidConfig(f"A token cannot last {days:g} days.", f"Give more than 0, at most {MOST_DAYS}.", "days")
    secret = PREFIX + secrets.token_urlsafe(32)
    with backend.database.write() as session:
        owner = get_user(session, user)
        if role is not None and weaker(role, owner.role) != role:
            raise InvalidConfig(
                f"{user!r} is no {role}: no token can have the role {role}.", f"Choose {owner.role} or less.", "role"
            )
        now = sql_now(session)
        token = ApiToken(
            id=secrets.token_hex(6), user=user, label=label.strip(), role=role or owner.role, digest=digest_of(secret),
            created_at=now, expires_at=None if days is None else now + timedelta(days=days),
        )  # fmt: skip
        session.add(token)
        session.flush()
        return NewToken(**_view(token).model_dump(), secret=secret)


def list_tokens(backend: Backend, user: str | None = None) -> list[TokenView]:
    """A user's tokens, or (for admins) everybody's, newest first.

    Raises:
        Forbidden: not one's own and no admin.
    """
    _own(backend, user)
    query = select(ApiToken).order_by(ApiToken.created_at.desc(), ApiToken.id)
    if user is not None:
        query = query.where(ApiToken.user == user)
    with backend.database.read() as session:
        return [_view(token) for token in session.scalars(query)]


def revoke_token(backend: Backend, token_id: str) -> None:
    """Make a token useless, at once.

    Raises:
        NotFound: when there is none with that id, or not for the one who asks.
    """
    actor = backend.gate.require("viewer")
    with backend.database.write() as session:
        token = session.get(ApiToken, token_id)
        if token is None or (actor.role != "admin" and token.user != actor.name):
            raise NotFound(f"There is no token {token_id[:40]!r}.", "List the tokens to see their ids.")
        session.delete(token)


def _own(backend: Backend, user: str | None) -> None:
    actor = backend.gate.require("viewer")
    if actor.role != "admin" and actor.name != user:
        raise Forbidden("These are somebody else's tokens.", "Ask an admin.")


def _view(token: ApiToken) -> TokenView:
    return TokenView.model_validate(token, from_attributes=True)
