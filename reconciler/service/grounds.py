"""What the service stands on: a real engine and threads, or a simulated engine and one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import time
from typing import TYPE_CHECKING, Protocol

from reconciler.lock import project_lock, unlocked
from reconciler.service.mail import Happened
from reconciler.service.surroundings import Surroundings, Threads

if TYPE_CHECKING:
    from reconciler.engine.protocol import Engine
    from reconciler.engine.simulated import SimulatedEngine
    from reconciler.executor import SessionExecutor
    from reconciler.model.project import Project
    from reconciler.session import Lock


class Ground(Protocol):
    """An engine, and where the dispatcher lives beside it."""

    @property
    def engine(self) -> Engine:
        """For any thread."""
        ...

    @property
    def surroundings(self) -> Surroundings:
        """The dispatcher's."""
        ...

    @property
    def lock(self) -> Lock:
        """What keeps other processes from a project."""
        ...

    def executor(self, project: str) -> SessionExecutor:
        """What carries out a project's operations."""
        ...

    def look(self) -> frozenset[str]:
        """The projects that are concerned by what changed on the engine since the last look. EngineError."""
        ...

    def wake(self, project: str) -> None:
        """End the waiting of the project's rollout."""
        ...

    def dismiss(self, project: str) -> None:
        """The project is kept no more."""
        ...

    def begin(self) -> None:
        """From now on post what happens on the engine."""
        ...

    def close(self) -> None:
        """Give everything back, after what is in flight."""
        ...


class RealGround:
    """A Docker Engine. Threads do the work, and its events arrive in the dispatcher's mail."""

    lock = staticmethod(project_lock)

    def __init__(self, engine: Engine) -> None:
        from reconciler.hub import EngineHub

        def now() -> float:
            return time() + self._hub.engine.info().clock_offset

        self._hub = EngineHub(engine, now)
        self._hub.subscribe(self._on_happened)
        self.surroundings = Threads(now)

    @property
    def engine(self) -> Engine:
        """The connections that all share."""
        return self._hub.engine

    def executor(self, project: str) -> SessionExecutor:
        """The project's own workers."""
        return self._hub.executor(project)

    def look(self) -> frozenset[str]:
        """See `EngineHub.look`; what is nobody's may be in anybody's way."""
        return self._hub.look()

    def wake(self, project: str) -> None:
        """End the waiting of the project's rollout."""
        self._hub.executor(project).wake()

    def dismiss(self, project: str) -> None:
        """The project is kept no more."""
        self._hub.dismiss(project)

    def begin(self) -> None:
        """Follow the engine's events."""
        self._hub.start()

    def close(self) -> None:
        """Give the connections back, after the operations in flight."""
        self._hub.close(wait=True)

    def _on_happened(self, projects: frozenset[str], subjects: frozenset[str]) -> None:
        self.surroundings.post(Happened(projects, lost="" in subjects))


class SimulatedGround:
    """An engine in memory (`-H simulated://`): every job runs on the dispatcher's thread.

    `random` and `virtual` as in `Inline`.
    """

    lock = staticmethod(unlocked)

    def __init__(
        self, engine: SimulatedEngine, random: Callable[[], float] = lambda: 0.5, *, virtual: bool = False
    ) -> None:
        from reconciler.service.inline import Inline

        self.engine = engine
        self.surroundings = Inline(engine, random, virtual=virtual)

    def executor(self, _project: str, /) -> SessionExecutor:
        """One that moves the engine's clock."""
        from reconciler.forecast import VirtualExecutor

        return VirtualExecutor(self.engine)

    def look(self) -> frozenset[str]:
        """Nothing: no event is ever lost."""
        return frozenset()

    def wake(self, _project: str, /) -> None:
        """Nobody waits."""

    def dismiss(self, _project: str, /) -> None:
        """Nothing is kept of it."""

    def begin(self) -> None:
        """Its events are read after every job."""

    def close(self) -> None:
        """Nothing to give back."""


def simulated_engine(projects: Callable[[], Iterable[Project]]) -> SimulatedEngine:
    """An empty engine on which these projects, as they are at the moment, behave as a forecast assumes."""
    from reconciler.engine.simulated import Behaviour, SimulatedEngine, VirtualClock
    from reconciler.forecast import assumed_behaviours

    def behave(image: str, config: dict[str, object]) -> Behaviour:
        return assumed_behaviours(tuple(projects()))(image, config)

    return SimulatedEngine(VirtualClock(time()), behaviours=behave)  # type: ignore[arg-type]
