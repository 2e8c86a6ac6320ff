"""A simulated engine as many threads meet it: one call at a time, in real time, with a stream of events.

Beside what it simulates it counts connections, so that tests see whether they are given back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import time
from typing import TYPE_CHECKING, Any, cast

from reconciler.engine.simulated import FREE, SimulatedEngine, VirtualClock
from reconciler.errors import EngineUnreachableError

if TYPE_CHECKING:
    from reconciler.engine.protocol import Engine
    from reconciler.engine.simulated import Behaviours
    from reconciler.model.observed import EngineInfo

LONGEST_LOOK = 0.2
_WITHOUT_A_CALL = {"missing_paths"}


@dataclass
class LiveWorld:
    """What all connections to one live engine share. `down` says that nothing answers any more.

    `calls` counts calls by name. `before`, where set, is called with the name of each call that is about to be made.
    """

    engine: SimulatedEngine
    turn: threading.Condition = field(default_factory=threading.Condition)
    calls: dict[str, int] = field(default_factory=dict)
    opened: int = 0
    closed: int = 0
    streams: int = 0
    down: bool = False
    lost: int = 0
    before: Callable[[str], object] | None = None

    @property
    def open(self) -> int:
        """How many connections are open."""
        return self.opened - self.closed

    @contextmanager
    def changed(self) -> Iterator[SimulatedEngine]:
        """The engine, for this thread alone: for calls, and for what people do behind the controller's back."""
        with self.turn:
            self.engine.advance_to(time())
            yield self.engine
            self.engine.calls.clear()
            self.engine.event_log.clear()
            self.turn.notify_all()

    def lose(self) -> None:
        """Every stream of events ends, as when the engine is restarted."""
        with self.turn:
            self.lost += 1
            self.turn.notify_all()

    def go_down(self, *, down: bool) -> None:
        """Nothing answers from now on, or all does again."""
        with self.turn:
            self.down = down
        self.lose()


class LiveEngine:
    """One connection to a live engine: the protocol's calls, each made alone and at the present time."""

    def __init__(self, world: LiveWorld, info: EngineInfo | None = None) -> None:
        self._world = world
        self._closed = False
        self._info = info or world.engine.info()
        with world.turn:
            world.opened += 1

    def clone(self) -> LiveEngine:
        """Another connection."""
        return LiveEngine(self._world, self._info)

    def introduced_anew(self) -> LiveEngine:
        """Another connection, which knows what the engine is by now."""
        self._check()
        return LiveEngine(self._world)

    def info(self) -> EngineInfo:
        """What the engine was when it was asked last."""
        return self._info

    def close(self) -> None:
        """Give it back; its stream of events ends."""
        with self._world.turn:
            if not self._closed:
                self._closed = True
                self._world.closed += 1
            self._world.turn.notify_all()

    def events(self) -> Iterator[dict[str, Any]]:
        """What happens from now on, until the connection is lost or closed."""
        self._check()
        with self._world.turn:
            return self._follow(self._world.engine.world.told, self._world.lost)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A call of the protocol."""
        method = getattr(self._world.engine, name)
        return method if name in _WITHOUT_A_CALL else self._call(name, method)

    def _call(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            self._check()
            if self._world.before:
                self._world.before(name)
            with self._world.changed():
                self._world.calls[name] = self._world.calls.get(name, 0) + 1
                return method(*args, **keywords)

        return call

    def _check(self) -> None:
        if self._world.down or self._closed:
            raise EngineUnreachableError("no answer")

    def _follow(self, told: int, lost: int) -> Iterator[dict[str, Any]]:
        world = self._world
        with world.turn:
            world.streams += 1
        try:
            while True:
                with world.turn:
                    while not (self._closed or world.lost > lost or told < world.engine.world.told):
                        world.turn.wait(LONGEST_LOOK)
                        world.engine.advance_to(time())
                    if self._closed or world.lost > lost:
                        return
                    events = list(world.engine.world.events_since(told))
                    told = world.engine.world.told
                yield from events
        finally:
            with world.turn:
                world.streams -= 1


def live_world(behaviours: Behaviours | None = None) -> LiveWorld:
    """An empty engine whose calls take no time."""
    return LiveWorld(SimulatedEngine(VirtualClock(time()), costs=FREE, behaviours=behaviours))


def connect(world: LiveWorld) -> Engine:
    """A connection to it."""
    return cast("Engine", LiveEngine(world))
