"""Loops run while worker, server and broker processes are killed at random instants; nothing may be lost or doubled.

python -m benchmarks.chaos [--kills 200] [--seed 0] [--json] [--database sqlite|postgresql] [--between 0.5,4]

Tiny motion loops (stage by stage) and Gaussian ones (in blocks, stacked) are launched, read and extended over HTTP by a
client that asks again when no answer comes. SIGKILL goes to the gpu worker, the cpu worker, one of its children, the
web server and the bundled broker, sometimes to two at once, at instants and in an order that the seed decides.

lost: generations that an answer showed and that were gone or different later, or loops that are not there at the end.
duplicated: stages, artifacts or generations that were published twice, loops that were launched twice.
stuck: loops that were not done when nothing had moved for a while after the last kill.
metrics_equal: every loop's metrics are those of the same config in one undisturbed process.
"""

import argparse
import json
import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from app.console import print_table, print_text  # noqa: E402  (the number of threads is read at import)
from backend.client import Client  # noqa: E402
from backend.context import Backend, open_backend  # noqa: E402
from backend.processes import Supervisor  # noqa: E402
from backend.settings import read_settings  # noqa: E402
from benchmarks import _chaoswatch as watching  # noqa: E402
from benchmarks._chaoskills import Killer, plan, survivors  # noqa: E402
from benchmarks._chaosloops import Numbers, Person, ReferenceMemo, equal, numbers_of, reference, tell, warm  # noqa: E402
from core.errors import LoopscopeError  # noqa: E402

AT_ONCE = 4  # motion loops under way, and light ones
STILL_S = 120.0  # without any news after the last kill: stuck
START_S = 120.0
ANSWER_S = 600.0  # of a server that is killed again and again
STALE_S = 4.0
SERVER = (sys.executable, "-m", "app.cli", "serve")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout, and nothing else")
    parser.add_argument("--kills", type=int, default=200, help="processes to kill")
    parser.add_argument("--seed", type=int, default=0, help="decides victims and instants")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--between", default="0.5,4", metavar="SECONDS", help="shortest and longest pause")
    parser.add_argument("--keep", action="store_true", help="leave the data folder for a look at its logs")
    arguments = parser.parse_args()
    try:
        shortest, longest = (float(word) for word in arguments.between.split(","))
    except ValueError:
        parser.error(f"--between takes two numbers of seconds, such as 0.5,4; got {arguments.between!r}.")
    if arguments.kills < 1 or not 0 <= shortest <= longest:
        parser.error("--kills must be 1 or more, and --between a shorter and a longer time.")
    with data_folder(arguments.keep) as home, database(arguments.database) as url:
        found = run(home, url, arguments.kills, arguments.seed, (shortest, longest))
    if arguments.json:
        print(json.dumps(found, indent=1, allow_nan=False))
        return
    print_table(("", "found"), [(name, json.dumps(value)) for name, value in found.items()], title="Chaos")
    print_text("lost, duplicated and stuck are to be 0.")


def run(home: Path, url: str, kills: int, seed: int, between: tuple[float, float]) -> dict[str, Any]:
    """The whole drill in one data folder; its figures."""
    settings = read_settings(
        home=home, port=free_port(), database_url=url, redis_url="", cpu_workers=2, device="cpu",
        stale_after_s=STALE_S, min_free_mb=0,
    )  # fmt: skip
    backend = open_backend(settings)
    try:
        warm(backend)
        supervisor = Supervisor(settings, server=SERVER)
        supervisor.start()
        try:
            with Client(f"http://{settings.host}:{settings.port}", timeout_s=60.0) as client:
                person = Person(client, ANSWER_S)
                return _under_fire(backend, supervisor, person, plan(kills, seed, *between))
        finally:
            supervisor.stop()
    finally:
        backend.close()


def _under_fire(backend: Backend, supervisor: Supervisor, person: Person, kills: list[Any]) -> dict[str, Any]:
    watch, killer = watching.Watch(backend), Killer(supervisor, backend, kills)
    person.keep_busy(AT_ONCE)
    _until_something_is_recorded(person)
    began = time.monotonic()
    killer.start()
    while killer.is_alive():
        person.attend()
        watch.look()
        person.keep_busy(AT_ONCE)
        time.sleep(0.2)
    _until_still(person, watch)
    seconds = time.monotonic() - began
    views = {view.name: view for view in person.loops()}
    final = {name: numbers_of(person.ask(lambda c, i=view.id: c.generations(i))) for name, view in views.items()}  # type: ignore[misc]
    for name in person.wanted:
        person.compare(name, final.get(name, {}))
    different = _different(person, final, ReferenceMemo(backend.memo))
    gone = sorted({name for name in person.wanted if name not in views})
    doubled = [*map(str, sorted(watch.replaced)), *watching.doubled_loops(backend)]
    doubled += [*watching.doubled_blocks(backend), *watching.doubled_ends(backend)]
    stuck = [f"{view.name}: {view.state}, {view.sentence}" for view in views.values() if view.state != "done"]
    damaged = watching.damaged_files(backend) + watching.damaged_database(backend)
    return {
        "kills": killer.spent,
        "lost": len(person.changed) + len(watch.gone) + len(gone),
        "duplicated": len(doubled),
        "stuck": len(stuck),
        "metrics_equal": not different,
        "seconds": round(seconds, 1),
        "by_victim": dict(killer.killed),
        "killed_at_work": killer.at_work,
        "loops": len(person.wanted),
        "generations": sum(len(numbers) for numbers in final.values()),
        "resumed": person.resumed,
        "unanswered": person.unanswered,
        "events": watching.events(backend),
        "damaged": damaged,
        "orphans": survivors(killer.orphans),
        "unfinished_files": len(watching.unfinished_files(backend.settings.home / "artifacts")),
        "details": [
            *person.trouble, *stuck, *doubled, *gone, *map(str, sorted(person.changed)), *map(str, sorted(watch.gone)),
            *(f"{name}: other numbers than in one process" for name in different),
        ],
    }  # fmt: skip


def _until_something_is_recorded(person: Person) -> None:
    limit = time.monotonic() + START_S
    while not any(view.generation >= 0 for view in person.loops()):
        if time.monotonic() > limit:
            raise SystemExit("chaos: nothing is recorded, though nothing was killed yet; see the logs with --keep.")
        time.sleep(0.5)


def _until_still(person: Person, watch: watching.Watch) -> None:
    """Wait until all is done, or nothing has moved for STILL_S."""
    moved_at, known = time.monotonic(), -1
    while time.monotonic() - moved_at < STILL_S:
        try:
            person.attend()
        except LoopscopeError as error:
            person.trouble.append(tell(error))
        watch.look()
        if len(watch.known) != known:
            moved_at, known = time.monotonic(), len(watch.known)
        if len(person.finished) == len(person.wanted):
            return
        time.sleep(0.3)


def _different(person: Person, final: dict[str, Numbers], memo: ReferenceMemo) -> list[str]:
    """Loops whose metrics are not those of one undisturbed process."""
    kept: dict[str, Numbers] = {}
    found = []
    for name, config in person.wanted.items():
        key = config.model_dump_json()
        if key not in kept:
            kept[key] = reference(config, memo)
        expected = {t: metrics for t, metrics in kept[key].items() if t in final.get(name, {})}
        if not equal(final.get(name, {}), expected, config.domain != "motion") or not expected:
            found.append(name)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def data_folder(keep: bool) -> Iterator[Path]:
    """A fresh one; its path goes to stderr where it is kept."""
    if keep:
        folder = tempfile.mkdtemp(prefix="loopscope-chaos-")
        sys.stderr.write(f"chaos: the data folder is {folder}\n")
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory(prefix="loopscope-chaos-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def database(kind: str) -> Iterator[str]:
    """URL of a database of its own, dropped afterwards; "" for SQLite in the data folder."""
    if kind == "sqlite":
        yield ""
        return
    from sqlalchemy import create_engine, text

    user = os.environ.get("PGUSER", "postgres")
    name = f"loopscope_chaos_{secrets.token_hex(4)}"
    server = create_engine(f"postgresql+psycopg://{user}@127.0.0.1:5432/postgres", isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield f"postgresql://{user}@127.0.0.1:5432/{name}"
    finally:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        server.dispose()


if __name__ == "__main__":
    main()
