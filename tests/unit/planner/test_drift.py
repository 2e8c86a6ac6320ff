"""What counts as changed by hand, and what is the engine's own doing."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.observed import Container, Endpoint
from reconciler.model.operation import Difference
from reconciler.model.project import Attachment, Mutation, Service
from reconciler.planner.drift import in_place_changes, written_paths
from tests.support.planning import container, service

MIB = 1024**2


def asking(**host_config: Any) -> Service:
    """A service on no network that asks for this."""
    return service(container={"HostConfig": {"NetworkMode": "host", **host_config}})


def showing(**host_config: Any) -> Container:
    """A container of which the engine says this."""
    return container(host_config=host_config)


def connected(*networks: str, **changes: Any) -> Container:
    """A container on these networks."""
    return container(networks={name: Endpoint(f"id-{name}") for name in networks}, **changes)


def told(wanted: Service, found: Container, **given: Any) -> list[tuple[str, Any, Any]]:
    """Field, before and after of each change."""
    return [(item.field, item.before, item.after) for item in in_place_changes(wanted, found, {}, **given)]


# --- limits and the restart policy ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({}, {"Memory": 0, "MemorySwap": 0, "PidsLimit": None, "CpusetCpus": "", "BlkioWeight": 0}),
        ({}, {}),
        ({}, {"KernelMemory": 0, "MemorySwappiness": None, "OomKillDisable": False, "CpuQuota": -1}),
        ({"Memory": 64 * MIB}, {"Memory": 64 * MIB, "MemorySwap": 128 * MIB}),
        ({"Memory": 64 * MIB}, {"Memory": 64 * MIB, "MemorySwap": -1}),
        ({"Memory": 64 * MIB}, {"Memory": 0, "MemorySwap": -1}),
        ({"MemoryReservation": 64 * MIB}, {"MemoryReservation": 0}),
        ({"PidsLimit": -1}, {"PidsLimit": None}),
        ({"PidsLimit": -7}, {"PidsLimit": 0}),
        ({"PidsLimit": 10}, {"PidsLimit": None}),
        ({}, {"RestartPolicy": {"Name": "", "MaximumRetryCount": 0}}),
        ({}, {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}),
        ({"RestartPolicy": {"Name": "no"}}, {"RestartPolicy": {"Name": "", "MaximumRetryCount": 0}}),
        ({"RestartPolicy": {"Name": "always"}}, {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}),
        ({"RestartPolicy": {"Name": "always"}}, {}),
    ],
)
def test_what_engines_fill_in_or_leave_out_is_nobodys_hand(asked: dict[str, Any], shown: dict[str, Any]) -> None:
    """Defaults, the swap that goes with a limit of memory, and limits that an engine cannot enforce are no drift."""
    assert told(asking(**asked), showing(**shown)) == []


@pytest.mark.parametrize(
    ("asked", "shown", "change"),
    [
        ({"Memory": 64 * MIB}, {"Memory": 32 * MIB}, ("deploy.resources.limits.memory", "32m", "64m")),
        ({}, {"Memory": 32 * MIB}, ("deploy.resources.limits.memory", "32m", None)),
        ({"Memory": 64 * MIB}, {"MemorySwap": 64 * MIB}, ("memswap_limit", "64m", "128m")),
        ({}, {"MemorySwap": -1}, ("memswap_limit", "unlimited", None)),
        ({}, {"MemoryReservation": 8 * MIB}, ("deploy.resources.reservations.memory", "8m", None)),
        ({}, {"KernelMemory": 8 * MIB}, ("kernel_memory", "8m", None)),
        ({"NanoCpus": 10**9}, {"NanoCpus": 5 * 10**8}, ("deploy.resources.limits.cpus", "0.5", "1")),
        ({}, {"CpuQuota": 20000}, ("cpu_quota", 20000, None)),
        ({}, {"CpuPeriod": 50000}, ("cpu_period", 50000, None)),
        ({}, {"CpuShares": 512}, ("cpu_shares", 512, None)),
        ({}, {"CpuRealtimePeriod": 1000}, ("cpu_rt_period", 1000, None)),
        ({}, {"CpuRealtimeRuntime": 900}, ("cpu_rt_runtime", 900, None)),
        ({}, {"CpusetCpus": "0-1"}, ("cpuset", "0-1", None)),
        ({}, {"CpusetMems": "0"}, ("cpuset_mems", "0", None)),
        ({}, {"PidsLimit": 7}, ("deploy.resources.limits.pids", 7, None)),
        ({"PidsLimit": 10}, {"PidsLimit": 0}, ("deploy.resources.limits.pids", None, 10)),
        ({}, {"BlkioWeight": 300}, ("blkio_config.weight", 300, None)),
        ({}, {"RestartPolicy": {"Name": "always"}}, ("restart", "always", None)),
        (
            {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
            {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}},
            ("restart", None, "on-failure:3"),
        ),
    ],
)
def test_what_docker_update_sets_is_found(
    asked: dict[str, Any], shown: dict[str, Any], change: tuple[str, Any, Any]
) -> None:
    """Each field under its Compose name, with what runs now before what the spec asks for."""
    assert told(asking(**asked), showing(**shown)) == [change]


def test_unlimited_swap_is_a_change_where_the_engine_can_limit_it() -> None:
    """An engine without swap limits writes -1 itself, so that only one that has them tells a hand's."""
    wanted, found = asking(Memory=64 * MIB), showing(Memory=64 * MIB, MemorySwap=-1)
    assert told(wanted, found, swap_limited=True) == [("memswap_limit", "unlimited", "128m")]
    assert told(wanted, found) == []


def test_swap_that_was_asked_for_is_not_a_change() -> None:
    """`memswap_limit` takes the place of what engines add to a limit of memory."""
    wanted = asking(Memory=64 * MIB, MemorySwap=96 * MIB)
    assert told(wanted, showing(Memory=64 * MIB, MemorySwap=96 * MIB)) == []
    assert told(wanted, showing(Memory=64 * MIB, MemorySwap=128 * MIB)) == [("memswap_limit", "128m", "96m")]


def test_a_limit_is_told_by_the_key_that_the_spec_writes() -> None:
    """`mem_limit` with its own line, where `deploy` does not say it."""
    sources = {"": "compose.yaml:2", "mem_limit": "compose.yaml:5"}
    wanted = service(container={"HostConfig": {"Memory": 64 * MIB, "NetworkMode": "none"}}, sources=sources)
    (found,) = in_place_changes(wanted, connected("none", host_config={"Memory": 32 * MIB}), {})
    assert (found.field, found.source) == ("mem_limit", "compose.yaml:5")


def test_a_change_says_where_the_spec_asks_otherwise() -> None:
    """The line of the field, else that of what encloses it."""
    sources = {"": "compose.yaml:2", "deploy.resources": "compose.yaml:5"}
    wanted = service(container={"HostConfig": {"Memory": 64 * MIB, "NetworkMode": "none"}}, sources=sources)
    found = in_place_changes(wanted, connected("none", host_config={"Memory": 32 * MIB, "CpuShares": 2}), {})
    assert found == (
        Difference("deploy.resources.limits.memory", "32m", "64m", "compose.yaml:5", "changed by hand (docker update)"),
        Difference("cpu_shares", 2, None, "compose.yaml:2", "changed by hand (docker update)"),
    )


# --- networks ---------------------------------------------------------------------------------------------------------

FRONT = Attachment("front", "shop_front", aliases=("www",))
FIXED = Attachment("front", "shop_front", endpoint={"IPAMConfig": {"IPv4Address": "10.9.0.5"}})


@pytest.mark.parametrize(
    ("networks", "reason"),
    [
        (("shop_front",), ""),
        ((), "disconnected from shop_front by hand"),
        (("shop_front", "a", "b"), "connected to a, b by hand"),
        (("a",), "disconnected from shop_front and connected to a by hand"),
    ],
)
def test_networks_are_compared_by_name(networks: tuple[str, ...], reason: str) -> None:
    """What it was connected to or disconnected from is told; the aliases that it has there never count."""
    found = in_place_changes(service(networks=(FRONT,)), connected(*networks), {})
    assert [(item.field, item.reason) for item in found] == ([("networks", reason)] if reason else [])


def test_networks_count_only_while_it_runs() -> None:
    """A container that is being put together is not connected to all of them yet."""
    assert told(service(networks=(FRONT,)), connected(status="created")) == []


@pytest.mark.parametrize(
    ("mode", "networks", "change"),
    [
        ("bridge", ("bridge",), []),
        ("", ("bridge",), []),
        ("default", ("bridge", "a"), [("networks", ["a", "bridge"], ["bridge"])]),
        ("none", ("none",), []),
        ("none", (), [("networks", [], ["none"])]),
        ("theirs", ("theirs",), []),
        ("id-theirs", ("theirs",), []),
        ("host", (), []),
        ("container:1", (), []),
    ],
)
def test_a_network_mode_names_the_one_network(mode: str, networks: tuple[str, ...], change: list[Any]) -> None:
    """Host and shared networks cannot be changed; any other mode is one network, by name or id."""
    assert told(service(container={"HostConfig": {"NetworkMode": mode}}), connected(*networks)) == change


def test_a_network_shared_with_a_service_is_not_compared() -> None:
    """`network_mode: service:x`: the container has no network of its own."""
    assert told(service(container={}, shares=(("NetworkMode", "db"),)), connected()) == []


@pytest.mark.parametrize(
    ("ipam", "change"),
    [
        ({"IPv4Address": "10.9.0.5"}, []),
        ({}, [("networks.front.ipv4_address", None, "10.9.0.5")]),
        ({"IPv4Address": "10.9.0.6"}, [("networks.front.ipv4_address", "10.9.0.6", "10.9.0.5")]),
    ],
)
def test_a_fixed_address_counts(ipam: dict[str, str], change: list[Any]) -> None:
    """Connected again by hand, but not with the address that the spec fixes."""
    place = {"shop_front": Endpoint("1", ipam_config=ipam)}
    assert told(service(networks=(FIXED,)), container(networks=place)) == change


def test_an_address_that_the_spec_leaves_open_may_be_any() -> None:
    """A replica that came back to a network with the address it had asks for that address."""
    place = {"shop_front": Endpoint("1", ipam_config={"IPv4Address": "10.9.0.6"})}
    assert told(service(networks=(FRONT,)), container(networks=place)) == []


# --- the name ---------------------------------------------------------------------------------------------------------


def test_a_container_has_the_name_that_it_was_given() -> None:
    """Another one was given by hand; of a container that is not known, nothing is said."""
    found, wanted = container(host_config={}), asking()
    assert in_place_changes(wanted, found, {found.id: found.name}) == ()
    assert in_place_changes(wanted, found, {"another": "name"}) == ()
    (change,) = in_place_changes(wanted, found, {found.id: "shop-web-1-22222222"})
    assert change == Difference("name", found.name, "shop-web-1-22222222", "", "renamed by hand (docker rename)")


# --- the writable layer -----------------------------------------------------------------------------------------------


def written(changed: tuple[str, ...], baseline: tuple[str, ...] = (), *allow: str) -> tuple[str, ...]:
    """What is told of a container that shows these paths and had shown those when it came up."""
    found = container()
    wanted = service(mutation=Mutation(allow=allow))
    return written_paths(wanted, found, {found.id: changed}, {found.id: baseline})


@pytest.mark.parametrize(
    ("changed", "baseline", "allow", "expected"),
    [
        ((), (), (), ()),
        (("/var", "/var/log", "/var/log/a"), ("/var", "/var/log", "/var/log/a"), (), ()),
        (("/etc", "/etc/b", "/etc/a"), (), (), ("/etc/a", "/etc/b")),
        (("/etc",), (), (), ("/etc",)),
        (("/var", "/var/log", "/var/log/a", "/var/log/b"), ("/var", "/var/log", "/var/log/a"), (), ("/var/log/b",)),
        (("/run", "/run/pid"), (), ("/run",), ()),
        (("/run", "/run/pid", "/running"), (), ("/run/",), ("/running",)),
        (("/var", "/var/cache", "/var/cache/x"), (), ("/var/cache",), ()),
        (("/var", "/var/cache"), (), ("/var/cache/app",), ()),
        (("/bin", "/bin/sh"), (), ("/",), ()),
        (("/bin", "/bin/sh"), (), (), ("/bin/sh",)),
    ],
)
def test_only_what_was_written_later_counts(
    changed: tuple[str, ...], baseline: tuple[str, ...], allow: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """Minus the allow list, and minus the folders that are listed for what is in them."""
    assert written(changed, baseline, *allow) == expected


def test_without_a_look_or_a_baseline_nothing_is_told() -> None:
    """Unknown is not changed."""
    found = container()
    assert written_paths(service(), found, {}, {found.id: ()}) == ()
    assert written_paths(service(), found, {found.id: ("/etc/a",)}, {}) == ()
