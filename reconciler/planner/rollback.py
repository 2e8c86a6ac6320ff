"""Where a failed rollout goes back to: the last stable definition, from memory or from the containers it left."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model import labels
from reconciler.model.memory import Memory, Stable
from reconciler.model.observed import Container
from reconciler.model.project import Attachment, Service
from reconciler.planner.recreate import fixed_address, host_config, kept_aliases

BUILT_IN = {"host", "none", "bridge"}


def last_good(memory: Memory, service: Service, bad_hash: str, containers: list[Container]) -> Stable | None:
    """What to go back to; None where nothing of the service ever came up with another definition."""
    known = memory.stable.get(service.name)
    if known:
        return known if known.spec_hash != bad_hash else None
    removed = [item for (name, _), item in memory.removed.items() if name == service.name]
    old = [item for item in (*containers, *removed) if item.labels.get(labels.SPEC_HASH) != bad_hash]
    ran = sorted((item for item in old if item.started_at > 0), key=lambda item: item.created_at)
    return _as_found(service, ran[-1]) if ran else None


def going_back(stable: Service, wanted: Service) -> Service:
    """The stable definition, rolled out as the spec says of going back (`deploy.rollback_config`)."""
    back = wanted.rollout.rollback
    rollout = replace(
        wanted.rollout,
        order=back.order or wanted.rollout.order,
        parallelism=back.parallelism,
        delay=back.delay,
        monitor=wanted.rollout.monitor if back.monitor is None else back.monitor,
        max_failure_ratio=back.max_failure_ratio,
        failure_action=back.failure_action,
    )
    return replace(
        stable, rollout=rollout, replicas=wanted.replicas, depends_on=wanted.depends_on, sources=wanted.sources
    )


def _as_found(service: Service, container: Container) -> Stable:
    """A definition read off a container, where memory is lost."""
    own = {name: value for name, value in container.config.items() if name not in {"Labels", "Image", "Hostname"}}
    if not container.id.startswith(container.config.get("Hostname") or "-"):
        own["Hostname"] = container.config.get("Hostname")
    user_labels = {name: value for name, value in container.labels.items() if not labels.is_reserved(name)}
    reference = container.labels.get(labels.IMAGE, container.image)
    found = replace(
        service,
        container={**own, "Labels": user_labels, "HostConfig": host_config(container)},
        networks=tuple(_attachment(service, container, name) for name in _in_order(container)),
        container_name=container.labels.get(labels.NAME),
        image=replace(service.image, reference=reference),
    )
    return Stable(
        found,
        container.labels.get(labels.SPEC_HASH, ""),
        container.image_id,
        reference,
        container.labels.get(labels.DIGEST, ""),
        container.image,
    )


def _in_order(container: Container) -> list[str]:
    first = container.host_config.get("NetworkMode")
    return sorted(set(container.networks) - BUILT_IN, key=lambda name: (name != first, name))


def _attachment(service: Service, container: Container, network: str) -> Attachment:
    known = next((item for item in service.networks if item.network == network), None)
    names = tuple(name for name in kept_aliases(container, network) if name != service.name)
    key = known.key if known else network
    return Attachment(key, network, names, fixed_address(container, network))
