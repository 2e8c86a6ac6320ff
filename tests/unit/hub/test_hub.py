"""What all projects share of an engine: who hears of what, and that nothing is left open."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import time
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import EngineError, EngineUnreachableError
from reconciler.executor import Finished, Happened
from reconciler.hub import EngineHub, stream
from reconciler.hub.project_executor import MOST_TOUCHED
from reconciler.model import labels
from reconciler.model.operation import Operation
from tests.support.live import LiveWorld, connect
from tests.support.planning import unguarded
from tests.unit.hub.conftest import body, threads, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from reconciler.engine.protocol import Engine


class Ear:
    """Hears what a hub tells."""

    def __init__(self, hub: EngineHub) -> None:
        self.heard: list[tuple[frozenset[str], frozenset[str]]] = []
        hub.subscribe(lambda projects, subjects: self.heard.append((projects, subjects)))

    def has_heard(self, count: int) -> Callable[[], bool]:
        """Whether it was told so often."""
        return lambda: len(self.heard) >= count

    @property
    def projects(self) -> set[str]:
        """All that were named."""
        return {name for projects, _ in self.heard for name in projects}

    @property
    def subjects(self) -> set[str]:
        """Ids of all that something happened to."""
        return {subject for _, subjects in self.heard for subject in subjects}


def operation(verb: str, target: str = "", **payload: Any) -> Operation:
    kind: Any = f"container.{verb}"
    return Operation(f"{kind}:{target}", kind, "c", "shop", "web", 1, target=target, payload=payload)


def happened(signals: Iterable[Finished | Happened]) -> set[str]:
    return {signal.container for signal in signals if isinstance(signal, Happened)}


def test_a_project_hears_of_its_own_containers(world: LiveWorld, hub: EngineHub) -> None:
    """And of no other's; the rest of the world hears of all."""
    ear = Ear(hub)
    shop, blog = hub.executor("shop"), hub.executor("blog")
    for executor in (shop, blog):
        executor.watch(lambda _operation, _text: None)
    with world.changed() as engine:
        ours = engine.create_container("one", body("shop"))
        foreign = engine.create_container("two", body(""))
    until(lambda: {ours, foreign} <= ear.subjects)
    assert happened(shop.wait(time() + 10)) == {ours}
    assert blog.wait(time()) == []
    assert ear.projects == {"shop", ""}


def test_joining_a_network_is_heard_by_the_containers_project(world: LiveWorld, hub: EngineHub) -> None:
    """The event has no labels: the container is known from its creation, or from a look."""
    shop = hub.executor("shop")
    with world.changed() as engine:
        container = engine.create_container("one", body("shop"))
        engine.start_container(container)
        network = engine.create_network("net", {})
    until(lambda: container in shop.touched())
    shop.watch(lambda _operation, _text: None)
    with world.changed() as engine:
        engine.connect_network(network, container, {})
    assert happened(shop.wait(time() + 10)) == {container}


def test_what_is_not_waited_for_is_touched(world: LiveWorld, hub: EngineHub) -> None:
    """Once; at first anything may have changed."""
    shop, ear = hub.executor("shop"), Ear(hub)
    assert shop.touched() == {""}
    with world.changed() as engine:
        container = engine.create_container("one", body("shop"))
    until(lambda: container in ear.subjects)
    assert [shop.touched(), shop.touched()] == [frozenset({container}), frozenset()]


def test_too_many_touched_are_all(hub: EngineHub) -> None:
    """What nobody asks for does not grow for months."""
    shop = hub.executor("shop")
    shop.touched()
    for number in range(MOST_TOUCHED + 1):
        shop.happened(f"c{number}")
    assert shop.touched() == {""}


def test_nobody_waits_for_what_is_over(world: LiveWorld, hub: EngineHub) -> None:
    """What came after the end of a rollout is not the beginning of the next."""
    shop, ear = hub.executor("shop"), Ear(hub)
    shop.watch(lambda _operation, _text: None)
    shop.submit([operation("remove", "none")], unguarded)
    shop.settle()
    shop.unwatch()
    with world.changed() as engine:
        container = engine.create_container("one", body("shop"))
    until(lambda: container in ear.subjects)
    assert shop.wait(time()) == []


def test_a_wait_is_ended_by_another_thread(hub: EngineHub) -> None:
    """As by a lost stream: everything is looked at again."""
    shop = hub.executor("shop")
    shop.watch(lambda _operation, _text: None)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(shop.wait, None)
        shop.wake()
        assert waiting.result(10) == [Happened("")]


def test_a_lost_stream_is_told_and_found_again(
    world: LiveWorld, hub: EngineHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile lists are read every time, and then anything may have changed."""
    monkeypatch.setattr(stream, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(stream, "LONGEST_PAUSE", 0.05)
    shop, ear = hub.executor("shop"), Ear(hub)
    shop.touched()
    world.go_down(down=True)
    until(lambda: hub.trouble)
    assert isinstance(hub.trouble, EngineUnreachableError)
    assert not hub.engine.followed
    assert shop.touched() == {""}
    world.go_down(down=False)
    until(lambda: hub.trouble is None)
    until(lambda: len(ear.heard) > 1)
    assert ear.heard[0] == (frozenset({"shop", ""}), frozenset({""}))
    shop.touched()
    with world.changed() as engine:
        container = engine.create_container("one", body("shop"))
    until(lambda: container in ear.subjects)
    assert shop.touched() == {container}


def test_an_engine_that_comes_back_is_asked_again_who_it_is(
    world: LiveWorld, hub: EngineHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be another version and have another time; every connection is a new one then."""
    monkeypatch.setattr(stream, "FIRST_PAUSE", 0.01)
    before = hub.engine.info()
    hub.engine.list_containers()
    world.go_down(down=True)
    until(lambda: hub.trouble)
    world.engine.world.info = replace(before, version="28.1.0", clock_offset=90.0)
    world.go_down(down=False)
    until(lambda: hub.trouble is None)
    assert (hub.engine.info().version, hub.engine.info().clock_offset) == ("28.1.0", 90.0)
    assert hub.executor("shop").gather(lambda engine, _key: engine.info().version, [1]) == ["28.1.0"]
    assert "another version" in capsys.readouterr().err
    assert world.open == 2  # the one that introduced itself, and the stream's


def test_another_engine_in_its_place_is_told_and_left_alone(
    world: LiveWorld, hub: EngineHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known here is of the first one: it is as if nobody answered, until that one is back."""
    monkeypatch.setattr(stream, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(stream, "LONGEST_PAUSE", 0.05)
    first = hub.engine.info()
    world.go_down(down=True)
    until(lambda: hub.trouble)
    world.engine.world.info = replace(first, id="another")
    world.go_down(down=False)
    until(lambda: "another engine (another) answers" in str(hub.trouble))
    asked = dict(world.calls)
    with pytest.raises(EngineUnreachableError, match="another engine") as caught:
        hub.look()
    assert "restart the service" in (caught.value.hint or "")
    with pytest.raises(EngineUnreachableError, match="another engine"):
        hub.engine.create_container("one", body("shop"))
    assert (world.calls, hub.engine.info()) == (asked, first)
    world.engine.world.info = first
    until(lambda: hub.trouble is None)
    assert hub.engine.list_containers() == []


def test_an_engine_that_does_not_answer_at_first(world: LiveWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is no reason not to begin: it is waited for, a little longer every time."""
    monkeypatch.setattr(stream, "FIRST_PAUSE", 0.01)
    world.down = True
    with EngineHub(connect(world), time) as hub:
        until(lambda: hub.trouble)
        world.go_down(down=False)
        until(lambda: hub.engine.followed)
        assert hub.trouble is None
    assert world.open == 0


def test_what_happens_at_once_is_told_at_once(world: LiveWorld, hub: EngineHub) -> None:
    """A start of ten containers is not ten reasons to look."""
    ear = Ear(hub)
    with world.changed() as engine:
        made = {engine.create_container(f"c{number}", body(f"p{number}")) for number in range(10)}
    until(lambda: made <= ear.subjects)
    assert len(ear.heard) < 10
    assert ear.projects == {f"p{number}" for number in range(10)}


def test_who_cannot_take_it_does_not_silence_the_rest(
    world: LiveWorld, hub: EngineHub, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is logged, and the others hear it, this time and the next."""

    def deaf(_projects: frozenset[str], _subjects: frozenset[str]) -> None:
        raise ValueError("no")

    hub.subscribe(deaf)
    ear = Ear(hub)
    for count in (1, 2):
        with world.changed() as engine:
            engine.create_volume(f"v{count}", {})
        until(ear.has_heard(count))
    assert "could not be passed on" in capsys.readouterr().err


def test_each_project_has_workers_of_its_own(world: LiveWorld, hub: EngineHub) -> None:
    """A project whose workers are all at long calls holds up no other one, and leaves no threads behind."""
    gate = threading.Event()

    def hold(name: str) -> None:
        if name == "stop_container":
            gate.wait(10)

    world.before = hold
    shop, blog = hub.executor("shop"), hub.executor("blog")
    shop.submit((operation("stop", f"c{number}") for number in range(40)), unguarded)
    assert [item.error for item in finished(blog, [operation("remove", "none")])] == [None]
    assert blog.gather(lambda engine, key: (key, engine.info().id), ["a", "b"]) == [
        ("a", "simulated"),
        ("b", "simulated"),
    ]
    assert threads().count("engine") <= 16
    gate.set()
    assert len(finished(shop, [], 40)) == 40
    until(lambda: "engine" not in threads() and "reader" not in threads())


def finished(executor: Any, operations: list[Operation], count: int = 1) -> list[Finished]:
    """The ends of the operations."""
    executor.submit(operations, unguarded)
    found: list[Finished] = []
    while len(found) < count:
        found += [item for item in executor.wait(time() + 10) if isinstance(item, Finished)]
    return found


def test_progress_is_passed_on(hub: EngineHub) -> None:
    """While somebody watches."""
    shop, said = hub.executor("shop"), list[str]()
    shop.watch(lambda _operation, text: said.append(text))
    kind: Any = "image.pull"
    pull = Operation("image.pull:b", kind, "b", "shop", payload={"reference": "b:1", "platform": None})
    assert finished(shop, [pull])[0].error is None
    assert said[0] == "Pulling from b"


def test_an_engine_that_is_gone_ends_the_wait(world: LiveWorld, hub: EngineHub) -> None:
    """It is the rollout's to tell, not a thread's."""
    shop = hub.executor("shop")
    world.down = True
    ended = finished(shop, [operation("start", "none")])
    assert isinstance(ended[0].error, EngineUnreachableError)


def test_the_first_error_of_many_reads_is_raised(hub: EngineHub) -> None:
    """What has not begun by then is not asked any more."""
    gate, begun = threading.Event(), list[int]()

    def read(_engine: Engine, key: int) -> None:
        begun.append(key)
        if key == 0:
            raise EngineError("no")
        gate.wait(10)

    with pytest.raises(EngineError, match="no"):
        hub.executor("shop").gather(read, range(300))
    gate.set()
    until(lambda: "reader" not in threads())
    assert len(begun) < 300


def test_one_executor_for_a_project(hub: EngineHub) -> None:
    """Until it is dismissed."""
    shop = hub.executor("shop")
    assert hub.executor("shop") is shop
    hub.dismiss("shop")
    hub.dismiss("shop")
    assert hub.executor("shop") is not shop


def test_closing_waits_for_what_is_in_flight(world: LiveWorld) -> None:
    """And begins nothing more."""
    gate, entered = threading.Event(), threading.Event()

    def hold(name: str) -> None:
        if name == "stop_container":
            entered.set()
            gate.wait(10)

    world.before = hold
    hub = EngineHub(connect(world), time)
    hub.start()
    shop = hub.executor("shop")
    shop.submit((operation("stop", f"c{number}") for number in range(17)), unguarded)
    assert entered.wait(10)
    threading.Timer(0.05, gate.set).start()
    hub.close(wait=True)
    assert world.calls["stop_container"] == 16
    until(lambda: not threads())
    assert world.open == 0


def test_a_hub_that_never_began_can_be_closed(world: LiveWorld) -> None:
    """There is nothing to wait for."""
    EngineHub(connect(world), time).close(wait=True)
    assert world.open == 0


@pytest.fixture
def looked(world: LiveWorld, hub: EngineHub) -> EngineHub:
    """A hub that has looked at two projects, a foreign container, a network and a volume of theirs."""
    ear = Ear(hub)
    with world.changed() as engine:
        for name, project in (("one", "shop"), ("two", "blog"), ("three", "")):
            engine.create_container(name, body(project))
        engine.create_network("shop_net", {"Labels": {labels.COMPOSE_PROJECT: "shop"}})
        engine.create_volume("blog_data", {"Labels": {labels.PROJECT: "blog"}})
    until(lambda: "blog_data" in ear.subjects)
    assert hub.look() == {"shop", "blog", ""}
    return hub


def test_nothing_changed(world: LiveWorld, looked: EngineHub) -> None:
    """Every list is read once, and nothing is inspected."""
    world.calls.clear()
    assert looked.look() == frozenset()
    lists = ("list_containers", "list_networks", "list_volumes", "list_images")
    assert world.calls == dict.fromkeys(lists, 1)


@pytest.mark.parametrize(
    ("change", "projects"),
    [
        (lambda engine: engine.start_container("one"), {"shop"}),
        (lambda engine: engine.remove_container("one"), {"shop"}),
        (lambda engine: engine.create_container("new", body("wiki")), {"wiki"}),
        (lambda engine: engine.start_container("three"), {""}),
        (lambda engine: engine.remove_network("shop_net"), {"shop"}),
        (lambda engine: engine.create_network("other", {}), {""}),
        (lambda engine: engine.create_volume("other", {}), {""}),
        (lambda engine: engine.tag_image("app:1", "app", "2"), {"shop", "blog", ""}),
        (lambda engine: engine.pull_image("other:1", None, lambda _line: None), {""}),
    ],
)
def test_what_changed_concerns(world: LiveWorld, looked: EngineHub, change: Any, projects: set[str]) -> None:
    """Whose it is; of an image those who run one of that repository; nobody's may be in anybody's way."""
    with world.changed() as engine:
        change(engine)
    assert looked.look() == projects


@pytest.mark.parametrize(
    ("change", "projects"),
    [
        (lambda engine: engine.remove_network("shop_net"), {"shop"}),
        (lambda engine: engine.tag_image("app:1", "app", "2"), {"shop", "blog", ""}),
        (lambda engine: engine.pull_image("other:1", None, lambda _line: None), {""}),
        (lambda engine: (engine.tag_image("app:1", "app", "2"), engine.remove_image("app:2")), {"shop", "blog", ""}),
        (lambda engine: engine.remove_container("two"), {"blog"}),
    ],
)
def test_an_event_concerns(world: LiveWorld, looked: EngineHub, change: Any, projects: set[str]) -> None:
    """The same, as it was when last looked at: events of networks, volumes and images have no labels."""
    ear = Ear(looked)
    with world.changed() as engine:
        change(engine)
    until(lambda: ear.heard)
    assert ear.projects == projects


def test_a_look_that_fails_is_told_and_changes_nothing(world: LiveWorld, looked: EngineHub) -> None:
    """The next one compares with the one before it."""
    with world.changed() as engine:
        engine.start_container("one")
        engine.fault = lambda call, _: EngineError("no") if call.name == "list_images" else None
    with pytest.raises(EngineError, match="no"):
        looked.look()
    with world.changed() as engine:
        engine.fault = None
    assert looked.look() == {"shop"}
