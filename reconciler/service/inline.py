"""The dispatcher's surroundings on a simulated engine: one thread, on which every job runs at once.

In real time for `-H simulated://`; in virtual time for simulations, where a day of service takes seconds.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from time import time

from reconciler.engine.events import read_event
from reconciler.engine.simulated import SimulatedEngine
from reconciler.service.mail import Happened, Message
from reconciler.service.surroundings import Job, Kind

Chance = Callable[[], float]


class Inline:
    """See the module. `virtual`: waiting moves the engine's clock instead of taking time."""

    def __init__(self, engine: SimulatedEngine, random: Chance = lambda: 0.5, *, virtual: bool = False) -> None:
        self._engine = engine
        self._random = random
        self._virtual = virtual
        self._mail: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._jobs: deque[Job] = deque()
        self._seen = 0

    def now(self) -> float:
        """The engine's time, in seconds since the epoch."""
        return self._engine.clock.now()

    def random(self) -> float:
        """A number from 0 up to 1."""
        return self._random()

    @property
    def quiet(self) -> bool:
        """Whether no mail has come and no job has been started."""
        return self._mail.empty() and not self._jobs

    def post(self, message: Message) -> None:
        """Put a message into the mail, from any thread."""
        self._mail.put(message)

    def start(self, _kind: Kind, _name: str, job: Job, /) -> None:
        """Do a job before the next wait ends; what it returns is posted."""
        self._jobs.append(job)

    def wait(self, until: float | None) -> list[Message]:
        """The mail, in order, after a job that was started; else waits until that time (None: for ever)."""
        if self._jobs:
            self._mail.put(self._jobs.popleft()())
        elif self._mail.empty():
            self._pass_time(until)
        self._tell_events()
        found = []
        while not self._mail.empty():
            found.append(self._mail.get())
        return found

    def apart(self) -> AbstractContextManager[None]:
        """Nothing takes long here."""
        return nullcontext()

    def close(self) -> None:
        """Nothing is ever under way between two waits."""

    def _pass_time(self, until: float | None) -> None:
        due = self._engine.next_event_at()
        then = min((time for time in (until, due) if time is not None), default=None)
        if self._virtual:
            self._engine.advance_to(max(self.now(), then if then is not None else self.now()))
            return
        with suppress(queue.Empty):
            self._mail.put(self._mail.get(timeout=None if then is None else max(0.0, then - self.now())))
        self._engine.advance_to(max(self.now(), time()))

    def _tell_events(self) -> None:
        """What happened since it was told last, our own doing among it, as an engine's stream has it."""
        new = tuple(read_event(event) for event in self._engine.world.events_since(self._seen))
        self._seen = self._engine.world.told
        if projects := frozenset(event.project for event in new if event.project):
            self.post(Happened(projects))
