"""A web server that knows the toy parts: ``python -m tests.integration.toy_server``."""

from app.up import run_server
from backend.settings import read_settings
from tests.backend.toys import registries

if __name__ == "__main__":
    for registry, kind, entry in registries():
        registry[kind] = entry
    run_server(read_settings())
