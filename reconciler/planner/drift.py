"""Find what somebody changed about a container after it was made, out of the closed set that engines let people change.

Called for containers of the desired definition. Every rule here answers "by whose hand?": what an engine fills in,
leaves out or cannot enforce is its own doing and never drift.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model import field_views as view
from reconciler.model.fields import as_written
from reconciler.model.observed import Container, Endpoint, json_value
from reconciler.model.operation import Difference
from reconciler.model.project import JSON, Attachment, Service

UPDATED = "changed by hand (docker update)"
RENAMED = "renamed by hand (docker rename)"
NO_LIMIT = -1
SHARED = "container:"
BUILT_IN_DEFAULT = "bridge"
ADDRESSES = {"IPv4Address": "ipv4_address", "IPv6Address": "ipv6_address"}


@dataclass(frozen=True)
class Limit:
    """A field of HostConfig that `docker update` sets, as a Compose field and as a spec writes its value."""

    field: str
    show: view.Flatten = view.whole


# The closed set: what POST /containers/{id}/update takes (Engine API, ContainerUpdate) and engines keep.
LIMITS: Mapping[str, Limit] = {
    "Memory": Limit("deploy.resources.limits.memory", view.size),
    "MemorySwap": Limit("memswap_limit", view.size),
    "MemoryReservation": Limit("deploy.resources.reservations.memory", view.size),
    "KernelMemory": Limit("kernel_memory", view.size),
    "NanoCpus": Limit("deploy.resources.limits.cpus", view.cpus),
    "CpuQuota": Limit("cpu_quota"),
    "CpuPeriod": Limit("cpu_period"),
    "CpuShares": Limit("cpu_shares"),
    "CpuRealtimePeriod": Limit("cpu_rt_period"),
    "CpuRealtimeRuntime": Limit("cpu_rt_runtime"),
    "CpusetCpus": Limit("cpuset"),
    "CpusetMems": Limit("cpuset_mems"),
    "PidsLimit": Limit("deploy.resources.limits.pids"),
    "BlkioWeight": Limit("blkio_config.weight"),
}

# Here any negative number means what nothing means: no limit.
NEGATIVE_IS_NONE = {"PidsLimit", "CpuQuota"}

# To `docker update` zero means "leave it", so that a zero where something was asked for is an engine that cannot
# enforce it; only `--pids-limit -1` is kept as 0.
KEPT_AS_ZERO = {"PidsLimit"}


def in_place_changes(
    service: Service,
    container: Container,
    made: Mapping[str, str],
    *,
    swap_limited: bool = False,
    named: bool = False,
) -> tuple[Difference, ...]:
    """What somebody changed about a container of this service's present definition; () where nobody did.

    `made` holds the names that containers were given, by id; one that is not in it is not asked about its name. On an
    engine that is not `swap_limited` a `MemorySwap` of -1 is no change. Networks count while the container runs; its
    names on them only where it is to be `named` by now, and names that somebody added never. Each Difference is named
    in Compose terms: before is what runs, after what the spec asks for.
    """
    name = _name_changes(service, container, made)
    networks = _network_changes(service, container, named=named) if container.status == "running" else ()
    limits = _limit_changes(service, container, swap_limited=swap_limited)
    return (*name, *networks, *limits, *_restart_changes(service, container))


def written_paths(
    service: Service,
    container: Container,
    mutations: Mapping[str, tuple[str, ...]],
    baselines: Mapping[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Paths that were written, made or removed in a container's writable layer since it came up, sorted.

    `mutations` and `baselines` hold paths by container id (GET /containers/{id}/changes): now, and when it came up; ()
    where either lacks the container. Left out are paths at or below one of `mutation.allow`, and folders that are
    listed only because something in them was written: those above another listed path or above an allowed one.
    """
    found, known = mutations.get(container.id), baselines.get(container.id)
    if found is None or known is None or found == known:
        return ()
    allowed = {posixpath.normpath(path) for path in service.mutation.allow}
    excused = _folders_above([*found, *allowed]) | set(known)
    return tuple(sorted(path for path in set(found) - excused if not _at_or_below(path, allowed)))


def _name_changes(service: Service, container: Container, made: Mapping[str, str]) -> Iterator[Difference]:
    given = made.get(container.id, container.name)
    if given != container.name:
        yield Difference("name", container.name, given, service.source("container_name"), RENAMED)


def _network_changes(service: Service, container: Container, *, named: bool) -> Iterator[Difference]:
    wanted = _wanted_networks(service)
    if wanted is None:
        return
    found = {_as_asked(name, place, wanted) for name, place in container.networks.items()}
    if found != wanted:
        source = service.source("networks" if service.networks else "network_mode")
        yield Difference("networks", sorted(found), sorted(wanted), source, _in_words(wanted - found, found - wanted))
    for item in service.networks:
        if item.network in container.networks:
            yield from _address_changes(service, item, container.networks[item.network])
            yield from _names_lost(service, item, container.networks[item.network]) if named else ()


def _wanted_networks(service: Service) -> set[str] | None:
    """What the container is to be connected to; None where engines refuse to change it (a shared network)."""
    if service.networks:
        return {item.network for item in service.networks}
    mode: str = json_value(service.container, "HostConfig", "NetworkMode") or ""
    if mode == "host" or mode.startswith(SHARED) or "NetworkMode" in dict(service.shares):
        return None
    return {BUILT_IN_DEFAULT if mode in {"", "default"} else mode}


def _as_asked(name: str, place: Endpoint, wanted: Collection[str]) -> str:
    """The network's name, or its id where `network_mode` gives that."""
    return place.network_id if place.network_id in wanted else name


def _in_words(lost: set[str], added: set[str]) -> str:
    told = (
        f"disconnected from {', '.join(sorted(lost))}" if lost else "",
        f"connected to {', '.join(sorted(added))}" if added else "",
    )
    return " and ".join(part for part in told if part) + " by hand"


def _address_changes(service: Service, item: Attachment, place: Endpoint) -> Iterator[Difference]:
    """Fixed addresses that it was connected without: an address that the spec leaves open may be any."""
    for key, name in ADDRESSES.items():
        asked, found = json_value(item.endpoint, "IPAMConfig", key), place.ipam_config.get(key)
        if asked and asked != found:
            field = f"networks.{item.key}.{name}"
            reason = f"connected to {item.network} with another address by hand"
            yield Difference(field, found, asked, service.source(field), reason)


def _names_lost(service: Service, item: Attachment, place: Endpoint) -> Iterator[Difference]:
    """Names that it was connected without: Docker's DNS does not find it under them any more."""
    wanted = {service.name, *item.aliases}
    lost = wanted - set(place.aliases)
    if lost:
        field = f"networks.{item.key}.aliases"
        reason = f"connected to {item.network} without the name {', '.join(sorted(lost))} by hand"
        yield Difference(field, sorted(wanted - lost), sorted(wanted), service.source(field), reason)


def _limit_changes(service: Service, container: Container, *, swap_limited: bool) -> Iterator[Difference]:
    asked: JSON = service.container.get("HostConfig") or {}
    for key, limit in LIMITS.items():
        found = container.host_config.get(key)
        if not found and key not in KEPT_AS_ZERO:
            continue
        wanted = _wanted_limit(key, asked)
        if _set_by_hand(key, wanted, found, swap_limited=swap_limited):
            field = as_written(limit.field, service.sources)
            before, after = _shown(limit, found), _shown(limit, wanted)
            yield Difference(field, before, after, service.source(field), UPDATED)


def _wanted_limit(key: str, asked: JSON) -> Any:
    """What engines write for what was asked: with a limit of memory alone, they allow as much swap again."""
    memory = asked.get("Memory") or 0
    return asked.get(key) or (2 * max(memory, 0) if key == "MemorySwap" else None)


def _set_by_hand(key: str, wanted: Any, found: Any, *, swap_limited: bool) -> bool:
    """Whether somebody must have set it. An engine without that limit shows null."""
    if found is None or _effective(key, found) == _effective(key, wanted):
        return False
    return not (key == "MemorySwap" and found == NO_LIMIT and wanted and not swap_limited)


def _effective(key: str, value: Any) -> Any:
    return 0 if not value or (key in NEGATIVE_IS_NONE and value < 0) else value


def _shown(limit: Limit, value: Any) -> Any:
    if not value:
        return None
    return "unlimited" if value == NO_LIMIT else limit.show(limit.field, value)[limit.field]


def _restart_changes(service: Service, container: Container) -> Iterator[Difference]:
    before, after = _restart(container.host_config), _restart(service.container.get("HostConfig") or {})
    if container.host_config.get("RestartPolicy") and before != after:
        yield Difference("restart", before, after, service.source("restart"), UPDATED)


def _restart(host_config: JSON) -> str | None:
    """The policy as a spec writes it, None for `no`: some engines write that where nothing was asked for."""
    return view.restart("restart", host_config.get("RestartPolicy") or {}).get("restart")


def _folders_above(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        folder = posixpath.dirname(path)
        while folder not in found and folder != posixpath.dirname(folder):
            found.add(folder)
            folder = posixpath.dirname(folder)
    return found


def _at_or_below(path: str, allowed: Collection[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in allowed)
