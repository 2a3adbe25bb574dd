"""One axis of a sweep: a field of a config and the values it takes, read by the field's own type."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from backend import parts
from core.complaints import complaint
from core.config import LoopConfig, Options, PartConfig
from core.errors import InvalidConfig

MOST_VALUES = 100
FIXED = ("version", "domain", "seed", "tripwires")
"""What one sweep has in common: seeds are given apart, and another domain is another experiment."""


@dataclass(frozen=True)
class Axis:
    """A field and its values, JSON-ready, each once, in the order given.

    Attributes:
        path: dotted: ``policy.options.lam``, ``corrector.kind``, ``sampling.steps``, ``n``.
    """

    path: str
    values: tuple[JsonValue, ...]

    @property
    def of_kind(self) -> bool:
        """Whether it varies which part is used."""
        return self.path.endswith(".kind")


def axis_of(base: LoopConfig, path: str, values: Any, kinds: Mapping[str, Sequence[str]]) -> Axis:
    """An axis from a list of values or from text.

    Args:
        kinds: by part, those that another axis takes: an option may be of any of them.

    Raises:
        InvalidConfig: naming the axis, and the value where one is to blame; ``field`` is the path.
    """
    given = split(values) if isinstance(values, str) else values if isinstance(values, list | tuple) else [values]
    if not given:
        raise InvalidConfig(f"No values are given for {path}.", "For example: 0.25, 0.5, 1.", path)
    if len(given) > MOST_VALUES:
        raise InvalidConfig(f"{path} has {len(given)} values; at most {MOST_VALUES} can be.", "Give fewer.", path)
    if path.endswith(".kind"):
        known = _kinds(base, path)
        read: list[Any] = []
        for value in given:
            if value not in known:
                name = path.removesuffix(".kind").rsplit(".", 1)[-1].replace("_", " ")
                said = f"{path}: there is no {name} named {str(value)[:80]!r}."
                raise InvalidConfig(said, f"Choose of: {', '.join(known)}.", path)
            read.append(value)
    else:
        adapter = _adapter(_field(base, path, kinds))
        read = [_read(adapter, path, value, typed=isinstance(values, str)) for value in given]
    twice = next((value for i, value in enumerate(read) if value in read[:i]), None)
    if twice is not None:
        raise InvalidConfig(f"{path} takes the value {twice!r} twice.", "Give each value once.", path)
    return Axis(path, tuple(read))


def split(text: str) -> list[str]:
    """At commas outside of brackets and quotes: ``"1, [2, 3]"`` -> ``["1", "[2, 3]"]``."""
    bits, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += 0 if quoted else (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0 and not quoted:
            bits.append("")
        else:
            bits[-1] += letter
    return [bit.strip() for bit in bits if bit.strip()]


def seeds_of(text: str) -> list[int]:
    """``"0, 1, 2"`` or ``"0-4"`` -> seeds without repeats.

    Raises:
        InvalidConfig: for anything else, and for more than 64 of them.
    """
    seeds: list[int] = []
    for bit in str(text).replace(";", ",").split(","):
        first, dash, last = (b.strip() for b in bit.strip().partition("-"))
        if not first.isdigit() or (dash and not last.isdigit()):
            raise InvalidConfig(f"Seeds: {text!r} is no list of whole numbers.", "For example: 0, 1, 2 or 0-4.", "seed")
        stop = int(last) if dash else int(first)
        if stop - int(first) >= 64:
            raise InvalidConfig(f"Seeds: {bit.strip()} are too many.", "At most 64 at a time.", "seed")
        seeds += range(int(first), stop + 1)
    unique = list(dict.fromkeys(seeds))
    if not 0 < len(unique) <= 64:
        raise InvalidConfig(f"Seeds: {len(unique)} of them.", "Give 1 to 64.", "seed")
    return unique


def _read(adapter: TypeAdapter[Any], path: str, value: Any, *, typed: bool) -> Any:
    """One value by the field's type; typed text also as JSON."""
    tries = [value]
    if typed:
        try:
            tries.append(json.loads(value))
        except ValueError:
            if value.lower() in ("none", "empty"):
                tries.append(None)
    problem = ""
    for one in tries:
        try:
            plain = adapter.dump_python(adapter.validate_python(one), mode="json")
        except ValidationError as error:
            first = error.errors()[0]
            problem = problem or complaint(first)
        else:
            return plain
    raise InvalidConfig(f"{path}: {value!r} cannot be: it {problem[:1].lower()}{problem[1:]}.", "", path)


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    kind: Any = field.annotation
    for constraint in field.metadata:
        kind = Annotated[kind, constraint]
    return TypeAdapter(kind)


def _kinds(base: LoopConfig, path: str) -> list[str]:
    """Kinds that a part may be of in the config's domain.

    Raises:
        InvalidConfig: when the path leads to no part.
    """
    name = path.removesuffix(".kind").rsplit(".", 1)[-1]
    known = parts.catalogue(base.domain)
    if path == "evaluation.panel_corrector.kind":
        return list(known["corrector"])
    if path == f"{name}.kind" and name in parts.PARTS:
        return list(known[name])
    raise _nothing(path)


def _field(base: LoopConfig, path: str, kinds: Mapping[str, Sequence[str]]) -> FieldInfo:
    """The field that a path leads to.

    Raises:
        InvalidConfig: when it leads to nothing, or to what a sweep cannot vary.
    """
    bits = path.split(".")
    if bits[0] in FIXED:
        hint = "Seeds are given apart." if bits[0] == "seed" else "Launch another sweep for it."
        raise InvalidConfig(f"A sweep cannot vary {path!r}.", hint, path)
    if "options" in bits[:-1]:
        return _option(base, path, kinds)
    options: type[BaseModel] = LoopConfig
    for bit in bits[:-1]:
        inner = options.model_fields[bit].annotation if bit in options.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, Options) and inner is not PartConfig):
            raise _nothing(path)
        options = inner
    found = options.model_fields.get(bits[-1])
    if found is None or found.annotation is PartConfig:
        hint = f"Vary its kind instead: {path}.kind." if found is not None else ""
        raise _nothing(path, hint)
    return found


def _option(base: LoopConfig, path: str, kinds: Mapping[str, Sequence[str]]) -> FieldInfo:
    """An option of a part: of the base's kind, of one that another axis takes, or of a part within a chain."""
    part_path, _, name = path.rpartition(".options.")
    part: Any = base
    for bit in part_path.split("."):
        if isinstance(part, list):
            part = part[int(bit)] if bit.isdigit() and int(bit) < len(part) else None
        elif isinstance(part, dict):
            part = part.get(bit)
        elif isinstance(part, PartConfig):
            part = part.options if bit == "options" else None
        else:
            part = getattr(part, bit, None)
    if isinstance(part, dict) and isinstance(part.get("kind"), str):
        part = PartConfig(kind=part["kind"])
    if not isinstance(part, PartConfig):
        raise _nothing(path)
    first = part_path.split(".")[0]
    registry = parts.catalogue(base.domain)["corrector" if first == "evaluation" else first]
    for kind in dict.fromkeys((part.kind, *kinds.get(part_path, ()))):
        found = registry[kind].options.model_fields.get(name) if kind in registry else None
        if found is not None:
            return found
    offered = ", ".join(registry[part.kind].options.model_fields) if part.kind in registry else ""
    raise _nothing(path, f"Options of {part.kind!r}: {offered or 'none'}.")


def _nothing(path: str, hint: str = "") -> InvalidConfig:
    return InvalidConfig(
        f"There is no field {path!r} to vary.", hint or "For example: policy.options.lam, corrector.kind, n.", path
    )
