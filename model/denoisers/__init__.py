"""Networks that predict clean motion from noisy motion: ``forward(x, t, y)``. Registry: :data:`MODELS`."""

from model.denoisers.registry import MODELS

__all__ = ["MODELS"]
