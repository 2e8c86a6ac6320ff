"""Forget what belongs to nothing any more, so that memory is bounded by what runs and is wanted, not by time. Pure.

What is left alone here is bounded elsewhere: `made`, `baselines`, `adopted` and `adopted_networks` by what there is
on the engine (`without_the_gone`), `images` by its images (`ledger`), `sightings` by time, `verified` by number and
`compared` by the engine's images (`images.resolution`, `resolving`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

from reconciler.model import labels
from reconciler.model.keys import container_key, up_key
from reconciler.model.memory import Failure, Memory
from reconciler.model.observed import Observed
from reconciler.model.project import Project

FAILURES_KEPT = 20


def without_the_gone(memory: Memory, observed: Observed) -> Memory:
    """The memory without containers that exist no more, and with those that it did not know yet.

    Where nothing of the project is left it was taken down: its jobs have to run again.
    """
    present = {item.id: item.name for item in observed.containers}
    if not present:
        services = {name: stable for name, stable in memory.stable.items() if not stable.service.job}
        memory = replace(memory, stable=services, restarts={}, attempted=frozenset())
    remembered = memory.made.keys() | memory.baselines.keys() | memory.adopted.keys()
    known = memory.without_containers(remembered - present.keys())
    networks = known.adopted_networks & {item.id for item in observed.networks}
    return replace(known, made={**present, **known.made}, adopted_networks=networks)


def known_services(project: Project, observed: Observed) -> frozenset[str]:
    """The services that the spec has, also of disabled profiles, or that run."""
    running = {item.labels.get(labels.SERVICE, "") for item in observed.containers}
    return frozenset({service.name for service in project.services} | project.disabled | running)


def tidied(memory: Memory, project: Project, observed: Observed, services: Collection[str]) -> Memory:
    """The memory after a run, with nothing in flight: of these services and of the containers that there are.

    Nothing that a decision rests on goes: what is said of a container means nothing without it, and an anonymous volume
    is remembered as long as it exists, for the slot that is to have it again. Of a service's bad definitions the newest
    are kept: an older one that comes back is tried once more.
    """
    containers = observed.containers
    ids, names = {item.id for item in containers}, {item.name for item in containers}
    lives, keys = {up_key(item) for item in containers}, {container_key(item) for item in containers}
    networks = {network.name for network in project.networks}
    volumes = {volume.name for volume in observed.volumes}
    return replace(
        memory,
        failures=_newest({key: failure for key, failure in memory.failures.items() if key[0] in services}),
        stable={name: stable for name, stable in memory.stable.items() if name in services},
        attempted=memory.attempted & names,
        causes={slot: cause for slot, cause in memory.causes.items() if slot[0] in services},
        volumes={slot: paths for slot, paths in memory.volumes.items() if not volumes.isdisjoint(paths.values())},
        removed={slot: container for slot, container in memory.removed.items() if slot[0] in services},
        up={life: at for life, at in memory.up.items() if life in lives},
        done={name: at for name, at in memory.done.items() if name.split(":")[1] in keys},
        restarts={slot: count for slot, count in memory.restarts.items() if slot[0] in services},
        subnets={name: ipam for name, ipam in memory.subnets.items() if name in networks},
        addresses={place: ipam for place, ipam in memory.addresses.items() if place.partition(":")[0] in ids},
    )


def _newest(failures: Mapping[tuple[str, str], Failure]) -> dict[tuple[str, str], Failure]:
    by_service: dict[str, list[Failure]] = defaultdict(list)
    for failure in failures.values():
        by_service[failure.service].append(failure)
    kept = {
        (failure.service, failure.spec_hash)
        for found in by_service.values()
        for failure in sorted(found, key=lambda item: item.at)[-FAILURES_KEPT:]
    }
    return {key: failure for key, failure in failures.items() if key in kept}
