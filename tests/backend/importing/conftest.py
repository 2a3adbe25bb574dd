"""Folders of motion files as people have them."""

from tests.backend.conftest import no_settings_from_outside

__all__ = ["no_settings_from_outside"]
