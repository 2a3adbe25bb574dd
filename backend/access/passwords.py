"""Passwords: what they must be, and their slow hashes (argon2id)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from core.errors import InvalidConfig, LoopscopeError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST, LONGEST = 10, 1024
AT_ONCE = 2  # hashes: each takes 64 MiB and a core
PATIENCE_S = 5.0

_turns = threading.BoundedSemaphore(AT_ONCE)


class TooBusy(LoopscopeError):
    """Too many passwords are being checked at once."""

    code = "too_busy"


def check_password(name: str, password: str) -> None:
    """What every new password has to be.

    Raises:
        InvalidConfig: when it is too short, too long, or the user's name. The password itself is never told.
    """
    if len(password) < SHORTEST:
        raise InvalidConfig(
            f"The password has {len(password)} characters.", f"Give at least {SHORTEST}; several words do.", "password"
        )
    if len(password) > LONGEST:
        raise InvalidConfig("The password is too long.", f"Give at most {LONGEST} characters.", "password")
    if password.strip().casefold() == name:
        raise InvalidConfig("The password is the user's name.", "Choose another one.", "password")


def hash_password(password: str) -> str:
    with _turn():
        return _hasher().hash(password)


def is_right(kept: str | None, password: str) -> bool:
    """Whether the password is the one of a hash. As much work for None, so that time tells nobody which names exist."""
    from argon2.exceptions import InvalidHashError, VerificationError

    if len(password) > LONGEST:
        return False
    with _turn():
        try:
            _hasher().verify(kept if kept is not None else _nobodys(), password)
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher().check_needs_rehash(kept)


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=PATIENCE_S):
        raise TooBusy("Too many people log in at this moment.", "Try again in a few seconds.")
    try:
        yield
    finally:
        _turns.release()


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobodys() -> str:
    return _hasher().hash("nobody has this password")
