"""Who may do what. Verbs ask the backend's gate; each door (page, API, command line, worker) has the gate it needs."""

from dataclasses import dataclass
from typing import Literal, Protocol

from core.errors import LoopscopeError

Role = Literal["viewer", "runner", "admin"]
ROLES: tuple[Role, ...] = ("viewer", "runner", "admin")
"""Each may do what those before it may: look; launch, stop and delete loops; manage users and the installation."""


class Forbidden(LoopscopeError):
    """Somebody is known, but may not do this."""

    code = "forbidden"


class NotSignedIn(LoopscopeError):
    """Nobody is known, and something only known people may do was asked for."""

    code = "not_signed_in"


@dataclass(frozen=True)
class Actor:
    """Who acts. ``name`` is empty where there is no log-in."""

    name: str
    role: Role


class Gate(Protocol):
    """Says who acts, if that one may."""

    def require(self, role: Role) -> Actor:
        """The one who acts.

        Raises:
            NotSignedIn, Forbidden: when that is nobody, or somebody who may not do what ``role`` may.
        """
        ...


@dataclass(frozen=True)
class OpenGate:
    """Lets everybody do everything: workers, the command line on a data folder, servers without users."""

    def require(self, role: Role) -> Actor:
        del role
        return Actor("", "admin")
