"""Networks and the places of containers on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import EngineError
from tests.support import image

if TYPE_CHECKING:
    from tests.contract.lab import Lab

SUBNET = "10.213.77.0/24"


def on(network: str, **endpoint: Any) -> dict[str, Any]:
    """The part of a create body that puts a container on that network."""
    return {
        "HostConfig": {"NetworkMode": network},
        "NetworkingConfig": {"EndpointsConfig": {network: endpoint}},
    }


def named(lab: Lab, network: str) -> dict[str, Any]:
    """The network's document."""
    return next(row for row in lab.engine.list_networks() if row["Name"] == network)


def endpoint_of(lab: Lab, container: str, network: str) -> dict[str, Any]:
    """The container's endpoint on that network."""
    found: dict[str, Any] = lab.inspect(container)["NetworkSettings"]["Networks"][network]
    return found


def test_every_engine_has_bridge_host_and_none(lab: Lab) -> None:
    """They cannot be made (403) or removed (403)."""
    drivers = {row["Name"]: row["Driver"] for row in lab.engine.list_networks()}
    assert {name: drivers[name] for name in ("bridge", "host", "none")} == {
        "bridge": "bridge",
        "host": "host",
        "none": "null",
    }
    for call in (lambda: lab.engine.create_network("bridge", {}), lambda: lab.engine.remove_network("bridge")):
        with pytest.raises(EngineError) as caught:
            call()
        assert caught.value.status == 403


def test_a_network_is_listed_as_it_was_asked_for(lab: Lab) -> None:
    """Labels, options, flags and subnet of ours; driver and scope are the defaults."""
    body = {"Labels": {image.LABEL: "1"}, "Internal": True, "Options": {"a": "b"}}
    network = lab.engine.create_network(lab.name("net"), {**body, "IPAM": {"Config": [{"Subnet": SUBNET}]}})
    found = named(lab, lab.name("net"))
    assert found["Id"] == network
    assert {key: found[key] for key in body} == body
    assert (found["Driver"], found["Scope"], found["EnableIPv6"]) == ("bridge", "local", False)
    assert found["IPAM"]["Config"][0]["Subnet"] == SUBNET


def test_a_network_without_a_subnet_gets_a_free_one(lab: Lab) -> None:
    """With its gateway."""
    lab.network("one")
    lab.network("two")
    subnets = [named(lab, lab.name(name))["IPAM"]["Config"][0] for name in ("one", "two")]
    assert subnets[0]["Subnet"] != subnets[1]["Subnet"]
    assert all(entry["Gateway"] for entry in subnets)


def test_a_second_network_of_one_name_is_refused(lab: Lab) -> None:
    """409, on every API."""
    lab.network("net")
    with pytest.raises(EngineError, match="already exists") as caught:
        lab.network("net")
    assert caught.value.status == 409


def test_a_subnet_in_use_is_refused(lab: Lab) -> None:
    """403 `Pool overlaps`."""
    lab.network("one", IPAM={"Config": [{"Subnet": SUBNET}]})
    with pytest.raises(EngineError, match="Pool overlaps") as caught:
        lab.network("two", IPAM={"Config": [{"Subnet": SUBNET}]})
    assert caught.value.status == 403


def test_a_network_in_use_is_not_removed(lab: Lab) -> None:
    """403 while a container runs on it; a stopped one is not in the way."""
    network = lab.network("net")
    container = lab.run("one", **on(network))
    with pytest.raises(EngineError, match="active endpoints") as caught:
        lab.engine.remove_network(network)
    assert caught.value.status == 403
    lab.engine.stop_container(container)
    lab.engine.remove_network(network)
    assert network not in {row["Name"] for row in lab.engine.list_networks()}
    lab.engine.remove_network(network)


def test_a_missing_network_fails_the_start(lab: Lab) -> None:
    """Create succeeds; start answers 404; the container stays created with exit code 128 and the reason."""
    container = lab.create("one", **on(lab.name("none")))
    with pytest.raises(EngineError, match=r"network rct-.* not found") as caught:
        lab.engine.start_container(container)
    assert caught.value.status == 404
    state = lab.state(container)
    assert (state["Status"], state["ExitCode"]) == ("created", 128)
    assert "not found" in state["Error"]


def test_a_container_that_ran_is_bound_to_its_network_by_id(lab: Lab) -> None:
    """A network made again under the same name is another one: what ran on the old one cannot start, a new one can."""
    network = lab.network("net")
    ran, fresh = lab.run("one", **on(network)), lab.create("two", **on(network))
    lab.engine.stop_container(ran)
    lab.engine.remove_network(network)
    lab.network("net")
    with pytest.raises(EngineError, match="not found") as caught:
        lab.engine.start_container(ran)
    assert caught.value.status == 404
    lab.engine.start_container(fresh)


def test_an_endpoint_is_named_at_create_and_joined_at_start(lab: Lab) -> None:
    """Aliases are there from the start; id and address only while it runs; the id stays known afterwards."""
    network = lab.network("net")
    container = lab.create("one", **on(network, Aliases=["web", "web-1"]))
    assert endpoint_of(lab, container, network)["Aliases"] == ["web", "web-1"]
    assert endpoint_of(lab, container, network)["NetworkID"] == ""
    lab.engine.start_container(container)
    endpoint = endpoint_of(lab, container, network)
    assert endpoint["NetworkID"] == named(lab, network)["Id"]
    assert endpoint["Aliases"][:2] == ["web", "web-1"]
    assert set(endpoint["Aliases"][2:]) <= {container[:12]}
    assert endpoint["IPAddress"]
    assert lab.row(container)["NetworkSettings"]["Networks"][network]["IPAddress"] == endpoint["IPAddress"]
    lab.engine.stop_container(container)
    endpoint = endpoint_of(lab, container, network)
    assert (endpoint["IPAddress"], endpoint["NetworkID"]) == ("", named(lab, network)["Id"])


def test_the_short_id_answers_too(lab: Lab) -> None:
    """The engine adds it on user-defined networks: to the aliases, or (API 1.45 on) to the DNS names."""
    network = lab.network("net")
    container = lab.run("one", **on(network))
    endpoint = endpoint_of(lab, container, network)
    assert container[:12] in [*(endpoint["Aliases"] or []), *(endpoint.get("DNSNames") or [])]


def test_a_created_container_can_be_connected_to_more_networks(lab: Lab) -> None:
    """Before its first start; connecting it again is success and changes nothing."""
    first, second = lab.network("one"), lab.network("two")
    container = lab.create("one", **on(first))
    lab.engine.connect_network(second, container, {"Aliases": ["web"]})
    lab.engine.connect_network(second, container, {"Aliases": ["other"]})
    lab.engine.start_container(container)
    assert set(lab.inspect(container)["NetworkSettings"]["Networks"]) == {first, second}
    assert "web" in endpoint_of(lab, container, second)["Aliases"]
    assert endpoint_of(lab, container, second)["IPAddress"]


def test_connecting_what_is_not_there_is_refused(lab: Lab) -> None:
    """404 for a container that is not there, and for a running one's network."""
    network, running = lab.network("net"), lab.run("one", HostConfig={"NetworkMode": "bridge"})
    for names in ((lab.name("none"), running), (network, lab.name("none"))):
        with pytest.raises(EngineError) as caught:
            lab.engine.connect_network(*names, {})
        assert caught.value.status == 404


def test_connecting_a_created_container_to_a_missing_network_fails_at_start(lab: Lab) -> None:
    """As naming a missing network at create does."""
    container = lab.create("one", **on(lab.network("net")))
    lab.engine.connect_network(lab.name("none"), container, {})
    with pytest.raises(EngineError, match="not found") as caught:
        lab.engine.start_container(container)
    assert caught.value.status == 404


def test_a_fixed_address_is_had_once(lab: Lab) -> None:
    """The second start answers 403 `Address already in use`, until the first one has stopped."""
    network = lab.network("net", IPAM={"Config": [{"Subnet": SUBNET}]})
    body = on(network, IPAMConfig={"IPv4Address": "10.213.77.50"})
    first, second = lab.run("one", **body), lab.create("two", **body)
    assert endpoint_of(lab, first, network)["IPAddress"] == "10.213.77.50"
    with pytest.raises(EngineError, match="Address already in use") as caught:
        lab.engine.start_container(second)
    assert caught.value.status == 403
    assert (lab.state(second)["Status"], lab.state(second)["ExitCode"]) == ("created", 128)
    lab.engine.stop_container(first)
    lab.engine.start_container(second)


def test_a_fixed_address_needs_a_subnet_of_ours(lab: Lab) -> None:
    """400, at create or at start, on a network whose subnet the engine chose."""
    network = lab.network("net")
    with pytest.raises(EngineError, match="user configured subnets") as caught:
        lab.run("one", **on(network, IPAMConfig={"IPv4Address": "10.213.77.50"}))
    assert caught.value.status == 400


def test_host_network_has_no_address_and_no_other_network(lab: Lab) -> None:
    """Connecting it elsewhere answers 400."""
    network = lab.network("net")
    container = lab.run("one", HostConfig={"NetworkMode": "host"})
    assert set(lab.inspect(container)["NetworkSettings"]["Networks"]) == {"host"}
    assert endpoint_of(lab, container, "host")["IPAddress"] == ""
    with pytest.raises(EngineError) as caught:
        lab.engine.connect_network(network, container, {})
    assert caught.value.status == 400


def test_a_network_can_be_shared_with_a_running_container(lab: Lab) -> None:
    """`container:NAME` becomes its id, needs no network of its own, and needs the other one to run at start."""
    other = lab.run("one", HostConfig={"NetworkMode": "bridge"})
    mode: dict[str, Any] = {"HostConfig": {"NetworkMode": f"container:{lab.name('one')}"}}
    container, late = lab.run("two", **mode), lab.create("three", **mode)
    document = lab.inspect(container)
    assert document["HostConfig"]["NetworkMode"] == f"container:{other}"
    assert document["NetworkSettings"]["Networks"] == {}
    lab.engine.stop_container(other)
    with pytest.raises(EngineError, match="non running container") as caught:
        lab.engine.start_container(late)
    assert caught.value.status == 409


def test_what_somebody_else_disconnected_is_off_the_network(lab: Lab) -> None:
    """Neither inspect nor the list shows the endpoint any more."""
    network = lab.network("net")
    container = lab.run("one", **on(network))
    lab.hands.disconnect(network, container)
    assert network not in lab.inspect(container)["NetworkSettings"]["Networks"]
    assert network not in lab.row(container)["NetworkSettings"]["Networks"]
    lab.engine.remove_network(network)
