"""Choose the order in which replicas are replaced, and say why (Compose Spec, deploy.update_config.order)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.model.observed import json_value
from reconciler.model.project import HostPort, Order, Service
from reconciler.planner.images import BoundImage

ANONYMOUS = "anonymous volume"


@dataclass(frozen=True)
class OrderChoice:
    """The order taken, why, and a warning where the spec's own choice is risky or cannot be followed."""

    order: Order
    reason: str
    warning: str = ""
    source: str = ""


def choose_order(service: Service, image: BoundImage) -> OrderChoice:
    """Start-first wherever two replicas can run at once; else stop-first, with the reason that forbids it."""
    written = writable_mounts(service, image)
    forbidden, source = next(_reasons_against_two(service, written), ("", ""))
    asked = service.rollout.order
    if forbidden:
        warning = f"order: start-first cannot be honoured: {forbidden}" if asked == "start-first" else ""
        return OrderChoice("stop-first", forbidden, warning, source)
    if asked == "stop-first":
        return OrderChoice("stop-first", "update_config.order", source=service.source("deploy.update_config.order"))
    if service.replicas == 1 and written:
        return _single_writer(service, written[0], asked)
    reason = "update_config.order" if asked else "nothing forbids two at once"
    return OrderChoice("start-first", reason, source=service.source("deploy.update_config.order"))


def writable_mounts(service: Service, image: BoundImage) -> tuple[str, ...]:
    """Everything the service writes to that outlives a container, image VOLUMEs included, in words."""
    declared = sorted(json_value(image.image.config, "Volumes") or ()) if image.image else []
    mentioned = " ".join(service.writable_mounts)
    return service.writable_mounts + tuple(f"{ANONYMOUS} at {path}" for path in declared if path not in mentioned)


def _single_writer(service: Service, mount: str, asked: Order | None) -> OrderChoice:
    source = service.source("volumes")
    if asked == "start-first":
        warning = f"two containers will write to {mount} while it is replaced"
        return OrderChoice("start-first", "update_config.order", warning, source)
    return OrderChoice("stop-first", f"one replica writes to {mount}", source=source)


def _reasons_against_two(service: Service, written: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What forbids two replicas at once, in words, and where the spec says so."""
    if service.job:
        yield "a job runs one at a time", service.source()
    if service.container_name:
        yield f"container_name {service.container_name} can exist only once", service.source("container_name")
    if json_value(service.container, "HostConfig", "NetworkMode") == "host":
        yield "two cannot listen on the host's network at once", service.source("network_mode")
    for field, owner in service.shares:
        if field == "NetworkMode":
            yield f"two cannot listen in the network of {owner} at once", service.source("network_mode")
    yield from _fixed_addresses(service)
    for mount in written:
        if mount.startswith(ANONYMOUS):
            yield f"a replica writes to its own {mount}", service.source("volumes")


def _fixed_addresses(service: Service) -> Iterator[tuple[str, str]]:
    for index, port in enumerate(service.ports):
        if port.fixed and not _has_spare(port, service):
            yield f"host port {describe_port(port)} can be bound only once", service.source(f"ports[{index}]")
    for item in service.networks:
        if item.static_address:
            yield f"the static address on {item.key} can exist only once", service.source(f"networks.{item.key}")
    if service.container.get("MacAddress"):
        yield "its mac_address can exist only once", service.source("mac_address")


def _has_spare(port: HostPort, service: Service) -> bool:
    surge = service.rollout.parallelism or service.replicas
    return port.last - port.first + 1 >= service.replicas + min(surge, service.replicas)


def describe_port(port: HostPort) -> str:
    """`[ip:]first[-last]/protocol`."""
    numbers = f"{port.first}" if port.first == port.last else f"{port.first}-{port.last}"
    address = f"[{port.ip}]" if ":" in port.ip else port.ip
    return f"{address + ':' if address else ''}{numbers}/{port.protocol}"
