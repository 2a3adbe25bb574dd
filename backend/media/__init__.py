"""Pictures and films of motions, rendered off-screen with pyrender.

OpenGL runs in a child process, one per call: a driver that crashes takes no server with it, and nothing is imported
until a picture is asked for. The child gets :class:`Job` through its standard input and answers with the file's bytes.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence

from backend.media.panes import ARM_COLORS, Job, Pane
from core.errors import InvalidMotion, LoopscopeError
from core.motion import Motion

__all__ = ["ARM_COLORS", "Pane", "RenderFailed", "contact_sheet", "render_side_by_side", "thumbnail"]

TIMEOUT_S = 600.0
MAX_FILM_S = 90.0
NO_DISPLAY = 3  # the child's exit code for a machine without EGL
PACKAGES = "libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri"


class RenderFailed(LoopscopeError):
    """The machine cannot render, or the renderer broke."""

    code = "render_failed"


def render_side_by_side(panes: Sequence[Pane], *, width: int = 1200, height: int = 520, fps: float = 20.0) -> bytes:
    """An MP4 (H.264, yuv420p) of motions playing together under one camera.

    Args:
        panes: left to right; shorter motions hold their last frame.
        width, height: of the whole picture; rounded down to even numbers.
        fps: of the film; motions are shown in real time.

    Raises:
        InvalidMotion: when there is nothing to show.
        RenderFailed: when OpenGL (EGL) is missing or broke.
    """
    longest = max((pane.motion.seconds for pane in panes), default=0.0)
    if longest > MAX_FILM_S:
        raise InvalidMotion(f"A film of {longest:.0f} s is too long.", f"Cut the motion to {MAX_FILM_S:.0f} s.")
    return _run(Job("film", tuple(panes), {"width": width, "height": height, "fps": fps}))


def contact_sheet(panes: Sequence[Pane], columns: int = 8) -> bytes:
    """A PNG with a row per motion and ``columns`` moments of the common time; raises as :func:`render_side_by_side`."""
    return _run(Job("sheet", tuple(panes), {"columns": columns}))


def thumbnail(motion: Motion, *, color: str = ARM_COLORS["real"], width: int = 320, height: int = 240) -> bytes:
    """A PNG of one motion as a few fading poses; raises as :func:`render_side_by_side`."""
    return _run(Job("thumbnail", (Pane(motion, "", color),), {"width": width, "height": height}))


def _run(job: Job) -> bytes:
    if not job.panes or any(not len(pane.motion) for pane in job.panes):
        raise InvalidMotion("There is no motion to render.")
    try:
        child = subprocess.run(
            [sys.executable, "-m", "backend.media.child"],
            input=pickle.dumps(job),
            capture_output=True,
            timeout=TIMEOUT_S,
            env=os.environ | {"PYOPENGL_PLATFORM": "egl", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RenderFailed(f"Rendering took more than {TIMEOUT_S:.0f} s.", "Render fewer or shorter motions.") from None
    if child.returncode == 0:
        return child.stdout
    said = child.stderr.decode(errors="replace").strip().splitlines()
    last = said[-1] if said else f"exit code {child.returncode}"
    if child.returncode == NO_DISPLAY:
        raise RenderFailed(
            f"This machine cannot render off-screen: {last}.", f"Install OpenGL's EGL: apt-get install {PACKAGES}."
        )
    raise RenderFailed(f"Rendering failed: {last}.", "Look at the motion in the browser instead.")
