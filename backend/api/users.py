"""Who may log in (for admins), and oneself: role, password, tokens."""

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, SecretStr

from backend.access import tokens, users
from backend.access.tokens import NewToken, TokenView
from backend.access.users import UserView
from backend.api.context import Context
from backend.api.loops import Body
from backend.gate import Actor, Role
from core.errors import Conflict

router = APIRouter(tags=["users"])

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$", description="Name of a user.")]
TokenId = Annotated[str, Path(pattern=r"^[0-9a-f]{1,32}$", description="Identifier of a token.")]
Password = Annotated[SecretStr, Field(max_length=4096)]
KeepTokens = Annotated[bool, Field(description="With a new password, API tokens end too, unless this is true.")]


class Me(BaseModel):
    """Who one is. ``name`` is empty where the server has no users."""

    name: str
    role: Role


class NewUserBody(Body):
    name: str = Field(max_length=64)
    password: Password
    role: Role = "viewer"


class UserChangeBody(Body):
    """What is left out stays."""

    role: Role | None = None
    disabled: bool | None = None
    password: Password | None = None
    keep_tokens: KeepTokens = False


class PasswordBody(Body):
    current: Password
    password: Password
    keep_tokens: KeepTokens = False


class NewTokenBody(Body):
    label: str = Field("", max_length=tokens.LONGEST_LABEL)
    role: Role | None = Field(None, description="What it may do; left out: what its user may.")
    days: float | None = Field(None, gt=0, le=tokens.MOST_DAYS, description="Left out: until it is revoked.")


@router.get("/me", summary="Who one is here")
def me(backend: Context) -> Me:
    actor = backend.gate.require("viewer")
    return Me(name=actor.name, role=actor.role)


@router.post("/me/password", status_code=204, summary="Change one's password; one's sessions and API tokens end")
def change_password(backend: Context, body: PasswordBody) -> Response:
    _somebody(backend)
    current, password = body.current.get_secret_value(), body.password.get_secret_value()
    users.change_password(backend, current, password, keep_tokens=body.keep_tokens)
    return Response(status_code=204)


@router.get("/me/tokens", summary="One's API tokens, without their secrets")
def list_tokens(backend: Context) -> list[TokenView]:
    return tokens.list_tokens(backend, _somebody(backend).name)


@router.post("/me/tokens", status_code=201, summary="A new API token; its secret is shown this once")
def create_token(backend: Context, body: NewTokenBody) -> NewToken:
    actor = _somebody(backend)
    role = tokens.weaker(body.role or actor.role, actor.role)  # a weak token makes no stronger one
    return tokens.create_token(backend, actor.name, label=body.label, role=role, days=body.days)


@router.delete("/me/tokens/{token_id}", status_code=204, summary="Revoke an API token")
def revoke_token(backend: Context, token_id: TokenId) -> Response:
    _somebody(backend)
    tokens.revoke_token(backend, token_id)
    return Response(status_code=204)


@router.get("/users", summary="All users")
def list_users(backend: Context) -> list[UserView]:
    return users.list_users(backend)


@router.post("/users", status_code=201, summary="Let somebody log in")
def add_user(backend: Context, body: NewUserBody) -> UserView:
    _somebody(backend)
    return users.add_user(backend, body.name, body.password.get_secret_value(), body.role)


@router.patch("/users/{name}", summary="Change a user's role or password, or lock the user out")
def change_user(backend: Context, name: Name, body: UserChangeBody) -> UserView:
    _somebody(backend)
    view = users.show_user(backend, name)
    if body.password is not None:
        users.set_password(backend, name, body.password.get_secret_value(), keep_tokens=body.keep_tokens)
    if body.role is not None:
        view = users.set_role(backend, name, body.role)
    if body.disabled is not None:
        view = users.disable_user(backend, name) if body.disabled else users.enable_user(backend, name)
    return view


@router.delete("/users/{name}", status_code=204, summary="Forget a user; loops keep their owner's name")
def remove_user(backend: Context, name: Name) -> Response:
    _somebody(backend)
    users.remove_user(backend, name)
    return Response(status_code=204)


def _somebody(backend: Context) -> Actor:
    """The one who acts, with a name: over the network nobody becomes the first user.

    Raises:
        Conflict: on a server without users.
    """
    actor = backend.gate.require("viewer")
    if not actor.name:
        raise Conflict(
            "This server has no users.", "The first one is added where it runs: loopscope users add NAME --role admin"
        )
    return actor
