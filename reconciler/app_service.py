"""The part of the composition root that `reconcile serve` calls: puts the service together, and takes it down again."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from reconciler.admission import policies
from reconciler.app import Options
from reconciler.errors import EngineUnreachableError
from reconciler.files.materialising import Places
from reconciler.loading import Selection
from reconciler.lock import project_lock
from reconciler.logs import get_logger
from reconciler.model.settings import DirectorySource, GitSource, Settings
from reconciler.service.backoff import Backoff
from reconciler.service.desk import Desk
from reconciler.service.dispatcher import Dispatcher
from reconciler.service.feeds import Feed, Feeds
from reconciler.service.mail import Happened, Reload, SourceChanged, Stop
from reconciler.service.passes import Passes
from reconciler.service.reading import read
from reconciler.service.surroundings import Threads

if TYPE_CHECKING:
    from reconciler.engine.protocol import Engine
    from reconciler.model.project import Project
    from reconciler.session import Session
    from reconciler.source.checkout import Checkout, Source
    from reconciler.store import Store

COLLECT_SECONDS = 600.0
"""Superseded images go when nothing has been deployed for this long."""


def serve(settings: Settings, options: Options) -> int:
    """Serve until SIGTERM or SIGINT; 0. SettingsError, StateError or ServiceError where that cannot begin.

    An engine that does not answer is waited for.
    """
    from reconciler.service.control import Control
    from reconciler.store import Store

    log = get_logger()
    stopped = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(_signals({signal.SIGTERM: stopped.set, signal.SIGINT: stopped.set}))
        store = stack.enter_context(Store.open(Path(settings.state_dir), rollouts_kept=settings.history))
        engine = _connected(settings, log, stopped)
        if engine is None:
            return 0
        parts = _Parts(settings, options, store, engine, log)
        stack.callback(parts.close)
        post = parts.surroundings.post
        ending = {signal.SIGTERM: partial(post, Stop()), signal.SIGINT: partial(post, Stop())}
        stack.enter_context(_signals({**ending, signal.SIGHUP: partial(post, Reload())}))
        if stopped.is_set():
            post(Stop())
        desk = Desk(parts.dispatcher, post, parts.passes.session)
        stack.enter_context(Control(settings.socket, desk))
        log.info(
            "serving", sources=sorted(parts.dispatcher.feeds.all), engine=engine.info().name, socket=settings.socket
        )
        parts.dispatcher.run()
    log.info("stopped")
    return 0


class _Parts:
    """Everything that lives as long as the service, on a real engine."""

    def __init__(self, settings: Settings, options: Options, store: Store, engine: Engine, log: Any) -> None:
        from reconciler.hub import EngineHub
        from reconciler.source.watching import Watcher

        offset = engine.info().clock_offset

        def now() -> float:
            return time() + offset

        self._settings, self._options, self._store, self._log = settings, options, store, log
        self._hub = EngineHub(engine, now)
        self.surroundings = Threads(now)
        self.passes = Passes(self._open_session, self._hub.look, self._wake, self._known, now, settings, log)
        feeds = {source.name: self._feed(source) for source in settings.sources}
        self.dispatcher = Dispatcher(
            Feeds(feeds, self.surroundings, log),
            self.passes,
            self.surroundings,
            Backoff(settings.backoff_first, settings.backoff_most),
            log,
            lambda: secrets.token_hex(4),
            resync=settings.resync,
            full=settings.full,
            collect=COLLECT_SECONDS,
        )
        self._hub.subscribe(self._on_happened)
        self._watcher = Watcher(lambda: self.dispatcher.fleet.paths, self._on_files)
        self._hub.start()
        self._watcher.start()

    def close(self) -> None:
        """Stop listening, and give everything back."""
        self._watcher.stop()
        self.passes.close()
        self._hub.close(wait=True)

    def _feed(self, settings: GitSource | DirectorySource) -> Feed:
        source = _source(settings, Path(self._settings.state_dir), str(Path.cwd()))
        variables = settings.variables if isinstance(settings, GitSource) else os.environ
        selection = Selection(
            base=str(Path.cwd()),
            profiles=self._options.profiles,
            env_files=self._options.env_files,
            prune=self._options.prune,
            allow_empty=self._options.allow_empty,
        )
        git = settings if isinstance(settings, GitSource) else None
        return Feed(source, lambda checkout: read(checkout, selection, variables, _complete), git)

    def _open_session(self, project: str) -> Session:
        from reconciler.registries import own_registries
        from reconciler.session import Session

        settings, engine = self._settings, self._hub.engine
        registries = own_registries(settings.host, settings.context, engine_is_here=engine.info().shares_files)
        executor = self._hub.executor(project)
        return Session(
            engine,
            executor,
            project_lock,
            settings.instance,
            self._store,
            registries,
            policies(settings),
            settings.image_checks,
            settings.max_removed,
            places=Places(settings.data_dir, settings.host_data_dir),
        )

    def _wake(self, project: str) -> None:
        self._hub.executor(project).wake()

    def _known(self, source: str) -> Mapping[str, tuple[str, ...]]:
        engine = self._hub.engine.info().id
        origins = self._store.origins(engine, self._settings.instance)
        return {name: origin.files for name, origin in origins.items() if origin.may_go_with(source)}

    def _on_happened(self, projects: frozenset[str], subjects: frozenset[str]) -> None:
        self.surroundings.post(Happened(projects - {""}, lost="" in subjects))

    def _on_files(self, paths: frozenset[str]) -> None:
        del paths
        for source in self._settings.sources:
            if isinstance(source, DirectorySource):
                self.surroundings.post(SourceChanged(source.name))


def _complete(project: Project, checkout: Checkout) -> Project:
    """The project with the folder that its files lie in, where it comes from a repository."""
    return replace(project, checkout=checkout.root) if checkout.confined else project


def _source(settings: GitSource | DirectorySource, state_dir: Path, base: str) -> Source:
    if isinstance(settings, DirectorySource):
        from reconciler.source.folder import Folder

        return Folder(settings, base)
    from reconciler.source.git.repository import GitRepository

    return GitRepository(settings, state_dir / "sources" / settings.name)


def _connected(settings: Settings, log: Any, stopped: threading.Event) -> Engine | None:
    """The engine once it answers, None where the service is to stop before that."""
    from reconciler.engine.docker import connect

    failures = 0
    while not stopped.is_set():
        try:
            return connect(settings.host, settings.context)
        except EngineUnreachableError as error:
            failures += 1
            if failures == 1:
                log.warning("engine does not answer: waiting for it", error=str(error))
            stopped.wait(Backoff(settings.backoff_first, settings.resync).delay(failures, lambda: 0.5))
    return None


@contextmanager
def _signals(handlers: Mapping[signal.Signals, Callable[[], object]]) -> Iterator[None]:
    """These instead of what a signal did before; only the main thread hears them."""
    before = {number: signal.signal(number, lambda *_, act=act: act()) for number, act in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
