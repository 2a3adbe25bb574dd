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

MEMORY_MB = 4096
"""Of address space, for each: three times what the largest motion needs that is let in."""


class TookTooLong(LoopscopeError):
    """The function did not end in time."""

    code = "timeout"


class TookTooMuch(LoopscopeError):
    """The function wanted more memory than it may have."""

    code = "out_of_memory"


def run_apart(target: str, timeout_s: float, memory_mb: int = MEMORY_MB, /, **arguments: Any) -> Any:
    """What ``target`` (``"package.module:function"``) returns, called with ``arguments`` in a fresh process.

    Args:
        memory_mb: most address space, which Linux alone holds a process to.

    Raises:
        LoopscopeError: what the function raised; TookTooLong; TookTooMuch; or that the process crashed.
    """
    with AT_ONCE:
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "backend.apart"],
                input=pickle.dumps((target, memory_mb, arguments)),
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
    target, memory_mb, arguments = pickle.load(sys.stdin.buffer)
    module, _, name = target.partition(":")
    _hold_to(memory_mb)
    try:
        result = (False, getattr(importlib.import_module(module), name)(**arguments))
    except LoopscopeError as error:
        result = (True, told(error))
    except MemoryError:
        much = TookTooMuch(
            f"This takes more than {memory_mb} MB of memory.", "Try a shorter motion, or a smaller file."
        )
        result = (True, told(much))
    with answer:
        pickle.dump(result, answer)


def _hold_to(memory_mb: int) -> None:
    """Let the system refuse this process, and those that it starts, more memory than that."""
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


if __name__ == "__main__":
    main()
