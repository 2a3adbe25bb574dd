"""Runs one function in a process of its own: renderers and simulators that may hang or crash must not take the server
along, and OpenGL wants a main thread."""

import importlib
import os
import pickle
import subprocess
import sys
import threading
from typing import Any

from backend.failures import rebuilt, told
from core.errors import LoopscopeError

AT_ONCE = threading.Semaphore(2)
"""More of them would only take the cores from the workers."""


class TookTooLong(LoopscopeError):
    """The function did not end in time."""

    code = "timeout"


def run_apart(target: str, timeout_s: float, **arguments: Any) -> Any:
    """What ``target`` (``"package.module:function"``) returns, called with ``arguments`` in a fresh process.

    Raises:
        LoopscopeError: what the function raised; TookTooLong; or that the process crashed.
    """
    with AT_ONCE:
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "backend.apart"],
                input=pickle.dumps((target, arguments)),
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TookTooLong(f"This was not done within {timeout_s:g} s.", "Try a shorter motion.") from None
    if ended.returncode != 0 or not ended.stdout:
        last = ended.stderr.decode(errors="replace").strip().splitlines()
        why = last[-1] if last else f"exit status {ended.returncode}"
        raise LoopscopeError(f"The process for {target.partition(':')[2]} failed: {why[:300]}", "See: loopscope doctor")
    failed, value = pickle.loads(ended.stdout)
    if failed:
        raise rebuilt(**value)
    return value


def main() -> None:
    """The child's side: a pickled call on stdin, a pickled answer on stdout, whatever libraries print on stderr."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    target, arguments = pickle.load(sys.stdin.buffer)
    module, _, name = target.partition(":")
    try:
        result = (False, getattr(importlib.import_module(module), name)(**arguments))
    except LoopscopeError as error:
        result = (True, told(error))
    with answer:
        pickle.dump(result, answer)


if __name__ == "__main__":
    main()
