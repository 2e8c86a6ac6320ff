"""`publish: healthy`: a replica answers to its service's name only while it can serve, always at the same address."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model import labels
from reconciler.model.keys import up_key
from reconciler.model.memory import Memory
from reconciler.model.observed import Container, Endpoint, EngineInfo, NetworkState, Observed
from reconciler.model.project import Attachment, Drain, Network, Rollout
from tests.support.planning import NOW, container, current, desired, foreign, kinds, observed, reasons, service, step

NET = Network("default", "net", source="compose.yaml:9", keeps_addresses=True)
HERE = Attachment("default", "net", ("www",))
NAMED = ("www", "web", "shop-web-1")
UNNAMED = ("shop-web-1",)
SUBNET = {"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.1"}


def published(*networks: Attachment, **changes: Any) -> Any:
    """A service that is named when it is up."""
    rollout = Rollout(**{"min_running": 0.0, "monitor": 0.0, "publish": "healthy", **changes})
    return desired(service(networks=networks or (HERE,), rollout=rollout), networks=(NET,))


def network(pool: dict[str, Any] | None = None, *, asked: bool = True, **raw: Any) -> NetworkState:
    """The network as we make it; `asked` for its subnet or not."""
    body = step(desired(networks=(NET,)), observed()).operations[0].payload["body"]
    own = {**body["Labels"], **({labels.SUBNET: "asked for"} if asked else {})}
    return NetworkState("net-id", "net", own, raw={"IPAM": {"Config": [pool or SUBNET]}, **raw})


def on(names: tuple[str, ...], address: str = "10.9.0.254", **changes: Any) -> dict[str, Endpoint]:
    """A place on the network under these names, at an address that was asked for ("": one that the engine chose)."""
    asked = {"IPv4Address": address} if address else {}
    return {"net": replace(Endpoint("net-id", names, address or "10.9.0.2", ipam_config=asked), **changes)}


def seen(*containers: Container, **changes: Any) -> Observed:
    """An engine with the network and these."""
    return observed(*containers, networks=(network(),), **changes)


def old(names: tuple[str, ...] = NAMED, address: str = "10.9.0.253") -> Container:
    """The replica that is to be replaced."""
    return container(networks=on(names, address))


# --- the name is given ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["1.41", "1.44"])
def test_a_replica_is_created_without_its_services_names(api: str) -> None:
    """It answers to its own name alone, at a fixed address from the top of the subnet."""
    wanted = published()
    engine = EngineInfo("test", "engine-id", "x", api)
    found = step(wanted, seen(engine=engine))
    endpoint = found.operations[0].payload["body"]["NetworkingConfig"]["EndpointsConfig"]["net"]
    assert endpoint == {"Aliases": ["shop-web-1"], "IPAMConfig": {"IPv4Address": "10.9.0.254"}}


def test_further_networks_are_the_same() -> None:
    """Where the engine's create takes only one, the others are connected before the first start, unnamed too."""
    back = Network("back", "back")
    two = published(HERE, Attachment("back", "back", ("db",)))
    wanted = replace(two, project=replace(two.project, networks=(NET, back)))
    created = current(wanted, status="created", networks=on(UNNAMED))
    states = (network(), NetworkState("back-id", "back", _made(wanted, "back")))
    found = step(wanted, observed(created, networks=states))
    assert kinds(found) == ["network.connect web/1"]
    assert found.operations[0].payload == {"network": "back", "endpoint": {"Aliases": ["shop-web-1"]}}


def _made(wanted: Any, name: str) -> Any:
    first = step(wanted, observed()).operations
    return next(item.payload["body"]["Labels"] for item in first if item.resource == name)


def test_before_its_gate_passed_it_has_no_name() -> None:
    """Not while it is watched either."""
    wanted = published(monitor=10.0)
    assert step(wanted, seen(old(), current(wanted, networks=on(UNNAMED)))).operations == ()


def test_a_replica_that_is_up_is_named() -> None:
    """It leaves the network for a moment and comes back with the names and the same address."""
    wanted = published()
    up = current(wanted, networks=on(UNNAMED))
    leaves = step(wanted, seen(old(), up)).operations
    assert [(item.kind, item.target, dict(item.payload)) for item in leaves] == [
        ("network.disconnect", up.id, {"network": "net", "address": {"IPv4Address": "10.9.0.254"}})
    ]
    away = Memory().with_attempts(leaves)
    (back,) = step(wanted, seen(old(), replace(up, networks={})), away).operations
    assert (back.kind, back.target) == ("network.connect", up.id)
    assert back.payload == {
        "network": "net",
        "endpoint": {"IPAMConfig": {"IPv4Address": "10.9.0.254"}, "Aliases": list(NAMED)},
    }


def test_a_crash_between_leaving_and_coming_back_is_survived() -> None:
    """What it had is remembered, and being away is no drift: it comes back, nothing is made anew."""
    wanted = published()
    up = current(wanted, networks={})
    away = Memory(addresses={f"{up.id}:net": {"IPv4Address": "10.9.0.254"}}, made={up.id: up.name})
    assert kinds(step(wanted, seen(up), away)) == ["network.connect web/1"]


def test_only_the_network_that_lacks_the_name_is_left() -> None:
    """A run cut off between two networks goes on with the second; what is named already stays connected."""
    back = Network("back", "back")
    two = published(HERE, Attachment("back", "back"))
    wanted = replace(two, project=replace(two.project, networks=(NET, back)))
    states = (network(), NetworkState("back-id", "back", _made(wanted, "back")))
    up = current(wanted, networks={**on(NAMED), "back": Endpoint("back-id", UNNAMED)})
    (leaves,) = step(wanted, observed(up, networks=states)).operations
    assert (leaves.kind, leaves.payload["network"]) == ("network.disconnect", "back")


def test_a_replica_is_not_up_before_it_is_named() -> None:
    """The old one stays, `settle` counts from the naming, and what depends on it being healthy waits."""
    wanted = published(settle=4.0)
    named = current(wanted, networks=on(NAMED))
    at = {"network.connect:web/1/11111111:net/publish": NOW - 3.0}
    memory = Memory(up={up_key(named): NOW - 60.0}, done=at)
    found = step(wanted, seen(old(), named), memory)
    assert (found.operations, found.wake_at) == ((), NOW + 1.0)
    unnamed = step(wanted, seen(old(), current(wanted, networks=on(UNNAMED))))
    assert unnamed.services[0].health == "Progressing"
    assert unnamed.services[0].message == "web/1 is up and about to answer to its service's name"


# --- and withdrawn ----------------------------------------------------------------------------------------------------


def test_the_name_is_withdrawn_before_the_stop() -> None:
    """The old one leaves, comes back under its own name alone, and is stopped when everybody had time to see it."""
    wanted = published(settle=2.0, drain=Drain(delay=5.0))
    new, memory = current(wanted, networks=on(NAMED)), Memory(up={f"new-web-1@{2.0!r}": NOW - 60.0})
    leaves = step(wanted, seen(old(), new), memory).operations
    assert [(item.kind, item.target) for item in leaves] == [("network.disconnect", "id-web-1")]
    away = memory.with_attempts(leaves)
    (back,) = step(wanted, seen(replace(old(), networks={}), new), away).operations
    assert back.payload["endpoint"] == {"IPAMConfig": {"IPv4Address": "10.9.0.253"}, "Aliases": ["shop-web-1"]}
    gone = away.with_done(back, "", NOW - 4.0)
    early = step(wanted, seen(old(UNNAMED), new), gone)
    assert (early.operations, early.wake_at) == ((), NOW + 1.0)
    late = away.with_done(back, "", NOW - 5.0)
    assert kinds(step(wanted, seen(old(UNNAMED), new), late)) == ["container.stop web/1"]


def test_the_drain_follows_the_withdrawal() -> None:
    """It is told when nobody new can find it."""
    wanted = published(drain=Drain("signal", 5.0, signal="SIGUSR1"))
    new = current(wanted, networks=on(NAMED))
    assert kinds(step(wanted, seen(old(), new))) == ["network.disconnect web/1"]
    assert kinds(step(wanted, seen(old(UNNAMED), new))) == ["container.kill web/1"]
    told = Memory(done={"container.kill:web/1/00000000": NOW - 5.0})
    assert kinds(step(wanted, seen(old(UNNAMED), new), told)) == ["container.stop web/1"]


def test_one_whose_address_cannot_be_kept_keeps_its_name() -> None:
    """Coming back with another address would cut what it is answering."""
    wanted = published()
    new = current(wanted, networks=on(NAMED))
    assert kinds(step(wanted, seen(old(address=""), new))) == ["container.stop web/1"]


def test_a_replica_that_somebody_took_off_the_network_is_stopped() -> None:
    """It has no name to withdraw."""
    wanted = published()
    new = current(wanted, networks=on(NAMED))
    assert kinds(step(wanted, seen(replace(old(), networks={}), new))) == ["container.stop web/1"]


def test_a_withdrawal_that_fails_is_told() -> None:
    """And the replica stopped all the same."""
    wanted = published()
    memory = Memory().with_failed_operation("network.disconnect:web/1/00000000:net/withdraw", "refused")
    found = step(wanted, seen(old(), current(wanted, networks=on(NAMED))), memory)
    assert kinds(found) == ["container.stop web/1"]
    assert [item.code for item in found.notices] == ["WithdrawFailed"]


def test_a_paused_rollout_names_what_is_up() -> None:
    """A replica that stays has to be found."""
    wanted = published(failure_action="pause", parallelism=0)
    two = replace(wanted, project=replace(wanted.project, services=(replace(wanted.project.services[0], replicas=2),)))
    up, dead = current(two, networks=on(UNNAMED)), current(two, slot=2, status="exited", networks={})
    found = step(two, seen(up, dead, container(slot=2)), Memory(attempted=frozenset({dead.name})))
    assert ("network.disconnect", up.id) in [(item.kind, item.target) for item in found.operations]


# --- addresses --------------------------------------------------------------------------------------------------------


def given_address(wanted: Any, state: NetworkState, *containers: Container, **changes: Any) -> Any:
    """The address that the next replica asks for, None where it leaves that to the engine."""
    seen_now = observed(*containers, networks=(state,), **changes)
    (created,) = step(wanted, seen_now).operations
    endpoint = created.payload["body"]["NetworkingConfig"]["EndpointsConfig"]["net"]
    return (endpoint.get("IPAMConfig") or {}).get("IPv4Address")


def test_addresses_come_from_the_top_and_are_never_given_twice() -> None:
    """Not one that a container of ours has or will come back to, nor one of somebody else's, nor the gateway's."""
    wanted = published()
    assert given_address(wanted, network(), old(address="10.9.0.254")) == "10.9.0.253"
    taken = {"x": {"IPv4Address": "10.9.0.254/24"}, "y": {}}
    assert given_address(wanted, network(Containers=taken)) == "10.9.0.253"
    assert given_address(wanted, network({"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.254"})) == "10.9.0.253"
    away = Memory(addresses={"gone:net": {"IPv4Address": "10.9.0.254"}, "gone:other": {"IPv4Address": "10.9.0.253"}})
    (created,) = step(wanted, seen(), away).operations
    endpoint = created.payload["body"]["NetworkingConfig"]["EndpointsConfig"]["net"]
    assert endpoint["IPAMConfig"] == {"IPv4Address": "10.9.0.253"}


def test_two_replicas_of_one_step_get_two_addresses() -> None:
    """Created at once, on one network."""
    wanted = published()
    two = replace(wanted, project=replace(wanted.project, services=(replace(wanted.project.services[0], replicas=2),)))
    bodies = [
        item.payload["body"]["NetworkingConfig"]["EndpointsConfig"]["net"] for item in step(two, seen()).operations
    ]
    assert [body["IPAMConfig"]["IPv4Address"] for body in bodies] == ["10.9.0.254", "10.9.0.253"]


def test_the_engines_own_range_is_left_to_it() -> None:
    """`ip_range`: the engine gives those away without asking."""
    pool = {**SUBNET, "IPRange": "10.9.0.128/25"}
    assert given_address(published(), network(pool)) == "10.9.0.127"


def test_a_full_subnet_leaves_the_choice_to_the_engine() -> None:
    """Then the name stays to the end."""
    pool = {"Subnet": "10.9.0.0/30", "Gateway": "10.9.0.1"}
    assert given_address(published(), network(pool), old(address="10.9.0.2")) is None


@pytest.mark.parametrize(
    ("state", "address"),
    [
        (network({"Subnet": "fd00::/64"}), None),
        (network(asked=False), "10.9.0.254"),
    ],
)
def test_only_a_network_whose_subnet_was_asked_for_keeps_addresses(state: NetworkState, address: Any) -> None:
    """Engines refuse an address on any other; one that the spec gives a subnet is asked for too."""
    wanted = published()
    pools = state.raw["IPAM"]["Config"]
    given = replace(NET, keeps_addresses=False, definition={"IPAM": {"Config": pools}})
    asked = replace(wanted, project=replace(wanted.project, networks=(given,)))
    made = replace(state, labels=_made(asked, "net"))
    assert given_address(asked, made) == address


def test_an_address_of_the_spec_is_taken_as_it_is() -> None:
    """Nothing is to be chosen then."""
    fixed = replace(HERE, endpoint={"IPAMConfig": {"IPv4Address": "10.9.0.7"}})
    assert given_address(published(fixed), network()) == "10.9.0.7"


@pytest.mark.parametrize("changes", [{"rollout": Rollout()}, {"job": True}])
def test_who_never_leaves_asks_for_no_address(changes: dict[str, Any]) -> None:
    """With `publish: immediate`, and for a job, the engine chooses, and the name is there from the start."""
    wanted = published()
    plain = replace(wanted.project.services[0], **changes)
    other = replace(wanted, project=replace(wanted.project, services=(plain,)))
    (created,) = step(other, seen()).operations
    assert created.payload["body"]["NetworkingConfig"]["EndpointsConfig"]["net"] == {"Aliases": list(NAMED)}


# --- the network ------------------------------------------------------------------------------------------------------


def test_the_network_is_made_anew_with_the_subnet_that_the_engine_chose() -> None:
    """Engines fix an address only where the subnet was asked for by name: done before anything is attached."""
    wanted = published()
    (removal,) = step(wanted, observed(networks=(network(asked=False),))).operations
    assert (removal.kind, removal.resource) == ("network.remove", "net")
    assert removal.cause[0].after is not None
    chosen = Memory().with_attempts((removal,))
    (created,) = step(wanted, observed(), chosen).operations
    assert created.payload["body"]["IPAM"] == {"Config": [SUBNET]}
    assert created.payload["body"]["Labels"][labels.SUBNET] == "asked for"
    assert created.payload["body"]["Labels"][labels.SPEC_HASH] == network().labels[labels.SPEC_HASH]


def test_nothing_is_created_on_a_network_that_is_about_to_go() -> None:
    """The replicas wait for the new one."""
    found = step(published(), observed(networks=(network(asked=False),)))
    assert found.services[0].waiting == "network net"


def test_a_network_without_an_ipv4_subnet_is_not_made_anew() -> None:
    """There is no address to keep on it, so nothing would be won."""
    found = step(published(), observed(networks=(network({"Subnet": "fd00::/64"}, asked=False),)))
    assert kinds(found) == ["container.create web/1"]


@pytest.mark.parametrize("whose", ["ours", "foreign"])
def test_a_network_that_somebody_uses_stays_as_it_is(whose: str) -> None:
    """The plan says that names stay to the end there."""
    wanted = published()
    ours = (container(networks=on(NAMED, "")),) if whose == "ours" else ()
    others = (foreign("x", networks=("net",)),) if whose == "foreign" else ()
    found = step(wanted, observed(*ours, foreign=others, networks=(network(asked=False),)))
    assert "network.remove" not in [item.kind for item in found.operations]
    assert found.services[0].protection == (
        "named once it is up; keeps its name to the end, as net cannot give an address twice"
    )


@pytest.mark.parametrize("exists", [True, False])
def test_the_plan_shows_when_the_name_comes_and_goes(*, exists: bool) -> None:
    """Also before the network is there."""
    wanted = published(settle=2.0, drain=Drain(delay=3.0))
    found = step(wanted, seen() if exists else observed())
    assert found.services[0].protection == "named once it is up, its name withdrawn 3 s before it is stopped"
    assert reasons(found) == []
