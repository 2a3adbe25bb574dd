"""One thread of linear algebra, SciPy's included."""

from contextlib import AbstractContextManager

from core.threads import threads


def one_thread() -> AbstractContextManager[None]:
    """See :func:`core.threads.threads`."""
    import scipy.linalg  # noqa: F401  (its BLAS must be loaded to be held back)

    return threads(1)
