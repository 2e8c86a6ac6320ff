"""The part of the composition root that `reconcile serve` calls: puts the service together, and takes it down again."""

from __future__ import annotations

import gc
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.admission import policies
from reconciler.age import Keyring
from reconciler.app import Options
from reconciler.errors import EngineUnreachableError
from reconciler.files.fitting import places_of
from reconciler.images.registry.pacing import Patience
from reconciler.loading import Selection
from reconciler.logs import get_logger
from reconciler.model.settings import DirectorySource, GitSource, Settings
from reconciler.opening import SIMULATED
from reconciler.service.backoff import Backoff
from reconciler.service.completing import completed
from reconciler.service.desk import Desk
from reconciler.service.dispatcher import Dispatcher
from reconciler.service.feeds import Feed, Feeds
from reconciler.service.grounds import Ground, RealGround, SimulatedGround, simulated_engine
from reconciler.service.mail import Reload, SourceChanged, Stop
from reconciler.service.passes import Passes
from reconciler.service.reading import Reader
from reconciler.source.folder import watched_paths

if TYPE_CHECKING:
    from reconciler.model.origin import Origin
    from reconciler.model.project import Project
    from reconciler.session import Session
    from reconciler.source.checkout import Checkout, Source
    from reconciler.store import Store

COLLECT_SECONDS = 600.0
"""Superseded images go when nothing has been deployed for this long."""
COLLECTOR = (10_000, 10, 10)
"""Thresholds of the garbage collector: what lets a command collect rarely would be memory kept for months here."""


def serve(settings: Settings, options: Options) -> int:
    """Serve until SIGTERM or SIGINT; 0. SettingsError, StateError or ServiceError where that cannot begin.

    An engine that does not answer is waited for. Where no source is named, this folder's default places are it.
    """
    from reconciler.service.control import Control
    from reconciler.store import Store

    gc.set_threshold(*COLLECTOR)
    log = get_logger()
    stopped = threading.Event()
    settings = replace(settings, sources=settings.sources or (DirectorySource("here", ()),))
    with ExitStack() as stack:
        stack.enter_context(_signals({signal.SIGTERM: stopped.set, signal.SIGINT: stopped.set}))
        simulated = settings.host == SIMULATED
        kept = Store.in_memory if simulated else partial(Store.open, Path(settings.state_dir))
        keyring = Keyring(settings.age_identity_file, settings.places.get("age_identity_file", ""))
        store = stack.enter_context(kept(rollouts_kept=settings.history, keyring=keyring))
        ground = _simulated(lambda: parts) if simulated else _real(settings, log, stopped)
        if ground is None:
            return 0
        parts = _Parts(settings, options, store, ground, keyring, log)
        stack.callback(parts.close)
        post = ground.surroundings.post
        ending = {signal.SIGTERM: partial(post, Stop()), signal.SIGINT: partial(post, Stop())}
        stack.enter_context(_signals({**ending, signal.SIGHUP: partial(post, Reload())}))
        if stopped.is_set():
            post(Stop())
        desk = Desk(parts.dispatcher, post, parts.passes.session)
        stack.enter_context(Control(settings.socket, desk))
        parts.begin()
        gc.freeze()  # what was made by now stays: the collector need not look through it again and again
        sources, name = sorted(parts.dispatcher.feeds.all), ground.engine.info().name
        log.info("serving", sources=sources, engine=name, socket=settings.socket)
        parts.dispatcher.run()
    log.info("stopped")
    return 0


class _Parts:
    """Everything that lives as long as the service."""

    def __init__(
        self, settings: Settings, options: Options, store: Store, ground: Ground, keyring: Keyring, log: Any
    ) -> None:
        from reconciler.source.watching import Watcher

        self._settings, self._options, self._store = settings, options, store
        self._ground, self._keyring, self._policy = ground, keyring, policies(settings)
        self._patience = Patience()
        post, surroundings = ground.surroundings.post, ground.surroundings
        self.passes = Passes(
            self._open_session, ground.look, ground.wake, self._known, ground.dismiss, surroundings.now, settings, log
        )
        folders = [source for source in settings.sources if isinstance(source, DirectorySource)]
        watched = frozenset(path for source in folders for path in watched_paths(source, str(Path.cwd())))

        def changed(_: frozenset[str]) -> None:
            for source in folders:
                post(SourceChanged(source.name))

        self._watcher = Watcher(lambda: watched | self.dispatcher.fleet.paths, changed)
        self.dispatcher = Dispatcher(
            Feeds({source.name: self._feed(source) for source in settings.sources}, surroundings, log),
            self.passes,
            surroundings,
            Backoff(settings.backoff_first, settings.backoff_most),
            log,
            lambda: secrets.token_hex(4),
            self._watcher.refresh,
            resync=settings.resync,
            full=settings.full,
            collect=COLLECT_SECONDS,
        )

    def begin(self) -> None:
        """Listen to the engine and to the files."""
        self._ground.begin()
        self._watcher.start()

    def close(self) -> None:
        """Stop listening, and give everything back."""
        self._watcher.stop()
        self.passes.close()
        self._ground.close()

    def _feed(self, settings: GitSource | DirectorySource) -> Feed:
        source = _source(settings, Path(self._settings.state_dir), str(Path.cwd()))
        git = settings if isinstance(settings, GitSource) else None
        variables = git.variables if git else os.environ
        selection = Selection(
            base=str(Path.cwd()),
            project_name=self._options.project_name,
            services=self._options.services,
            profiles=self._options.profiles,
            env_files=self._options.env_files,
            prune=self._options.prune,
            allow_empty=self._options.allow_empty,
            keyring=self._keyring,
        )

        return Feed(source, Reader(source, selection, variables, self._complete, self._origins, self._note_left), git)

    def _complete(self, project: Project, checkout: Checkout) -> Project:
        return completed(project, checkout, self._ground.engine.info(), places_of(self._settings), self._policy)

    def _open_session(self, project: str) -> Session:
        from reconciler.opening import session_on
        from reconciler.registries import own_registries

        settings, ground = self._settings, self._ground
        here = ground.engine.info().shares_files
        registries = None
        if settings.host != SIMULATED:
            apart, patience = ground.surroundings.apart, self._patience
            registries = own_registries(
                settings.host, settings.context, engine_is_here=here, patience=patience, apart=apart
            )
        executor, interval = ground.executor(project), settings.image_checks
        return session_on(
            ground.engine, executor, ground.lock, settings.instance, self._store, settings, registries, interval
        )

    def _known(self, source: str) -> Mapping[str, tuple[str, ...]]:
        return {name: origin.files for name, origin in self._origins().items() if origin.may_go_with(source)}

    def _origins(self) -> Mapping[str, Origin]:
        return self._store.origins(self._ground.engine.info().id, self._settings.instance)

    def _note_left(self, project: str, source: str, left: bool) -> None:  # noqa: FBT001 - as `ProjectStore.note_left`
        kept = self._store.project(self._ground.engine.info().id, self._settings.instance, project)
        kept.note_left(source, left)


def _source(settings: GitSource | DirectorySource, state_dir: Path, base: str) -> Source:
    if isinstance(settings, DirectorySource):
        from reconciler.source.folder import Folder

        return Folder(settings, base)
    from reconciler.source.git.repository import GitRepository

    return GitRepository(settings, state_dir / "sources" / settings.name)


def _simulated(parts: Callable[[], _Parts]) -> Ground:
    engine = simulated_engine(lambda: [item.project for item in parts().dispatcher.fleet.members.values()])
    return SimulatedGround(engine)


def _real(settings: Settings, log: Any, stopped: threading.Event) -> Ground | None:
    """The engine once it answers, None where the service is to stop before that."""
    from reconciler.engine.docker import connect

    failures = 0
    while not stopped.is_set():
        try:
            return RealGround(connect(settings.host, settings.context))
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
