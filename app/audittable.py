"""An audit as a table: the same cells at the terminal, on the page and in the report."""

from typing import TYPE_CHECKING

from app.markup import esc, number

if TYPE_CHECKING:
    from corrector.audit import Audit, Effect
    from corrector.gamma import Gamma

COLUMNS: tuple[tuple[str, str], ...] = (
    ("Input", "Held-out real windows, the same windows broken on purpose, and what a loop's models make."),
    ("Kept %", "Share of windows that the corrector did not reject."),
    ("Simulated %", "Share of windows that went through a simulation; the others needed none."),
    ("Moved mm", "Mean joint distance between input and output of the kept windows."),
    ("Again mm", "How far a second correction moves what the first one made; 0 for a projection."),
    ("From clean mm", "Mean joint distance to the windows before they were broken."),
    ("FID", "Against held-out real windows, at equal n; rejected windows count as they came in."),
    ("Ceiling", "FID if every window were replaced by its nearest real training window of its class."),
    ("Gamma", "Strength of the paper's idealized correction that would change the distribution as much."),
    ("Penetration mm", "Mean depth of the body's lowest point under the floor."),
    ("Skate m/s", "Mean horizontal speed of soles near the floor."),
    ("Jerk m/s³", "Mean norm of the third derivative of joint positions."),
    ("Force BW", "Mean outside force on the simulated windows, in body weights."),
    ("CPU ms", "Process CPU time per window."),
    ("x real time", "Seconds of motion per CPU second."),
)


def cells(effect: "Effect", arrow: str = "->") -> tuple[str, ...]:
    """One row of :data:`COLUMNS`."""

    def pair(values: "tuple[float, float]", digits: int) -> str:
        return f"{values[0]:,.{digits}f} {arrow} {values[1]:,.{digits}f}"

    return (
        effect.title,
        f"{100 * effect.kept:.0f}",
        f"{100 * effect.simulated:.0f}",
        distance(effect.moved_mm),
        distance(effect.second_pass_mm),
        "-" if effect.from_clean_mm is None else pair(effect.from_clean_mm, 0),
        pair(effect.fid, 1),
        f"{effect.ceiling_fid:.1f}",
        gamma(effect.gamma),
        pair(effect.penetration_mm, 1),
        pair(effect.skate_m_s, 2),
        pair(effect.jerk_m_s3, 0),
        f"{effect.residual_force_bw:.2f}" if effect.simulated else "-",
        number(1e3 * effect.cpu_s_per_window),
        f"{effect.realtime_factor:,.0f}" if effect.realtime_factor >= 10 else f"{effect.realtime_factor:.1f}",
    )


def sentence(finding: str) -> str:
    """A finding as the page sets it."""
    return finding.replace(" -> ", " → ")


def distance(value_mm: float | None) -> str:
    return "-" if value_mm is None else f"{value_mm:.1f}"


def gamma(value: "Gamma") -> str:
    """``0.8``, ``> 2.1``, or ``-`` where it cannot be known."""
    if value.value is not None:
        return f"{value.value:.2g}"
    return f"> {value.low:.2g}" if value.low is not None else "-"


def markup(found: "Audit") -> str:
    """The table as HTML; group by group, explained on hover."""
    heads = "".join(
        f'<th class="{"" if i == 0 else "ls-right"}" title="{esc(words)}">{esc(title)}</th>'
        for i, (title, words) in enumerate(COLUMNS)
    )
    rows = ""
    for effect in found.effects:
        body = ""
        for i, cell in enumerate(cells(effect, "→")):
            title = f' title="{esc(effect.gamma.words)}"' if COLUMNS[i][0] == "Gamma" else ""
            body += f'<td class="{"" if i == 0 else "ls-right ls-num"}"{title}>{esc(cell)}</td>'
        rows += f'<tr data-key="{esc(effect.name)}" data-group="{effect.group}">{body}</tr>'
    return (
        '<div class="ls-scroll"><table class="ls-finals ls-audit" aria-label="Effect of the corrector on each input">'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
