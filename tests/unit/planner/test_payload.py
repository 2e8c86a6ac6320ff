"""What is sent to the engine, in which order replicas are replaced, and what is said about why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.memory import Memory
from reconciler.model.observed import Endpoint, EngineInfo, NetworkState
from reconciler.model.project import Attachment, Build, HostPort, Image, Rollout, Service
from reconciler.planner.images import BoundImage
from reconciler.planner.order import choose_order
from reconciler.planner.plan import plan
from tests.support.planning import IMAGE, NOW, container, current, desired, observed, service, step

ANONYMOUS = "a" * 64


def body(wanted: Any, *containers: Any, memory: Memory | None = None, **seen: Any) -> dict[str, Any]:
    """The body of the one create of this pass."""
    found = step(wanted, observed(*containers, **seen), memory)
    made: dict[str, Any] = next(item.payload["body"] for item in found.operations if item.kind == "container.create")
    return made


def with_volume(path: str = "/data") -> Any:
    return container(mounts=({"Type": "volume", "Name": ANONYMOUS, "Destination": path}, {"Type": "bind"}))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (
            {"Mounts": [{"Type": "volume", "Target": "/data"}]},
            [{"Type": "volume", "Target": "/data", "Source": ANONYMOUS}],
        ),
        ({"Mounts": [{"Type": "volume", "Target": "/data", "Source": "named"}]}, None),
        ({"Mounts": [{"Type": "volume", "Target": "/other"}]}, None),
        ({}, [{"Type": "volume", "Source": ANONYMOUS, "Target": "/data"}]),
        ({"Binds": ["/srv:/data:rw"]}, None),
        ({"Tmpfs": {"/data": ""}}, None),
    ],
)
def test_anonymous_volumes_follow_their_slot(host: dict[str, Any], expected: list[dict[str, Any]] | None) -> None:
    """The new replica mounts what the old one had at the same path, unless the spec puts something else there."""
    image = replace(IMAGE, config={"Volumes": {"/data": {}} if host.get("Mounts") != [] else {}})
    if host.get("Mounts", [{}])[0].get("Target") == "/other":
        image = IMAGE
    wanted = desired(service(container={"HostConfig": host}))
    made = body(wanted, with_volume(), images=(image,))
    assert made["HostConfig"].get("Mounts") == (expected or host.get("Mounts"))


def test_anonymous_volumes_outlive_a_container_removed_first() -> None:
    """With `container_name` the old one is gone before its successor is created: memory has its volumes."""
    mounted = {"HostConfig": {"Mounts": [{"Type": "volume", "Target": "/data"}]}}
    wanted = desired(service(container_name="db", container=mounted))
    memory = Memory(volumes={("web", 1): {"/data": ANONYMOUS}})
    assert body(wanted, memory=memory)["HostConfig"]["Mounts"][0]["Source"] == ANONYMOUS


def test_labels_name_the_object() -> None:
    """Ours, Compose's, and the user's own; a literal name is among them, because it cannot be derived."""
    made = body(desired(service(container_name="front", container={"Labels": {"team": "a"}})))
    assert made["Labels"][labels.NAME] == "front"
    assert made["Labels"]["team"] == "a"
    assert labels.NAME not in body(desired(service()))["Labels"]


def test_new_engines_take_all_networks_at_create() -> None:
    """From API 1.44 on nothing is left to connect."""
    wanted = desired(service(networks=(Attachment("a", "net-a"), Attachment("b", "net-b"))))
    engine = EngineInfo("e", "id", "25", "1.44")
    known = (NetworkState("1", "net-a"), NetworkState("2", "net-b"))
    made = body(wanted, engine=engine, networks=known)
    assert sorted(made["NetworkingConfig"]["EndpointsConfig"]) == ["net-a", "net-b"]
    assert sorted(body(wanted, networks=known)["NetworkingConfig"]["EndpointsConfig"]) == ["net-a"]


FREE = "nothing forbids two at once"


@pytest.mark.parametrize(
    ("changes", "order", "reason"),
    [
        ({}, "start-first", FREE),
        ({"rollout": Rollout("start-first")}, "start-first", "update_config.order"),
        ({"rollout": Rollout("stop-first")}, "stop-first", "update_config.order"),
        ({"job": True}, "stop-first", "a job runs one at a time"),
        ({"container_name": "x"}, "stop-first", "container_name x can exist only once"),
        (
            {"container": {"HostConfig": {"NetworkMode": "host"}}},
            "stop-first",
            "two cannot listen on the host's network at once",
        ),
        ({"shares": (("NetworkMode", "vpn"),)}, "stop-first", "two cannot listen in the network of vpn at once"),
        ({"shares": (("PidMode", "app"),)}, "start-first", FREE),
        ({"ports": (HostPort(80, 80),)}, "stop-first", "host port 80/tcp can be bound only once"),
        ({"ports": (HostPort(80, 80, "udp", "::1"),)}, "stop-first", "host port [::1]:80/udp can be bound only once"),
        ({"ports": (HostPort(80, 81),)}, "start-first", FREE),
        ({"ports": (HostPort(80, 81),), "replicas": 2}, "stop-first", "host port 80-81/tcp can be bound only once"),
        ({"ports": (HostPort(0, 0),)}, "start-first", FREE),
        (
            {"networks": (Attachment("n", "n"), Attachment("m", "m", endpoint={"MacAddress": "02:00:00:00:00:01"}))},
            "stop-first",
            "the static address on m can exist only once",
        ),
        ({"writable_mounts": ("volume d at /d",)}, "stop-first", "one replica writes to volume d at /d"),
        ({"writable_mounts": ("volume d at /d",), "replicas": 2}, "start-first", FREE),
        (
            {"writable_mounts": ("anonymous volume at /d",), "replicas": 2},
            "stop-first",
            "a replica writes to its own anonymous volume at /d",
        ),
        (
            {"container": {"MacAddress": "02:00:00:00:00:01", "HostConfig": {"NetworkMode": "bridge"}}},
            "stop-first",
            "its mac_address can exist only once",
        ),
    ],
)
def test_the_order_is_chosen_by_the_first_rule_that_forbids_two(
    changes: dict[str, Any], order: str, reason: str
) -> None:
    """Start-first wherever two replicas can run at once, and the reason is told."""
    choice = choose_order(service(**changes), BoundImage("ready", "app:1", IMAGE))
    assert (choice.order, choice.reason) == (order, reason)


@pytest.mark.parametrize(
    ("changes", "warning"),
    [
        ({"job": True}, "order: start-first cannot be honoured: a job runs one at a time"),
        (
            {"writable_mounts": ("anonymous volume at /d",)},
            "order: start-first cannot be honoured: a replica writes to its own anonymous volume at /d",
        ),
        ({"writable_mounts": ("bind / at /d",)}, "two containers will write to bind / at /d while it is replaced"),
    ],
)
def test_a_risky_order_is_warned_of(changes: dict[str, Any], warning: str) -> None:
    """What the spec asks for is done where it can be, and never in silence."""
    made = service(rollout=Rollout("start-first"), **changes)
    assert choose_order(made, BoundImage("error", "app:1")).warning == warning
    assert [notice.message for notice in step(desired(made), observed()).notices] == [f"web: {warning}"]


def test_volumes_that_only_the_image_declares_count() -> None:
    """An image's VOLUME is data too, unless the spec mounts something there."""
    image = replace(IMAGE, config={"Volumes": {"/d": {}}})
    assert choose_order(service(), BoundImage("ready", "app:1", image)).order == "stop-first"


BRIDGED = {"MacAddress": "02:00:00:00:00:01", "HostConfig": {"NetworkMode": "bridge"}}


@pytest.mark.parametrize(
    ("changes", "config", "reason"),
    [
        ({"container": BRIDGED}, {}, "its mac_address can exist only once"),
        ({"container": BRIDGED, "replicas": 2}, {}, "its mac_address can exist only once"),
        ({"writable_mounts": ("anonymous volume at /d",)}, {}, "a replica writes to its own anonymous volume at /d"),
        ({}, {"Volumes": {"/d": {}}}, "a replica writes to its own anonymous volume at /d"),
        ({"replicas": 2}, {"Volumes": {"/d": {}}}, "a replica writes to its own anonymous volume at /d"),
    ],
)
@pytest.mark.parametrize("order", [None, "start-first"])
def test_what_only_one_may_have_goes_from_one_to_the_next(
    changes: dict[str, Any], config: dict[str, Any], reason: str, order: Any
) -> None:
    """A hardware address and an anonymous volume are never shared, whatever order the spec asks for."""
    wanted = desired(service(rollout=Rollout(order, min_running=0.0, monitor=0.0), **changes))
    image = (replace(IMAGE, config=config),)
    old = [container(slot=slot) for slot in range(1, wanted.project.services[0].replicas + 1)]
    found = step(wanted, observed(*old, current(wanted, status="created"), images=image))
    assert [(item.kind, item.target) for item in found.operations] == [("container.stop", "id-web-1")]
    assert (found.services[0].order, found.services[0].order_reason) == ("stop-first", reason)
    warned = [f"web: order: start-first cannot be honoured: {reason}"] if order else []
    assert [notice.message for notice in found.notices] == warned


def test_a_volume_of_the_spec_takes_the_place_of_the_images() -> None:
    """What the image declares at that path is then no volume of each replica's own."""
    image = (replace(IMAGE, config={"Volumes": {"/d": {}}}),)
    shared = service(replicas=2, writable_mounts=("volume d at /d",))
    assert step(desired(shared), observed(images=image)).services[0].order == "start-first"


def causes(wanted: Any, *containers: Any, **seen: Any) -> list[tuple[str, Any, Any, str]]:
    """Field, before, after and reason of the first operation."""
    operation = step(wanted, observed(*containers, **seen)).operations[0]
    return [(item.field, item.before, item.after, item.reason) for item in operation.cause]


def test_why_a_replica_is_made() -> None:
    """The first of a service, or one more."""
    assert causes(desired(service())) == [("services.web", None, "defined", "nothing of it runs yet")]
    wanted = desired(service(replicas=2))
    assert causes(wanted, current(wanted)) == [("deploy.replicas", 1, 2, "web/2 does not exist")]
    scaled = service(replicas=2, sources={"scale": "c.yaml:4", "": "c.yaml:1"})
    operation = step(desired(scaled), observed(current(desired(scaled)))).operations[0]
    assert operation.cause[0].source == "c.yaml:4"


def test_why_a_replica_is_replaced() -> None:
    """Its state, its name, its image, its fields, its networks; a change nothing shows is told as such."""
    wanted = desired(service())
    dead = current(wanted, status="exited", exit_code=2)
    assert causes(wanted, dead) == [("state", "exited (2)", "running", "web/1 is not running")]
    assert causes(wanted, container())[0][0] == "spec-hash"
    named = desired(service(container_name="front"))
    assert causes(named, container())[0] == ("container_name", None, "front", "")
    changed = desired(service(container={"Env": ["A=2", "TOKEN=x"]}))
    assert causes(changed, container()) == [("environment.A", "1", "2", ""), ("environment.TOKEN", None, "***", "")]


def test_why_an_image_is_another() -> None:
    """Another reference, the same tag naming another image, or a build of another content."""
    older = container(image_id="sha256:" + "0" * 64)
    moved = causes(desired(service()), older)
    assert moved == [("image", "app:1 (000000000000)", "app:1 (111111111111)", "the tag names another image now")]
    renamed = container(image_id="sha256:" + "0" * 64, labels={labels.IMAGE: "app:0"})
    assert causes(desired(service()), renamed)[0][:3] == ("image", "app:0", "app:1")
    build = Build("/src", "/src/Dockerfile", key="k", tag="app:1")
    built = (replace(IMAGE, labels={labels.BUILD_KEY: "k"}),)
    found = causes(desired(service(image=Image("app:1", build=build))), older, images=built)
    assert found[0][3] == "the build context changed"


def test_why_networks_differ() -> None:
    """Attached anew, left, or under other names; the names every replica has do not count."""
    wanted = desired(service(networks=(Attachment("default", "front", ("www",)),)))
    known = (NetworkState("1", "front"),)
    assert causes(wanted, container(), networks=known) == [("networks.default", None, "front as www", "")]
    own = container(networks={"front": Endpoint("1", ("web", "shop-web-1", "id-web-1"))})
    assert causes(wanted, own, networks=known) == [("networks.default", "front", "front as www", "")]
    left = container(networks={"back": Endpoint("2"), "bridge": Endpoint("3")})
    assert causes(desired(service()), left) == [("networks", "back", None, "")]


def test_why_a_shared_container_differs() -> None:
    """The container whose namespace is joined is another one now, or still the same."""
    wanted = desired(service("vpn"), service(shares=(("NetworkMode", "vpn"),)))
    vpn = current(wanted, "vpn")
    joined = container(host_config={"NetworkMode": "container:gone"})
    found = causes(wanted, joined, vpn)
    assert found == [("network_mode", "container:gone", "container:new-vpn-1", "the container of vpn is another one")]
    same = container(host_config={"NetworkMode": f"container:{vpn.id}"})
    assert causes(wanted, same, vpn)[0][0] == "spec-hash"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "created"}, "web/1 is created but not started"),
        ({"health": "starting", "started_at": NOW}, "web/1 waits to be healthy"),
        ({"started_at": NOW, "seen_at": NOW - 1}, "web/1 waits for running for 0 s"),
        ({"status": "exited", "exit_code": 1}, "web/1 exited (1)"),
    ],
)
def test_status_says_what_is_off(changes: dict[str, Any], message: str) -> None:
    """One line for a person."""
    wanted = desired(service())
    assert step(wanted, observed(current(wanted, **changes))).services[0].message == message


@pytest.mark.parametrize(
    ("wanted", "containers", "message", "health"),
    [
        (service(), [], "web/1 does not exist", "Missing"),
        (service(), [container(status="exited", exit_code=1)], "web/1 exited (1)", "Degraded"),
        (service(), [container()], "web/1 runs another spec-hash", "Healthy"),
        (service(), [container(health="unhealthy")], "web/1 runs another spec-hash", "Degraded"),
        (service(replicas=0), [container()], "1 more than wanted", "Healthy"),
    ],
)
def test_status_of_what_is_not_as_wanted(wanted: Service, containers: list[Any], message: str, health: str) -> None:
    """What runs serves on, and the difference is named."""
    status = step(desired(wanted), observed(*containers)).services[0]
    assert (status.message, status.health) == (message, health)


def test_status_of_a_definition_not_known_yet() -> None:
    """While an image is pulled nobody knows what will differ."""
    from reconciler.model.observed import RegistryAnswer
    from tests.support.planning import DIGEST

    wanted = desired(service(), registry={"app:1": RegistryAnswer(DIGEST)})
    status = step(wanted, observed(container(), images=())).services[0]
    assert (status.message, status.sync) == ("web/1 runs", "OutOfSync")


def test_status_of_a_replaced_container_that_still_runs() -> None:
    """The new one is up, the old one not yet stopped."""
    wanted = desired(service())
    status = step(wanted, observed(container(), current(wanted))).services[0]
    assert status.message == "web/1 is up; the container it replaces still runs"


def test_the_same_arguments_give_the_same_step() -> None:
    """The plan is a function of its arguments, and keeps nothing that another definition would be taken for."""
    wanted = desired(service())
    assert plan(wanted, observed(container()), Memory(), NOW) == plan(wanted, observed(container()), Memory(), NOW)
    other = replace(wanted, project=desired(service(container={"Env": ["A=9"]})).project)
    assert step(other, observed()).operations[0].id != step(wanted, observed()).operations[0].id
