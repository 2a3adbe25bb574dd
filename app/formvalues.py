"""What the launch form's controls hold: a config read out of them, or written into them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.forms import PANEL_CORRECTOR, SINGLE_PARTS, Field, Form
from core.errors import InvalidConfig


def config_of(
    form: Form, values: Sequence[Any], *, seed: int = 0, base: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A config as plain data from the controls' values (to be checked by ``backend.parts.check``).

    Args:
        base: the config that the form was filled from; what the form has no control for is kept from it.

    Raises:
        InvalidConfig: for text that is no JSON and for an empty number.
    """
    data: dict[str, Any] = {k: v for k, v in (base or {}).items() if k == "version"}
    data["seed"] = seed
    chosen = {f.path: v for f, v in zip(form.fields, values, strict=True) if f.control in ("part", "parts")}
    options: dict[tuple[str, str], dict[str, Any]] = {}
    for field, value in zip(form.fields, values, strict=True):
        if field.control in ("part", "parts"):
            continue
        if field.when is not None:
            part, kind = field.when
            wanted = kind == chosen[part] if part != "corrector" else _runs(form, kind, chosen[part])
            if wanted:
                options.setdefault(field.when, {})[field.path.rsplit("/", 1)[1]] = plain_value(field, value)
            continue
        section, _, name = field.path.partition(".")
        if not name:
            data[section] = plain_value(field, value)
        elif field.path == PANEL_CORRECTOR:
            data.setdefault(section, {})[name] = _kept_part(str(value), base)
        else:
            data.setdefault(section, {})[name] = plain_value(field, value)
    data["domain"] = chosen["domain"]
    for part in SINGLE_PARTS:
        data[part] = {"kind": chosen[part], "options": options.get((part, chosen[part]), {})}
    correctors = [{"kind": k, "options": options.get(("corrector", k), {})} for k in chosen["corrector"] or []]
    if len(correctors) > 1:
        if not form.chain:
            raise InvalidConfig("Only one corrector can be chosen.", "Remove all but one.", "corrector")
        shared = options.get(("corrector", form.chain), {})
        data["corrector"] = {"kind": form.chain, "options": {"parts": correctors, **shared}}
    else:
        data["corrector"] = correctors[0] if correctors else {"kind": "none", "options": {}}
    return data


def _runs(form: Form, kind: str, chosen: Sequence[str] | None) -> bool:
    """Whether a corrector's options matter: it is chosen, or it is the chain of several."""
    return len(chosen or ()) > 1 if kind == form.chain else kind in (chosen or ())


def _kept_part(kind: str, base: Mapping[str, Any] | None) -> dict[str, Any]:
    before = ((base or {}).get("evaluation") or {}).get("panel_corrector") or {}
    return dict(before) if before.get("kind") == kind else {"kind": kind, "options": {}}


def plain_value(field: Field, value: Any) -> Any:
    """A control's value as JSON data of the option.

    Raises:
        InvalidConfig: naming the field.
    """
    where = field.path.replace("/", ".")
    if field.control in ("integer", "number"):
        if value is None or value == "":
            if field.optional:
                return None
            raise InvalidConfig(f"{field.title} is empty.", "Enter a number.", where)
        whole = field.control == "integer" and isinstance(value, float) and value.is_integer()
        return int(value) if whole else value
    if field.control == "json":
        try:
            return json.loads(value or "null")
        except ValueError:
            raise InvalidConfig(f"{field.title} is no JSON.", 'For example: [1, 2] or {"a": 1}.', where) from None
    if field.control == "lines":
        return [line.strip() for line in str(value or "").splitlines() if line.strip()]
    if field.control in ("text", "offered"):
        return None if field.optional and not value else str(value or "")
    if field.control == "switch":
        return bool(value)
    return value


def values_of(form: Form, config: Mapping[str, Any]) -> list[Any]:
    """The controls' values that stand for a config (missing options: their defaults)."""
    correctors = _correctors(form, config.get("corrector") or {})
    given: dict[tuple[str, str], Mapping[str, Any]] = {
        ("corrector", c["kind"]): c.get("options") or {} for c in correctors
    }
    if len(correctors) > 1:
        given["corrector", form.chain] = config["corrector"]["options"]
    for part in SINGLE_PARTS:
        entry = config.get(part) or {}
        given[part, str(entry.get("kind"))] = entry.get("options") or {}
    values: list[Any] = []
    for field in form.fields:
        if field.path == "corrector":
            values.append([c["kind"] for c in correctors])
        elif field.path == "domain":
            values.append(config.get("domain", field.default))
        elif field.control == "part":
            values.append((config.get(field.path) or {}).get("kind", field.default))
        elif field.when is not None:
            name = field.path.rsplit("/", 1)[1]
            values.append(_shown(field, given.get(field.when, {}).get(name, _MISSING)))
        else:
            section, _, name = field.path.partition(".")
            value = config.get(section, _MISSING)
            if name:
                value = value.get(name, _MISSING) if isinstance(value, Mapping) else _MISSING
            values.append(_shown(field, value))
    return values


_MISSING = object()


def _shown(field: Field, value: Any) -> Any:
    if value is _MISSING:
        return field.default
    if field.control == "json":
        return json.dumps(value)
    if field.control == "lines":
        return "\n".join(str(line) for line in value or ())
    if field.control == "choice" and isinstance(value, Mapping):
        return value.get("kind")
    return "" if field.control in ("text", "offered") and value is None else value


def _correctors(form: Form, part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    kind = part.get("kind", "none")
    if kind == "none":
        return []
    if kind == form.chain:
        return list((part.get("options") or {}).get("parts") or [])
    return [part]


def field_at(form: Form, path: str, config: Mapping[str, Any] | None = None) -> Field | None:
    """The field behind an error's dotted path (``corrector.options.parts.1.options.gamma``), if the form has it."""
    bits = path.split(".")
    candidates = [path, path.replace(".", "/")]
    if "options" in bits and bits[0] in (*SINGLE_PARTS, "corrector") and config is not None:
        part: Any = config.get(bits[0]) or {}
        rest = bits[1:]
        while len(rest) >= 3 and rest[:2] == ["options", "parts"] and rest[2].isdigit():
            parts = (part.get("options") or {}).get("parts") or []
            part = parts[int(rest[2])] if int(rest[2]) < len(parts) else {}
            rest = rest[3:]
        if len(rest) >= 2:
            candidates.append(f"{bits[0]}/{part.get('kind')}/{rest[1]}")
    candidates += [".".join(bits[:2]), bits[0]]
    return next((f for c in candidates for f in form.fields if f.path == c), None)
