"""Which services a pass may remove: those that left the spec, unless they are too many for one pass."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.observed import Observed

LEAST = 3
NAMED = 10
ROUNDING = 1e-9


@dataclass(frozen=True)
class Removals:
    """The services that run and left the spec, sorted; how many are known, and how many of those may go at once.

    `boundless` says that the spec or a person wants them gone, however many they are.
    """

    gone: tuple[str, ...] = ()
    known: int = 0
    allowed: int = LEAST
    boundless: bool = False

    @property
    def too_many(self) -> bool:
        """Whether none of them is removed in this pass, because they are more than one pass may remove."""
        return not self.boundless and len(self.gone) > self.allowed

    def words(self) -> str:
        """How many of how many left the spec, which, and what lets them go."""
        more = f" and {len(self.gone) - NAMED} more" if len(self.gone) > NAMED else ""
        names = f"{', '.join(self.gone[:NAMED])}{more}"
        return (
            f"{len(self.gone)} of {self.known} services are not in the spec any more ({names}), and one pass removes at"
            f" most {self.allowed}: nothing is removed; if they are to go, pass --allow-empty or set"
            f" x-reconcile.allow_empty: true"
        )


def removals(desired: Desired, observed: Observed, suspended: Collection[str]) -> Removals:
    """What is to be removed of what runs; not what is suspended, and nothing of a disabled profile."""
    project = desired.project
    running = {item.labels.get(labels.SERVICE, "") for item in observed.containers} - {""}
    wanted = {service.name for service in project.services}
    gone = running - wanted - project.disabled - set(suspended)
    known = len(running | wanted)
    allowed = max(LEAST, int(known * desired.max_removed + ROUNDING))
    return Removals(tuple(sorted(gone)), known, allowed, project.allow_empty)
