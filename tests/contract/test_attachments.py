"""Running containers taken off networks and put on again: what `publish: healthy` rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import EngineError
from tests.contract.test_networks import SUBNET, endpoint_of, named, on

if TYPE_CHECKING:
    from tests.contract.lab import Lab

CHOSEN = {"IPAM": {"Config": [{"Subnet": SUBNET}]}}
FIRST = "10.213.77.2"
PUBLISHED: dict[str, Any] = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}


def fixed(address: str, *aliases: str) -> dict[str, Any]:
    """An endpoint with that address and those names."""
    return {"IPAMConfig": {"IPv4Address": address}, "Aliases": list(aliases)}


def networks_of(lab: Lab, container: str) -> dict[str, Any]:
    """The container's endpoints, by network."""
    found: dict[str, Any] = lab.inspect(container)["NetworkSettings"]["Networks"]
    return found


def test_a_running_container_leaves_a_network_and_comes_back_as_it_was(lab: Lab) -> None:
    """With the same address, under other names; it never stops running."""
    network = lab.network("net", **CHOSEN)
    container = lab.run("one", **on(network, Aliases=["web"]))
    state, address = lab.state(container), endpoint_of(lab, container, network)["IPAddress"]
    lab.engine.disconnect_network(network, container)
    assert networks_of(lab, container) == {}
    assert lab.row(container)["NetworkSettings"]["Networks"] == {}
    lab.engine.connect_network(network, container, fixed(address, "slot"))
    endpoint = endpoint_of(lab, container, network)
    assert (endpoint["IPAddress"], endpoint["NetworkID"]) == (address, named(lab, network)["Id"])
    assert endpoint["IPAMConfig"] == {"IPv4Address": address}
    assert endpoint["EndpointID"]
    names = {*(endpoint["Aliases"] or ()), *(endpoint.get("DNSNames") or ())}
    assert names - {lab.name("one")} == {"slot", container[:12]}
    assert lab.state(container) == state


def test_only_old_engines_list_the_short_id_among_the_aliases(lab: Lab) -> None:
    """Since API 1.45 aliases are what was asked for, and DNSNames what is answered to."""
    network = lab.network("net", **CHOSEN)
    container = lab.run("one", **on(network))
    lab.engine.disconnect_network(network, container)
    lab.engine.connect_network(network, container, {"Aliases": ["slot"]})
    endpoint = endpoint_of(lab, container, network)
    if lab.engine.info().supports("1.45"):
        assert endpoint["Aliases"] == ["slot"]
        assert endpoint["DNSNames"] == [lab.name("one"), "slot", container[:12]]
    else:
        assert endpoint["Aliases"] == ["slot", container[:12]]


def test_leaving_a_network_twice_is_success(lab: Lab) -> None:
    """And so is leaving what is not there, or never was joined."""
    network, other = lab.network("net"), lab.network("other")
    container, created = lab.run("one", **on(network)), lab.create("two", **on(network))
    for one in (container, created):
        for name in (network, network, other):
            lab.engine.disconnect_network(name, one)
        assert networks_of(lab, one) == {}
    lab.engine.disconnect_network(lab.name("none"), container)
    lab.engine.disconnect_network(network, lab.name("none"))


def test_joining_twice_is_success(lab: Lab) -> None:
    """And changes nothing."""
    network = lab.network("net", **CHOSEN)
    container = lab.run("one", **on(network, Aliases=["web"]))
    before = endpoint_of(lab, container, network)
    lab.engine.connect_network(network, container, {"Aliases": ["other"]})
    assert endpoint_of(lab, container, network) == before


def test_a_network_is_left_by_its_id_too(lab: Lab) -> None:
    """Operations may name it either way."""
    network = lab.network("net")
    container = lab.run("one", **on(network))
    lab.engine.disconnect_network(named(lab, network)["Id"], container)
    assert networks_of(lab, container) == {}


def test_the_other_networks_stay(lab: Lab) -> None:
    """Only one is left."""
    network, other = lab.network("net"), lab.network("other")
    container = lab.create("one", **on(network))
    lab.engine.connect_network(other, container, {})
    lab.engine.start_container(container)
    before = endpoint_of(lab, container, other)
    lab.engine.disconnect_network(network, container)
    assert networks_of(lab, container) == {other: before}


def test_ports_are_closed_while_it_is_off(lab: Lab) -> None:
    """And published again, where the engine chooses the port not always the same one."""
    network = lab.network("net", **CHOSEN)
    host_config = {"PortBindings": PUBLISHED}
    body = on(network)
    container = lab.run("one", **{**body, "HostConfig": {**body["HostConfig"], **host_config}})
    assert lab.inspect(container)["NetworkSettings"]["Ports"]["80/tcp"]
    lab.engine.disconnect_network(network, container)
    assert lab.inspect(container)["NetworkSettings"]["Ports"] == {}
    assert lab.row(container)["Ports"] == []
    lab.engine.connect_network(network, container, fixed(FIRST))
    assert lab.inspect(container)["NetworkSettings"]["Ports"]["80/tcp"]


def test_an_address_given_up_goes_to_the_next_who_comes(lab: Lab) -> None:
    """403 for the one that wants it back. It may join with another one: what is left of the try is no connection."""
    network = lab.network("net", **CHOSEN)
    container = lab.run("one", **on(network))
    assert endpoint_of(lab, container, network)["IPAddress"] == FIRST
    lab.engine.disconnect_network(network, container)
    other = lab.run("two", **on(network))
    assert endpoint_of(lab, other, network)["IPAddress"] == FIRST
    with pytest.raises(EngineError, match="Address already in use") as caught:
        lab.engine.connect_network(network, container, fixed(FIRST, "web"))
    assert (caught.value.status, caught.value.retryable) == (403, False)
    assert {one["EndpointID"] for one in networks_of(lab, container).values()} <= {""}
    lab.engine.connect_network(network, container, {"Aliases": ["web"]})
    endpoint = endpoint_of(lab, container, network)
    assert endpoint["IPAddress"] not in {"", FIRST}
    assert "web" in endpoint["Aliases"]


def test_what_is_left_of_a_refused_connect_can_be_left(lab: Lab) -> None:
    """Success, as it is not connected."""
    network = lab.network("net", **CHOSEN)
    container = lab.run("one", **on(network))
    lab.engine.disconnect_network(network, container)
    lab.run("two", **on(network))
    with pytest.raises(EngineError):
        lab.engine.connect_network(network, container, fixed(FIRST))
    lab.engine.disconnect_network(network, container)
    assert lab.state(container)["Status"] == "running"


def test_an_address_needs_a_subnet_that_was_asked_for(lab: Lab) -> None:
    """400, and it is as off the network as before."""
    network = lab.network("net")
    container = lab.run("one", **on(network))
    address = endpoint_of(lab, container, network)["IPAddress"]
    lab.engine.disconnect_network(network, container)
    with pytest.raises(EngineError, match="user configured subnets") as caught:
        lab.engine.connect_network(network, container, fixed(address))
    assert caught.value.status == 400
    assert networks_of(lab, container) == {}


def test_an_address_must_be_in_the_subnet(lab: Lab) -> None:
    """500, or 400 on newer engines; never retried."""
    network = lab.network("net", **CHOSEN)
    container = lab.run("one", HostConfig={"NetworkMode": "bridge"})
    with pytest.raises(EngineError) as caught:
        lab.engine.connect_network(network, container, fixed("10.1.1.1"))
    assert caught.value.status == (400 if lab.engine.info().supports("1.45") else 500)
    assert caught.value.retryable is False


def test_it_asks_for_the_address_at_every_start_from_then_on(lab: Lab) -> None:
    """So a stopped one whose address was taken cannot start, until it is put on the network without one."""
    network = lab.network("net", **CHOSEN)
    container = lab.run("one", **on(network))
    lab.engine.disconnect_network(network, container)
    lab.engine.connect_network(network, container, fixed(FIRST, "web"))
    lab.engine.stop_container(container)
    lab.engine.start_container(container)
    assert endpoint_of(lab, container, network)["IPAddress"] == FIRST
    lab.engine.stop_container(container)
    assert endpoint_of(lab, lab.run("two", **on(network)), network)["IPAddress"] == FIRST
    with pytest.raises(EngineError, match="Address already in use") as caught:
        lab.engine.start_container(container)
    assert caught.value.status == 403
    lab.engine.disconnect_network(network, container)
    lab.engine.connect_network(network, container, {"Aliases": ["web"]})
    lab.engine.start_container(container)
    assert endpoint_of(lab, container, network)["IPAddress"] not in {"", FIRST}


def test_a_stopped_container_is_put_on_a_network_for_its_next_start(lab: Lab) -> None:
    """With the address and names given last."""
    network = lab.network("net", **CHOSEN)
    container = lab.run("one", **on(network, Aliases=["web"]))
    lab.engine.stop_container(container)
    lab.engine.disconnect_network(network, container)
    assert networks_of(lab, container) == {}
    lab.engine.connect_network(network, container, fixed("10.213.77.99", "slot"))
    lab.engine.start_container(container)
    endpoint = endpoint_of(lab, container, network)
    assert endpoint["IPAddress"] == "10.213.77.99"
    assert "slot" in endpoint["Aliases"]
    assert "web" not in endpoint["Aliases"]


def test_a_paused_container_is_moved_like_a_running_one(lab: Lab) -> None:
    """Its network does not care."""
    network = lab.network("net", **CHOSEN)
    container = lab.run("one", **on(network))
    lab.hands.pause(container)
    lab.engine.disconnect_network(network, container)
    lab.engine.connect_network(network, container, fixed(FIRST))
    assert endpoint_of(lab, container, network)["IPAddress"] == FIRST
    assert lab.state(container)["Status"] == "paused"


def test_the_default_bridge_knows_no_names_and_no_addresses(lab: Lab) -> None:
    """400 for either; without them it can be left and joined."""
    container = lab.run("one", HostConfig={"NetworkMode": "bridge"})
    lab.engine.disconnect_network("bridge", container)
    for endpoint, why in (({"Aliases": ["web"]}, "network-scoped alias"), (fixed("172.17.0.99"), "user defined")):
        with pytest.raises(EngineError, match=why) as caught:
            lab.engine.connect_network("bridge", container, endpoint)
        assert caught.value.status == 400
    lab.engine.connect_network("bridge", container, {})
    assert endpoint_of(lab, container, "bridge")["IPAddress"]


def test_the_host_network_cannot_be_left(lab: Lab) -> None:
    """400."""
    container = lab.run("one", HostConfig={"NetworkMode": "host"})
    with pytest.raises(EngineError, match="host network") as caught:
        lab.engine.disconnect_network("host", container)
    assert caught.value.status == 400


def test_a_mac_address_is_not_kept(lab: Lab) -> None:
    """What connect is asked for is ignored, by old and new engines."""
    network, mac = lab.network("net", **CHOSEN), "02:42:0a:d5:4d:63"
    container = lab.run("one", **on(network))
    lab.engine.disconnect_network(network, container)
    lab.engine.connect_network(network, container, {"MacAddress": mac})
    assert endpoint_of(lab, container, network)["MacAddress"] not in {"", mac}
