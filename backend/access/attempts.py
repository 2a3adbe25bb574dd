"""How often one may try to log in. In SQL, so that neither a restart nor a second server forgets it."""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select, text
from sqlalchemy.orm import Session

from backend.context import Backend
from backend.journal import sql_now
from backend.tables import LoginFailure
from core.errors import LoopscopeError

WINDOW = timedelta(hours=1)


@dataclass(frozen=True)
class Patience:
    """Failures that cost nothing, and the longest wait; between them each failure doubles it from one second."""

    free: int
    longest_s: float

    def wait_s(self, failures: int) -> float:
        return 0.0 if failures < self.free else min(self.longest_s, 2.0 ** min(failures - self.free, 30))


BY_PAIR = Patience(5, 60.0)  # of a name and an address
BY_ADDRESS = Patience(20, 900.0)  # more: a proxy's whole lab may share it
BY_NAME = Patience(100, 60.0)
"""Many, and short: else whoever fails in somebody's name keeps that one out. One address gets to some 30 in an hour."""


class TooManyTries(LoopscopeError):
    """A log-in that was not even looked at. ``retry_after_s``: how long to wait."""

    code = "too_many_tries"

    def __init__(self, retry_after_s: float) -> None:
        wait = max(1, round(retry_after_s + 0.5))
        super().__init__("Too many log-ins have failed.", f"Wait {wait} s and try again.")
        self.retry_after_s = wait


def begin(backend: Backend, name: str, address: str) -> None:
    """Count a log-in as failed before its password is looked at: many at once cannot slip through.

    Raises:
        TooManyTries: when this name, this address, or the one from the other, has to wait. That is not counted.
    """
    by_name, by_address = LoginFailure.name == _cut(name), LoginFailure.address == _place(address)
    with backend.database.write() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("LOCK TABLE login_failures IN SHARE ROW EXCLUSIVE MODE"))
        now = sql_now(session)
        session.execute(delete(LoginFailure).where(LoginFailure.at < now - WINDOW))
        wait = max(
            _wait_s(session, by_name & by_address, BY_PAIR, now),
            _wait_s(session, by_address, BY_ADDRESS, now),
            _wait_s(session, by_name, BY_NAME, now),
        )
        if wait > 0:
            raise TooManyTries(wait)
        session.add(LoginFailure(name=_cut(name), address=_place(address), at=now))


def forgive(session: Session, name: str, address: str) -> None:
    """The log-in was good: what this name failed to do from this address no longer counts."""
    mine = (LoginFailure.name == _cut(name), LoginFailure.address == _place(address))
    session.execute(delete(LoginFailure).where(*mine))


def _wait_s(session: Session, whose: ColumnElement[bool], patience: Patience, now: datetime) -> float:
    count, last = session.execute(
        select(func.count(LoginFailure.id), func.max(LoginFailure.at)).where(whose)
    ).one()  # fmt: skip
    if not count:
        return 0.0
    return patience.wait_s(int(count)) - (now - last).total_seconds()


def _place(address: str) -> str:
    """Whose failures count together: an address, or the network of an IPv6 one, of which anybody has 2^64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return _cut(address)  # a socket's, or none
    if found.version == 6 and found.ipv4_mapped is None:
        return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
    return str(found if found.version == 4 else found.ipv4_mapped)


def _cut(text: str) -> str:
    return text.replace("\0", "")[:64]
