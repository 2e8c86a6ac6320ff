"""Looks that wait, for registries above all, on a live engine and real threads: they keep others from nothing."""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from itertools import count
from time import time
from typing import TYPE_CHECKING

import pytest
import structlog

from reconciler.engine.simulated import outside
from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.settings import Settings as Bounds
from reconciler.loading import Selection
from reconciler.lock import unlocked
from reconciler.model import labels
from reconciler.model.settings import DirectorySource, Settings
from reconciler.registries import Registries
from reconciler.service import dispatcher as dispatching
from reconciler.service import surroundings
from reconciler.service.backoff import Backoff
from reconciler.service.dispatcher import Dispatcher
from reconciler.service.feeds import Feed, Feeds
from reconciler.service.grounds import RealGround
from reconciler.service.mail import Apart, Collected, Stop
from reconciler.service.passes import Passes
from reconciler.service.reading import Reader
from reconciler.service.surroundings import LOOKERS, Threads
from reconciler.session import Session
from reconciler.source.folder import Folder
from reconciler.store import Store
from tests.support.live import connect, live_world
from tests.support.standin import Asked, Reply, StandIn
from tests.unit.hub.conftest import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reconciler.engine.simulated import SimulatedEngine
    from tests.support.live import LiveWorld

HUNG = [f"hung{number:02}" for number in range(LOOKERS + 4)]
PATIENT = Bounds((), read_timeout=600.0)


@contextmanager
def hanging() -> Iterator[tuple[StandIn, threading.Event]]:
    """A registry that takes every question and answers none, until the event: then it has nothing."""
    released = threading.Event()

    def answering(_: Asked) -> Reply:
        released.wait()
        return Reply(404)

    registry = StandIn(answering)
    yield registry, released
    registry.close()


@contextmanager
def released_at_last(released: threading.Event) -> Iterator[None]:
    """Whatever the test finds: what hangs has to end before the service can."""
    try:
        yield
    finally:
        released.set()


def write_specs(folder: Path, dead: str) -> None:
    """A project of an image that is local, and many whose registry is asked at every look."""
    quick = "    x-reconcile: {rollout: {min_running: 0s, settle: 0s}}\n    deploy: {update_config: {monitor: 0s}}\n"
    (folder / "well.yaml").write_text(f"services:\n  web:\n    image: app:1\n{quick}")
    for name in HUNG:
        (folder / f"{name}.yaml").write_text(
            f"services:\n  web:\n    image: {dead}\n    pull_policy: always\n{quick}",
        )


@contextmanager
def serving(folder: Path, world: LiveWorld, *, told: bool) -> Iterator[None]:
    """The service, on threads, as it follows a folder; `told`: it hears that a look asks registries."""
    ground, settings, store = RealGround(connect(world)), Settings(), Store.in_memory()
    log = structlog.wrap_logger(None, processors=[structlog.testing.LogCapture()])
    threads, names = ground.surroundings, count(1)

    def session(project: str) -> Session:
        client = RegistryClient(lambda _host: None, PATIENT)
        registries = Registries(client, apart=threads.apart if told else nullcontext)
        return Session(ground.engine, ground.executor(project), unlocked, "default", store, registries)

    passes = Passes(session, ground.look, ground.wake, lambda _: {}, ground.dismiss, threads.now, settings, log)
    source, selection = Folder(DirectorySource("specs", (str(folder),)), str(folder)), Selection(base=str(folder))
    feed = Feed(source, Reader(source, selection, {}, lambda project, _: project, dict, lambda *_: None))
    feeds = Feeds({"specs": feed}, threads, log)
    found = Dispatcher(
        feeds,
        passes,
        threads,
        Backoff(1.0, 600.0),
        log,
        lambda: f"p{next(names)}",
        resync=settings.resync,
        full=settings.full,
        collect=600.0,
    )
    ground.begin()
    running = threading.Thread(target=found.run, name="dispatcher")
    running.start()
    try:
        yield
    finally:
        threads.post(Stop())
        running.join()
        passes.close()
        ground.close()


def running(engine: SimulatedEngine, project: str) -> list[str]:
    """The ids of a project's running containers."""
    rows = [row for row in engine.list_containers() if row["Labels"].get(labels.PROJECT) == project]
    return [row["Id"] for row in rows if row["State"] == "running"]


@pytest.mark.parametrize("told", [True, False])
def test_whatever_hangs_delays_no_other_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, told: bool) -> None:
    """More looks than there are places wait, and one project is brought up and healed; then the others are too.

    Of what hangs elsewhere than in registries nobody is told: there it is the time that says so.
    """
    monkeypatch.setattr(dispatching, "SLOW", 600.0 if told else 0.05)
    world = live_world()
    with hanging() as (registry, released):
        dead = f"{registry.host}/dead:1"
        write_specs(tmp_path, dead)
        with world.changed() as engine:
            for image in ("app:1", dead):
                engine.pull_image(image, None, lambda _line: None)

        def runs(project: str, *, but: tuple[str, ...] = ()) -> list[str]:
            with world.changed() as engine:
                return [found for found in running(engine, project) if found not in but]

        with serving(tmp_path, world, told=told), released_at_last(released):
            until(lambda: len(registry.asked) == len(HUNG))
            until(lambda: runs("well"))
            (before,) = runs("well")
            with world.changed() as engine:
                outside.remove(engine, before)
            until(lambda: runs("well", but=(before,)))
            assert not any(runs(name) for name in HUNG)
            released.set()
            until(lambda: all(runs(name) for name in HUNG))


def come_back(threads: Threads, looks: int, then: Callable[[], object]) -> None:
    """So many looks are apart until all of them are, and go on with that."""
    together = threading.Barrier(looks)

    def look() -> Collected:
        with threads.apart():
            together.wait()
        then()
        return Collected()

    for number in range(looks):
        threads.start("look", f"p{number}", look)


def test_those_that_come_back_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry whose answer many wait for does not set all of them to work at once."""
    monkeypatch.setattr(surroundings, "SLOW", 600.0)
    threads, lock, working, most = Threads(time), threading.Lock(), 0, 0

    def work() -> None:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        threading.Event().wait(0.02)
        with lock:
            working -= 1

    come_back(threads, 3 * LOOKERS, work)
    threads.close()
    assert 0 < most <= LOOKERS


def test_who_comes_back_waits_for_a_turn_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those whose turn it is may hang themselves."""
    monkeypatch.setattr(surroundings, "SLOW", 0.01)
    threads, all_work = Threads(time), threading.Barrier(LOOKERS + 1)
    come_back(threads, LOOKERS + 1, all_work.wait)
    threads.close()


def test_only_looks_are_apart() -> None:
    """Others who ask registries, as people do, are in nobody's way: the dispatcher hears nothing of them."""
    threads = Threads(time)

    def ask() -> Collected:
        with threads.apart():
            return Collected()

    ask()
    threads.start("source", "specs", ask)
    threads.close()
    assert threads.wait(0.0) == [Collected()]
    threads.start("look", "shop", ask)
    threads.close()
    assert threads.wait(0.0) == [Apart("shop"), Collected()]
