"""What `reconcile images push` did with each image that it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.model.project import Notice


@dataclass(frozen=True)
class Pushed:
    """One reference of a service, and what came of it.

    A service without anything to push has one entry without a `reference`. `digest` is what the registry has now;
    `message` says why nothing was pushed, `reason` is that as a word.
    """

    service: str
    reference: str
    status: Literal["pushed", "skipped", "failed"]
    digest: str = ""
    message: str = ""
    reason: str = ""
    source: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class PushReport:
    """The pushes of each project, by its name; `errors` are specs that are refused."""

    projects: tuple[tuple[str, tuple[Pushed, ...]], ...] = ()
    warnings: tuple[Notice, ...] = ()
    errors: tuple[Notice, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether something could not be pushed."""
        return any(item.status == "failed" for _, items in self.projects for item in items)
