"""Opens sessions as the settings want them: for one command, or beside others in the service."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

from reconciler.admission import policies
from reconciler.executor import SessionExecutor, ThreadedExecutor
from reconciler.files.fitting import places_of
from reconciler.keyfiles import hash_key
from reconciler.lock import project_lock, unlocked
from reconciler.model.project import Project
from reconciler.model.settings import Settings
from reconciler.registries import Registries, own_registries
from reconciler.session import Lock, Session

if TYPE_CHECKING:
    from reconciler.engine.protocol import Engine
    from reconciler.store import Store

SIMULATED = "simulated://"


def open_session(
    host: str | None,
    context: str | None,
    instance: str,
    projects: tuple[Project, ...],
    store: Store,
    settings: Settings,
) -> Session:
    """Connect to the engine that the options and the environment name, `simulated://` being none at all.

    EngineUnreachableError where none answers; SettingsError as `session_on`.
    """
    if host == SIMULATED:
        from reconciler.forecast import VirtualExecutor, new_engine

        virtual = new_engine(projects, time())
        return session_on(virtual, VirtualExecutor(virtual), unlocked, instance, store, settings)
    from reconciler.engine.docker import connect

    engine = connect(host, context)
    offset = engine.info().clock_offset
    executor = ThreadedExecutor(engine, lambda: time() + offset)
    registries = own_registries(host, context, engine_is_here=engine.info().shares_files)
    return session_on(engine, executor, project_lock, instance, store, settings, registries)


def session_on(
    engine: Engine,
    executor: SessionExecutor,
    lock: Lock,
    instance: str,
    store: Store,
    settings: Settings,
    registries: Registries | None = None,
    check_interval: float = 0.0,
) -> Session:
    """A session on an engine that is connected to. SettingsError where the file of the hash key cannot be used."""
    key = (
        hash_key(settings.hash_key_file, settings.places.get("hash_key_file", ""))[0] if settings.hash_key_file else ""
    )
    return Session(
        engine,
        executor,
        lock,
        instance,
        store,
        registries,
        policies(settings),
        check_interval,
        settings.max_removed,
        key,
        places_of(settings),
    )
