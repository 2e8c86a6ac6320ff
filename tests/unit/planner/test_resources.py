"""Networks, volumes, what left the spec, and foreign projects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.files import Content
from reconciler.model.memory import Memory
from reconciler.model.observed import Endpoint, NetworkState, VolumeState
from reconciler.model.project import Attachment, Mutation, Network, Service, Volume
from tests.support.planning import container, current, desired, foreign, kinds, observed, reasons, service, step

NET = Network("default", "shop_default", source="compose.yaml:9")
VOLUME = Volume("data", "shop_data", source="compose.yaml:10")
OURS = {labels.PROJECT: "shop", labels.INSTANCE: "default"}


def on_network(**changes: Any) -> Service:
    return service(networks=(Attachment("default", NET.name),), **changes)


def made_network(**changes: Any) -> NetworkState:
    """The network as a first pass creates it."""
    created = step(desired(networks=(NET,)), observed()).operations[0]
    return replace(NetworkState("id-net", NET.name, created.payload["body"]["Labels"]), **changes)


def test_missing_networks_and_volumes_come_first() -> None:
    """A container is created when everything it is attached to exists."""
    wanted = desired(on_network(volumes=(VOLUME.name,)), networks=(NET,), volumes=(VOLUME,))
    assert kinds(step(wanted, observed())) == ["network.create shop_default", "volume.create shop_data"]
    seen = observed(networks=(made_network(),))
    assert step(wanted, seen).services[0].waiting == "volume shop_data"
    seen = observed(networks=(made_network(),), volumes=(VolumeState(VOLUME.name, OURS),))
    assert kinds(step(wanted, seen)) == ["container.create web/1"]


def test_networks_with_subnets_of_their_own_come_first() -> None:
    """The engine could choose one of them for another network; one that it refuses holds nobody up."""
    fixed = Network("fixed", "shop_fixed", definition={"IPAM": {"Config": [{"Subnet": "172.31.7.0/24"}]}})
    wanted = desired(networks=(NET, fixed))
    assert kinds(step(wanted, observed())) == ["network.create shop_fixed"]
    made = NetworkState("n", fixed.name, step(wanted, observed()).operations[0].payload["body"]["Labels"])
    assert kinds(step(wanted, observed(networks=(made,)))) == ["network.create shop_default"]
    refused = Memory(failed_operations={"network.create:shop_fixed": "Pool overlaps"})
    found = step(wanted, observed(), refused)
    assert kinds(found) == ["network.create shop_default"]
    assert reasons(found) == ["NetworkFailed"]


def test_what_is_external_is_never_made() -> None:
    """It is said how to create it; one that exists is taken as it is, whoever made it."""
    wanted = desired(networks=(replace(NET, external=True),), volumes=(replace(VOLUME, external=True),))
    found = step(wanted, observed())
    assert found.operations == ()
    assert reasons(found) == ["NetworkMissing", "VolumeMissing"]
    present = observed(networks=(NetworkState("n", NET.name),), volumes=(VolumeState(VOLUME.name),))
    assert step(wanted, present).conditions == ()


def test_a_missing_bind_source_is_told_before_it_is_needed() -> None:
    """Where the engine may not make it; a replica that is up has what it needs."""
    mounts = (
        {"Type": "bind", "Source": "/lost", "Target": "/a"},
        {"Type": "bind", "Source": "/made", "Target": "/b", "BindOptions": {"CreateMountpoint": True}},
        {"Type": "volume", "Source": "data", "Target": "/c"},
    )
    wanted = desired(service(container={"HostConfig": {"Mounts": mounts}}, sources={"volumes": "compose.yaml:4"}))
    missing = frozenset({"/lost", "/made", "data"})
    found = step(wanted, observed(missing_paths=missing))
    assert (found.operations, reasons(found)) == ((), ["BindSourceMissing"])
    assert (found.conditions[0].source, found.services[0].waiting) == ("compose.yaml:4", "/lost")
    assert kinds(step(wanted, observed())) == ["container.create web/1"]
    assert step(wanted, observed(current(wanted), missing_paths=missing)).empty


def test_a_missing_folder_that_the_engine_makes_is_told() -> None:
    """It is made as a folder, which is wrong where a file was meant; a replica that is up says nothing."""
    host = {"Binds": ("data:/data", "/made:/a:rw"), "Mounts": ({"Type": "tmpfs", "Target": "/tmp"},)}
    wanted = desired(service(container={"HostConfig": host}, sources={"volumes./a": "compose.yaml:5"}))
    missing = frozenset({"/made"})
    found = step(wanted, observed(missing_paths=missing))
    assert kinds(found) == ["container.create web/1"]
    assert [(item.code, item.source) for item in found.notices] == [("BindSourceMade", "compose.yaml:5")]
    assert found.notices[0].message == "web: /made does not exist: the engine makes an empty folder there"
    assert step(wanted, observed(current(wanted), missing_paths=missing)).notices == ()


def test_a_missing_file_of_a_secret_is_told_as_such() -> None:
    """No engine could make it: it has to be created."""
    mounts = ({"Type": "bind", "Source": "/pw", "Target": "/run/secrets/pw"},)
    content = Content("secrets.pw:/run/secrets/pw", "", "compose.yaml:9", "/pw", "/pw")
    sources = {"volumes": "compose.yaml:4", "volumes./run/secrets/pw": "compose.yaml:9"}
    wanted = desired(service(container={"HostConfig": {"Mounts": mounts}}, contents=(content,), sources=sources))
    (condition,) = step(wanted, observed(missing_paths=frozenset({"/pw"}))).conditions
    assert (condition.reason, condition.source) == ("BindSourceMissing", "compose.yaml:9")
    assert condition.message == "/pw, the file of secrets.pw, does not exist: create it"


def test_a_network_of_others_is_told() -> None:
    """It is not taken over, but where docker compose made it for this project and somebody says so."""
    found = step(desired(networks=(NET,)), observed(networks=(made_network(labels={}),)))
    assert (found.operations, reasons(found)) == ((), ["NetworkNotOurs"])
    assert found.conditions[0].message.endswith("rename it in the spec or declare it `external: true`")
    composed = made_network(labels={labels.COMPOSE_PROJECT: "shop", labels.COMPOSE_NETWORK: "default"})
    found = step(desired(networks=(NET,)), observed(networks=(composed,)))
    assert (found.operations, reasons(found)) == ((), ["NetworkNotOurs"])
    assert found.conditions[0].message.endswith("docker compose made it for this project: `--adopt` takes it over")


def test_a_volume_of_others_is_used_and_said() -> None:
    """Data is data: it is mounted as it is."""
    found = step(desired(volumes=(VOLUME,)), observed(volumes=(VolumeState(VOLUME.name),)))
    assert found.empty
    assert [notice.code for notice in found.notices] == ["VolumeNotOurs"]


@pytest.mark.parametrize(
    ("operation", "reason"),
    [("network.create:shop_default", "NetworkFailed"), ("volume.create:shop_data", "VolumeFailed")],
)
def test_a_refused_creation_is_told(operation: str, reason: str) -> None:
    """What the engine refused for good is not asked for again."""
    wanted = desired(networks=(NET,), volumes=(VOLUME,))
    assert reason in reasons(step(wanted, observed(), Memory().with_failed_operation(operation, "refused")))


def test_removed_services_go_when_the_rest_is_well() -> None:
    """Before that nothing goes that could serve; then containers, then networks, never volumes."""
    wanted = desired(service(), networks=())
    assert kinds(step(wanted, observed(container("old")))) == ["container.create web/1"]
    up = current(wanted)
    left = {"networks": (made_network(),), "volumes": (VolumeState(VOLUME.name, OURS),)}
    assert kinds(step(wanted, observed(up, container("old"), **left))) == ["container.stop old/1"]
    assert kinds(step(wanted, observed(up, container("old", status="exited"), **left))) == ["container.remove old/1"]
    assert kinds(step(wanted, observed(up, **left))) == ["network.remove shop_default"]


def test_a_network_in_use_is_left_alone() -> None:
    """Whoever uses it, foreign or ours, is named; a removal that failed is no failure of the project."""
    wanted = desired(service())
    net, stranger = made_network(), foreign("stranger", networks=(NET.name,))
    found = step(wanted, observed(current(wanted), networks=(net,), foreign=(stranger,)))
    assert found.operations == ()
    assert [notice.code for notice in found.notices] == ["NetworkInUse"]
    lenient = desired(service(mutation=Mutation(config="ignore")))
    user = current(lenient, networks={NET.name: Endpoint("id-net")})
    assert [notice.code for notice in step(lenient, observed(user, networks=(net,))).notices] == ["NetworkInUse"]
    memory = Memory().with_failed_operation(f"network.remove:{NET.name}", "has active endpoints")
    found = step(wanted, observed(current(wanted), networks=(net,)), memory)
    assert (found.empty, [notice.message for notice in found.notices]) == (True, ["has active endpoints"])


def test_networks_of_others_are_not_pruned() -> None:
    """Only what carries this project and this instance is ours to remove."""
    wanted = desired(service())
    others = NetworkState("o", "other", {**OURS, labels.INSTANCE: "another"})
    assert step(wanted, observed(current(wanted), networks=(others,))).empty


def test_without_prune_what_left_the_spec_is_told() -> None:
    """`--no-prune`: it runs on, and every plan says so."""
    wanted = replace(desired(service()), prune=False)
    found = step(wanted, observed(current(wanted), container("old")))
    assert found.empty
    assert [notice.code for notice in found.notices] == ["Orphan"]


def test_an_empty_spec_removes_nothing_unasked() -> None:
    """Removing a whole project by omission needs `allow_empty`."""
    found = step(desired(), observed(container("old")))
    assert (found.operations, reasons(found)) == ((), ["AllowEmpty"])
    assert kinds(step(desired(allow_empty=True), observed(container("old")))) == ["container.stop old/1"]


def test_a_disabled_service_is_neither_run_nor_removed() -> None:
    """Of a profile that is off, or left out by `--service`."""
    wanted = desired(service(), disabled=frozenset({"debug"}))
    assert step(wanted, observed(current(wanted), container("debug"))).empty


def test_a_removal_that_fails_is_told() -> None:
    """It is not asked for again."""
    wanted = desired(service())
    memory = Memory().with_failed_operation("container.stop:old/1/00000000", "permission denied")
    found = step(wanted, observed(current(wanted), container("old")), memory)
    assert (found.operations, reasons(found)) == ((), ["RemoveFailed"])


def test_a_project_of_compose_is_not_taken_over() -> None:
    """What `docker compose` or another instance runs under this name stops everything, and is named."""
    found = step(desired(service()), observed(foreign=(foreign("shop-web-1", compose_project="shop"),)))
    assert (found.operations, reasons(found)) == ((), ["NotOurs"])


def test_a_copy_with_our_labels_is_told() -> None:
    """It is left alone, and the project goes on."""
    copy = foreign("copy", compose_project="shop", claims="shop")
    found = step(desired(service()), observed(foreign=(copy,)))
    assert kinds(found) == ["container.create web/1"]
    assert [notice.code for notice in found.notices] == ["CopiedLabels"]
