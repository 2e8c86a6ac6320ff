"""Which networks are not as the spec wants them, field by field, and which the containers may be on.

Docker cannot change a network in place. Worked out before services are judged; `renewal` acts on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.model import labels
from reconciler.model.canonical import keyed_hash
from reconciler.model.desired import Desired
from reconciler.model.keys import container_key
from reconciler.model.memory import Memory
from reconciler.model.observed import Container, NetworkState, Observed, json_value
from reconciler.model.operation import Difference
from reconciler.model.project import JSON, Network, Service
from reconciler.model.redaction import REDACTED, is_secret_name
from reconciler.planner.engine_features import network_too_new
from reconciler.planner.removals import Removals

MADE_ANEW = "a network cannot be changed in place"
DEFAULTS: Mapping[str, Any] = {
    "driver": "bridge",
    "internal": False,
    "attachable": False,
    "enable_ipv4": True,
    "enable_ipv6": False,
}
PLAIN = {
    "driver": "Driver",
    "internal": "Internal",
    "attachable": "Attachable",
    "enable_ipv4": "EnableIPv4",
    "enable_ipv6": "EnableIPv6",
}
ENGINES_OWN = "com.docker.network.enable_ipv"


@dataclass(frozen=True)
class Changed:
    """A network of ours that has to be removed and made again, and the differences that are why."""

    network: Network
    existing: NetworkState
    cause: tuple[Difference, ...]


@dataclass(frozen=True)
class Networks:
    """The project's networks beside those of the engine, all by name.

    `ids` are the networks that a container may be on: none where the network is missing or has to be made anew.
    `changed` are those to be made anew, `refused` why others that changed stay as they are, and `kept` (words, and
    `file:line`) why others do for the sake of what is suspended.
    """

    wanted: Mapping[str, Network] = field(default_factory=dict)
    ids: Mapping[str, frozenset[str]] = field(default_factory=dict)
    changed: Mapping[str, Changed] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def left_behind(self, service: Service, container: Container) -> tuple[str, ...]:
        """The service's networks that the container joined and that are, or will be, others now.

        A container is bound to its networks by their ids: once one is gone, it cannot be started any more.
        """
        return tuple(item.network for item in service.networks if self._is_another(item.network, container))

    def cause(self, names: Iterable[str]) -> tuple[Difference, ...]:
        """Why a container on the former networks of these names has to be replaced."""
        return tuple(item for name in names for item in self._cause(name))

    def _is_another(self, name: str, container: Container) -> bool:
        place, ids = container.networks.get(name), self.ids.get(name)
        return bool(place and place.network_id and ids is not None and place.network_id not in ids)

    def _cause(self, name: str) -> tuple[Difference, ...]:
        if name in self.changed:
            return self.changed[name].cause
        network = self.wanted[name]
        return (Difference(f"networks.{network.key}", None, None, network.source, f"{name} was made anew"),)


def judge_networks(
    desired: Desired,
    observed: Observed,
    memory: Memory,
    suspended: Collection[str] = (),
    leaving: Removals = Removals(),  # noqa: B008 - frozen
) -> Networks:
    """Compare the project's networks with the engine's. `suspended` services keep theirs; `leaving` left the spec."""
    wanted = {network.name: network for network in desired.project.networks}
    changed = {item.network.name: item for item in _changed(desired, observed, memory)}
    kept = {name: words for name, item in changed.items() if (words := _kept(desired, observed, item, suspended))}
    found = ((name, _refused(desired, observed, memory, changed[name], leaving)) for name in changed.keys() - kept)
    refused = {name: words for name, words in sorted(found) if words}
    renewed = {name: item for name, item in changed.items() if name not in {*refused, *kept}}
    ids = {name: frozenset() if name in renewed else _ids(observed, name) for name in wanted}
    return Networks(wanted, ids, renewed, refused, kept)


def is_ours(desired: Desired, memory: Memory, network: NetworkState) -> bool:
    """Whether this project, by this instance, made the network or took it over."""
    found = network.labels
    made = found.get(labels.PROJECT) == desired.project.name and found.get(labels.INSTANCE) == desired.instance
    return made or network.id in memory.adopted_networks


def network_hash(desired: Desired, network: Network) -> str:
    """The desired hash of a network's definition; to write out a default changes nothing."""
    said = {key: value for key, value in network.definition.items() if not _is_default(key, value)}
    return keyed_hash(desired.hash_key, said)


def removal_id(network: NetworkState) -> str:
    """The id of the operation that removes this very network, so that a new one takes its place."""
    return f"network.remove:{network.name}/{network.id[:12]}"


def _is_default(key: str, value: Any) -> bool:
    name = next((name for name, engine_key in PLAIN.items() if engine_key == key), "")
    return bool(name) and value == DEFAULTS[name]


def _ids(observed: Observed, name: str) -> frozenset[str]:
    return frozenset(network.id for network in observed.networks if network.name == name)


def _changed(desired: Desired, observed: Observed, memory: Memory) -> Iterator[Changed]:
    """By the label that says what a network was made of; one that was taken over is judged by what it shows."""
    for network in desired.project.networks:
        existing = observed.network(network.name)
        if existing is None or network.external or not is_ours(desired, memory, existing):
            continue
        known = {network_hash(desired, network), keyed_hash(desired.hash_key, network.definition)}
        made_of = existing.labels.get(labels.SPEC_HASH)
        if made_of in known:
            continue
        found = tuple(_differences(network, existing))
        if found or made_of is not None:
            yield Changed(network, existing, found or (_hidden(desired, network, existing),))


def _kept(desired: Desired, observed: Observed, changed: Changed, suspended: Collection[str]) -> tuple[str, str] | None:
    """That a changed network stays as it is because something suspended uses it, and where the change is written."""
    name = changed.network.name
    wanting = {service.name for service in desired.project.services if name in (at.network for at in service.networks)}
    running = {item.labels.get(labels.SERVICE, "") for item in observed.containers if name in item.networks}
    users = sorted((wanting | running) & set(suspended))
    if not users:
        return None
    fields = ", ".join(item.field for item in changed.cause)
    return f"network {name} is not made anew for {fields} while {users[0]}, which uses it, is suspended", (
        changed.network.source
    )


def _refused(desired: Desired, observed: Observed, memory: Memory, changed: Changed, leaving: Removals) -> str:
    """That a changed network stays as it is, why, and what to do; "" where it may be made anew."""
    why = _refusal(desired, observed, memory, changed, leaving)
    if not why:
        return ""
    fields = ", ".join(item.field for item in changed.cause)
    told = f"network {changed.network.name} has to be made anew for {fields}, but {why}"
    return f"{told}; or give it another `name:`, and the containers move over"


def _refusal(desired: Desired, observed: Observed, memory: Memory, changed: Changed, leaving: Removals) -> str:
    """Why a changed network has to stay as it is, in words; "" where it may be made anew.

    A foreign container that is stopped is in the way too: it could not be started again.
    """
    name = changed.network.name
    unknown = network_too_new(changed.network, observed.engine)
    if unknown:
        return unknown
    strangers = sorted(item.name for item in observed.foreign if name in item.networks)
    if strangers:
        return f"{', '.join(strangers)} is attached and not ours: `docker network disconnect {name} {strangers[0]}`"
    users = [item for item in observed.containers if item.occupied and name in item.networks]
    staying = sorted(item.name for item in users if leaving.too_many and _service(item) in leaving.gone)
    if staying:
        return f"{staying[0]} is attached, which is not removed: too many services left the spec at once"
    others = sorted(item.name for item in users if not _takes_part(desired, item))
    if others:
        return f"{', '.join(others)} is attached and its service is not part of this run: include it"
    bound = desired.max_unavailable
    if bound is not None and len(users) > bound:
        return f"that takes {len(users)} replicas out of service at once, and --max-unavailable allows {bound}"
    tried = (removal_id(changed.existing), *(f"container.stop:{container_key(item)}" for item in users))
    return next((memory.failed_operations[item] for item in tried if item in memory.failed_operations), "")


def _takes_part(desired: Desired, container: Container) -> bool:
    """Whether this run may stop the container: its service is wanted, or has left the spec and is to be removed."""
    name, project = _service(container), desired.project
    return project.service(name) is not None or (desired.prune and name not in project.disabled)


def _service(container: Container) -> str:
    return container.labels.get(labels.SERVICE, "")


def _differences(network: Network, existing: NetworkState) -> Iterator[Difference]:
    asked, raw = network.definition, existing.raw
    for name, key in PLAIN.items():
        before, after = raw.get(key, DEFAULTS[name]), asked.get(key, DEFAULTS[name])
        if before != after:
            yield _difference(network, name, before, after)
    options = {key: value for key, value in (raw.get("Options") or {}).items() if not key.startswith(ENGINES_OWN)}
    yield from _entries(network, "driver_opts", options, asked.get("Options") or {})
    yield from _ipam(network, raw)
    own = {key: value for key, value in existing.labels.items() if not labels.is_reserved(key)}
    yield from _entries(network, "labels", own, asked.get("Labels") or {})


def _entries(network: Network, section: str, before: JSON, after: JSON) -> Iterator[Difference]:
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            found = _difference(network, f"{section}.{key}", before.get(key), after.get(key))
            yield _secret(found) if is_secret_name(key) else found


def _secret(found: Difference) -> Difference:
    before, after = (None if value is None else REDACTED for value in (found.before, found.after))
    return replace(found, before=before, after=after)


def _ipam(network: Network, raw: JSON) -> Iterator[Difference]:
    """What was asked for and is not there; that a subnet is not asked for any more does not show.

    Where none of an IP version is asked for, the engine chose one.
    """
    driver = json_value(network.definition, "IPAM", "Driver") or "default"
    if driver != (json_value(raw, "IPAM", "Driver") or "default"):
        yield _difference(network, "ipam.driver", json_value(raw, "IPAM", "Driver") or "default", driver)
    asked: list[JSON] = json_value(network.definition, "IPAM", "Config") or []
    versions = {_is_ipv6(pool) for pool in asked}
    found = [pool for pool in json_value(raw, "IPAM", "Config") or () if _is_ipv6(pool) in versions]
    fields = {key for pool in asked for key in pool}
    before, after = [_pool(pool, fields) for pool in found], [_pool(pool, fields) for pool in asked]
    if asked and before != after:
        yield _difference(network, "ipam.config", before, after)


def _is_ipv6(pool: JSON) -> bool:
    return ":" in (pool.get("Subnet") or "")


def _pool(pool: JSON, fields: set[str]) -> str:
    more = [f"{key} {pool[key]}" for key in sorted(fields - {"Subnet"}) if pool.get(key)]
    return ", ".join([str(pool.get("Subnet") or "any subnet"), *more])


def _hidden(desired: Desired, network: Network, existing: NetworkState) -> Difference:
    """The definition differs in what the engine does not tell: which subnet somebody asked for."""
    before = (existing.labels.get(labels.SPEC_HASH) or "")[:8]
    after = network_hash(desired, network)[:8]
    pools = [pool.get("Subnet") for pool in json_value(existing.raw, "IPAM", "Config") or ()]
    if pools and not json_value(network.definition, "IPAM", "Config"):
        return _difference(network, "ipam.config", pools, None)
    return _difference(network, "", before, after)


def _difference(network: Network, path: str, before: Any, after: Any) -> Difference:
    name = f"networks.{network.key}.{path}" if path else f"networks.{network.key}"
    return Difference(name, before, after, network.place(path), MADE_ANEW)
