"""A worker that knows the toy parts: ``python -m tests.worker.toy_worker --queues gpu``."""

import argparse
import sys

from backend.settings import read_settings
from tests.backend.toys import registries
from worker.celery_app import run_worker

if __name__ == "__main__":
    for registry, kind, entry in registries():
        registry[kind] = entry
    parser = argparse.ArgumentParser()
    parser.add_argument("--queues", required=True)
    sys.exit(run_worker(read_settings(), parser.parse_args().queues, warm=False))
