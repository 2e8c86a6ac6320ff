"""Changed networks are made anew: who leaves, when, and what keeps them from leaving."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.canonical import keyed_hash
from reconciler.model.memory import Memory
from reconciler.model.observed import Container, Endpoint, NetworkState, Observed
from reconciler.model.operation import Difference
from reconciler.model.project import Attachment, Dependency, Image, Network, Rollout, Service, Volume
from reconciler.planner.networks import judge_networks
from tests.support.planning import (
    NOW,
    container,
    current,
    desired,
    foreign,
    kinds,
    known_bad,
    observed,
    reasons,
    remembering,
    service,
    stable,
    step,
)

OURS = {labels.PROJECT: "shop", labels.INSTANCE: "default"}
SOURCES = {"internal": "compose.yaml:12", "driver_opts": "compose.yaml:13"}
NET = Network("front", "shop_front", definition={"Internal": True}, source="compose.yaml:11", sources=SOURCES)
ON = (Attachment("front", NET.name),)
REMOVE = "network.remove shop_front"


def was(raw: dict[str, Any] | None = None, **of: Any) -> NetworkState:
    """The network as it was made from another definition."""
    own = {**OURS, labels.SPEC_HASH: keyed_hash("", of.pop("definition", {})), **of.pop("labels", {})}
    return NetworkState("id-front", NET.name, own, raw={"Internal": False, **(raw or {})})


def on_it(of: str = "web", slot: int = 1, **changes: Any) -> Container:
    """A running container on the network as it was."""
    return container(of, slot, **{"networks": {NET.name: Endpoint("id-front", (of,))}, **changes})


def seen(*containers: Container, **changes: Any) -> Observed:
    return observed(*containers, **{"networks": (was(),), **changes})


def web(name: str = "web", **changes: Any) -> Service:
    return service(name, **{"networks": ON, **changes})


def causes(network: Network, existing: NetworkState) -> list[tuple[str, Any, Any, str]]:
    """Field, before, after and source of what is found to differ."""
    found = judge_networks(desired(networks=(network,)), observed(networks=(existing,)), Memory()).changed
    return [(item.field, item.before, item.after, item.source) for one in found.values() for item in one.cause]


def test_users_leave_then_it_is_removed_then_made_then_they_are_replaced() -> None:
    """Each with the difference as cause, and with impact gap."""
    wanted = desired(web(), networks=(NET,))
    why = (
        Difference("networks.front.internal", False, True, "compose.yaml:12", "a network cannot be changed in place"),
    )
    same = current(wanted, networks={NET.name: Endpoint("id-front")})
    first = step(wanted, seen(same))
    assert kinds(first) == ["container.stop web/1"]
    assert (first.operations[0].impact, first.operations[0].cause) == ("gap", why)
    assert (first.services[0].sync, first.services[0].waiting) == (
        "OutOfSync",
        "network shop_front, which is made anew",
    )
    stopped = replace(same, status="exited", exit_code=143)
    second = step(wanted, seen(stopped))
    assert (kinds(second), second.operations[0].cause) == ([REMOVE], why)
    third = step(wanted, observed(stopped))
    assert kinds(third) == ["network.create shop_front"]
    made = NetworkState("id-new", NET.name, third.operations[0].payload["body"]["Labels"])
    memory = Memory().with_attempts(first.operations)
    last = step(wanted, observed(stopped, networks=(made,)), memory)
    assert kinds(last) == ["container.create web/1"]
    assert (last.operations[0].impact, last.operations[0].cause) == ("gap", why)
    forgotten = step(wanted, observed(stopped, networks=(made,)))
    assert [item.reason for item in forgotten.operations[0].cause] == ["shop_front was made anew"]


def test_a_changed_service_comes_back_as_it_is_wanted_now() -> None:
    """Both changes are named."""
    found = step(desired(web(container={"Env": ["A=2"]}), networks=(NET,)), seen(on_it()))
    assert [item.field for item in found.operations[0].cause] == ["environment.A", "networks.front.internal"]


def test_dependents_leave_first() -> None:
    """A service stays as long as something on the network needs it."""
    wanted = desired(web(depends_on=(Dependency("db"),)), web("db"), networks=(NET,))
    assert kinds(step(wanted, seen(on_it(), on_it("db")))) == ["container.stop web/1"]
    assert kinds(step(wanted, seen(on_it(status="exited"), on_it("db")))) == ["container.stop db/1"]


@pytest.mark.parametrize(
    ("definition", "raw"),
    [
        ({"Driver": "bridge"}, {}),
        ({"EnableIPv6": False}, {}),
        ({"EnableIPv4": True}, {}),
    ],
)
def test_a_default_that_is_written_out_changes_nothing(definition: dict[str, Any], raw: dict[str, Any]) -> None:
    """Nor does one that an earlier version hashed as it was written."""
    network = replace(NET, definition=definition)
    assert causes(network, was(raw)) == []
    assert causes(network, was(raw, definition=definition)) == []


def test_every_field_is_compared() -> None:
    """Driver, switches, options, labels and addresses; a secret's value is hidden, what the engine adds is not told."""
    definition = {
        "Driver": "macvlan",
        "Attachable": True,
        "EnableIPv6": True,
        "Options": {"parent": "eth0", "token": "new", "same": "1"},
        "Labels": {"tier": "edge"},
        "IPAM": {"Driver": "dhcp", "Config": [{"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.1"}]},
    }
    raw = {
        "Driver": "bridge",
        "Options": {"same": "1", "token": "old", "mtu": "1400", "com.docker.network.enable_ipv4": "true"},
        "IPAM": {"Driver": "default", "Config": [{"Subnet": "172.18.0.0/16"}]},
    }
    assert causes(replace(NET, definition=definition), was(raw, labels={"old": "1"})) == [
        ("networks.front.driver", "bridge", "macvlan", "compose.yaml:11"),
        ("networks.front.attachable", False, True, "compose.yaml:11"),
        ("networks.front.enable_ipv6", False, True, "compose.yaml:11"),
        ("networks.front.driver_opts.mtu", "1400", None, "compose.yaml:13"),
        ("networks.front.driver_opts.parent", None, "eth0", "compose.yaml:13"),
        ("networks.front.driver_opts.token", "***", "***", "compose.yaml:13"),
        ("networks.front.ipam.driver", "default", "dhcp", "compose.yaml:11"),
        ("networks.front.ipam.config", ["172.18.0.0/16"], ["10.9.0.0/24, Gateway 10.9.0.1"], "compose.yaml:11"),
        ("networks.front.labels.old", "1", None, "compose.yaml:11"),
        ("networks.front.labels.tier", None, "edge", "compose.yaml:11"),
    ]


def test_what_the_engine_does_not_show_is_told_by_hash() -> None:
    """That a subnet is not asked for any more is guessed."""
    plain, pool = replace(NET, definition={}), {"Config": [{"Subnet": "10.9.0.0/24"}]}
    old = was({"IPAM": pool}, definition={"IPAM": pool})
    assert causes(plain, old) == [("networks.front.ipam.config", ["10.9.0.0/24"], None, "compose.yaml:11")]
    ((field, before, after, _),) = causes(replace(NET, definition={"IPAM": pool}), was({"IPAM": pool}))
    assert (field, len(before), len(after)) == ("networks.front", 8, 8)
    assert [item[0] for item in causes(plain, was(definition={"x": 1}))] == ["networks.front"]


@pytest.mark.parametrize("status", ["running", "exited"])
def test_a_foreign_container_keeps_it_as_it_is(status: str) -> None:
    """Stopped ones too, which could not be started again; the services go on."""
    stranger = foreign("stranger", networks=(NET.name,), status=status)
    wanted = desired(web(), networks=(NET,))
    found = step(wanted, seen(current(wanted, networks=on_it().networks), foreign=(stranger,)))
    assert (found.operations, reasons(found)) == ((), ["Blocked"])
    assert "networks.front.internal, but stranger is attached" in found.conditions[0].message


@pytest.mark.parametrize("changes", [{"disabled": frozenset({"debug"})}, {"prune": False}])
def test_a_service_that_is_not_part_of_the_run_keeps_it_as_it_is(changes: dict[str, Any]) -> None:
    """Of a profile that is off, left out by `--service`, or left running by `--no-prune`."""
    prune = changes.pop("prune", True)
    wanted = replace(desired(networks=(NET,), **changes), prune=prune)
    found = step(wanted, seen(on_it("debug")))
    assert (found.operations, reasons(found)[0]) == ((), "Blocked")
    assert kinds(step(wanted, seen(on_it("debug", status="exited")))) == [REMOVE]


def test_a_service_that_left_the_spec_makes_room() -> None:
    """It is stopped before the rest is well, as with a name or port that is needed."""
    wanted = desired(web(), networks=(NET,))
    assert kinds(step(wanted, seen(on_it(status="exited"), on_it("old")))) == ["container.stop old/1"]


def test_max_unavailable_is_kept() -> None:
    """All leave at once: where that is too many, nothing is touched."""
    wanted = desired(web(replicas=2), networks=(NET,))
    users = on_it(), on_it(slot=2)
    assert reasons(step(replace(wanted, max_unavailable=1), seen(*users))) == ["Blocked"]
    allowed = step(replace(wanted, max_unavailable=2), seen(*users))
    assert kinds(allowed) == ["container.stop web/1", "container.stop web/2"]


@pytest.mark.parametrize("operation", ["network.remove:shop_front/id-front", "container.stop:web/1/00000000"])
def test_what_cannot_be_done_is_given_up(operation: str) -> None:
    """The others come back on the network as it was."""
    memory = Memory().with_failed_operation(operation, "device is busy")
    wanted = desired(web(), web("api"), networks=(NET,))
    lost = current(wanted, "api", networks=on_it().networks, status="exited")
    known = replace(memory, stable={"api": stable(web("api"), lost.labels[labels.SPEC_HASH])})
    found = step(wanted, seen(on_it(), lost), known)
    assert found.conditions[0].reason == "Blocked"
    assert "device is busy" in found.conditions[0].message
    assert "container.create api/1" in kinds(found)
    assert REMOVE not in kinds(found)


def test_images_are_there_before_anybody_leaves() -> None:
    """Pulled for all at once; one that cannot be had keeps all as they are, also where it is a sharer's."""
    broken = web("api", image=Image("nope:1"))
    found = step(desired(web(), broken, networks=(NET,)), seen(on_it(), on_it("api")))
    assert (found.operations, reasons(found)) == ((), ["ImageUnavailable"])
    beside = service("side", image=Image("nope:1"), shares=(("NetworkMode", "web"),))
    assert kinds(step(desired(web(), beside, networks=(NET,)), seen(on_it(), container("side")))) == []
    ready = replace(beside, image=Image("app:1"))
    found = step(desired(web(), ready, service("far"), networks=(NET,)), seen(on_it(), container("side")))
    assert "container.stop web/1" in kinds(found)


def test_what_stands_in_the_way_is_found_before_anybody_leaves() -> None:
    """A foreign name, a missing volume, a dependency elsewhere that is not up."""
    named = web(container_name="front")
    found = step(desired(named, networks=(NET,)), seen(on_it(), foreign=(foreign("front"),)))
    assert (found.operations, reasons(found)) == ((), ["Blocked"])
    volume = Volume("data", "data", external=True)
    found = step(desired(web(volumes=("data",)), networks=(NET,), volumes=(volume,)), seen(on_it()))
    assert (found.operations, reasons(found)) == ((), ["VolumeMissing"])
    wanted = desired(web(depends_on=(Dependency("db"),)), service("db"), networks=(NET,))
    assert kinds(step(wanted, seen(on_it()))) == ["container.create db/1"]


def test_a_job_is_waited_for_and_not_run_again() -> None:
    """Until its own deadline; nothing else is done meanwhile."""
    wanted = desired(web(), web("job", job=True), networks=(NET,))
    running = current(wanted, "job", networks=on_it().networks, started_at=NOW - 1)
    found = step(wanted, seen(on_it(), running))
    assert (found.operations, found.wake_at) == ((), NOW - 1 + 600.0)
    done = replace(running, status="exited")
    assert kinds(step(wanted, seen(on_it(), done))) == ["container.stop web/1"]
    assert kinds(step(wanted, seen(on_it(status="exited"), done))) == [REMOVE]
    late = step(wanted, seen(on_it(status="exited"), replace(running, started_at=1.0)))
    assert "container.stop job/1" in kinds(late)


def test_what_ended_by_itself_stays_ended() -> None:
    """`restart_policy.condition: none`; stopped for the network's sake it comes back."""
    wanted = desired(web(restart=replace(web().restart, condition="none")), networks=(NET,))
    ended = current(wanted, networks=on_it().networks, status="exited")
    memory = remembering(stable(wanted.project.services[0], ended.labels[labels.SPEC_HASH]))
    made = NetworkState("id-new", NET.name, step(wanted, observed()).operations[0].payload["body"]["Labels"])
    assert step(wanted, observed(ended, networks=(made,)), memory).empty
    under_way = replace(memory, causes={("web", 1): (Difference("networks.front"),)})
    assert kinds(step(wanted, observed(ended, networks=(made,)), under_way)) == ["container.create web/1"]


def test_a_failed_definition_needs_something_that_comes_up() -> None:
    """Else what serves now would not come back."""
    paused = Rollout(min_running=0.0, monitor=0.0, failure_action="pause")
    wanted = desired(web(container={"Env": ["A=2"]}, rollout=paused), networks=(NET,))
    bad = current(wanted, networks=on_it().networks)
    found = step(wanted, seen(bad), known_bad(wanted))
    assert (found.operations, reasons(found)) == ((), ["Blocked"])
    memory = known_bad(wanted, memory=remembering(stable(web(rollout=paused))))
    assert kinds(step(wanted, seen(on_it()), memory)) == ["container.stop web/1"]
    memory = known_bad(wanted, memory=remembering(stable(web(rollout=paused), image_id="gone")))
    gone = step(wanted, seen(on_it()), memory)
    assert (gone.operations, reasons(gone)) == ((), ["ImageUnavailable"])
    job = desired(web("job", job=True, container={"Env": ["A=2"]}), web(), networks=(NET,))
    failed = current(job, "job", status="exited", exit_code=1, networks=on_it().networks)
    assert kinds(step(job, seen(failed, on_it()), known_bad(job, "job"))) == ["container.stop web/1"]


def test_the_last_good_definition_comes_up_on_the_new_network() -> None:
    """Not by its old container, which cannot be started any more; and not before the network is there."""
    wanted = desired(web(container={"Env": ["A=2"]}), networks=(NET,))
    old = on_it(status="exited")
    made = NetworkState("id-new", NET.name, step(wanted, observed()).operations[0].payload["body"]["Labels"])
    memory = known_bad(wanted, memory=remembering(stable(web())))
    assert kinds(step(wanted, observed(old, networks=(made,)), memory)) == ["container.create web/1"]
    paused = desired(web(container={"Env": ["A=2"]}, rollout=Rollout(failure_action="pause")), networks=(NET,))
    memory = known_bad(paused, memory=remembering(stable(web())))
    assert kinds(step(paused, observed(old), memory)) == ["network.create shop_front"]
    assert kinds(step(paused, observed(old, networks=(made,)), memory)) == ["container.create web/1"]


def test_surplus_and_moving_containers_leave_too() -> None:
    """A replica too many, one whose service leaves the network, one of a service scaled to nothing."""
    wanted = desired(web(networks=(), replicas=1), networks=(NET,))
    found = step(wanted, seen(on_it(), on_it(slot=2)))
    assert kinds(found) == ["container.stop web/1", "container.stop web/2"]
    assert found.operations[1].cause[0].field == "deploy.replicas"
    assert kinds(step(desired(web(replicas=0), networks=(NET,)), seen(on_it()))) == ["container.stop web/1"]


def test_a_container_that_is_away_for_a_moment_is_a_user() -> None:
    """`publish: healthy`: it comes back under its own name before it is stopped."""
    healthy = Rollout(min_running=0.0, monitor=0.0, publish="healthy")
    wanted = desired(web(rollout=healthy), networks=(NET,))
    away = current(wanted, networks={})
    memory = Memory(addresses={f"{away.id}:{NET.name}": {"IPv4Address": "172.18.0.9"}})
    assert kinds(step(wanted, seen(away), memory)) == ["network.connect web/1"]
