"""Which containers of somebody else are what a create of ours would give."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.memory import Memory
from reconciler.model.observed import Container, Endpoint
from reconciler.model.project import Attachment, Service
from reconciler.planner.context import Context
from reconciler.planner.inspection import shows_what_is_asked
from reconciler.planner.unlisted import unlisted_differences
from tests.support.planning import NOW, container, desired, observed, service

ON_NET = Attachment("default", "shop_default", ("www",))


def composed(**changes: Any) -> Container:
    """A container without a rollout of ours behind it."""
    plain = container()
    own = {key: value for key, value in plain.labels.items() if key != labels.ROLLOUT}
    return replace(plain, **{"labels": own, "name": "shop-web-1", **changes})


def matches(wanted: Service, found: Container, **engine: Any) -> bool:
    """The verdict in a project of that one service."""
    context = Context(desired(wanted), observed(found, **engine), Memory(), NOW)
    return shows_what_is_asked(context, context.view(wanted), found)


def host(**asked: Any) -> Service:
    return service(container={"Env": ["A=1"], "HostConfig": asked})


def on_network(**endpoint: Any) -> Service:
    return service(networks=(replace(ON_NET, endpoint=endpoint),))


def connected(*names: str, **changes: Any) -> Container:
    """A container on the project's network, under Compose's names and those."""
    return composed(networks={ON_NET.network: Endpoint("net", ("shop-web-1", "web", *names), **changes)})


def test_the_same_is_the_same() -> None:
    """What the engine filled in and Compose's own names do not count."""
    assert matches(service(), composed())
    assert matches(host(), composed(host_config={"LogConfig": {"Type": "journald"}, "IpcMode": "private"}))
    assert matches(on_network(), connected("www"))


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"Env": ["A=2"]}},
        {"image_id": "sha256:other"},
        {"labels": {**composed().labels, labels.NAME: "gateway"}},
        {"networks": {"elsewhere": Endpoint("net")}},
        {"host_config": {"Memory": 64 << 20}},
        {"host_config": {"PidMode": "host"}},
        {"host_config": {"IpcMode": "host"}},
    ],
)
def test_a_difference_that_shows_is_one(changes: dict[str, Any]) -> None:
    """In the image, the name, the networks, in fields of the table and beside it."""
    assert not matches(service(), composed(**changes))


def test_what_is_changed_in_place_does_not_match() -> None:
    """Fields that engines let people change are judged as drift is: a network that was left counts while it runs."""
    assert not matches(on_network(), composed(networks={}))
    assert not matches(on_network(IPAMConfig={"IPv4Address": "10.9.0.5"}), connected("www"))


def test_the_host_name_is_an_alias_of_the_engines() -> None:
    """Engines before API 1.45 list it beside the names that were asked for."""
    asked = service(container={"Env": ["A=1"], "Hostname": "box"}, networks=(ON_NET,))
    config = {**composed().config, "Hostname": "box"}
    assert matches(asked, replace(connected("www", "box"), config=config))
    assert not matches(asked, replace(connected("www", "crate"), config=config))


def test_an_image_that_is_not_there_matches_nothing() -> None:
    """There is nothing to compare with."""
    assert not matches(service(), composed(), images=())


def test_what_an_endpoint_hides_does_not_match() -> None:
    """Driver options are asked for at the endpoint and not shown there."""
    assert not matches(on_network(DriverOpts={"a": "b"}), connected("www"))


def test_a_mac_address_shows_while_it_runs() -> None:
    """One that does not run has none."""
    asked = on_network(MacAddress="02:42:00:00:00:01")
    assert matches(asked, connected("www", mac="02:42:00:00:00:01"))
    assert not matches(asked, connected("www", mac="02:42:00:00:00:02"))
    assert matches(asked, replace(connected("www"), status="exited"))


def unlisted(wanted: Service, found: Container) -> list[tuple[str, Any, Any]]:
    context = Context(desired(wanted), observed(found), Memory(), NOW)
    return [(item.field, item.before, item.after) for item in unlisted_differences(context.view(wanted), found)]


def test_fields_beside_the_table_are_named() -> None:
    """By the spec's name where there is one, else by the engine's."""
    assert unlisted(host(PidMode="host"), composed(host_config={"PidMode": ""})) == [("pid", "", "host")]
    assert unlisted(host(CgroupnsMode="host"), composed(host_config={"CgroupnsMode": "private"})) == [
        ("cgroup", "private", "host")
    ]
    assert unlisted(host(Invented=1), composed()) == [("Invented", None, 1)]
    assert unlisted(host(), composed(host_config={"VolumesFrom": ["other"]})) == [("volumes_from", ["other"], None)]
    assert unlisted(host(), composed(host_config={"VolumesFrom": None, "IpcMode": "shareable"})) == []


def test_a_namespace_that_is_shared_is_no_difference() -> None:
    """Whose it is is compared elsewhere."""
    shared = replace(host(), shares=(("PidMode", "vpn"),))
    assert unlisted(shared, composed(host_config={"PidMode": "container:id-vpn-1"})) == []
