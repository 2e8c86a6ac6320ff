"""Replicas that leave a network for a moment come back with all their addresses, IPv4 and IPv6."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.memory import Memory
from reconciler.model.observed import Container, Endpoint, NetworkState
from reconciler.model.operation import Operation
from reconciler.model.project import Attachment, Network, Rollout
from tests.support.planning import container, current, desired, observed, service, step

POOL4, POOL6 = {"Subnet": "10.9.0.0/24"}, {"Subnet": "fd00:9::/64"}
BOTH = {"IPv4Address": "10.9.0.254", "IPv6Address": "fd00:9::ffff:ffff:ffff:fffe"}
SIX = {"IPv6Address": BOTH["IPv6Address"]}


def published(endpoint: dict[str, Any] | None = None, definition: dict[str, Any] | None = None) -> Any:
    """A service that is named when it is up, on one network of this definition."""
    place = Attachment("default", "net", endpoint=endpoint or {})
    rollout = Rollout(min_running=0.0, monitor=0.0, publish="healthy")
    network = Network("default", "net", definition=definition or {}, keeps_addresses=not definition)
    return desired(service(networks=(place,), rollout=rollout), networks=(network,))


def network(*pools: dict[str, Any], asked: bool = True, wanted: Any = None, **raw: Any) -> NetworkState:
    """The network as we make it, with these subnets; `asked` for or not."""
    body = step(wanted or published(), observed()).operations[0].payload["body"]
    own = {**body["Labels"], **({labels.SUBNET: "asked for"} if asked else {})}
    return NetworkState("net-id", "net", own, raw={"IPAM": {"Config": list(pools)}, **raw})


def created(wanted: Any, there: NetworkState, *others: Container, **memory: Any) -> dict[str, Any]:
    """The addresses that the first new replica asks for."""
    operations = step(wanted, observed(*others, networks=(there,)), Memory(**memory)).operations
    body = next(item for item in operations if item.kind == "container.create").payload["body"]
    asked: dict[str, Any] = body["NetworkingConfig"]["EndpointsConfig"]["net"].get("IPAMConfig") or {}
    return asked


@pytest.mark.parametrize(
    ("pools", "raw", "expected"),
    [
        ((POOL4, POOL6), {"EnableIPv6": True}, BOTH),
        ((POOL6, POOL4), {"EnableIPv6": True, "EnableIPv4": True}, BOTH),
        ((POOL6,), {"EnableIPv6": True, "EnableIPv4": False}, SIX),
        ((POOL4, POOL6), {"EnableIPv6": False}, {"IPv4Address": "10.9.0.254"}),
        ((POOL4,), {}, {"IPv4Address": "10.9.0.254"}),
        (({"Subnet": "fd00:9::/126"},), {"EnableIPv6": True, "EnableIPv4": False}, {"IPv6Address": "fd00:9::2"}),
        (({"Subnet": "10.9.0.0/30"},), {}, {"IPv4Address": "10.9.0.2"}),
        (({"Subnet": "10.9.0.0/31"},), {}, {}),
        (
            ({**POOL6, "Gateway": BOTH["IPv6Address"]},),
            {"EnableIPv6": True, "EnableIPv4": False},
            {"IPv6Address": "fd00:9::ffff:ffff:ffff:fffd"},
        ),
        (
            ({**POOL6, "IPRange": "fd00:9::ffff:ffff:ffff:fff0/124"},),
            {"EnableIPv6": True, "EnableIPv4": False},
            {"IPv6Address": "fd00:9::ffff:ffff:ffff:ffef"},
        ),
    ],
)
def test_an_address_of_each_version_that_the_network_has(
    pools: tuple[dict[str, Any], ...], raw: dict[str, Any], expected: dict[str, str]
) -> None:
    """From the top of its subnets; never the gateway's, which is the lowest unless set, nor the engine's range."""
    assert created(published(), network(*pools, **raw)) == expected


def test_what_the_spec_asks_for_is_left_as_it_is() -> None:
    """Only the other version's address is ours to choose."""
    wanted = published({"IPAMConfig": {"IPv4Address": "10.9.0.7"}})
    there = network(POOL4, POOL6, wanted=wanted, EnableIPv6=True)
    assert created(wanted, there) == {**SIX, "IPv4Address": "10.9.0.7"}


def test_each_version_needs_a_subnet_that_was_asked_for() -> None:
    """An IPv4 subnet in the spec does not make the engine's IPv6 subnet one."""
    wanted = published(definition={"IPAM": {"Config": [POOL4]}, "EnableIPv6": True})
    there = network(POOL4, POOL6, asked=False, wanted=wanted, EnableIPv6=True)
    assert created(wanted, there) == {"IPv4Address": "10.9.0.254"}


def test_taken_addresses_are_passed_over() -> None:
    """However they are written: those of containers, of ones that are away, and of what is not ours."""
    other = container(
        of="db",
        networks={"net": Endpoint("net-id", ipam_config={"IPv6Address": "fd00:9:0:0:FFFF:FFFF:FFFF:FFFE"})},
    )
    away = {"gone:net": {"IPv6Address": "fd00:9::ffff:ffff:ffff:fffd"}}
    listed = {"x": {"IPv6Address": "fd00:9::ffff:ffff:ffff:fffc/64"}}
    there = network(POOL6, EnableIPv6=True, EnableIPv4=False, Containers=listed)
    assert created(published(), there, other, addresses=away) == {"IPv6Address": "fd00:9::ffff:ffff:ffff:fffb"}


def old(**ipam: str) -> Container:
    """The replica that is to be replaced, with its service's name."""
    names = ("web", "shop-web-1")
    return container(networks={"net": Endpoint("net-id", names, "10.9.0.253", ipam_config=ipam)})


def leaving(there: NetworkState, replica: Container, memory: Memory | None = None) -> tuple[Operation, ...]:
    """What is done next about the old replica, its successor being named."""
    wanted = published()
    new = current(wanted, networks={"net": Endpoint("net-id", ("web", "shop-web-1"), ipam_config=BOTH)})
    found = step(wanted, observed(replica, new, networks=(there,)), memory or Memory()).operations
    return tuple(item for item in found if item.target == replica.id)


def test_it_comes_back_with_both() -> None:
    """What it had is remembered from the leaving to the coming back."""
    there, ipam = network(POOL4, POOL6, EnableIPv6=True), {"IPv4Address": "10.9.0.253", "IPv6Address": "fd00:9::9"}
    replica = old(**ipam)
    leaves = leaving(there, replica)
    assert [(item.kind, item.payload["address"]) for item in leaves] == [("network.disconnect", ipam)]
    away = container(networks={})
    (back,) = leaving(there, away, Memory().with_attempts(leaves))
    assert back.payload["endpoint"] == {"IPAMConfig": ipam, "Aliases": ["shop-web-1"]}


def test_one_that_would_lose_an_address_keeps_its_name_to_the_end() -> None:
    """A replica made before it asked for its IPv6 address is stopped without leaving the network."""
    there = network(POOL4, POOL6, EnableIPv6=True)
    assert [item.kind for item in leaving(there, old(IPv4Address="10.9.0.253"))] == ["container.stop"]


def test_what_operations_under_way_ask_for_is_taken() -> None:
    """Nothing has it yet, and the next replica must not ask for the same."""
    wanted, there = published(), network(POOL4)
    (first,) = step(wanted, observed(networks=(there,))).operations
    assert first.addresses == {("net", "10.9.0.254")}
    found = step(wanted, observed(networks=(there,), claimed=first.addresses)).operations
    assert [item.addresses for item in found] == [{("net", "10.9.0.253")}]


@pytest.mark.parametrize("kind", ["network.connect", "network.disconnect"])
def test_the_addresses_of_an_operation(kind: Any) -> None:
    """Those that it asks for, of both versions; one that leaves a network asks for none."""
    payload = {"network": "net", "address": BOTH}
    if kind == "network.connect":
        payload = {"network": "net", "endpoint": {"IPAMConfig": {**BOTH, "LinkLocalIPs": ["169.254.1.1"]}}}
    found = Operation("id", kind, "shop-web-1", "shop", payload=payload).addresses
    assert found == ({("net", address) for address in BOTH.values()} if kind == "network.connect" else set())
