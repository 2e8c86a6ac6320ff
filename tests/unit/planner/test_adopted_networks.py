"""A network that was taken over has no label that says what it was made of: it is judged by what it shows."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.memory import Memory
from reconciler.model.observed import NetworkState
from reconciler.model.project import Network
from reconciler.planner.networks import judge_networks
from tests.support.planning import desired, observed


def changed(definition: dict[str, Any], existing: NetworkState) -> list[str]:
    """The fields for which the adopted network has to be made anew."""
    wanted = desired(networks=(Network("default", "shop_default", definition=definition),))
    memory = Memory(adopted_networks=frozenset({existing.id}))
    found = judge_networks(wanted, observed(networks=(existing,)), memory).changed
    return [item.field for one in found.values() for item in one.cause]


def network(**shown: Any) -> NetworkState:
    """A network as GET /networks shows it."""
    own = shown.pop("Labels", {})
    raw = {"Internal": False, "IPAM": {"Driver": "default", "Config": [{"Subnet": "10.9.0.0/24"}]}, **shown}
    return NetworkState("id", "shop_default", own, "bridge", raw)


@pytest.mark.parametrize(
    ("definition", "shown"),
    [
        ({}, {}),
        ({"Driver": "bridge", "Internal": True}, {"Internal": True}),
        ({}, {"Options": {"com.docker.network.enable_ipv6": "false"}, "EnableIPv4": True}),
        ({"IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}]}}, {}),
        (
            {"IPAM": {"Config": [{"Subnet": "fd00::/64"}]}},
            {"IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}, {"Subnet": "fd00::/64", "Gateway": "fd00::1"}]}},
        ),
        ({"Labels": {"team": "a"}}, {"Labels": {"team": "a", labels.COMPOSE_NETWORK: "default"}}),
    ],
)
def test_a_network_that_shows_what_is_asked_matches(definition: dict[str, Any], shown: dict[str, Any]) -> None:
    """What the engine chose where nothing was asked, and Compose's own labels, count as asked."""
    assert changed(definition, network(**shown)) == []


@pytest.mark.parametrize(
    ("definition", "shown"),
    [
        ({"Driver": "macvlan"}, {}),
        ({"Internal": True}, {}),
        ({}, {"Attachable": True}),
        ({"EnableIPv6": True}, {}),
        ({"Options": {"com.docker.network.driver.mtu": "1400"}}, {}),
        ({}, {"Options": {"com.docker.network.driver.mtu": "1400"}}),
        ({"Labels": {"team": "a"}}, {}),
        ({"IPAM": {"Driver": "special"}}, {}),
        ({"IPAM": {"Config": [{"Subnet": "10.8.0.0/24"}]}}, {}),
        ({"IPAM": {"Config": [{"Subnet": "10.9.0.0/24"}, {"Subnet": "10.8.0.0/24"}]}}, {}),
    ],
)
def test_a_network_that_shows_something_else_does_not(definition: dict[str, Any], shown: dict[str, Any]) -> None:
    """Driver, switches, options, the user's labels, address pools."""
    assert changed(definition, network(**shown))
