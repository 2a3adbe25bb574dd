"""``python -m worker --queues gpu``: a worker, for the supervisor."""

import argparse
import sys

from backend.settings import read_settings
from worker.celery_app import run_worker


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m worker", description=__doc__)
    parser.add_argument("--queues", default="gpu,cpu", help="gpu (networks), cpu (physics), or both")
    return run_worker(read_settings(), parser.parse_args().queues)


if __name__ == "__main__":
    sys.exit(main())
