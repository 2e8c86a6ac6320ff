"""Where the dispatcher lives: its clock, its mail, and the threads that do the work. Virtual in simulations."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal, Protocol

from reconciler.service.mail import Apart, Message

Kind = Literal["look", "roll", "source"]
Job = Callable[[], Message]
LOOKERS = 8
"""How many projects are compared at once; those that wait for registries do not count."""
SLOW = 2.0
"""Seconds after which a look that has not ended does not count either: whatever it waits for, the others do not."""


class Surroundings(Protocol):
    """What the dispatcher needs of the world."""

    def now(self) -> float:
        """The engine's time, in seconds since the epoch."""
        ...

    def random(self) -> float:
        """A number from 0 up to 1."""
        ...

    def post(self, message: Message) -> None:
        """Put a message into the mail, from any thread."""
        ...

    def wait(self, until: float | None) -> list[Message]:
        """The mail, in order; waits for the first message until that time (None: for ever)."""
        ...

    def start(self, kind: Kind, name: str, job: Job, /) -> None:
        """Do a job elsewhere; what it returns is posted."""
        ...

    def apart(self) -> AbstractContextManager[None]:
        """For what may take long within a job that compares: others are compared meanwhile."""
        ...

    def close(self) -> None:
        """Wait for the jobs to end."""
        ...


class _Here(threading.local):
    """What a thread is at: the project it compares, and whether it is one of the few that do so after a wait."""

    project = ""
    back = False


class Threads:
    """The real ones: a thread for each job.

    The dispatcher sees to it that not too many compare at once. Those that were `apart` take turns by themselves.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._mail: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._threads: set[threading.Thread] = set()
        self._here = _Here()
        self._turns = threading.Semaphore(LOOKERS)

    def now(self) -> float:
        """The engine's time, in seconds since the epoch."""
        return self._clock()

    def random(self) -> float:
        """A number from 0 up to 1."""
        return random.random()  # noqa: S311 - it spreads load, it keeps no secret

    def post(self, message: Message) -> None:
        """Put a message into the mail, from any thread."""
        self._mail.put(message)

    def wait(self, until: float | None) -> list[Message]:
        """The mail, in order; waits for the first message until that time (None: for ever)."""
        timeout = None if until is None else max(0.0, until - self.now())
        found: list[Message] = []
        try:
            found.append(self._mail.get(timeout=timeout))
            while True:
                found.append(self._mail.get_nowait())
        except queue.Empty:
            return found

    def start(self, kind: Kind, name: str, job: Job, /) -> None:
        """Do a job in a thread; what it returns is posted."""
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        thread = threading.Thread(target=self._do, args=(kind, name, job), name=f"{kind} {name}")
        self._threads.add(thread)
        thread.start()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Give the place of this thread's look to another one; it goes on when it is its turn, or after a while."""
        if not self._here.project:  # whoever asks is in nobody's way
            yield
            return
        self._end_turn()
        self.post(Apart(self._here.project))
        try:
            yield
        finally:
            self._here.back = self._turns.acquire(timeout=SLOW)

    def close(self) -> None:
        """Wait for the jobs to end."""
        for thread in self._threads:
            thread.join()

    def _do(self, kind: Kind, name: str, job: Job) -> None:
        self._here.project = name if kind == "look" else ""
        try:
            self.post(job())
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        if self._here.back:
            self._here.back = False
            self._turns.release()
