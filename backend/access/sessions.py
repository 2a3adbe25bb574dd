"""Log-ins of browsers: 32 random bytes in a cookie, their SHA-256 in SQL."""

import secrets
from datetime import timedelta

from sqlalchemy import delete

from backend.access import attempts, passwords
from backend.access.tokens import digest_of
from backend.context import Backend
from backend.journal import sql_now
from backend.tables import LoginSession, User
from core.errors import LoopscopeError


class WrongPassword(LoopscopeError):
    """Name and password do not go together; which of them is wrong is not told."""

    code = "wrong_password"


def log_in(backend: Backend, name: str, password: str, address: str) -> str:
    """The secret of a new session, for the browser's cookie.

    Args:
        address: of the browser; failures count for it too.

    Raises:
        WrongPassword, TooManyTries, TooBusy: in a sentence for the person.
    """
    name = name.strip().casefold()
    attempts.begin(backend, name, address)
    with backend.database.read() as session:
        user = session.get(User, name) if "\0" not in name else None
        kept = user.password_hash if user is not None and user.disabled_at is None else None
    wrong = WrongPassword("Name and password do not go together.", "Check both; capital letters count.")
    if not passwords.is_right(kept, password) or kept is None:
        raise wrong
    fresh = passwords.hash_password(password) if passwords.is_outdated(kept) else kept
    secret = secrets.token_urlsafe(32)
    with backend.database.write() as session:
        user = session.get(User, name, with_for_update=True)
        if user is None or user.disabled_at is not None or user.password_hash != kept:
            raise wrong  # it changed in this moment
        user.password_hash = fresh
        now = sql_now(session)
        attempts.forgive(session, name, address)
        session.execute(delete(LoginSession).where(LoginSession.expires_at < now))
        expires = now + timedelta(hours=backend.settings.session_hours)
        session.add(LoginSession(digest=digest_of(secret), user=name, created_at=now, expires_at=expires))
    return secret


def log_out(backend: Backend, secret: str) -> None:
    """End the session of a cookie; nothing happens where there is none."""
    with backend.database.write() as session:
        session.execute(delete(LoginSession).where(LoginSession.digest == digest_of(secret)))
