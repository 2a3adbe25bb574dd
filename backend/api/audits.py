"""Audits of correctors: ask for one, follow it, read its numbers."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field

from backend import audits
from backend.api.context import Context
from backend.api.loops import Body
from backend.audits import AuditConfig, AuditView
from core.config import parse

router = APIRouter(tags=["audits"])

AuditId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="Identifier of an audit.")]


class AuditBody(Body):
    config: dict[str, Any] = Field(default_factory=dict, description="An AuditConfig; what is left out is default.")
    again: bool = Field(False, description="Compute it anew even if the same audit is here already.")


@router.get("/audits", summary="Audits, newest first, without their results")
def list_audits(backend: Context, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[AuditView]:
    return audits.list_audits(backend, limit)


@router.post("/audits", status_code=201, summary="Audit a corrector; the same audit is computed once")
def start(backend: Context, body: AuditBody) -> AuditView:
    return audits.start(backend, parse(AuditConfig, body.config, "config"), again=body.again)


@router.get("/audits/{audit_id}", summary="One audit: state, progress, result")
def show(backend: Context, audit_id: AuditId) -> AuditView:
    return audits.show(backend, audit_id)


@router.post("/audits/{audit_id}/cancel", summary="Stop an audit")
def cancel(backend: Context, audit_id: AuditId) -> AuditView:
    return audits.cancel(backend, audit_id)
