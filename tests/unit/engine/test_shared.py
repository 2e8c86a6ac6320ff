"""One engine for many threads: whose connection a call goes over, and whose answer a list is."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.engine import connections, listing
from reconciler.engine.shared import SharedEngine
from reconciler.errors import EngineError, EngineUnreachableError
from tests.support.live import LiveWorld, connect, live_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.engine.protocol import Engine

THREADS = 12


@pytest.fixture
def world() -> LiveWorld:
    made = live_world()
    with made.changed() as engine:
        engine.pull_image("app:1", None, lambda _line: None)
    return made


@pytest.fixture
def shared(world: LiveWorld) -> Iterator[SharedEngine]:
    engine = SharedEngine(connect(world))
    yield engine
    engine.disconnect()
    assert world.open == 0


def names(engine: SharedEngine) -> list[str]:
    return sorted(row["Names"][0] for row in engine.list_containers())


def test_a_list_is_read_once_until_something_happens(world: LiveWorld, shared: SharedEngine) -> None:
    """Whoever asks: it is the same object. Without somebody who tells what happens it is read every time."""
    shared.list_containers()
    shared.list_containers()
    assert world.calls == {"list_containers": 2}
    shared.follow(followed=True)
    rows = shared.list_containers()
    assert shared.list_containers() is rows
    assert world.calls == {"list_containers": 3}
    shared.invalidate("networks")
    assert shared.list_containers() is rows
    shared.invalidate("containers")
    assert shared.list_containers() is not rows
    shared.follow(followed=False)
    shared.list_containers()
    shared.list_containers()
    assert world.calls == {"list_containers": 6}


@pytest.mark.parametrize("name", ["containers", "networks", "volumes", "images"])
def test_every_list_is_kept(world: LiveWorld, shared: SharedEngine, name: str) -> None:
    """An invalidation that names none is of all."""
    shared.follow(followed=True)
    read = getattr(shared, f"list_{name}")
    assert read() is read()
    shared.invalidate()
    read()
    assert world.calls == {f"list_{name}": 2}


def test_an_answer_grows_old(shared: SharedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not everything that happens is told."""
    shared.follow(followed=True)
    rows = shared.list_networks()
    monkeypatch.setattr(listing, "MOST_AGE", 0.0)
    assert shared.list_networks() is not rows


def test_own_changes_are_seen(shared: SharedEngine) -> None:
    """At once, whether or not an event has come by then."""
    shared.follow(followed=True)
    assert names(shared) == []
    container = shared.create_container("one", {"Image": "app:1"})
    assert names(shared) == ["/one"]
    shared.start_container(container)
    assert shared.list_containers()[0]["State"] == "running"
    shared.stop_container(container)
    shared.remove_container(container)
    assert names(shared) == []
    before = len(shared.list_networks())
    network = shared.create_network("net", {})
    assert len(shared.list_networks()) == before + 1
    shared.remove_network(network)
    shared.create_volume("data", {})
    assert [row["Name"] for row in shared.list_volumes()] == ["data"]
    shared.tag_image("app:1", "other", "2")
    assert {tag for row in shared.list_images() for tag in row["RepoTags"]} == {"app:1", "other:2"}


def test_a_failed_change_may_have_changed_something(world: LiveWorld, shared: SharedEngine) -> None:
    """Its reply may be lost: what was read before it is not believed after it."""
    shared.follow(followed=True)
    shared.list_containers()
    with pytest.raises(EngineError, match="No such image"):
        shared.create_container("one", {"Image": "none"})
    shared.list_containers()
    assert world.calls["list_containers"] == 2


class Slow:
    """Holds the first call of a kind until it is let go."""

    def __init__(self, world: LiveWorld, call: str) -> None:
        self.entered, self.go, self._call = threading.Event(), threading.Event(), call
        world.before = self

    def __call__(self, name: str) -> None:
        """A call is about to be made."""
        if name == self._call and not self.entered.is_set():
            self.entered.set()
            assert self.go.wait(10)


def test_who_asks_at_once_shares_one_call(world: LiveWorld, shared: SharedEngine) -> None:
    """However many they are."""
    shared.follow(followed=True)
    slow = Slow(world, "list_containers")
    with ThreadPoolExecutor(THREADS) as pool:
        first = pool.submit(shared.list_containers)
        assert slow.entered.wait(10)
        others = [pool.submit(shared.list_containers) for _ in range(THREADS - 1)]
        slow.go.set()
        assert all(other.result(10) is first.result(10) for other in others)
    assert world.calls == {"list_containers": 1}


def test_an_answer_begun_before_something_happened_is_not_kept(world: LiveWorld, shared: SharedEngine) -> None:
    """Who asked before it gets it all the same; who asks after it does not wait for it."""
    shared.follow(followed=True)
    slow = Slow(world, "list_containers")
    with ThreadPoolExecutor(2) as pool:
        before = pool.submit(shared.list_containers)
        assert slow.entered.wait(10)
        shared.invalidate("containers")
        after = shared.list_containers()
        assert not before.done()
        slow.go.set()
        assert before.result(10) is not after
        assert shared.list_containers() is after


def test_a_failed_list_fails_for_all_who_wait_and_for_nobody_else(world: LiveWorld, shared: SharedEngine) -> None:
    """The next one asks anew."""
    shared.follow(followed=True)
    slow = Slow(world, "list_containers")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shared.list_containers)
        assert slow.entered.wait(10)
        second = pool.submit(shared.list_containers)
        with world.turn:
            world.engine.fault = lambda call, _: EngineError("no") if call.name == "list_containers" else None
        slow.go.set()
        for asked in (first, second):
            with pytest.raises(EngineError, match="no"):
                asked.result(10)
    with world.turn:
        world.engine.fault = None
    assert shared.list_containers() == []


def test_connections_are_reused(world: LiveWorld, shared: SharedEngine) -> None:
    """One after another one is enough, whichever thread calls; beside it only the first, which none uses."""
    for _ in range(5):
        thread = threading.Thread(target=shared.list_volumes)
        thread.start()
        thread.join()
    assert world.open == 2


def test_what_threads_have_used_does_not_stay_open(world: LiveWorld, shared: SharedEngine) -> None:
    """Of more than are kept idle, the rest is closed."""
    many = connections.MOST_IDLE + 5
    barrier = threading.Barrier(many)
    world.before = lambda _: barrier.wait(10)
    with ThreadPoolExecutor(many) as pool:
        list(pool.map(lambda _: shared.inspect_image("app:1"), range(many)))
    assert world.opened == many + 1
    assert world.open == connections.MOST_IDLE + 1


def test_a_connection_without_an_answer_is_not_used_again(world: LiveWorld, shared: SharedEngine) -> None:
    """An engine's refusal is an answer."""
    shared.list_networks()
    with pytest.raises(EngineError):
        shared.inspect_container("none")
    assert (world.open, world.opened) == (2, 2)
    world.go_down(down=True)
    with pytest.raises(EngineUnreachableError):
        shared.list_networks()
    assert world.open == 1
    world.go_down(down=False)
    assert shared.list_networks()


def test_a_mistake_in_the_middle_of_a_call_closes_its_connection(world: LiveWorld, shared: SharedEngine) -> None:
    """Nobody knows what was read of its answer."""

    def mistake(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared.pull_image("other:1", None, mistake)
    assert world.open == 1


def test_a_stream_has_a_connection_of_its_own(world: LiveWorld, shared: SharedEngine) -> None:
    """Which is closed with it, at its end and where there is none."""
    events = shared.events()
    with world.changed() as engine:
        engine.create_volume("data", {})
    assert next(events)["Actor"]["ID"] == "data"
    assert world.open == 2
    world.lose()
    assert list(events) == []
    assert world.open == 1
    world.go_down(down=True)
    with pytest.raises(EngineUnreachableError):
        shared.events()
    assert world.open == 1


def test_a_stream_ends_when_all_is_closed(world: LiveWorld) -> None:
    """In whichever thread it is read."""
    shared = SharedEngine(connect(world))
    events, seen = shared.events(), list[dict[str, Any]]()
    thread = threading.Thread(target=lambda: seen.extend(events))
    thread.start()
    shared.disconnect()
    thread.join(10)
    assert not thread.is_alive()
    assert world.open == 0


def test_nothing_begins_once_all_is_closed(world: LiveWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine comes back while the program stops: nobody would end the stream."""
    engine = connect(world)
    shared, anew = SharedEngine(engine), engine.introduced_anew

    def late() -> Engine:
        found = anew()
        shared.disconnect()
        return found

    monkeypatch.setattr(engine, "introduced_anew", late)
    with pytest.raises(EngineUnreachableError, match="closed"):
        shared.introduce()
    with pytest.raises(EngineUnreachableError, match="closed"):
        shared.events()
    assert (world.open, world.streams) == (0, 0)


def test_what_is_lent_is_closed_when_it_comes_back(world: LiveWorld) -> None:
    """Closing does not wait for calls in flight."""
    shared, slow = SharedEngine(connect(world)), Slow(world, "inspect_image")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(shared.inspect_image, "app:1")
        assert slow.entered.wait(10)
        shared.disconnect()
        assert world.open == 1
        slow.go.set()
        assert asked.result(10)
    assert world.open == 0


def test_it_is_everybodys(shared: SharedEngine) -> None:
    """A session that closes it, or a worker that asks for a connection of its own, changes nothing."""
    assert shared.clone() is shared
    shared.close()
    assert shared.list_volumes() == []
    assert shared.info().id == "simulated"
    assert shared.missing_paths(["/none"]) == frozenset()


def test_threads_hammer_it(world: LiveWorld, shared: SharedEngine) -> None:
    """Each sees what it has changed itself, always; at the end all is as it was."""
    shared.follow(followed=True)

    def work(number: int) -> None:
        for turn in range(20):
            name = f"c{number}-{turn}"
            container = shared.create_container(name, {"Image": "app:1"})
            assert f"/{name}" in names(shared)
            shared.start_container(container)
            assert next(row for row in shared.list_containers() if row["Id"] == container)["State"] == "running"
            shared.stop_container(container)
            shared.remove_container(container)
            assert f"/{name}" not in names(shared)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert shared.list_containers() == []
    assert world.open <= connections.MOST_IDLE + 1
