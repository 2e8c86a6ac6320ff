"""Where the dispatcher lives: its clock, its mail, and the threads that do the work. Virtual in simulations."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Protocol

from reconciler.service.mail import Message

Kind = Literal["look", "roll", "source"]
Job = Callable[[], Message]
LOOKERS = 8
"""How many projects are compared at once: a few may wait for registries that are slow."""


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

    def close(self) -> None:
        """Wait for the jobs to end."""
        ...


class Threads:
    """The real ones: a few threads that compare, one for each rollout and each question to a source."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._mail: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._lookers = ThreadPoolExecutor(LOOKERS + 1, thread_name_prefix="look")
        self._others: set[threading.Thread] = set()

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
        if kind == "look":
            self._lookers.submit(lambda: self.post(job()))
            return
        self._others = {thread for thread in self._others if thread.is_alive()}
        thread = threading.Thread(target=lambda: self.post(job()), name=f"{kind} {name}")
        self._others.add(thread)
        thread.start()

    def close(self) -> None:
        """Wait for the jobs to end; those that compare and have not begun are dropped."""
        self._lookers.shutdown(wait=True, cancel_futures=True)
        for thread in self._others:
            thread.join()
