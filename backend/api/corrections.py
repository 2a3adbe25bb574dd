"""Correct a file of one's own: upload, read the report, fetch the corrected motion."""

import json
import secrets
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Response, UploadFile
from fastapi import Path as PathParameter

from backend.apart import run_apart
from backend.api.context import Context
from backend.correctfile import CorrectReport
from backend.motionfiles import SUFFIXES, Unit
from core.errors import InvalidConfig, InvalidMotion, NotFound

router = APIRouter(tags=["corrections"])

TIMEOUT_S = 600.0
KEEP_S = 24 * 3600.0
MEDIA_TYPES = {
    "bvh": "text/plain; charset=utf-8",
    "npz": "application/octet-stream",
    "html": "text/html; charset=utf-8",
    "png": "image/png",
}


class CorrectView(CorrectReport):
    """What became of the file, and where its results are for a day.

    Attributes:
        id: names the corrected motion; empty where the motion was rejected.
        report: address of the report, below the API's own; empty where none was asked for.
    """

    id: str = ""
    report: str = ""


@router.post("/correct", summary="Correct a BVH or NPZ motion file")
def correct(
    backend: Context,
    file: Annotated[UploadFile, File(description="A .bvh or .npz motion.")],
    corrector: Annotated[str, Form(max_length=64)] = "physics",
    options: Annotated[str, Form(max_length=10_000, description="The corrector's options as a JSON object.")] = "{}",
    unit: Annotated[Unit, Form(description="Length unit of a BVH file, which states none.")] = "auto",
    report: Annotated[
        Literal["html", "png", "none"], Form(description="Form of the report with curves before and after.")
    ] = "html",
) -> CorrectView:
    suffix = Path(file.filename or "").suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidMotion(
            f"{suffix or 'A file without a suffix'} cannot be read.", f"Send one of: {', '.join(SUFFIXES)}."
        )
    name = secrets.token_hex(16)
    kept = _folder(backend)
    _sweep(kept)
    with tempfile.TemporaryDirectory(prefix="loopscope-") as folder:
        source = Path(folder) / f"upload{suffix}"
        source.write_bytes(file.file.read())
        done: CorrectReport = run_apart(
            "backend.correctfile:correct_file",
            TIMEOUT_S,
            input_path=source,
            output_path=kept / f"{name}.npz",
            kind=corrector,
            options=_options(options),
            unit=unit,
            report_path=None if report == "none" else kept / f"{name}.{report}",
            file_name=Path(file.filename or "").name,
            max_frames=backend.settings.max_frames,
        )
    return CorrectView(
        **done.model_dump(),
        id=name if done.status != "rejected" else "",
        report="" if report == "none" else f"/corrections/{name}/report.{report}",
    )


@router.get(
    "/corrections/{name}/motion.{form}",
    summary="A corrected motion",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def corrected_motion(
    backend: Context,
    name: Annotated[str, PathParameter(pattern=r"^[0-9a-f]{32}$")],
    form: Literal["bvh", "npz"],
) -> Response:
    from backend.motionfiles import read_motion, write_motion

    path = _folder(backend) / f"{name}.npz"
    if not path.is_file():
        raise NotFound(f"There is no corrected motion {name!r}.", "They are kept for a day; send the file again.")
    headers = {"content-disposition": f'attachment; filename="corrected-{name[:8]}.{form}"'}
    return Response(write_motion(read_motion(path), form), media_type=MEDIA_TYPES[form], headers=headers)


@router.get(
    "/corrections/{name}/report.{form}",
    summary="The report of a correction",
    response_class=Response,
    responses={200: {"content": {"text/html": {}, "image/png": {}}}},
)
def correction_report(
    backend: Context,
    name: Annotated[str, PathParameter(pattern=r"^[0-9a-f]{32}$")],
    form: Literal["html", "png"],
) -> Response:
    path = _folder(backend) / f"{name}.{form}"
    if not path.is_file():
        raise NotFound(f"There is no report {name!r}.", "They are kept for a day; send the file again.")
    headers = {
        "content-disposition": f'attachment; filename="report-{name[:8]}.{form}"',
        "x-content-type-options": "nosniff",
    }
    return Response(path.read_bytes(), media_type=MEDIA_TYPES[form], headers=headers)


def _options(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise InvalidConfig(
            "The options are no JSON.", 'Send an object such as {"strength": 0.5}.', "options"
        ) from None
    if not isinstance(value, dict):
        raise InvalidConfig("The options are no JSON object.", 'Send an object such as {"strength": 0.5}.', "options")
    return value


def _folder(backend: Context) -> Path:
    folder = backend.settings.home / "cache" / "corrections"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _sweep(folder: Path) -> None:
    """Forget what is older than a day."""
    for path in folder.iterdir():
        try:
            if time.time() - path.stat().st_mtime > KEEP_S:
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            continue  # another request was faster
