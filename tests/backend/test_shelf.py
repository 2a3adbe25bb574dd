import numpy as np
import pytest

from backend import stages
from backend.context import Backend
from backend.shelf import FactShelf, SqlShelf
from core.errors import DataMissing
from core.records import Item
from tests.backend.leases import claimed, start


def test_a_stage_sees_what_it_saved_others_when_it_is_published(backend: Backend) -> None:
    loop, first = start(backend)
    lease = claimed(backend, first)
    mine, theirs = SqlShelf(backend, loop.id), SqlShelf(backend, loop.id)
    item = Item({"x": np.arange(3)}, {"counts": {"real": 1}, "training": {}})
    mine.save(0, "model", item)
    assert mine.load(0, "model").arrays["x"].tolist() == [0, 1, 2]
    with pytest.raises(DataMissing, match="Generation 0"):
        theirs.load(0, "model")
    stages.publish(backend, lease, mine.pending, lambda _: 1, seconds=0.0)
    assert theirs.load(0, "model").arrays["x"].tolist() == [0, 1, 2]
    with pytest.raises(DataMissing):
        SqlShelf(backend, "another").load(0, "model")


def test_facts_are_read_only() -> None:
    shelf = FactShelf({(1, "model"): {"counts": {}}})
    assert shelf.load(1, "model").meta == {"counts": {}}
    with pytest.raises(TypeError):
        shelf.save(1, "model", Item())
