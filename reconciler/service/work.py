"""What the dispatcher has done elsewhere, and hears of as messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from reconciler.service.fleet import Member
from reconciler.service.keeper import Keeper
from reconciler.service.mail import Collected, EngineLooked, Looked, Rolled


class Work(Protocol):
    """The jobs themselves; each returns a message and never raises."""

    def look(self, keeper: Keeper, member: Member | None, reasons: tuple[str, ...]) -> Looked:
        """Compare a project with the engine; without a member it is one that left its source."""
        ...

    def roll(self, keeper: Keeper, looked: Looked) -> Rolled:
        """Do what a look found to be done."""
        ...

    def look_at_engine(self) -> EngineLooked:
        """See what changed on the whole engine since the last time."""
        ...

    def collect(self, members: tuple[Member, ...], *, unread: bool) -> Collected:
        """Remove what was superseded."""
        ...

    def wake(self, project: str) -> None:
        """End the waiting of a project's rollout, which then sees that it is to stop."""
        ...

    def drop(self, project: str) -> None:
        """Nobody serves the project any more."""
        ...

    def known(self, source: str) -> Mapping[str, tuple[str, ...]]:
        """The projects that the source had in earlier lives and that may be removed with their files, with those."""
        ...
