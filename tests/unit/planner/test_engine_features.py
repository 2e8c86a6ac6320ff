"""What an engine's API does not know is refused by name, before anything is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.observed import NetworkState
from reconciler.model.project import Attachment, Network
from reconciler.planner.engine_features import network_too_new, too_new
from tests.support.planning import ENGINE, desired, observed, service, step


def mount(**fields: Any) -> dict[str, Any]:
    """A create body with one mount."""
    return {"container": {"HostConfig": {"Mounts": [{"Type": "volume", "Source": "v", "Target": "/v", **fields}]}}}


def on(**endpoint: Any) -> dict[str, Any]:
    """A place on network `n`."""
    return {"networks": (Attachment("n", "shop_n", (), endpoint),)}


def with_mac(network: str) -> dict[str, Any]:
    """Places on networks `n` and `o`, in this order, with a MAC address on one of them."""
    mac = {"MacAddress": "02:42:ac:11:65:43"}
    return {"networks": tuple(Attachment(key, f"shop_{key}", (), mac if key == network else {}) for key in "no")}


@pytest.mark.parametrize(
    ("asked", "what", "api"),
    [
        ({"container": {"HostConfig": {"Annotations": {"a": "b"}}}}, "annotations", "1.43"),
        ({"container": {"Healthcheck": {"StartInterval": 1}}}, "healthcheck.start_interval", "1.44"),
        (mount(VolumeOptions={"Subpath": "p"}), "volume.subpath of the mount at /v", "1.45"),
        (mount(BindOptions={"ReadOnlyNonRecursive": True}), "bind.recursive: writable of the mount at /v", "1.44"),
        (mount(BindOptions={"ReadOnlyForceRecursive": True}), "bind.recursive: readonly of the mount at /v", "1.44"),
        (mount(Type="image"), "the image mount at /v", "1.48"),
        (on(GwPriority=5), "gw_priority of network n", "1.48"),
        (on(DriverOpts={"com.docker.network.endpoint.ifname": "eth9"}), "interface_name of network n", "1.48"),
        (with_mac("o"), "mac_address of network o, not the service's first,", "1.44"),
    ],
)
def test_the_needed_version_is_named(asked: dict[str, Any], what: str, api: str) -> None:
    """On an engine that has it, nothing is said."""
    wanted = service(sources={"": "c.yaml:2"}, **asked)
    message = f"{what} needs Engine API {api}, and this engine speaks 1.41: remove it, or update the engine"
    assert too_new(wanted, ENGINE) == (message, "c.yaml:2")
    assert too_new(wanted, replace(ENGINE, api=api)) is None
    found = step(desired(wanted), observed())
    assert [(item.reason, item.message) for item in found.conditions] == [("Blocked", message)]


def test_an_ordinary_service_needs_nothing_new() -> None:
    """Nor does a plain mount, or a MAC address on the first network."""
    assert too_new(service(), ENGINE) is None
    assert too_new(service(**with_mac("n")), ENGINE) is None
    assert too_new(service(**(mount() | on(DriverOpts={"a": "b"}))), ENGINE) is None


def test_a_network_is_not_made_anew_without_what_was_asked_for() -> None:
    """It stays as it is, and the version is named."""
    network = Network("n", "shop_n", definition={"EnableIPv4": False}, source="c.yaml:9")
    ours = NetworkState("n1", "shop_n", {labels.PROJECT: "shop", labels.INSTANCE: "default", labels.SPEC_HASH: "old"})
    wanted = desired(service(networks=(Attachment("n", "shop_n"),)), networks=(network,))
    found = step(wanted, observed(networks=(ours,)))
    assert "enable_ipv4 needs Engine API 1.48" in found.conditions[0].message
    assert [operation.kind for operation in found.operations if operation.kind.startswith("network")] == []


def test_a_network_may_need_a_newer_engine_too() -> None:
    """It is not made without what was asked for."""
    network = Network("n", "shop_n", definition={"EnableIPv4": False}, source="c.yaml:9")
    assert network_too_new(network, replace(ENGINE, api="1.48")) == ""
    assert network_too_new(Network("n", "shop_n"), ENGINE) == ""
    found = step(desired(service(networks=(Attachment("n", "shop_n"),)), networks=(network,)), observed())
    assert [(item.reason, item.source) for item in found.conditions] == [("Blocked", "c.yaml:9")]
    assert found.operations == ()
