"""The form shows every option of every registered part, and gives back the config that it was filled from."""

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from pydantic import Field as PydanticField

from app import forms
from backend import parts
from backend.presets import PRESETS
from core.config import LoopConfig, Options, PartConfig, TrainingConfig, parse
from core.errors import InvalidConfig
from core.protocols import Part


@pytest.fixture(scope="module")
def form() -> forms.Form:
    return forms.form_of(parts.catalogue())


def every_kind() -> Iterator[tuple[str, str]]:
    for part, entries in parts.catalogue().items():
        if part != "domain":
            for kind in entries:
                yield part, kind


@pytest.mark.parametrize("part, kind", list(every_kind()))
def test_every_option_of_every_part_has_a_control(form: forms.Form, part: str, kind: str) -> None:
    entry = parts.catalogue()[part][kind]
    paths = {form.fields[i].path for i in form.of_kind(part, kind)}
    expected = {f"{part}/{kind}/{name}" for name in entry.options.model_fields}
    if kind == form.chain:
        expected.discard(f"corrector/{kind}/parts")  # several correctors chosen in order are its parts
    assert paths == expected


@pytest.mark.parametrize("section", forms.SECTIONS)
def test_every_option_of_every_section_has_a_control(form: forms.Form, section: str) -> None:
    shown = {form.fields[i].path for i in form.of_section(section)}
    assert shown == {f"{section}.{name}" for name in forms.SECTIONS[section].model_fields}


def test_elem_ids_are_distinct(form: forms.Form) -> None:
    ids = [field.elem_id for field in form.fields]
    assert len(set(ids)) == len(ids)


def test_labels_come_from_titles_and_help_from_descriptions(form: forms.Form) -> None:
    field = form.fields[form.index("training.steps")]
    info = TrainingConfig.model_fields["steps"]
    assert field.title == info.title
    assert info.description is not None and info.description in field.info


def test_the_defaults_are_the_default_config(form: forms.Form) -> None:
    config = parse(LoopConfig, forms.config_of(form, form.defaults()))
    assert parts.check(config) == parts.check(LoopConfig())


CONFIGS = {
    **{f"{key}: {name}": config for key, preset in PRESETS.items() for name, config in preset.loops[:4]},
    "transformer, accumulate": LoopConfig(
        model=PartConfig(kind="transformer"), policy=PartConfig(kind="accumulate"), seed=7, n=99, generations=3,
        training=TrainingConfig(mode="from-scratch", learning_rate=1e-4),
    ),
    "one corrector": LoopConfig(corrector=PartConfig(kind="idealized", options={"gamma": 0.25})),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_survives_the_form(form: forms.Form, name: str) -> None:
    config = parts.check(CONFIGS[name])
    plain = config.model_dump(mode="json")
    values = forms.values_of(form, plain)
    assert len(values) == len(form.fields)
    again = forms.config_of(form, values, seed=config.seed, base=plain)
    assert parts.check(parse(LoopConfig, again)) == config


def test_options_without_a_control_are_kept_from_the_base(form: forms.Form) -> None:
    changes = {"panel_corrector": PartConfig(kind="physics", options={"rate_hz": 240})}
    config = LoopConfig().model_copy(update={"evaluation": LoopConfig().evaluation.model_copy(update=changes)})
    plain = config.model_dump(mode="json")
    again = forms.config_of(form, forms.values_of(form, plain), base=plain)
    assert again["evaluation"]["panel_corrector"]["options"]["rate_hz"] == 240


def test_correctors_chosen_in_order_become_a_chain(form: forms.Form) -> None:
    values = form.defaults()
    values[form.index("corrector")] = ["physics", "kinematic"]
    part = forms.config_of(form, values)["corrector"]
    assert part["kind"] == form.chain
    assert [p["kind"] for p in part["options"]["parts"]] == ["physics", "kinematic"]


@pytest.mark.parametrize(
    "path, value, words",
    [("n", None, "empty"), ("n", 3, "8"), ("training.batch_size", 2.5, "integer"), ("policy/augment/lam", -1, "0")],
)
def test_a_wrong_value_names_its_field(form: forms.Form, path: str, value: Any, words: str) -> None:
    values = form.defaults()
    values[form.index(path)] = value
    with pytest.raises(InvalidConfig, match=words) as caught:
        parts.check(parse(LoopConfig, forms.config_of(form, values)))
    plain = None if value is None else forms.config_of(form, values)
    found = forms.field_at(form, caught.value.field, plain)
    assert found is not None and found.path == path


def test_an_error_inside_a_chain_finds_its_control(form: forms.Form) -> None:
    values = form.defaults()
    values[form.index("corrector")] = ["kinematic", "idealized"]
    values[form.index("corrector/idealized/gamma")] = -5
    plain = forms.config_of(form, values)
    with pytest.raises(InvalidConfig) as caught:
        parts.check(parse(LoopConfig, plain))
    found = forms.field_at(form, caught.value.field, plain)
    assert found is not None and found.path == "corrector/idealized/gamma"


class Strange(Options):
    """One option of every type that a new part may bring."""

    on: bool = PydanticField(True, title="On")
    way: Literal["a", "b"] = PydanticField("b", title="Way")
    count: int = PydanticField(3, ge=1, le=9, title="Count")
    share: float | None = PydanticField(None, title="Share")
    path: str = PydanticField("", title="Path")
    sizes: list[int] = PydanticField([1, 2], title="Sizes")


def test_a_new_registry_entry_appears_by_itself() -> None:
    new = Part("Strange", "For this test.", Strange, lambda _: None)
    catalogue = parts.catalogue()
    form = forms.form_of({**catalogue, "model": {**catalogue["model"], "strange": new}})
    controls = {form.fields[i].path.rsplit("/", 1)[1]: form.fields[i].control for i in form.of_kind("model", "strange")}
    assert controls == {
        "on": "switch", "way": "choice", "count": "integer", "share": "number", "path": "text", "sizes": "json",
    }  # fmt: skip
    values = form.defaults()
    values[form.index("model")] = "strange"
    values[form.index("model/strange/sizes")] = "[4, 5]"
    values[form.index("model/strange/count")] = 4.0
    options = forms.config_of(form, values)["model"]["options"]
    assert Strange.model_validate(options) == Strange(count=4, sizes=[4, 5])
    values[form.index("model/strange/sizes")] = "[4,"
    with pytest.raises(InvalidConfig, match="Sizes is no JSON"):
        forms.config_of(form, values)


@pytest.mark.parametrize("text, seeds", [("0", [0]), ("0, 1,2", [0, 1, 2]), ("3-5", [3, 4, 5]), ("1,1", [1])])
def test_seeds(text: str, seeds: list[int]) -> None:
    assert forms.seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "1.5", "-1", "0-9999", "1,,2"])
def test_seeds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        forms.seeds_of(text)
    assert caught.value.field == "seed"
