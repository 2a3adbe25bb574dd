"""The physics benchmark's document as tables to read."""

from typing import Any

from app.console import print_table, print_text

CLIP_COLUMNS = (
    "", "kept", "global mm", "root-rel mm", "from clean mm", "penetration mm", "float mm", "skate m/s", "jerk m/s3",
    "force BW", "torque Nm", "x real time",
)  # fmt: skip


def print_tables(found: dict[str, Any]) -> None:
    """Every part that was run."""
    rows = [clip_row(title, found[key]) for title, key in TITLES if found.get(key)]
    rows += [clip_row(name, values) for name, values in (found.get("perturbed") or {}).items()]
    if rows:
        print_table(CLIP_COLUMNS, rows, title="Whole clips through the full simulation (before -> after)")
    for key, title in (("audit", "Minimal form on held-out windows"), ("cmu_audit", "The same, CMU")):
        if found.get(key):
            _audit(title, found[key])
    for key, title in (("arms", "Correctors side by side"), ("cmu_arms", "The same, CMU")):
        if found.get(key):
            columns = [name for name in found[key][0] if name not in ("corrected", "unchanged")]
            print_table(columns, [[_text(row[name]) for name in columns] for row in found[key]], title=title)
    if found.get("deterministic") is not None:
        print_text(f"Two fresh processes make {'the same' if found['deterministic'] else 'DIFFERENT'} bytes.")
    if found.get("scaling"):
        columns = list(found["scaling"][0])
        print_table(columns, [[_text(row[name]) for name in columns] for row in found["scaling"]], title="Processes")


TITLES = (("DeepMimic clips", "deepmimic"), ("CMU, test split", "cmu_test"))


def clip_row(title: str, f: dict[str, Any]) -> list[str]:
    """The row of one F."""
    clean = f"{_text(f.get('from_clean_before_mm'))} -> {_text(f.get('from_clean_after_mm'))}"
    return [
        title,
        f"{f['kept']} of {f['clips']}",
        _text(f["global_mm"]),
        _text(f["root_relative_mm"]),
        clean if f.get("from_clean_after_mm") is not None else "",
        f"{_text(f.get('penetration_before_mm'))} -> {_text(f['penetration_mm'])}",
        f"{_text(f.get('float_before_mm'))} -> {_text(f['float_mm'])}",
        f"{_text(f['skate_before'])} -> {_text(f['skate_after'])}",
        f"{_text(f['jerk_before'])} -> {_text(f['jerk_after'])}",
        _text(f["residual_force_bw"]),
        _text(f["residual_torque_nm"]),
        _text(f["realtime_factor"]),
    ]


def _audit(title: str, found: dict[str, Any]) -> None:
    from app import audittable
    from corrector.audit import Effect

    effects = [Effect.model_validate(values) for values in found["effects"].values()]
    columns = [name for name, _ in audittable.COLUMNS]
    print_table(columns, [audittable.cells(e) for e in effects], title=f"{title}, n = {found['windows']}")
    for sentence in found["findings"]:
        print_text(f"- {sentence}")


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)
