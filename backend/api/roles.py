"""What a route asks of the one who calls it."""

from fastapi import Request

from backend.context import Backend
from backend.gate import Actor, Role

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

OTHER_THAN_USUAL: dict[tuple[str, str], Role] = {
    ("POST", "/estimate"): "viewer",  # computes, keeps nothing
    ("POST", "/sweeps/estimate"): "viewer",
    ("POST", "/presets/{key}/estimate"): "viewer",
    ("POST", "/me/password"): "viewer",
    ("POST", "/me/tokens"): "viewer",
    ("DELETE", "/me/tokens/{token_id}"): "viewer",
    ("GET", "/users"): "admin",
    ("POST", "/users"): "admin",
    ("PATCH", "/users/{name}"): "admin",
    ("DELETE", "/users/{name}"): "admin",
}
"""(method, path) of the routes that neither only look nor do what a runner may."""


def role_of(method: str, path: str) -> Role:
    """Reading asks for a viewer, everything else for a runner, unless the table says otherwise."""
    return OTHER_THAN_USUAL.get((method, path), "viewer" if method in SAFE_METHODS else "runner")


async def admitted(request: Request) -> Actor:
    """The one who calls; every route depends on it, whatever its verb asks besides.

    Raises:
        NotSignedIn, Forbidden: when that is nobody, or somebody who may not.
    """
    backend: Backend = request.app.state.backend
    return backend.gate.require(role_of(request.method, request.scope["route"].path))
