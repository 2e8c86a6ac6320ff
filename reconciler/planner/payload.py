"""The final Engine API body of a replica, its desired hash, and its name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from reconciler.model import labels
from reconciler.model.canonical import keyed_hash
from reconciler.model.desired import Desired
from reconciler.model.observed import Container, EngineInfo, json_value
from reconciler.model.project import JSON, Attachment, Service
from reconciler.planner.images import BoundImage

ALL_ENDPOINTS_IN_CREATE = "1.44"
ANONYMOUS_NAME = re.compile("[0-9a-f]{64}")


def spec_hash(desired: Desired, service: Service, image: BoundImage, shares: Mapping[str, str]) -> str:
    """The desired hash of a service, 64 hex digits: everything that makes the container what it is.

    `shares` maps HostConfig fields to the container joined. Rollout settings, dependencies and replica counts are not
    part of it: changing them replaces nothing.
    """
    image_id = image.image.id if image.image else ""
    contents = tuple(item.digest for item in service.contents)
    key = (service.name, image_id, contents, *sorted(shares.items()))
    if key not in desired.hashes:
        desired.hashes[key] = _computed_hash(desired, service, image_id, shares)
    return desired.hashes[key]


def _computed_hash(desired: Desired, service: Service, image_id: str, shares: Mapping[str, str]) -> str:
    asked: dict[str, Any] = {
        "container": service.container,
        "image": image_id,
        "name": service.container_name,
        "networks": [[item.network, sorted(item.aliases), item.endpoint] for item in service.networks],
        "shares": dict(shares),
    }
    if service.contents:
        asked["contents"] = [[item.field, item.digest] for item in service.contents]
    return keyed_hash(desired.hash_key, asked)


def rollout_id(desired_hash: str, replaced: Container | None) -> str:
    """8 hex digits over the desired hash and the container replaced, so that equal decisions have equal names."""
    return hashlib.sha256(f"{desired_hash}:{replaced.id if replaced else ''}".encode()).hexdigest()[:8]


def container_name(project: str, service: Service, slot: int, rollout: str) -> str:
    """`container_name` as written, else `<project>-<service>-<slot>-<hash8>`."""
    return service.container_name or f"{project}-{service.name}-{slot}-{rollout}"


def create_body(
    desired: Desired,
    service: Service,
    slot: int,
    image: BoundImage,
    desired_hash: str,
    *,
    rollout: str,
    carried: Mapping[str, str],
    shares: Mapping[str, str],
    addresses: Mapping[str, JSON],
    engine: EngineInfo,
) -> dict[str, Any]:
    """The body of POST /containers/create for one replica (Engine API, ContainerCreate).

    `carried` are the anonymous volumes that the slot has already, by mount path; `addresses` are fixed ones that it
    gets (IPAMConfig), by network.
    """
    body: dict[str, Any] = dict(service.container)
    host: dict[str, Any] = dict(body.get("HostConfig") or {})
    host.update({field: f"container:{container}" for field, container in shares.items()})
    mounts = _with_carried_volumes(host, image, carried)
    if mounts:
        host["Mounts"] = mounts
    if service.networks:
        host["NetworkMode"] = service.networks[0].network
        body["NetworkingConfig"] = {"EndpointsConfig": _endpoints(desired, service, slot, addresses, engine)}
    body["HostConfig"] = host
    body["Image"] = image.create_from
    body["Labels"] = {
        **(body.get("Labels") or {}),
        **replica_labels(desired, service, slot, image, desired_hash, rollout),
    }
    return body


def endpoint(desired: Desired, service: Service, slot: int, attachment: Attachment, *, named: bool) -> dict[str, Any]:
    """EndpointSettings of one network: the slot's own name, and where `named` the listed aliases and the service's."""
    shared = [*attachment.aliases, service.name] if named else []
    names = [*shared, *slot_names(desired.project.name, service, slot)]
    return {**attachment.endpoint, "Aliases": list(dict.fromkeys(names))}


def at_address(settings: dict[str, Any], addresses: JSON) -> dict[str, Any]:
    """EndpointSettings that also ask for those addresses (IPAMConfig), where the spec does not ask for others."""
    asked = {**addresses, **(settings.get("IPAMConfig") or {})}
    return {**settings, "IPAMConfig": asked} if asked else settings


def slot_names(project: str, service: Service, slot: int) -> list[str]:
    """The names that one replica alone answers to on its networks."""
    return [f"{project}-{service.name}-{slot}"]


def named_from_start(service: Service) -> bool:
    """Whether a replica answers to its service's name as soon as it runs."""
    return service.job or service.rollout.publish == "immediate"


def replica_labels(
    desired: Desired, service: Service, slot: int, image: BoundImage, desired_hash: str, rollout: str
) -> dict[str, str]:
    """Our labels and those that `docker compose ps/logs/down` filter on."""
    return {
        labels.INSTANCE: desired.instance,
        labels.PROJECT: desired.project.name,
        labels.SERVICE: service.name,
        labels.SLOT: str(slot),
        labels.SPEC_HASH: desired_hash,
        labels.IMAGE: service.image.reference or image.reference,
        labels.DIGEST: image.digest,
        labels.ROLLOUT: rollout,
        **({labels.NAME: service.container_name} if service.container_name else {}),
        **({labels.HIDDEN: ",".join(service.hidden)} if service.hidden else {}),
        labels.COMPOSE_SERVICE: service.name,
        labels.COMPOSE_NUMBER: str(slot),
        labels.COMPOSE_ONEOFF: "False",
        labels.COMPOSE_HASH: desired_hash,
        **compose_project_labels(desired),
    }


def compose_project_labels(desired: Desired) -> dict[str, str]:
    """The labels by which Compose finds a project's containers."""
    project = desired.project
    return {
        labels.COMPOSE_PROJECT: project.name,
        labels.COMPOSE_FILES: ",".join(project.files),
        labels.COMPOSE_DIR: project.working_dir,
        labels.COMPOSE_VERSION: "reconciler",
    }


def later_networks(service: Service, engine: EngineInfo) -> tuple[Attachment, ...]:
    """The networks that this engine's create cannot attach, so that they are connected before the first start."""
    return () if engine.supports(ALL_ENDPOINTS_IN_CREATE) else service.networks[1:]


def _endpoints(
    desired: Desired, service: Service, slot: int, addresses: Mapping[str, JSON], engine: EngineInfo
) -> dict[str, Any]:
    later = {item.network for item in later_networks(service, engine)}
    return {
        item.network: at_address(
            endpoint(desired, service, slot, item, named=named_from_start(service)), addresses.get(item.network, {})
        )
        for item in service.networks
        if item.network not in later
    }


def _with_carried_volumes(host: JSON, image: BoundImage, carried: Mapping[str, str]) -> list[JSON]:
    """Anonymous volumes follow their slot: the new replica mounts what the old one had at the same path."""
    mounts: tuple[JSON, ...] = tuple(host.get("Mounts") or ())
    declared = set(json_value(image.image.config, "Volumes") or ()) if image.image else set()
    taken = {mount.get("Target") for mount in mounts} | set(host.get("Tmpfs") or ())
    taken |= {bind.split(":")[1] for bind in host.get("Binds") or () if ":" in bind}
    more = sorted(declared & set(carried) - taken)
    return [_with_source(mount, carried) for mount in mounts] + [
        {"Type": "volume", "Source": carried[target], "Target": target} for target in more
    ]


def _with_source(mount: JSON, carried: Mapping[str, str]) -> JSON:
    target = mount.get("Target", "")
    anonymous = mount.get("Type") == "volume" and not mount.get("Source")
    return {**mount, "Source": carried[target]} if anonymous and target in carried else mount


def anonymous_volumes(container: Container) -> dict[str, str]:
    """The container's anonymous volumes: mount path -> volume name (64 hex digits, given by the engine)."""
    return {
        mount["Destination"]: mount["Name"]
        for mount in container.mounts
        if mount.get("Type") == "volume" and _is_anonymous(mount.get("Name") or "")
    }


def _is_anonymous(name: str) -> bool:
    return ANONYMOUS_NAME.fullmatch(name) is not None
