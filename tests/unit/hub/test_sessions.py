"""Sessions that live as long as a service: what a pass reads, what it holds, what is left of it."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import time
from typing import TYPE_CHECKING, Any

import pytest

from reconciler import lock
from reconciler.engine import connections
from reconciler.engine.simulated import Behaviour, outside
from reconciler.errors import EngineError, EngineUnreachableError, LockedError
from reconciler.hub import EngineHub
from reconciler.hub import stream as event_stream
from reconciler.loading import Selection, load_specs
from reconciler.prepared import Forecast
from reconciler.session import Session
from reconciler.store import Store
from tests.support.live import LiveWorld, connect, live_world
from tests.unit.hub.conftest import threads, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from reconciler.model.project import Project
    from reconciler.model.report import ProjectReport

BROKEN = "app:broken"


def behave(image: str, _config: Mapping[str, Any]) -> Behaviour:
    """One image never becomes healthy."""
    return Behaviour(healthy_after=None) if image.startswith(BROKEN) else Behaviour()


class Shop:
    """A service with one project on a live engine."""

    def __init__(self, folder: Path, hub: EngineHub, world: LiveWorld, store: Store) -> None:
        self.folder, self.hub, self.world, self.store = folder, hub, world, store
        self.name = "shop"
        self.executor = hub.executor("shop")
        self.session = Session(hub.engine, self.executor, lock.project_lock, "default", store)

    def project(self, image: str = "app:1", replicas: int = 3, **fields: Any) -> Project:
        """The project of one service."""
        gates = {"rollout": {"min_running": "0s", "settle": "0s"}}
        service = {"image": image, "deploy": {"replicas": replicas, "update_config": {"monitor": "0s"}}}
        spec = {"services": {"web": {**service, "x-reconcile": gates, **fields}}}
        path = self.folder / "compose.yaml"
        path.write_text(json.dumps(spec))
        (loaded,) = load_specs(Selection(str(self.folder), (str(path),), self.name), {}).projects
        return loaded

    def run(self, project: Project, *, full: bool = False) -> ProjectReport:
        """One pass."""
        return self.carry_out(self.session.prepare(project, full=full))

    def carry_out(self, forecast: Forecast, stop: threading.Event | None = None) -> ProjectReport:
        """The second half of a pass."""
        should_stop = stop.is_set if stop else lambda: False
        return self.session.carry_out(forecast, lambda _: None, should_stop, 30)

    def calls(self) -> dict[str, int]:
        """What the engine was asked since the last time."""
        with self.world.turn:
            found = dict(self.world.calls)
            self.world.calls.clear()
        return found

    def settled(self) -> None:
        """Every event has been told."""
        with self.world.changed() as engine:
            name = f"mark-{engine.world.told}"
            engine.create_volume(name, {})
        until(lambda: name in self._told)

    def listen(self) -> None:
        """Note what the hub tells."""
        self._told: set[str] = set()
        self.hub.subscribe(lambda _projects, subjects: self._told.update(subjects))

    def web(self) -> list[str]:
        """Ids of the containers."""
        return sorted(row["Id"] for row in self.hub.engine.list_containers())


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr(lock, "SHARED", tmp_path)
    monkeypatch.setattr(event_stream, "FIRST_PAUSE", 0.01)
    world = live_world(behave)
    with world.changed() as engine:
        for image in ("app:1", "app:2", BROKEN):
            engine.pull_image(image, None, lambda _line: None)
    hub, begun = EngineHub(connect(world), time), threading.Event()
    hub.subscribe(lambda _projects, _subjects: begun.set())
    with Store.open(tmp_path / "state") as store, hub:
        assert begun.wait(10)
        made = Shop(tmp_path, hub, world, store)
        made.listen()
        yield made
    until(lambda: not threads())
    assert (world.open, world.streams) == (0, 0)


@pytest.fixture
def running(shop: Shop) -> Shop:
    """One whose project has come up, and whose events have all been told."""
    assert shop.run(shop.project()).succeeded
    shop.settled()
    assert shop.run(shop.project()).in_sync
    shop.settled()
    shop.calls()
    return shop


def test_a_pass_where_nothing_happened_asks_nothing(running: Shop) -> None:
    """Not even for lists, after the one that was read last."""
    assert running.run(running.project()).in_sync
    running.calls()
    assert running.run(running.project()).in_sync
    assert running.calls() == {}


def test_a_full_pass_inspects_all(running: Shop) -> None:
    """Whatever is known of them."""
    assert running.run(running.project(), full=True).in_sync
    assert running.calls()["inspect_container"] == 3


def test_only_what_an_event_named_is_inspected(running: Shop) -> None:
    """A `docker update` shows in no list; it is undone."""
    first = running.web()[0]
    with running.world.changed() as engine:
        outside.update(engine, first, Memory=1 << 27)
    running.settled()
    running.calls()
    forecast = running.session.prepare(running.project())
    assert forecast.has_work
    assert running.calls()["inspect_container"] == 1
    assert running.carry_out(forecast).succeeded
    assert first not in running.web()


def test_without_its_events_a_change_is_found_by_a_full_pass(running: Shop) -> None:
    """What an engine lost is not lost for ever."""
    first = running.web()[0]
    with running.world.turn:
        running.world.engine.world.containers[first].document["HostConfig"]["Memory"] = 1 << 27
    assert running.run(running.project()).in_sync
    forecast = running.session.prepare(running.project(), full=True)
    with forecast:
        assert forecast.has_work


def test_a_stream_that_was_lost_makes_a_pass_full(running: Shop) -> None:
    """Nobody knows what happened meanwhile."""
    running.executor.touched()
    running.world.lose()
    until(lambda: "" in running._told and running.hub.trouble is None and running.hub.engine.followed)
    assert running.run(running.project()).in_sync
    assert running.calls()["inspect_container"] == 3


def test_a_failed_read_is_made_again(running: Shop) -> None:
    """What an event named is not forgotten because it could not be read at once."""
    first = running.web()[0]
    with running.world.changed() as engine:
        outside.update(engine, first, Memory=1 << 27)
        engine.fault = lambda call, _: EngineError("no") if call.name == "inspect_container" else None
    running.settled()
    with pytest.raises(EngineError, match="no"):
        running.session.prepare(running.project())
    with running.world.changed() as engine:
        engine.fault = None
    with running.session.prepare(running.project()) as forecast:
        assert forecast.has_work


def test_the_next_revision_is_compared_with_what_is_known(running: Shop) -> None:
    """The observer is of the project, not of one version of it."""
    before = running.web()
    assert running.run(running.project("app:2", replicas=2)).succeeded
    assert len(running.web()) == 2
    assert not set(before) & set(running.web())


def test_a_project_is_held_from_prepare_to_the_end(running: Shop) -> None:
    """Also where another thread carries it out; and released whatever becomes of it."""
    forecast = running.session.prepare(running.project("app:2"))
    with pytest.raises(LockedError):
        running.session.prepare(running.project())
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(running.carry_out, forecast).result(30).succeeded
    forecast.release()
    running.session.prepare(running.project()).release()
    running.world.go_down(down=True)
    until(lambda: not running.hub.engine.followed)
    with pytest.raises(EngineUnreachableError):
        running.session.prepare(running.project())
    running.world.go_down(down=False)
    running.session.prepare(running.project()).release()


def test_a_rollout_that_loses_the_engine_is_released(running: Shop) -> None:
    """It fails for whoever carries it out."""
    forecast = running.session.prepare(running.project("app:2"))
    running.world.go_down(down=True)
    with pytest.raises(EngineUnreachableError):
        running.carry_out(forecast)
    running.world.go_down(down=False)
    running.session.prepare(running.project()).release()


def test_a_rollout_that_waits_is_ended(running: Shop) -> None:
    """When a new revision arrives: what it was about is what the next pass begins from."""
    stop = threading.Event()
    probe = {"test": ["CMD", "true"], "interval": "60s"}
    forecast = running.session.prepare(running.project(BROKEN, healthcheck=probe))
    with ThreadPoolExecutor(1) as pool:
        rollout = pool.submit(running.carry_out, forecast, stop)
        until(lambda: len(running.web()) > 3)
        assert not running.session.status(running.project()).in_sync
        stop.set()
        running.executor.wake()
        assert not rollout.result(10).succeeded
    assert running.run(running.project()).succeeded
    assert len(running.web()) == 3


def test_what_is_not_carried_out_leaves_nothing(running: Shop) -> None:
    """An adoption that was only looked at takes nothing over."""
    with running.world.changed() as engine:
        labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web"}
        labels |= {"com.docker.compose.container-number": "4", "com.docker.compose.oneoff": "False"}
        engine.create_container("shop-web-4", {"Image": "app:1", "Labels": labels})
    running.settled()
    with running.session.prepare(running.project(replicas=4), adopt=True) as forecast:
        known = forecast.observer.known
    assert len(known) == 4
    with running.session.prepare(running.project(replicas=4)) as forecast:
        assert len(forecast.observer.known) == 3


def test_what_a_person_asked_for_is_of_one_pass(running: Shop) -> None:
    """The next one has causes of its own."""
    session = running.session
    assert running.run(running.project("app:2")).succeeded
    session.go_back(running.project("app:2"), "web", None)
    assert running.run(running.project("app:2")).succeeded
    assert session.history("shop", "web", 1)[0].trigger == "rollback"
    assert session.retry(running.project("app:2"), "web")
    assert running.run(running.project("app:2")).succeeded
    assert session.history("shop", "web", 1)[0].trigger == "retry"
    assert running.run(running.project("app:1")).succeeded
    assert session.history("shop", "web", 1)[0].trigger == "spec"


def test_between_passes_a_session_holds_what_is_its_own(running: Shop) -> None:
    """Not the rows of everybody's containers: there are hundreds of sessions."""
    with running.world.changed() as engine:
        engine.create_container("foreign", {"Image": "app:1"})
    running.settled()
    assert running.run(running.project()).in_sync
    observer = running.session._looking._kept["shop"]
    assert sorted(observer._rows) == sorted(observer.known)
    assert (observer._parsed, observer._images, observer._networks, observer._volumes) == (None,) * 4


def test_images_that_are_gone_are_forgotten(running: Shop) -> None:
    """Versions come and go for months."""
    for number in range(3, 8):
        with running.world.changed() as engine:
            engine.pull_image(f"app:{number}", None, lambda _line: None)
        assert running.run(running.project(f"app:{number}")).succeeded
        with running.world.changed() as engine:
            for row in engine.list_images():
                for name in row["RepoTags"]:
                    if name not in {f"app:{number}", "app:1"}:
                        engine.remove_image(name)
        running.settled()
    assert running.run(running.project("app:7")).in_sync
    kept = running.session._looking._kept["shop"]._image_inspects
    with running.world.turn:
        assert kept.keys() <= {row["Id"] for row in running.world.engine.list_images()}


def test_many_projects_many_threads(shop: Shop) -> None:
    """Passes of all projects at once, over and over: each comes out right, and nothing is left open."""
    count = 12
    sessions = [
        Session(shop.hub.engine, shop.hub.executor(f"p{number}"), lock.project_lock, "default", shop.store)
        for number in range(count)
    ]
    versions = [shop.project(f"app:{version}", replicas=2, network_mode="bridge") for version in (1, 2)]

    def work(number: int) -> list[tuple[bool, bool]]:
        reports = []
        for turn in range(6):
            project = replace(versions[turn // 2 % 2], name=f"p{number}")
            forecast = sessions[number].prepare(project, full=turn == 3)
            report = sessions[number].carry_out(forecast, lambda _: None, lambda: False, 30)
            reports.append((forecast.has_work, report.succeeded and report.in_sync))
        return reports

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(count))) == [[(True, True), (False, True)] * 3] * count
    until(lambda: not {"engine", "reader"} & set(threads()))
    assert shop.world.open <= connections.MOST_IDLE + 2


def test_status_tells_the_version_that_the_engine_has_by_now(running: Shop) -> None:
    """A pass, after the engine was upgraded, reads everything again."""
    running.world.go_down(down=True)
    until(lambda: running.hub.trouble)
    running.world.engine.world.info = replace(running.hub.engine.info(), version="28.1.0")
    running.world.go_down(down=False)
    until(lambda: running.hub.trouble is None)
    engine = running.run(running.project()).engine
    assert engine is not None
    assert engine.version == "28.1.0"
