"""A process that keeps a project for long, on a real engine: it hears of what people do, and leaves nothing open."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.hub import EngineHub
from reconciler.lock import project_lock
from reconciler.session import Session
from reconciler.store import Store
from tests.engine.test_drift import project_of
from tests.support.command import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import APIClient

    from reconciler.model.report import ProjectReport
    from tests.support.command import Site

pytestmark = pytest.mark.engine
OURS = {"events", "news", "engine", "reader"}


@dataclass
class Keeper:
    """A project that is kept in this process."""

    site: Site
    hub: EngineHub
    session: Session
    heard: list[tuple[frozenset[str], frozenset[str]]] = field(default_factory=list)

    def run(self, *, full: bool = False) -> ProjectReport:
        """One pass."""
        forecast = self.session.prepare(project_of(self.site.spec, self.site.name), full=full)
        return self.session.carry_out(forecast, lambda _: None, lambda: False, 30)

    def has_heard(self, subject: str) -> bool:
        """Whether something that happened to it was told as the project's."""
        return any(self.site.name in projects and subject in subjects for projects, subjects in self.heard)


@pytest.fixture
def kept(site: Site) -> Iterator[Keeper]:
    from reconciler.engine.docker import connect

    site.write(web=site.service(deploy={"replicas": 2}))
    hub = EngineHub(connect(), time)
    with Store.open(site.state) as store, hub:
        session = Session(hub.engine, hub.executor(site.name), project_lock, "default", store)
        keeper = Keeper(site, hub, session)
        hub.subscribe(lambda projects, subjects: keeper.heard.append((projects, subjects)))
        until(lambda: hub.engine.followed)
        assert keeper.run(full=True).succeeded
        yield keeper
    until(lambda: not OURS & {thread.name for thread in threading.enumerate()})


def descriptors() -> int:
    """How many files and sockets this process has open."""
    return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))


def test_what_people_change_is_heard_and_undone(kept: Keeper, api: APIClient) -> None:
    """`docker update` shows in no list; the container is named by an event, and only it is looked at."""
    assert kept.run().in_sync
    victim = next(iter(kept.site.running("web")))
    kept.heard.clear()
    api.update_container(victim, mem_limit="64m", memswap_limit="128m")
    until(lambda: kept.has_heard(victim))
    report = kept.run()
    assert report.succeeded
    assert [item.target for item in report.operations if item.kind == "container.stop"] == [victim]
    assert kept.run().in_sync


@pytest.mark.parametrize("how", ["kill", "pause", "rename", "disconnect", "remove"])
def test_whatever_happens_to_a_container_is_heard(kept: Keeper, api: Any, how: str) -> None:
    """And put right by the next pass."""
    victim = next(iter(kept.site.running("web")))
    kept.heard.clear()
    if how == "rename":
        api.rename(victim, f"{kept.site.name}-elsewhere")
    elif how == "disconnect":
        api.disconnect_container_from_network(victim, f"{kept.site.name}_default")
    elif how == "remove":
        api.remove_container(victim, force=True)
    else:
        getattr(api, how)(victim)
    until(lambda: any(kept.site.name in projects for projects, _ in kept.heard))
    assert kept.run().succeeded
    assert len(kept.site.running("web")) == 2
    assert kept.run().in_sync


def test_a_look_names_whose_things_changed(kept: Keeper, api: APIClient) -> None:
    """Whatever else happens on the engine meanwhile."""
    kept.hub.look()
    assert kept.site.name not in kept.hub.look()
    victim = next(iter(kept.site.running("web")))
    api.pause(victim)
    assert kept.site.name in kept.hub.look()


def test_passes_leave_nothing_open(kept: Keeper) -> None:
    """Neither threads nor descriptors, however many there were."""
    for full in (True, False, True):
        assert kept.run(full=full).in_sync
    before = descriptors(), threading.active_count()
    for turn in range(30):
        assert kept.run(full=turn % 2 == 0).in_sync
    until(lambda: threading.active_count() <= before[1])
    assert descriptors() <= before[0]


def test_a_volume_that_is_removed_is_heard(kept: Keeper, api: Any) -> None:
    """Of a volume an event has no labels: whose it is was seen before."""
    name = f"{kept.site.name}-data"
    api.create_volume(name, labels={"com.docker.compose.project": kept.site.name})
    kept.hub.look()
    api.remove_volume(name)
    until(lambda: kept.has_heard(name))
