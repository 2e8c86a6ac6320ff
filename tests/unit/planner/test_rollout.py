"""One pass over one service: what is begun, what waits, what goes back."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.memory import Failure, Memory
from reconciler.model.observed import ImageState, RegistryAnswer
from reconciler.model.project import Attachment, Dependency, HostPort, Image, Rollout
from tests.support.planning import (
    DIGEST,
    IMAGE,
    NOW,
    container,
    current,
    desired,
    foreign,
    kinds,
    observed,
    reasons,
    service,
    step,
)

STOP_FIRST = Rollout("stop-first", min_running=0.0, monitor=0.0)


def tried(*names: str) -> Memory:
    return Memory(attempted=frozenset(names))


def bad(wanted: Any, name: str = "web") -> Memory:
    """A memory in which this service's definition failed already."""
    spec_hash = current(wanted, name).labels[labels.SPEC_HASH]
    back = wanted.project.service(name).rollout.failure_action == "rollback"
    return Memory().with_failures((Failure(name, spec_hash, "Exited", "web/1: exited (1)", rolled_back=back),))


def test_start_first_creates_starts_stops_removes() -> None:
    """The old one serves until the new one is up, and stays until the whole service is through."""
    wanted = desired(service())
    old, new = container(), current(wanted)
    stopped = container(status="exited")
    assert kinds(step(wanted, observed(old))) == ["container.create web/1"]
    assert kinds(step(wanted, observed(old, current(wanted, status="created")))) == ["container.start web/1"]
    assert kinds(step(wanted, observed(old, new))) == ["container.stop web/1"]
    assert kinds(step(wanted, observed(stopped, new))) == ["container.remove web/1"]
    assert step(wanted, observed(new)).empty


def test_stop_first_stops_between_create_and_start() -> None:
    """What cannot run twice is stopped as late as possible: its successor is created already."""
    wanted = desired(service(rollout=STOP_FIRST))
    created = current(wanted, status="created")
    assert kinds(step(wanted, observed(container()))) == ["container.create web/1"]
    assert kinds(step(wanted, observed(container(), created))) == ["container.stop web/1"]
    assert kinds(step(wanted, observed(container(status="exited"), created))) == ["container.start web/1"]


@pytest.mark.parametrize(("parallelism", "begun"), [(1, 1), (2, 2), (0, 3)])
def test_no_more_than_parallelism_are_replaced_at_once(parallelism: int, begun: int) -> None:
    """0 means all at once."""
    wanted = desired(service(replicas=3, rollout=Rollout(None, parallelism, 0.0)))
    found = step(wanted, observed(*(container(slot=number) for number in (1, 2, 3))))
    assert len(found.operations) == begun


@pytest.mark.parametrize("status", ["created", "running"])
def test_a_replica_on_its_way_up_counts_until_it_is_up(status: str) -> None:
    """Stop-first: the next one stops only when the one before serves again, so never more than parallelism are down."""
    wanted = desired(service(replicas=2, rollout=Rollout("stop-first", 1, 5.0)))
    on_its_way = current(wanted, status=status, started_at=NOW)
    found = step(wanted, observed(container(slot=1, status="exited"), on_its_way, container(slot=2)))
    assert [item.slot for item in found.operations if item.slot != 1] == []


def test_a_create_in_flight_is_not_repeated() -> None:
    """Whatever the slot looks like meanwhile, one create at a time."""
    wanted = desired(service())
    inflight = frozenset({"container.create:web/1/abcdef01"})
    assert step(wanted, observed(container(), inflight=inflight)).operations == ()


def test_two_running_containers_of_one_slot_become_one() -> None:
    """The newest stays; a duplicate goes as any replaced container does."""
    wanted = desired(service())
    older = current(wanted, id="older", name="shop-web-1-22222222", created_at=4.0, labels={labels.ROLLOUT: "22222222"})
    found = step(wanted, observed(older, current(wanted)))
    assert [(item.kind, item.target) for item in found.operations] == [("container.stop", "older")]


def test_a_leftover_that_was_never_started_is_removed() -> None:
    """Whatever else carries the slot's number goes once the service is up."""
    wanted = desired(service())
    found = step(wanted, observed(container(status="created"), current(wanted)))
    assert kinds(found) == ["container.remove web/1"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "exited", "exit_code": 1}, "Exited"),
        ({"status": "created", "error": "no such file"}, "StartFailed"),
        ({"health": "unhealthy"}, "Unhealthy"),
        ({"health": "starting", "started_at": 1.0}, "ProgressDeadlineExceeded"),
        ({"status": "restarting", "restart_count": 1}, "CrashLoop"),
    ],
)
def test_a_replica_that_does_not_come_up_is_a_failed_rollout(changes: dict[str, Any], reason: str) -> None:
    """The reason is one of a closed set, and the definition is remembered as bad; what ran before comes back."""
    wanted = desired(service())
    new = current(wanted, **changes)
    found = step(wanted, observed(container(), new), tried(new.name))
    assert reasons(found) == ["RollingBack" if new.occupied else "RolledBack"]
    assert [(failure.reason, failure.rolled_back) for failure in found.failures] == [(reason, True)]
    assert found.services[0].health == "Degraded"
    first = step(wanted, observed(new), tried(new.name))
    assert reasons(first) == [reason]
    assert [failure.rolled_back for failure in first.failures] == [False]


def test_a_failed_rollout_goes_back_step_by_step() -> None:
    """The failed one stops, the old one starts again, the failed one goes."""
    wanted = desired(service(rollout=STOP_FIRST))
    memory, old = bad(wanted), container(status="exited")
    running, dead = current(wanted, health="unhealthy"), current(wanted, status="exited")
    assert kinds(step(wanted, observed(old, running), memory)) == ["container.stop web/1"]
    found = step(wanted, observed(old, dead), memory)
    assert [(item.kind, item.target) for item in found.operations] == [("container.start", old.id)]
    found = step(wanted, observed(container(), dead), memory)
    assert [(item.kind, item.target) for item in found.operations] == [("container.remove", dead.id)]
    assert step(wanted, observed(container()), memory).operations == ()


def test_an_old_container_that_starts_no_more_is_not_tried_for_ever() -> None:
    """Going back ends too, and says that what ran before is not up either; nothing is thrown away."""
    wanted = desired(service(rollout=STOP_FIRST))
    old, dead = container(status="exited"), current(wanted, status="exited")
    memory = bad(wanted).with_failed_operation("container.start:web/1/00000000", "port in use")
    found = step(wanted, observed(old, dead), memory)
    assert found.empty
    assert reasons(found) == ["RollingBack", "OperationFailed"]
    assert step(wanted, observed(old, dead), memory.with_failures(found.failures)).empty


def test_with_pause_slots_that_are_up_stay_and_those_on_their_way_go_on() -> None:
    """A failure stops what has not begun; a job's old containers are never run again."""
    paused = Rollout(None, 0, failure_action="pause", min_running=5.0, monitor=0.0)
    wanted = desired(service(replicas=3, rollout=paused))
    up, on_its_way = current(wanted, slot=1), current(wanted, slot=2, started_at=NOW - 1)
    found = step(wanted, observed(container(slot=1), up, on_its_way, container(slot=3)), bad(wanted))
    assert kinds(found) == ["container.stop web/1"]
    assert found.look_at == (on_its_way.id,)
    job = desired(service(job=True))
    memory = bad(job)
    assert step(job, observed(container(status="exited")), memory).operations == ()


def test_a_name_that_somebody_else_has_blocks() -> None:
    """It is said whose it is and where the spec asks for it; nobody's container is renamed or removed."""
    wanted = desired(service(container_name="front", sources={"container_name": "compose.yaml:7"}))
    found = step(wanted, observed(foreign=(foreign("front"),)))
    assert found.operations == ()
    (condition,) = found.conditions
    assert (condition.reason, condition.source) == ("Blocked", "compose.yaml:7")
    assert "container_name front is taken by a container that is not ours (id-front)" in condition.message


def test_a_name_that_another_service_of_ours_has_is_waited_for() -> None:
    """A service that left the spec goes first."""
    wanted = desired(service(container_name="front"))
    left = container("gone", name="front", labels={labels.NAME: "front"})
    found = step(wanted, observed(left))
    assert found.services[0].waiting == "container name front, which front still holds"
    assert [(item.kind, item.target) for item in found.operations] == [("container.stop", left.id)]


@pytest.mark.parametrize(
    ("memory_of", "seen_of"),
    [
        ("container.start:web/1/11111111", "created"),
        ("network.connect:web/1/11111111:back", "created"),
    ],
)
def test_an_operation_that_failed_for_good_fails_the_rollout(memory_of: str, seen_of: str) -> None:
    """What the engine refuses once for good is not asked for again."""
    networks = (Attachment("default", "front"), Attachment("back", "back")) if "connect" in memory_of else ()
    wanted = desired(service(networks=networks))
    memory = Memory().with_failed_operation(memory_of, "refused")
    known = tuple(network_state(name) for name in ("front", "back"))
    found = step(wanted, observed(current(wanted, status=seen_of), networks=known), memory)
    assert found.operations == ()
    assert [(failure.reason, failure.message) for failure in found.failures] == [("OperationFailed", "refused")]


def network_state(name: str) -> Any:
    from reconciler.model.observed import NetworkState

    return NetworkState(f"id-{name}", name)


def test_a_container_that_cannot_be_stopped_or_removed_is_told() -> None:
    """It is a person's turn; nothing is repeated."""
    wanted = desired(service())
    memory = Memory().with_failed_operation("container.stop:web/1/00000000", "permission denied")
    assert reasons(step(wanted, observed(container(), current(wanted)), memory)) == ["StopFailed"]
    memory = Memory().with_failed_operation("container.remove:web/1/00000000", "busy")
    assert reasons(step(wanted, observed(container(status="exited"), current(wanted)), memory)) == ["RemoveFailed"]
    both = Memory(failed_operations={f"container.stop:web/{slot}/00000000": "denied" for slot in (2, 3)})
    surplus = [container(slot=slot) for slot in (2, 3)]
    assert reasons(step(wanted, observed(*surplus, current(wanted)), both)) == ["RemoveFailed"]


def test_a_name_that_cannot_be_freed_fails_the_rollout() -> None:
    """With `container_name` the old one goes first; where it cannot, its successor is not created."""
    wanted = desired(service(container_name="front"))
    old = container(name="front", labels={labels.NAME: "front"})
    memory = Memory().with_failed_operation("container.stop:web/1/00000000", "permission denied")
    found = step(wanted, observed(old), memory)
    assert found.operations == ()
    assert reasons(found) == ["OperationFailed"]


def test_a_dead_container_with_the_name_of_the_next_goes_first() -> None:
    """A run cut off after its new container died left that one's name taken."""
    wanted = desired(service())
    created = step(wanted, observed(container())).operations[0]
    rollout = created.id.rpartition("/")[2]
    dead = current(wanted, name=created.resource, status="exited", labels={labels.ROLLOUT: rollout})
    found = step(wanted, observed(container(), dead))
    assert [(item.kind, item.target) for item in found.operations] == [("container.remove", dead.id)]


@pytest.mark.parametrize(("status", "done"), [("exited", ["container.remove"]), ("running", [])])
def test_of_several_failed_tries_the_last_is_kept(status: str, done: list[str]) -> None:
    """Where nothing ran before: its logs say why it failed. What runs is not taken away."""
    wanted = desired(service())
    first = current(wanted, id="first", name="shop-web-1-aaaaaaaa", status=status, exit_code=1)
    last = current(wanted, created_at=6.0, status="exited", exit_code=1)
    found = step(wanted, observed(first, last), bad(wanted))
    assert [(item.kind, item.target) for item in found.operations] == [(kind, first.id) for kind in done]


def test_a_stopped_replica_too_many_is_removed() -> None:
    """Nothing is left to stop there."""
    wanted = desired(service())
    found = step(wanted, observed(current(wanted), container(slot=2, status="exited")))
    assert kinds(found) == ["container.remove web/2"]


def test_the_remaining_networks_are_connected_before_the_first_start() -> None:
    """An engine whose create takes one network gets the others by connect."""
    networks = (Attachment("default", "front"), Attachment("back", "back", ("db",)))
    wanted = desired(service(networks=networks))
    known = tuple(network_state(name) for name in ("front", "back"))
    found = step(wanted, observed(current(wanted, status="created"), networks=known))
    assert kinds(found) == ["network.connect web/1"]
    assert found.operations[0].payload == {"network": "back", "endpoint": {"Aliases": ["db", "web", "shop-web-1"]}}


@pytest.mark.parametrize(
    ("condition", "ready", "begins"),
    [
        ("service_started", {"health": "starting", "started_at": NOW - 1}, True),
        ("service_healthy", {"health": "starting", "started_at": NOW - 1}, False),
        ("service_healthy", {"health": "healthy"}, True),
    ],
)
def test_a_dependency_is_waited_for_as_its_condition_says(
    condition: Any, ready: dict[str, Any], *, begins: bool
) -> None:
    """Started is enough for one, healthy is needed for the other."""
    wanted = desired(service("db"), service(depends_on=(Dependency("db", condition),)))
    found = step(wanted, observed(current(wanted, "db", **ready)))
    assert (kinds(found) == ["container.create web/1"]) is begins


def test_a_dependency_outside_the_project_is_not_waited_for() -> None:
    """Of a disabled profile, for example: whether it may be absent was decided when the spec was loaded."""
    wanted = desired(service(depends_on=(Dependency("debug", required=False),)))
    assert kinds(step(wanted, observed())) == ["container.create web/1"]


def test_a_failed_dependency_is_told() -> None:
    """What depends on it is not touched, and says why."""
    wanted = desired(service("db"), service(depends_on=(Dependency("db"),)))
    found = step(wanted, observed(), bad(wanted, "db"))
    assert reasons(found) == ["Exited", "DependencyFailed"]


def test_a_shared_namespace_waits_for_its_owner() -> None:
    """Which container is joined is known only when the owner is up."""
    wanted = desired(service("vpn"), service(shares=(("NetworkMode", "vpn"),)))
    found = step(wanted, observed(current(wanted, "vpn", health="starting", started_at=NOW)))
    assert found.services[1].waiting == "the container of vpn"
    found = step(wanted, observed(current(wanted, "vpn")))
    assert found.operations[0].payload["body"]["HostConfig"]["NetworkMode"] == "container:new-vpn-1"


def test_what_cannot_come_up_makes_nobody_yield() -> None:
    """A removed service keeps its port until the one that needs it lacks nothing else."""
    port = HostPort(8080, 8080)
    bound = {"PortBindings": {"80/tcp": [{"HostPort": "8080"}], "81/tcp": None}}
    old = container("old", host_config=bound)
    wanted = desired(service(ports=(port,), image=Image("new:1")), registry={"new:1": RegistryAnswer(DIGEST)})
    assert kinds(step(wanted, observed(old))) == [f"image.pull new@{DIGEST}"]
    pulled = ImageState("sha256:" + "3" * 64, ("new:1",), (f"new@{DIGEST}",))
    assert kinds(step(wanted, observed(old, images=(pulled,)))) == ["container.stop old/1"]


def test_a_created_container_does_not_start_into_a_taken_port() -> None:
    """Its start would fail, and failing it would throw a good definition away."""
    bound = {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}
    wanted = desired(service(ports=(HostPort(8080, 8080),)))
    found = step(wanted, observed(container("old", host_config=bound), current(wanted, status="created")))
    assert kinds(found) == ["container.stop old/1"]


def test_services_that_wait_for_each_other_are_named() -> None:
    """An empty step that leaves a service waiting is no success."""
    bound = {number: {"PortBindings": {"80/tcp": [{"HostPort": number}]}} for number in ("1", "2")}
    wanted = desired(service("a", ports=(HostPort(2, 2),)), service("b", ports=(HostPort(1, 1),)))
    seen = observed(container("a", host_config=bound["1"]), container("b", host_config=bound["2"]))
    found = step(wanted, seen)
    assert found.empty
    assert [condition.message for condition in found.conditions] == [
        "a waits for host port 2/tcp, which shop-b-1-00000000 still holds, and nothing will bring that about",
        "b waits for host port 1/tcp, which shop-a-1-00000000 still holds, and nothing will bring that about",
    ]


@pytest.mark.parametrize("ports", [(HostPort(8080, 8080),), (HostPort(80, 90), HostPort(8080, 8080))])
def test_a_foreign_port_blocks(ports: tuple[HostPort, ...]) -> None:
    """It is told, the holder named, and nothing touched; a range may have a free port, so it does not block."""
    wanted = desired(service(ports=ports))
    found = step(wanted, observed(foreigners(HostPort(8080, 8080)), foreign=(foreign("x", ports=ports),)))
    assert found.operations == ()
    assert reasons(found) == ["Blocked"]


def foreigners(_port: HostPort) -> Any:
    return container(status="exited", image_id=IMAGE.id)


def test_a_foreign_container_that_is_stopped_holds_no_port() -> None:
    """Only what is up holds ports; what is up already needs none."""
    port = HostPort(8080, 8080)
    wanted = desired(service(ports=(port,)))
    stopped = foreign("x", ports=(port,), status="exited")
    assert kinds(step(wanted, observed(foreign=(stopped,)))) == ["container.create web/1"]
    assert step(wanted, observed(current(wanted), foreign=(foreign("x", ports=(port,)),))).empty


def test_a_service_of_no_replicas_has_nothing_to_wait_for() -> None:
    """Its containers go, whatever is known of its image."""
    wanted = desired(service(replicas=0, image=Image("gone:1")))
    assert kinds(step(wanted, observed(container()))) == ["container.stop web/1"]
    found = step(wanted, observed())
    assert found.empty
    assert found.conditions == ()
    assert found.services[0].sync == "Synced"
