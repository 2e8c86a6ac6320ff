"""The result of the traffic suite as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.traffic.row import Outcome

_COLUMNS = "{:<8} {:<7} {:<8} {:>7} {:>9} {:>7} {:>9} {:>8} {:>8}  {}"


def head() -> str:
    """The names of the columns."""
    return _COLUMNS.format("proxy", "app", "guard", "retries", "requests", "lost", "longest s", "p99 s", "took s", "")


def line(outcome: Outcome, requests: int) -> str:
    """One outcome; what was lost by kind, and whether its bar was missed."""
    row = outcome.row
    missed = outcome.missed(requests)
    kinds = ", ".join(f"{number} x {kind}" for kind, number in sorted(outcome.failures.items()))
    note = "; ".join(filter(None, (kinds, f"MISSED: {missed}" if missed else "")))
    return _COLUMNS.format(
        row.proxy,
        row.app,
        row.guard,
        row.retries,
        outcome.total,
        outcome.failed,
        f"{outcome.longest:.2f}",
        f"{outcome.p99:.3f}",
        f"{outcome.seconds:.0f}",
        note,
    )
