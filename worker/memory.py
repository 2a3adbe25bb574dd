"""Memory after it ran out."""

import gc
import sys


def free_memory() -> None:
    """Give back what failed work left behind, the accelerator's cache too, so that other work may succeed here."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
