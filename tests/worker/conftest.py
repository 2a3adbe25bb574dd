"""The fixtures of tests/backend, for the workers' tests too."""

from tests.backend.conftest import (
    backend,
    make_backend,
    make_settings,
    no_settings_from_outside,
    postgres_url,
    redis_url,
    toys,
)

__all__ = ["backend", "make_backend", "make_settings", "no_settings_from_outside", "postgres_url", "redis_url", "toys"]
