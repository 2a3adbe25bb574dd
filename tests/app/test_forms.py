"""The form shows every option of every registered part, and gives back the config that it was filled from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field as PydanticField

from app import forms, formvalues
from app.pages.launchform import Held, Shelved, start_of
from app.pages.launchstatus import limits_words
from backend import parts
from backend.axisvalues import seeds_of
from backend.presets import PRESETS
from core.config import LoopConfig, Options, PartConfig, TrainingConfig, parse
from core.errors import InvalidConfig
from core.protocols import Part
from model.domains import DOMAINS


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


def test_options_of_a_part_begin_with_its_own(form: forms.Form) -> None:
    paths = [form.fields[i].path for i in form.of_kind("policy", "augment")]
    assert paths[0] == "policy/augment/lam"


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
    config = parse(LoopConfig, formvalues.config_of(form, form.defaults()))
    assert parts.check(config) == parts.check(LoopConfig())


CONFIGS = {
    **{f"{key}: {name}": config for key, preset in PRESETS.items() for name, config in preset.loops[:4]},
    "transformer, accumulate": LoopConfig(
        model=PartConfig(kind="transformer"), policy=PartConfig(kind="accumulate"), seed=7, n=99, generations=3,
        training=TrainingConfig(mode="from-scratch", learning_rate=1e-4),
    ),
    "stop rules": LoopConfig(tripwires=("fid > 60", "hours > 2, then roll back")),
    "one corrector": LoopConfig(corrector=PartConfig(kind="idealized", options={"gamma": 0.25})),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_survives_the_form(form: forms.Form, name: str) -> None:
    config = parts.check(CONFIGS[name])
    plain = config.model_dump(mode="json")
    values = formvalues.values_of(form, plain)
    assert len(values) == len(form.fields)
    again = formvalues.config_of(form, values, seed=config.seed, base=plain)
    assert parts.check(parse(LoopConfig, again)) == config


def test_options_without_a_control_are_kept_from_the_base(form: forms.Form) -> None:
    changes = {"panel_corrector": PartConfig(kind="physics", options={"rate_hz": 240})}
    config = LoopConfig().model_copy(update={"evaluation": LoopConfig().evaluation.model_copy(update=changes)})
    plain = config.model_dump(mode="json")
    again = formvalues.config_of(form, formvalues.values_of(form, plain), base=plain)
    assert again["evaluation"]["panel_corrector"]["options"]["rate_hz"] == 240


def test_correctors_chosen_in_order_become_a_chain(form: forms.Form) -> None:
    values = form.defaults()
    values[form.index("corrector")] = ["physics", "kinematic"]
    part = formvalues.config_of(form, values)["corrector"]
    assert part["kind"] == form.chain
    assert [p["kind"] for p in part["options"]["parts"]] == ["physics", "kinematic"]


@pytest.mark.parametrize(
    "path, value, words",
    [("n", None, "empty"), ("n", 3, "8"), ("training.batch_size", 2.5, "whole"), ("policy/augment/lam", -1, "0")],
)
def test_a_wrong_value_names_its_field(form: forms.Form, path: str, value: Any, words: str) -> None:
    values = form.defaults()
    values[form.index(path)] = value
    with pytest.raises(InvalidConfig, match=words) as caught:
        parts.check(parse(LoopConfig, formvalues.config_of(form, values)))
    plain = None if value is None else formvalues.config_of(form, values)
    found = formvalues.field_at(form, caught.value.field, plain)
    assert found is not None and found.path == path


def test_an_error_inside_a_chain_finds_its_control(form: forms.Form) -> None:
    values = form.defaults()
    values[form.index("corrector")] = ["kinematic", "idealized"]
    values[form.index("corrector/idealized/gamma")] = -5
    plain = formvalues.config_of(form, values)
    with pytest.raises(InvalidConfig) as caught:
        parts.check(parse(LoopConfig, plain))
    found = formvalues.field_at(form, caught.value.field, plain)
    assert found is not None and found.path == "corrector/idealized/gamma"


def test_stop_rules_are_lines(form: forms.Form) -> None:
    values, at = form.defaults(), form.index(forms.RULES)
    values[at] = "fid>60\n\n  fid flat for 5 "
    config = parse(LoopConfig, formvalues.config_of(form, values))
    assert config.tripwires == ("fid > 60", "fid flat for 5")
    assert formvalues.values_of(form, config.model_dump(mode="json"))[at] == "fid > 60\nfid flat for 5"
    for wrong, words in (("fid > 60\nfid >", "position 6"), ("speed > 3", "metric")):
        values[at] = wrong
        with pytest.raises(InvalidConfig, match=words) as caught:
            parts.check(parse(LoopConfig, formvalues.config_of(form, values)))
        found = formvalues.field_at(form, caught.value.field)
        assert found is not None and found.path == forms.RULES


def test_what_bounds_a_loop_is_told_before_its_launch() -> None:
    capped = PartConfig(kind="accumulate", options={"synthetic_cap": 0.5})
    config = LoopConfig(tripwires=("fid > 60",), policy=capped)
    assert limits_words(config) == ", 1 stop rule, at most 50 % synthetic"
    assert limits_words(LoopConfig()) == ""


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
    options = formvalues.config_of(form, values)["model"]["options"]
    assert Strange.model_validate(options) == Strange(count=4, sizes=[4, 5])
    values[form.index("model/strange/sizes")] = "[4,"
    with pytest.raises(InvalidConfig, match="Sizes is no JSON"):
        formvalues.config_of(form, values)


@pytest.mark.parametrize("text, seeds", [("0", [0]), ("0, 1,2", [0, 1, 2]), ("3-5", [3, 4, 5]), ("1,1", [1])])
def test_seeds(text: str, seeds: list[int]) -> None:
    assert seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "1.5", "-1", "0-9999", "1,,2"])
def test_seeds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        seeds_of(text)
    assert caught.value.field == "seed"


# ---- domains ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DOMAINS)
def test_the_start_of_every_domain_survives_the_form_and_can_be_launched(form: forms.Form, kind: str) -> None:
    start = start_of(kind)
    values = formvalues.values_of(form, start)
    config = parts.read_config(formvalues.config_of(form, values, base=start))
    assert config.domain == kind
    if kind != "text":  # its check opens the corpus
        assert parts.check(config) == parts.check(parts.read_config({"domain": kind}))


@pytest.mark.parametrize("kind", DOMAINS)
def test_a_domain_offers_its_own_parts_and_no_others(form: forms.Form, kind: str) -> None:
    own = parts.catalogue(kind)
    for part in ("data", "model"):
        assert [k for _, k in form.choices(part, kind)] == list(own[part])
    offered = {k for _, k in form.choices("corrector", kind)}
    assert offered == set(own["corrector"]) - {"none", form.chain}
    assert {k for _, k in form.choices(forms.PANEL_CORRECTOR, kind)} == offered | {"none"}


@pytest.mark.parametrize("kind", DOMAINS)
def test_only_what_means_something_in_a_domain_is_shown(form: forms.Form, kind: str) -> None:
    domain = DOMAINS[kind]
    assert form.shows("replicates", kind) == domain.light
    assert form.shows("n", kind) and form.shows("generations", kind)
    for section in forms.SECTIONS:
        shown = [form.fields[i].path for i in form.of_section(section) if form.shows(form.fields[i].path, kind)]
        assert section in domain.sections or not shown
        assert not domain.fields or set(shown) <= set(domain.fields)


def test_another_domain_fills_the_form_anew_and_what_was_typed_comes_back(form: forms.Form) -> None:
    typed = form.defaults()
    typed[form.index("n")] = 77
    typed[form.index("domain")] = "gaussian"
    kept, turned = Shelved("").turn(form, Held("", typed))
    assert turned.values[form.index("n")] == start_of("gaussian")["n"]
    assert turned.values[form.index("model")] == "gaussian-fit"
    back = [*turned.values]
    back[form.index("domain")] = "motion"
    _, returned = Shelved(kept).turn(form, Held(turned.base, back))
    assert returned.values[form.index("n")] == 77 and returned.values[form.index("domain")] == "motion"


@pytest.mark.parametrize(
    "domain, path, value",
    [
        ("gaussian", "policy/augment/lam", -1), ("gaussian", "corrector/idealized/gamma", float("inf")),
        ("gaussian", "replicates", 0), ("regression", "n", 11), ("regression", "data/linear/d", 0),
        ("motion", "replicates", 2), ("digits", "replicates", 2), ("text", "replicates", 2),
        ("gmm", "generations", -1), ("kde", "data/points/shape", "stars"),
    ],
)  # fmt: skip
def test_what_a_domain_cannot_take_names_its_field(form: forms.Form, domain: str, path: str, value: Any) -> None:
    start = start_of(domain)
    values = formvalues.values_of(form, start)
    if "augment" in path:
        values[form.index("policy")] = "augment"
    if "idealized" in path:
        values[form.index("corrector")] = ["idealized"]
    values[form.index(path)] = value
    plain = formvalues.config_of(form, values, base=start)
    with pytest.raises(InvalidConfig) as caught:
        parts.check(parts.read_config(plain))
    found = formvalues.field_at(form, caught.value.field, plain)
    assert found is not None and found.path == path


def test_an_empty_corpus_names_its_field(form: forms.Form, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("  \n")
    start = start_of("text")
    values = formvalues.values_of(form, start)
    values[form.index("data/corpus/path")] = str(corpus)
    plain = formvalues.config_of(form, values, base=start)
    with pytest.raises(InvalidConfig) as caught:
        parts.check(parts.read_config(plain))
    found = formvalues.field_at(form, caught.value.field, plain)
    assert found is not None and found.path == "data/corpus/path"
