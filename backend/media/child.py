"""The rendering process: a job on standard input, the file on standard output. Errors end it; it holds nothing else."""

import os
import pickle
import sys
from typing import Any

NO_DISPLAY = 3


def main() -> int:
    os.environ["PYOPENGL_PLATFORM"] = "egl"  # before pyrender is imported
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what drivers say must not end up in the picture
    job = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by our parent process, nobody else
    try:
        import pyrender

        pyrender.OffscreenRenderer(8, 8).delete()
    except Exception as error:  # whatever the driver's loader raises means the same
        sys.stderr.write(f"\n{type(error).__name__}: {error}".replace("\n", " ") + "\n")
        return NO_DISPLAY
    from backend.media import sheets

    draw: Any = {"film": sheets.film, "sheet": sheets.sheet, "thumbnail": sheets.thumbnail}[job.kind]
    out.write(draw(job.panes, **job.options))
    out.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
