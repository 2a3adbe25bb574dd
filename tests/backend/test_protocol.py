"""The paper's protocol: four arms for each choice, one baseline per n and seed, sized to the device."""

from typing import Any

import pytest

from backend import parts
from backend.context import Backend
from backend.estimate import Past, beginning, estimate_from
from backend.presets import PROTOCOL, launch_preset, look, preset
from backend.protocol import Device, ProtocolChoices, protocol, read_choices, sized_for
from core.errors import InvalidConfig


def names(device: Device = "cpu", **choices: Any) -> list[str]:
    return [name for name, _ in protocol(read_choices(choices), device).loops]


def test_four_arms_that_share_generation_zero() -> None:
    loops = protocol(ProtocolChoices(), "cpu").loops
    assert [name for name, _ in loops] == ["Real only", "Raw", "Corrected", "Raw, guidance 1"]
    assert [config.arm for _, config in loops] == ["real", "raw", "corrected", "raw"]
    assert len({beginning(config) for _, config in loops}) == 1
    assert len({config.training for _, config in loops}) == 1, "the baseline takes as many steps"
    assert [config.sampling.guidance_synthesis for _, config in loops] == [2.5, 2.5, 2.5, 1.0]


def test_the_papers_grid_has_one_baseline_per_n_and_seed() -> None:
    found = names(n="64, 128, 256", lam=".25, .5, .75, 1", seeds="0, 1", scale="small")
    assert len(found) == 3 * 2 * (1 + 4 * 3) == len(set(found))
    assert sum("Real only" in name for name in found) == 6
    assert "n = 128, λ = 0.75, Corrected, seed 1" in found


def test_all_of_a_data_set_is_as_many_windows_as_it_holds() -> None:
    (n,) = {config.n for _, config in protocol(read_choices({"n": "all"}), "cpu").loops}
    assert n == 16  # 33.6 s of clips


def test_the_model_follows_the_device_and_says_why() -> None:
    big, small = sized_for("cuda"), sized_for("cpu")
    assert (big.model.kind, small.model.kind) == ("transformer", "latent-mlp")
    assert "CUDA is here" in big.words and "no CUDA device" in small.words
    assert sized_for("cpu", "transformer").model == big.model, "it can be chosen against the device"
    for device, generations in (("cuda", 50), ("cpu", 10)):
        found = preset(PROTOCOL, device=device)  # type: ignore[arg-type]
        assert {config.generations for _, config in found.loops} == {generations}
        assert [parts.check(config).arm for _, config in found.loops] == ["real", "raw", "corrected", "raw"]


def test_the_papers_size_takes_days_on_a_cpu_and_the_estimate_says_so() -> None:
    big = protocol(read_choices({"scale": "paper", "model": "transformer"}), "cpu")
    small = protocol(ProtocolChoices(), "cpu")
    seconds = [estimate_from(Past(), [config for _, config in one.loops], 2).seconds for one in (big, small)]
    assert seconds[0] > 24 * 3600 and seconds[1] < 600


@pytest.mark.parametrize(
    "choices, field",
    [({"n": "64, 3"}, "n.1"), ({"lam": "x"}, "lam.0"), ({"arms": 2}, "arms"), ({"n": ""}, "n"),
     ({"scale": "big"}, "scale"), ({"n.x": 1, "n.y.z": 2}, "n")],
)  # fmt: skip
def test_a_choice_that_cannot_be_is_named(choices: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidConfig) as error:
        read_choices(choices)
    assert error.value.field.startswith(field)


@pytest.mark.parametrize("n", ["abc", "4", "64, many"])
def test_a_wrong_count_is_told_in_one_sentence(n: str) -> None:
    with pytest.raises(InvalidConfig, match="whole number from 8 to 1,000,000, or: all"):
        read_choices({"n": n})


def test_dotted_paths_go_inside() -> None:
    found = read_choices({"data.options": {}, "data.kind": "npz", "data.options.path": "/somewhere"})
    assert (found.data.kind, found.data.options) == ("npz", {"path": "/somewhere"})


def test_other_presets_leave_nothing_to_choose() -> None:
    with pytest.raises(InvalidConfig, match="as it is"):
        preset("demo", {"n": 64})


def test_launched_with_the_same_choices_it_is_one_group_and_with_others_another(backend: Backend) -> None:
    choices = {"seeds": "3", "scale": "small", "model": "latent-mlp"}
    first = launch_preset(backend, PROTOCOL, choices)
    assert [view.id for view in launch_preset(backend, PROTOCOL, choices)] == [view.id for view in first]
    other = launch_preset(backend, PROTOCOL, {**choices, "lam": "0.5"})
    assert {view.group for view in first} == {"Paper protocol"}
    assert {view.group for view in other} == {"Paper protocol 2"}
    assert look(backend, PROTOCOL, choices).estimate.seconds > 0
