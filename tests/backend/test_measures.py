"""Fast ways to the metrics give exactly what the plain query gives, on both databases."""

import random

import pytest
from sqlalchemy import select

from backend import measures, roster
from backend.context import Backend
from backend.tables import Artifact, Generation, Loop, MetricValue, utc_now

NAMES = ("fid", "recall", "w2")


def keep(backend: Backend, seed: int) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Loops with gaps, values that could not be computed, and metrics that some lack; what is there, plainly."""
    draw = random.Random(seed)
    with backend.database.write() as session:
        for k in range(draw.randint(1, 6)):
            loop_id, last, now = f"{seed:04d}{k:04d}", draw.randint(-1, 5), utc_now()
            session.add(
                Loop(id=loop_id, name=f"loop {k}", group="g" if k % 2 else "", config={}, config_digest="",
                     state="done", generation=last, revision=k, created_at=now, updated_at=now)
            )  # fmt: skip
            session.flush()
            for t in range(last + 1):
                session.add(
                    Generation(loop_id=loop_id, index=t, counts={}, training={}, seconds={}, recorded_at=now)
                )  # fmt: skip
                for name in NAMES:
                    if draw.random() < 0.7:
                        value = None if draw.random() < 0.2 else draw.uniform(-1, 1) * 10 ** draw.randint(-300, 300)
                        session.add(MetricValue(loop_id=loop_id, generation=t, name=name, value=value))
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    with backend.database.read() as session:
        query = select(MetricValue).order_by(MetricValue.loop_id, MetricValue.name, MetricValue.generation)
        for row in session.scalars(query):
            if row.value is not None:
                found.setdefault(row.loop_id, {}).setdefault(row.name, []).append((row.generation, row.value))
    return found


def test_every_way_gives_what_the_plain_query_gives(either_backend: Backend) -> None:
    for seed in range(12):
        plain = keep(either_backend, seed)
        ids = [*plain, "nobody"]
        assert measures.curves(either_backend, ids) == plain
        for names in (["fid"], ["w2", "recall"], ["magic"], []):
            wanted = {key: {n: v for n, v in of.items() if n in names} for key, of in plain.items()}
            wanted = {key: of for key, of in wanted.items() if of}
            assert measures.curves(either_backend, ids, names) == wanted
            arrays = measures.points(either_backend, ids, names)
            told = {
                key: {name: list(zip(ts.tolist(), values.tolist(), strict=True)) for name, (ts, values) in of.items()}
                for key, of in arrays.items()
            }
            assert told == wanted


def test_points_cannot_be_written_to(either_backend: Backend) -> None:
    plain = keep(either_backend, 3)
    loop_id, name = next((key, name) for key, of in plain.items() for name in of)
    for array in measures.points(either_backend, [loop_id], [name])[loop_id][name]:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_metrics_of_a_loop_are_those_of_its_first_and_last_generation(either_backend: Backend) -> None:
    plain = keep(either_backend, 5)
    entries = {entry.id: entry for entry in roster.entries(either_backend)}
    with either_backend.database.read() as session:
        last = {loop_id: session.get_one(Loop, loop_id).generation for loop_id in entries}
    wanted = {
        key: {name for name, pairs in of.items() if {0, last[key]} & {t for t, _ in pairs}} for key, of in plain.items()
    }
    assert measures.names_of(either_backend, list(plain)) == {key: names for key, names in wanted.items() if names}


def test_the_first_floor_that_there_is(backend: Backend) -> None:
    for seed in range(1, 30):
        keep(backend, seed)
    ids = [entry.id for entry in roster.entries(backend)]
    assert len(ids) > 2 * measures.FLOORS_AT_ONCE and measures.first_floor(backend, ids) == {}
    with backend.database.write() as session:
        for k, loop_id in ((-1, ids[-1]), (-2, ids[-2])):
            facts = {"floor": {"fid": [float(k)]}}
            session.add(
                Artifact(loop_id=loop_id, generation=0, name="metrics", digest="0" * 64, size=0, facts=facts)
            )  # fmt: skip
    assert measures.first_floor(backend, ids) == {"fid": [-2.0]}
    assert measures.first_floor(backend, ids[:-2]) == {}
