"""The bench's result as a person reads it: medians, their spread, ratios, and whether the bars are met."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.contenders import Sample

Samples = dict[str, dict[str, list["Sample"]]]

_COLUMNS = "{:<10} {:<10} {:>8} {:>15} {:>8} {:>8} {:>9} {:>10}"


def typical(samples: Sequence[Sample], field: str) -> float:
    """The median of one field over all rounds."""
    return float(median(getattr(sample, field) for sample in samples))


def rows(results: Samples) -> list[str]:
    """One line a phase and contender: median wall seconds, spread, CPU seconds, peak MB, ratios to the others."""
    lines = [_COLUMNS.format("phase", "who", "wall s", "min-max", "cpu s", "rss MB", "/ limit", "/ compose")]
    for phase, contenders in results.items():
        for name, samples in contenders.items():
            walls = [sample.wall for sample in samples]
            spread = f"{min(walls):.2f}-{max(walls):.2f}"
            ratios = [_ratio(contenders, name, other) for other in ("limit", "compose")]
            cpu, rss = typical(samples, "cpu"), typical(samples, "rss")
            shown = f"{rss:.0f}" if rss else "-"
            lines.append(_COLUMNS.format(phase, name, f"{median(walls):.2f}", spread, f"{cpu:.2f}", shown, *ratios))
    return lines


def _ratio(contenders: dict[str, list[Sample]], name: str, other: str) -> str:
    if other not in contenders or name == other:
        return "-"
    return f"{typical(contenders[name], 'wall') / typical(contenders[other], 'wall'):.2f}"


def bars(results: Samples, help_wall: float) -> list[tuple[str, float, float]]:
    """What was promised for a quiet machine: (what, measured, at most). Ratios that lack a contender are left out."""
    found = [
        ("cold / limit", _measured(results, "cold", "limit"), 1.15),
        ("cold / compose", _measured(results, "cold", "compose"), 1.0),
        ("roll / limit", _measured(results, "roll", "limit"), 1.25),
        ("update / compose", _measured(results, "update", "compose"), 1.0),
        ("no-op, whole process, s", typical(results["no-op"]["reconcile"], "wall"), 0.5),
        ("reconcile --help, s", help_wall, 0.15),
        ("peak RSS, MB", max(typical(phase["reconcile"], "rss") for phase in results.values()), 80.0),
    ]
    return [(what, value, bar) for what, value, bar in found if value is not None]


def _measured(results: Samples, phase: str, other: str) -> float | None:
    contenders = results[phase]
    if other not in contenders:
        return None
    return typical(contenders["reconcile"], "wall") / typical(contenders[other], "wall")
