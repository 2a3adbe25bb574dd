"""A sweep is a grid: its loops, their names, its errors in words; launched as one group, and dealt with as one."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from backend import loops, parts
from backend.axisvalues import split
from backend.context import Backend
from backend.grouped import to_all, to_group
from backend.parts import read_config
from backend.quotas import OverQuota
from backend.sweep import launch_sweep, look, sweep_of
from core.config import LoopConfig, with_changes
from core.errors import InvalidConfig, NotFound
from tests.backend.leases import messages

LAMS, KINDS, SEEDS = (0.25, 0.5, 1.0), ("none", "idealized"), (0, 1)
VARY = {"policy.options.lam": ".25, .5, 1", "corrector.kind": "none, idealized"}


def base(**changes: Any) -> LoopConfig:
    return read_config({"domain": "gaussian", "policy": {"kind": "augment"}, "generations": 2, **changes})


def test_every_combination_is_there_once_in_order_with_its_values() -> None:
    found = sweep_of(base(), VARY, SEEDS).configs()
    values = [(c.seed, c.policy.options["lam"], c.corrector.kind) for _, c in found]
    assert values == list(product(SEEDS, LAMS, KINDS))
    names = [name for name, _ in found]
    assert len(set(names)) == len(names)
    assert names[0] == "λ = 0.25, no corrector, seed 0" and names[-1] == "λ = 1, idealized, seed 1"


def test_what_is_not_varied_is_the_bases() -> None:
    first = parts.check(base(n=64))
    for _, config in sweep_of(first, VARY).configs():
        same = {"policy": first.policy, "corrector": first.corrector, "seed": first.seed}
        assert config.model_copy(update=same) == first


def test_another_kind_starts_with_its_own_options_and_the_bases_keeps_its() -> None:
    ideal = base(corrector={"kind": "idealized", "options": {"gamma": 3.0}})
    none, kept = (config for _, config in sweep_of(ideal, {"corrector.kind": "none, idealized"}).configs())
    assert none.corrector.options == {} and kept.corrector.options["gamma"] == 3.0


def test_an_option_may_be_of_a_kind_that_another_axis_takes() -> None:
    found = sweep_of(base(), {"corrector.options.gamma": [0.5, 1], "corrector.kind": ["idealized"]}).configs()
    assert [config.corrector.options["gamma"] for _, config in found] == [0.5, 1.0]


def test_parts_of_a_chain_can_be_varied() -> None:
    chain = {"kind": "chain", "options": {"parts": [{"kind": "idealized", "options": {}}, {"kind": "quality"}]}}
    path = "corrector.options.parts.0.options.gamma"
    found = sweep_of(base(corrector=chain), {path: "1, 2"}).configs()
    assert [c.corrector.options["parts"][0]["options"]["gamma"] for _, c in found] == [1.0, 2.0]  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    "vary, said",
    [
        ({"policy.options.lam": ".25, much"}, "'much'"),
        ({"corrector.kind": "none, magic"}, "'magic'"),
        ({"n": "3"}, "'3'"),
        ({"n": "50, 50.0"}, "50 twice"),
        ({"n": ""}, "No values"),
        ({"nonsense": "1"}, "'nonsense'"),
        ({"seed": "1, 2"}, "Seeds are given apart"),
        ({"corrector": "none"}, "corrector.kind"),
        ({"corrector.options.gamma": "1"}, "Options of 'none'"),
        ({"evaluation.samples": [True]}, "True"),
    ],
)
def test_what_cannot_be_names_the_axis_and_the_value(vary: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidConfig) as error:
        sweep_of(base(), vary).configs()
    assert said in str(error.value)
    assert error.value.field == next(iter(vary))


def test_a_combination_that_cannot_be_says_which_loop() -> None:
    with pytest.raises(InvalidConfig, match="In the loop 'real, λ = 1'"):
        sweep_of(base(), {"policy.kind": "augment, real", "policy.options.lam": "1"}).configs()


def test_too_many_loops_are_refused_before_any_is_made() -> None:
    many = ", ".join(map(str, range(8, 108)))
    with pytest.raises(InvalidConfig, match=r"100 x 100 x 2 seeds are 20,000 loops"):
        sweep_of(base(), {"n": many, "generations": many}, SEEDS).configs()


@pytest.mark.parametrize(
    "text, bits", [("1, 2", ["1", "2"]), ("[1, 2], [3]", ["[1, 2]", "[3]"]), ('"a,b", c', ['"a,b"', "c"])]
)
def test_values_are_split_outside_of_brackets_and_quotes(text: str, bits: list[str]) -> None:
    assert split(text) == bits


def test_an_edit_leads_into_a_list_or_says_that_it_does_not() -> None:
    chain = base(corrector={"kind": "chain", "options": {"parts": [{"kind": "idealized", "options": {}}]}})
    for path in ("corrector.options.parts.7.options.gamma", "corrector.options.parts.0"):
        with pytest.raises(InvalidConfig, match="no option"):
            with_changes(chain, {path: 1})


def test_launched_twice_it_is_one_group(backend: Backend) -> None:
    wanted = sweep_of(base(), VARY, SEEDS)
    first = launch_sweep(backend, wanted)
    assert [view.name for view in first] == [name for name, _ in wanted.configs()]
    assert {view.group for view in first} == {"Sweep of λ x corrector"}
    assert [view.id for view in launch_sweep(backend, wanted)] == [view.id for view in first]
    assert {view.group for view in launch_sweep(backend, wanted, again=True)} == {"Sweep of λ x corrector 2"}


def test_what_does_not_fit_is_launched_not_at_all_and_told_before(make_backend: Callable[..., Backend]) -> None:
    backend = make_backend(max_active_loops=11)
    wanted = sweep_of(base(), VARY, SEEDS)
    seen = look(backend, wanted)
    assert len(seen.loops) == 12 and seen.estimate.seconds > 0 and "12 more would be above the 11" in seen.refused
    with pytest.raises(OverQuota):
        launch_sweep(backend, wanted)
    assert loops.list_loops(backend) == [] and messages(backend) == []
    assert look(backend, sweep_of(base(), VARY)).refused == ""


def test_a_group_is_cancelled_while_it_runs_and_goes_on_as_one(backend: Backend) -> None:
    views = launch_sweep(backend, sweep_of(base(), VARY), "mine")
    loops.cancel(backend, views[0].id)
    outcome = to_group(backend, "cancel", "mine")
    assert outcome.passed_over == 1 and len(outcome.done) == 5 and outcome.refused == []
    assert outcome.sentence == "Asked 5 loops to stop; 1 loop had nothing to cancel."
    assert {view.state for view in loops.list_loops(backend, group="mine")} == {"cancelled"}
    assert to_group(backend, "cancel", "mine").done == []
    assert to_group(backend, "resume", "mine").sentence == "6 loops go on."
    assert {view.state for view in loops.list_loops(backend, group="mine")} == {"queued"}


def test_a_group_goes_on_whole_or_not_at_all(make_backend: Callable[..., Backend]) -> None:
    backend = make_backend(max_active_loops=6)
    launch_sweep(backend, sweep_of(base(), VARY), "mine")
    to_group(backend, "cancel", "mine")
    loops.launch(backend, base(seed=9))
    with pytest.raises(OverQuota, match="6 more"):
        to_group(backend, "resume", "mine")
    assert {view.state for view in loops.list_loops(backend, group="mine")} == {"cancelled"}


def test_a_deleted_group_comes_back(backend: Backend) -> None:
    views = launch_sweep(backend, sweep_of(base(), {"n": "50, 60"}), "mine")
    assert to_group(backend, "delete", "mine").sentence == "Deleted 2 loops."
    assert loops.list_loops(backend) == []
    with pytest.raises(NotFound, match="mine"):
        to_group(backend, "cancel", "mine")
    assert to_group(backend, "restore", "mine").sentence == "2 loops are back."
    assert {view.id for view in loops.list_loops(backend)} == {view.id for view in views}


def test_ids_that_name_nothing_are_no_harm(backend: Backend) -> None:
    assert to_all(backend, "cancel", ["nobody"]).sentence == "Asked 0 loops to stop."
