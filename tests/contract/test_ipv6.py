"""IPv6 addresses: given, asked for, and kept by a running container that leaves its network for a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import EngineError
from tests.contract.test_networks import SUBNET, endpoint_of, named, on

if TYPE_CHECKING:
    from tests.contract.lab import Lab

SUBNET6 = "fd00:213:77::/64"
FIRST6, TOP6 = "fd00:213:77::2", "fd00:213:77:0:ffff:ffff:ffff:fffe"
BOTH: dict[str, Any] = {"EnableIPv6": True, "IPAM": {"Config": [{"Subnet": SUBNET}, {"Subnet": SUBNET6}]}}


def asking(*, aliases: tuple[str, ...] = (), **addresses: str) -> dict[str, Any]:
    """An endpoint with those addresses and names."""
    return {"IPAMConfig": addresses, "Aliases": list(aliases)}


def test_a_container_gets_an_address_of_each_version(lab: Lab) -> None:
    """The lowest free ones behind the gateway's."""
    network = lab.network("net", **BOTH)
    endpoint = endpoint_of(lab, lab.run("one", **on(network)), network)
    assert (endpoint["IPAddress"], endpoint["GlobalIPv6Address"]) == ("10.213.77.2", FIRST6)
    assert (endpoint["GlobalIPv6PrefixLen"], endpoint["IPv6Gateway"]) == (64, "fd00:213:77::1")


def test_without_ipv6_there_is_none(lab: Lab) -> None:
    """A subnet alone does not switch it on."""
    network = lab.network("net", IPAM=BOTH["IPAM"])
    endpoint = endpoint_of(lab, lab.run("one", **on(network)), network)
    assert (endpoint["IPAddress"], endpoint["GlobalIPv6Address"]) == ("10.213.77.2", "")


def test_both_addresses_are_kept_by_asking_for_them(lab: Lab) -> None:
    """It leaves and comes back with the same two, and runs all the time."""
    network = lab.network("net", **BOTH)
    addresses = {"IPv4Address": "10.213.77.254", "IPv6Address": TOP6}
    container = lab.run("one", **on(network, **asking(aliases=("web",), **addresses)))
    state = lab.state(container)
    lab.engine.disconnect_network(network, container)
    lab.run("two", **on(network))
    lab.engine.connect_network(network, container, asking(aliases=("slot",), **addresses))
    endpoint = endpoint_of(lab, container, network)
    assert (endpoint["IPAddress"], endpoint["GlobalIPv6Address"]) == ("10.213.77.254", TOP6)
    assert endpoint["IPAMConfig"] == addresses
    assert lab.state(container) == state


def test_an_address_that_was_not_asked_for_is_lost(lab: Lab) -> None:
    """Asking for the IPv4 address alone keeps that one alone: the IPv6 address goes to who comes first."""
    network = lab.network("net", **BOTH)
    asked = asking(IPv4Address="10.213.77.254")
    container = lab.run("one", **on(network, **asked))
    assert endpoint_of(lab, container, network)["GlobalIPv6Address"] == FIRST6
    lab.engine.disconnect_network(network, container)
    other = lab.run("two", **on(network))
    assert endpoint_of(lab, other, network)["GlobalIPv6Address"] == FIRST6
    lab.engine.connect_network(network, container, asked)
    endpoint = endpoint_of(lab, container, network)
    assert endpoint["IPAddress"] == "10.213.77.254"
    assert endpoint["GlobalIPv6Address"] not in {"", FIRST6}


def test_a_taken_address_is_refused(lab: Lab) -> None:
    """403, as for IPv4."""
    network = lab.network("net", **BOTH)
    lab.run("one", **on(network, **asking(IPv6Address=TOP6)))
    other = lab.create("two", **on(network, **asking(IPv6Address=TOP6)))
    with pytest.raises(EngineError, match="Address already in use") as caught:
        lab.engine.start_container(other)
    assert caught.value.status == 403


def test_an_address_outside_is_refused(lab: Lab) -> None:
    """500, or 400 on newer engines."""
    network = lab.network("net", **BOTH)
    container = lab.run("one", HostConfig={"NetworkMode": "bridge"})
    with pytest.raises(EngineError) as caught:
        lab.engine.connect_network(network, container, asking(IPv6Address="fd00:1::1"))
    assert caught.value.status == (400 if lab.engine.info().supports("1.45") else 500)


def test_only_a_subnet_that_was_asked_for_gives_wanted_addresses(lab: Lab) -> None:
    """400; each IP version for itself: an IPv6 subnet of ours does not make the engine's IPv4 subnet one."""
    network = lab.network("net", EnableIPv6=True, IPAM={"Config": [{"Subnet": SUBNET6}]})
    container = lab.run("one", **on(network))
    address = endpoint_of(lab, container, network)["IPAddress"]
    lab.engine.disconnect_network(network, container)
    with pytest.raises(EngineError, match="user configured subnets") as caught:
        lab.engine.connect_network(network, container, asking(IPv4Address=address, IPv6Address=TOP6))
    assert caught.value.status == 400
    lab.engine.connect_network(network, container, asking(IPv6Address=TOP6))
    assert endpoint_of(lab, container, network)["GlobalIPv6Address"] == TOP6


def test_an_ipv6_subnet_is_given_to_one_network(lab: Lab) -> None:
    """403 for one that overlaps."""
    lab.network("net", EnableIPv6=True, IPAM={"Config": [{"Subnet": SUBNET6}]})
    with pytest.raises(EngineError, match="Pool overlaps") as caught:
        lab.network("other", EnableIPv6=True, IPAM={"Config": [{"Subnet": "fd00:213:77::/80"}]})
    assert caught.value.status == 403


def test_engines_choose_ipv6_subnets_since_27(lab: Lab) -> None:
    """404 before: their default pools are of IPv4 only."""
    if not lab.engine.info().supports("1.46"):
        with pytest.raises(EngineError, match="IPv6 address pool") as caught:
            lab.network("net", EnableIPv6=True)
        assert caught.value.status == 404
        return
    network = lab.network("net", EnableIPv6=True)
    assert endpoint_of(lab, lab.run("one", **on(network)), network)["GlobalIPv6Address"]


def test_a_network_may_have_ipv6_alone_since_27(lab: Lab) -> None:
    """Before API 1.47 IPv4 is always there; without either there is no network."""
    network = lab.network("net", EnableIPv4=False, EnableIPv6=True, IPAM={"Config": [{"Subnet": SUBNET6}]})
    asked = asking(IPv6Address=TOP6)
    container = lab.run("one", **on(network, **asked))
    lab.engine.disconnect_network(network, container)
    lab.engine.connect_network(network, container, asked)
    endpoint = endpoint_of(lab, container, network)
    alone = lab.engine.info().supports("1.47")
    assert (endpoint["GlobalIPv6Address"], bool(endpoint["IPAddress"])) == (TOP6, not alone)
    assert named(lab, network).get("EnableIPv4", True) is not alone
    if alone:
        with pytest.raises(EngineError, match="IPv4 or IPv6 must be enabled") as caught:
            lab.network("none", EnableIPv4=False)
        assert caught.value.status == 400
