"""A loop's numbers as a file."""

from fastapi import APIRouter, Response

from backend import exports
from backend.api.context import Context, LoopId
from backend.exports import Form

router = APIRouter(tags=["loops"])

MEDIA_TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8"}


@router.get(
    "/loops/{loop_id}/export.{form}", response_class=Response, summary="Configuration and metrics as JSON or CSV"
)
def export(backend: Context, loop_id: LoopId, form: Form) -> Response:
    headers = {"content-disposition": f'attachment; filename="loopscope-{loop_id}.{form}"'}
    return Response(exports.export(backend, loop_id, form), media_type=MEDIA_TYPES[form], headers=headers)
