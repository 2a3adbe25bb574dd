"""What routes are handed: the backend of their application, and checked path parameters."""

from typing import Annotated, Literal

from fastapi import Depends, Path, Request

from backend.context import Backend
from core.config import MOST_PROMPTS


def backend_of(request: Request) -> Backend:
    backend: Backend = request.app.state.backend
    return backend


Context = Annotated[Backend, Depends(backend_of)]
LoopId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="Identifier of a loop.")]
Generation = Annotated[int, Path(ge=0, le=10_000, description="0 is the model trained on real data alone.")]
SampleIndex = Annotated[int, Path(ge=0, le=255 + MOST_PROMPTS, description="Position in the panel; prompts come last.")]
Kind = Literal["real", "raw", "corrected"]
