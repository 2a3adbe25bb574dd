"""Seeds of one setting make one line; an arm keeps its colour; a second group of an arm gets another."""

from app.groups import Group, corrector_words, group_loops, without_seed
from app.theme import ARM_COLOURS, FURTHER_COLOURS
from backend.context import Backend
from backend.presets import launch_preset
from core.config import PartConfig
from tests.app.seeding import small


def groups(backend: Backend, key: str, by: str) -> list[Group]:
    return group_loops(launch_preset(backend, key), by)


def test_seeds_of_one_setting_are_one_line(backend: Backend) -> None:
    found = groups(backend, "paper-regime", "setting")
    assert [len(group.loops) for group in found] == [3, 3, 3, 3]
    assert len({group.title for group in found}) == 4
    assert all(group.title == f"{group.label} (3 seeds)" for group in found)


def test_an_arm_has_its_colour_and_the_second_of_its_kind_another(backend: Backend) -> None:
    found = groups(backend, "paper-regime", "setting")
    first = {group.arm: group.colour for group in reversed(found)}
    assert first == ARM_COLOURS
    others = [group.colour for group in found if group.colour not in ARM_COLOURS.values()]
    assert others == [FURTHER_COLOURS[0]]


def test_colours_do_not_depend_on_the_order_of_listing(backend: Backend) -> None:
    views = launch_preset(backend, "paper-regime")
    assert group_loops(views[::-1]) == group_loops(views)


def test_grouping_by_arm_lumps_the_raw_ones(backend: Backend) -> None:
    found = groups(backend, "paper-regime", "arm")
    assert {group.arm: len(group.loops) for group in found} == {"real": 3, "raw": 6, "corrected": 3}


def test_every_loop_for_itself(backend: Backend) -> None:
    found = groups(backend, "demo", "name")
    assert [group.title for group in found] == [group.loops[0].name for group in found]


def test_an_unknown_grouping_is_the_usual_one(backend: Backend) -> None:
    assert len(groups(backend, "demo", "nonsense")) == 3


def test_line_style_tells_policies_apart_only_where_there_are_several(backend: Backend) -> None:
    from backend import loops

    views = [loops.launch(backend, small(policy=PartConfig(kind=kind)), name=kind) for kind in ("replace", "augment")]
    assert [group.dash for group in group_loops(views)] == ["solid", "dash"]
    assert [group.dash for group in group_loops(views[1:])] == ["solid"]


def test_two_groups_of_one_name_are_told_apart(backend: Backend) -> None:
    from backend import loops

    configs = (small(n=32), small(n=64, policy=PartConfig(kind="augment")))
    views = [loops.launch(backend, config, name="same") for config in configs]
    assert [group.title for group in group_loops(views)] == ["same", "same #2"]


def test_words() -> None:
    chain = {"kind": "chain", "options": {"parts": [{"kind": "idealized"}, {"kind": "physics"}]}}
    assert corrector_words(chain) == "idealized + physics"
    assert corrector_words({"kind": "none"}) == "none"
    assert without_seed("Raw, guidance 1, seed 12") == "Raw, guidance 1"
    assert without_seed("seed 3") == "seed 3"
