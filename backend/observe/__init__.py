"""The installation seen from outside: probes, Prometheus metrics, and what the System page shows."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from backend.context import Backend


def add_probes(app: "FastAPI", backend: "Backend") -> None:
    """``/healthz``, ``/readyz`` and ``/metrics``, and a count of all requests of ``app``."""
    from backend.observe.routes import add_probes

    add_probes(app, backend)
