"""That a person, or the spec, lets a service or a whole project alone: kept by `store`, heeded by the planner."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.moments import utc_text

PROJECT = ""
SPEC = "spec"


@dataclass(frozen=True)
class Suspension:
    """Why something is left as it is: `reason` in its author's words, `by` who that is, `at` since when.

    `at` is engine time, in seconds since the epoch. Where the spec says it, the reason is `spec`, `by` the `file:line`
    and `at` 0.0: nobody knows since when.
    """

    reason: str
    by: str
    at: float = 0.0

    def words(self) -> str:
        """`suspended by alice since 2026-11-21 03:12 UTC: the disk is being moved`."""
        if self.reason == SPEC and not self.at:
            return f"suspended by {self.by}"
        told = f": {self.reason}" if self.reason else ""
        return f"suspended by {self.by} since {utc_text(self.at)}{told}"
