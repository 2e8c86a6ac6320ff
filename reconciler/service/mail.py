"""What the dispatcher hears of: everything that happens elsewhere reaches it as one of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.model.report import ProjectReport
from reconciler.service.fleet import Reading

if TYPE_CHECKING:
    from reconciler.prepared import Forecast


@dataclass(frozen=True)
class SourceChanged:
    """Files of a source changed, or somebody says that there is a new commit: ask it."""

    source: str


@dataclass(frozen=True)
class SourceRead:
    """A source was asked: what it has, None where that is what it had before, or why it cannot be read."""

    source: str
    reading: Reading | None = None
    error: Exception | None = None
    asked: bool = True


@dataclass(frozen=True)
class Happened:
    """Something changed on the engine that concerns these projects; `lost`: nobody knows what, so all of them."""

    projects: frozenset[str] = frozenset()
    lost: bool = False


@dataclass(frozen=True)
class Apart:
    """The look at a project waits for others than the engine, as registries: the next one may begin."""

    project: str


@dataclass(frozen=True)
class Looked:
    """A project was compared: what came of it, and the work that is to be done, if any.

    `wake_at` is when time alone may change that (engine time, seconds).
    """

    project: str
    pass_id: str
    seconds: float
    report: ProjectReport | None = None
    forecast: Forecast | None = None
    wake_at: float | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class Rolled:
    """The work on a project has ended."""

    project: str
    pass_id: str
    seconds: float
    report: ProjectReport | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class EngineLooked:
    """The whole engine was looked at: which projects are concerned by what changed, or why it did not answer."""

    projects: frozenset[str] = frozenset()
    error: Exception | None = None


@dataclass(frozen=True)
class Asked:
    """Somebody at the control socket wants this done where the state is: on the dispatcher's thread."""

    call: Callable[[], Any]


@dataclass(frozen=True)
class Reload:
    """Ask all sources and look at everything (SIGHUP)."""


@dataclass(frozen=True)
class Stop:
    """Begin nothing new, let what is in flight end (SIGTERM)."""


@dataclass(frozen=True)
class Collected:
    """Superseded images and files were collected: how many went, or why they could not be."""

    removed: int = 0
    error: Exception | None = None


Message = (
    SourceChanged | SourceRead | Happened | Apart | Looked | Rolled | EngineLooked | Asked | Reload | Stop | Collected
)
