"""docs/operations.md says of every setting what it is, as the code does."""

from pathlib import Path

from pydantic_core import PydanticUndefined

from backend.settings import Settings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operations.md"


def rows() -> list[str]:
    """The lines that the page's table must have."""
    found = []
    for name, field in Settings.model_fields.items():
        assert field.description and field.default is not PydanticUndefined, name
        default = f"`{field.default}`" if str(field.default) else ""
        found.append(f"| `LOOPSCOPE_{name.upper()}` | {default} | {field.description} |".replace("|  |", "| |"))
    return found


def test_every_setting_is_in_the_table_in_the_words_of_the_code() -> None:
    lines = PAGE.read_text().splitlines()
    missing = [row for row in rows() if row not in lines]
    assert not missing, "\n".join(["the table lacks:", *missing])


def test_the_table_has_no_setting_that_is_no_more() -> None:
    named = {line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `LOOPSCOPE_")}
    ours = {f"LOOPSCOPE_{name.upper()}" for name in Settings.model_fields}
    assert named - ours == {"LOOPSCOPE_ALLOW_PUBLIC", "LOOPSCOPE_TOKEN"}
