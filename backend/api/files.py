"""Motions, films and sheets as answers that browsers may keep: what they show never changes."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import Header, Response

from backend import lsm1
from backend.motionfiles import write_motion
from backend.playing import PanelMotion

FORMAT = 2  # of the files below: part of their ETag, so that an upgrade is seen
MEDIA_TYPES: Mapping[str, str] = {
    "lsm": "application/octet-stream",
    "npz": "application/octet-stream",
    "bvh": "text/plain; charset=utf-8",
    "mp4": "video/mp4",
    "png": "image/png",
}
IfNoneMatch = Annotated[str, Header(max_length=500)]
Form = Literal["lsm", "npz", "bvh"]


def motion_file(found: PanelMotion, name: str, form: Form, where: str) -> Response:
    """A motion for the viewer, whose title says ``where`` it is from, or to be kept as NPZ or BVH."""
    if form == "lsm":
        title = f"{found.motion.label or found.motion.text or 'sample'} {where}"
        content = lsm1.encode(found.motion, title=title, outcome=found.outcome, tracks=found.tracks)
    else:
        content = write_motion(found.motion, form)
    return file(content, name, form, download=form != "lsm")


def _etag(name: str, form: str) -> str:
    return f'"{FORMAT}-{name}.{form}"'


def _headers(name: str, form: str) -> dict[str, str]:
    return {"etag": _etag(name, form), "cache-control": "private, max-age=604800, immutable"}


def not_modified(name: str, form: str, if_none_match: str) -> Response | None:
    """The answer to a browser that has the file already; None to one that has not."""
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return Response(status_code=304, headers=_headers(name, form)) if _etag(name, form) in known else None


def file(content: bytes, name: str, form: str, *, download: bool = True) -> Response:
    """A file that never changes under its name."""
    headers = _headers(name, form) | {"x-content-type-options": "nosniff"}
    if download:
        headers["content-disposition"] = f'attachment; filename="loopscope-{name}.{form}"'
    return Response(content, media_type=MEDIA_TYPES[form], headers=headers)
