"""The servers of this machine and a clean environment, for tests that start everything as separate programs."""

from tests.backend.conftest import no_settings_from_outside, postgres_url, redis_url

__all__ = ["no_settings_from_outside", "postgres_url", "redis_url"]
