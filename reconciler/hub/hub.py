"""The one view of an engine that a long-lived process has: shared connections and lists, one stream of events."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self

from reconciler.engine.events import Event
from reconciler.engine.protocol import Engine
from reconciler.engine.shared import ListName, SharedEngine
from reconciler.errors import EngineError
from reconciler.executor import Signals
from reconciler.hub.inventory import NOBODYS, Inventory
from reconciler.hub.project_executor import ProjectExecutor
from reconciler.hub.stream import EventStream
from reconciler.logs import get_logger

OnHappened = Callable[[frozenset[str], frozenset[str]], None]
_News = tuple[frozenset[str], str]

_SHOWN_IN: dict[str, tuple[ListName, ...]] = {
    "container": ("containers",),
    "network": ("networks", "containers"),
    "volume": ("volumes",),
    "image": ("images", "containers"),
}


class EngineHub:
    """Owns the connections to an engine. Thread-safe; a context manager that follows the engine's events meanwhile.

    `engine` is the first connection, `clock` the engine's time in seconds since the epoch.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float]) -> None:
        self.engine = SharedEngine(engine)
        self._clock = clock
        self._lock = threading.Lock()
        self._executors: dict[str, ProjectExecutor] = {}
        self._subscribers: tuple[OnHappened, ...] = ()
        self._inventory = Inventory()
        self._news: Signals[_News | None] = Signals()
        self._stream = EventStream(self.engine, self._on_event, self._on_turn)
        self._teller = threading.Thread(target=self._tell, name="news", daemon=True)

    def __enter__(self) -> Self:
        """Use as a context manager."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close, after the operations in flight unless a person insists on leaving."""
        self.close(wait=kind is not KeyboardInterrupt)

    def start(self) -> None:
        """Begin to follow the engine's events; returns at once, whether or not the engine answers."""
        self._teller.start()
        self._stream.start()

    def close(self, *, wait: bool) -> None:
        """Give every connection back; with `wait` after the operations in flight. Nothing can be asked any more."""
        self._stream.close()
        for executor in self._known():
            executor.close(wait=wait)
        self.engine.disconnect()
        self._stream.join()
        if self._teller.is_alive():
            self._news.put(None)
            self._teller.join()

    @property
    def trouble(self) -> EngineError | None:
        """Why the engine's events cannot be followed at the moment; None while they are."""
        return self._stream.trouble

    def executor(self, project_name: str) -> ProjectExecutor:
        """The executor of a project, always the same one until it is dismissed."""
        with self._lock:
            if project_name not in self._executors:
                self._executors[project_name] = ProjectExecutor(self.engine, self._clock)
            return self._executors[project_name]

    def dismiss(self, project_name: str) -> None:
        """Forget a project: it is kept no more."""
        with self._lock:
            self._executors.pop(project_name, None)

    def subscribe(self, on_happened: OnHappened) -> None:
        """Hear of everything that happens: (projects concerned, ids of what it happened to), from a thread of the hub.

        What happens at about the same time is told at once. The project "" stands for what is nobody's; the id "" for
        a stream of events that was lost or is back (`trouble` says which): then anything may have changed.
        """
        with self._lock:
            self._subscribers = (*self._subscribers, on_happened)

    def look(self) -> frozenset[str]:
        """Read every list anew; the projects that what changed since the last look concerns.

        At first these are all that have anything. "" stands for what is nobody's: it can be in the way of a project
        that is not in sync, and of no other. EngineError where a list cannot be read.
        """
        self.engine.invalidate()
        return self._inventory.look(self.engine)

    def _known(self) -> tuple[ProjectExecutor, ...]:
        with self._lock:
            return tuple(self._executors.values())

    def _on_event(self, event: Event) -> None:
        self.engine.invalidate(*_SHOWN_IN.get(event.kind, ()))
        projects = self._inventory.concerned(event)
        with self._lock:
            executor = self._executors.get(self._inventory.owner(event)) if event.container else None
        if executor:
            executor.happened(event.container)
        self._news.put((projects, event.subject))

    def _on_turn(self) -> None:
        for executor in self._known():
            executor.happened("")
        with self._lock:
            everybody = frozenset(self._executors)
        self._news.put((everybody | {NOBODYS}, ""))

    def _pass_on(self, news: list[_News]) -> None:
        projects = frozenset(name for names, _ in news for name in names)
        subjects = frozenset(subject for _, subject in news)
        for subscriber in self._subscribers:
            try:
                subscriber(projects, subjects)
            except Exception:  # noqa: BLE001 - a mistake of one must not make the service deaf
                get_logger().exception("what happened on the engine could not be passed on")

    def _tell(self) -> None:
        while True:
            found = self._news.collect(None)
            news = [item for item in found if item is not None]
            if news:
                self._pass_on(news)
            if len(news) < len(found):
                return
