"""A whole service on a simulated engine and a virtual clock: one thread, and a day takes seconds."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import structlog

from reconciler.admission import policies
from reconciler.engine.simulated import Behaviours, SimulatedEngine, VirtualClock
from reconciler.executor import SessionExecutor
from reconciler.files.fitting import places_of
from reconciler.forecast import VirtualExecutor, assumed_behaviours
from reconciler.loading import Selection
from reconciler.lock import unlocked
from reconciler.model import labels
from reconciler.model.origin import Origin
from reconciler.model.project import Project
from reconciler.model.settings import DirectorySource, GitSource, Settings
from reconciler.service.backoff import Backoff
from reconciler.service.completing import completed
from reconciler.service.desk import Desk
from reconciler.service.dispatcher import Dispatcher
from reconciler.service.feeds import Feed, Feeds
from reconciler.service.grounds import SimulatedGround
from reconciler.service.inline import Chance
from reconciler.service.mail import Message, SourceChanged
from reconciler.service.passes import Passes
from reconciler.service.reading import Reader
from reconciler.session import Session
from reconciler.source.checkout import Checkout, Source
from reconciler.source.folder import Folder
from reconciler.source.git.repository import GitRepository
from reconciler.store import Store

START = 1_780_000_000.0
SOURCE = "specs"


class Polled(GitRepository):
    """A repository that notes when it is asked."""

    def __init__(self, settings: GitSource, folder: Path, clock: VirtualClock) -> None:
        super().__init__(settings, folder)
        self._clock = clock
        self.asked: list[float] = []

    def fetch(self) -> Checkout:
        """As the service wants it."""
        self.asked.append(self._clock.now())
        return super().fetch()


class Served:
    """One service; `logged` are its log lines as dictionaries.

    It follows a folder, or the repository `git` with its data in the folder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        behaviours: Behaviours | None = None,
        state: Path | None = None,
        settings: Settings | None = None,
        git: GitSource | None = None,
        random: Chance = lambda: 0.5,
    ) -> None:
        self.folder = folder
        self.clock = VirtualClock(START)
        self.engine = SimulatedEngine(self.clock, behaviours=behaviours or assumed_behaviours(()))
        self.store = Store.open(state) if state else Store.in_memory()
        self.settings = settings or Settings()
        self.git = git
        self.random = random
        self.begin()

    def begin(self) -> None:
        """Start the program, after an earlier life where there was one."""
        captured = structlog.testing.LogCapture()
        log = structlog.wrap_logger(None, processors=[captured], wrapper_class=structlog.make_filtering_bound_logger(0))
        self.logged = captured.entries
        ground = SimulatedGround(self.engine, self.random, virtual=True)
        self.surroundings = ground.surroundings
        self.passes = Passes(
            self._session, ground.look, ground.wake, self._known, ground.dismiss, self.clock.now, self.settings, log
        )
        self.source = self._source()
        base = Selection(base=str(self.folder))
        reader = Reader(self.source, base, {}, self._complete, self._origins, self._note_left)
        names = count(1)
        self.dispatcher = Dispatcher(
            Feeds({SOURCE: Feed(self.source, reader, self.git)}, self.surroundings, log),
            self.passes,
            self.surroundings,
            Backoff(self.settings.backoff_first, self.settings.backoff_most),
            log,
            lambda: f"p{next(names)}",
            resync=self.settings.resync,
            full=self.settings.full,
            collect=600.0,
        )
        self.desk = Desk(self.dispatcher, self._post_and_answer, self.passes.session)
        self.dispatcher.feeds.begin()

    def settle(self, most: int = 500) -> None:
        """Go on until nothing is under way and nothing is due: only timers are left."""
        for _ in range(most):
            if self._quiet():
                return
            self.dispatcher.turn()
        raise AssertionError(f"it does not come to rest: {self.logged[-10:]}")

    def run(self, seconds: float) -> None:
        """Let that much time pass."""
        until = self.clock.now() + seconds
        while self.clock.now() < until:
            self.dispatcher.turn()

    def write(self, name: str, text: str) -> None:
        """Save a spec, and have it noticed."""
        (self.folder / name).write_text(text)
        self.changed()

    def remove(self, name: str) -> None:
        """Delete a spec, and have it noticed."""
        (self.folder / name).unlink()
        self.changed()

    def changed(self) -> None:
        """What the watcher says."""
        self.surroundings.post(SourceChanged(SOURCE))
        self.settle()

    def post(self, message: Message) -> None:
        """Anything else that happens."""
        self.surroundings.post(message)

    def containers(self, project: str = "") -> list[str]:
        """The images of the running containers of a project, sorted."""
        rows = [row for row in self.engine.list_containers() if row["State"] == "running"]
        return sorted(
            row["Image"].partition("@")[0]
            for row in rows
            if not project or row["Labels"].get(labels.PROJECT) == project
        )

    def said(self, level: str) -> list[MutableMapping[str, Any]]:
        """The log lines of a level."""
        return [entry for entry in self.logged if entry["log_level"] == level]

    def _quiet(self) -> bool:
        return self.dispatcher.settled and self.surroundings.quiet

    def _source(self) -> Source:
        if self.git:
            return Polled(replace(self.git, name=SOURCE), self.folder, self.clock)
        return Folder(DirectorySource(SOURCE, (str(self.folder),)), str(self.folder))

    def _complete(self, project: Project, checkout: Checkout) -> Project:
        places, policy_of = places_of(self.settings), policies(self.settings)
        return completed(project, checkout, self.engine.info(), places, policy_of)

    def _session(self, _project: str) -> Session:
        executor: SessionExecutor = VirtualExecutor(self.engine)
        policy_of = policies(self.settings)
        return Session(self.engine, executor, unlocked, self.settings.instance, self.store, policy=policy_of)

    def _known(self, source: str) -> dict[str, tuple[str, ...]]:
        return {name: item.files for name, item in self._origins().items() if item.may_go_with(source)}

    def _origins(self) -> Mapping[str, Origin]:
        return self.store.origins(self.engine.info().id, self.settings.instance)

    def _note_left(self, project: str, source: str, left: bool) -> None:
        self.store.project(self.engine.info().id, self.settings.instance, project).note_left(source, left)

    def _post_and_answer(self, message: Message) -> None:
        self.dispatcher.hear(message)


def spec(image: str = "web:1", replicas: int = 1, service: str = "web") -> str:
    """A project of one service."""
    return f"services:\n  {service}:\n    image: {image}\n    deploy: {{replicas: {replicas}}}\n"
