"""Networks and named volumes: create what is missing, recognise what is not ours, never remove a volume."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from reconciler.model import labels
from reconciler.model.canonical import keyed_hash
from reconciler.model.observed import NetworkState, VolumeState, json_value
from reconciler.model.operation import Difference, Operation
from reconciler.model.project import Network, Service, Volume
from reconciler.planner.composed import made_by_compose
from reconciler.planner.context import Context, View
from reconciler.planner.engine_features import network_too_new
from reconciler.planner.networks import is_ours, network_hash
from reconciler.planner.payload import compose_project_labels

Resource = Literal["network", "volume"]


def plan_networks(context: Context) -> None:
    """Create the project's missing networks; stall where one of that name is not ours or was made differently.

    Those with subnets in the spec come first: the engine would choose one of these for another network.
    """
    networks = context.desired.project.networks
    missing = [network for network in networks if context.observed.network(network.name) is None]
    first = {network.name for network in missing if _is_first(context, network)}
    for network in networks:
        existing = context.observed.network(network.name)
        if existing is None:
            if not first or network.external or network.name in first:
                _missing_network(context, network)
        elif not network.external:
            _check_network(context, network, existing)


def plan_volumes(context: Context) -> None:
    """Create the project's missing named volumes; one that exists already is used as it is, and said."""
    for volume in context.desired.project.volumes:
        existing = context.observed.volume(volume.name)
        if existing is None:
            _missing_volume(context, volume)
        elif not volume.external and context.project not in _owners(existing):
            message = f"volume {volume.name} exists and was not made by this project: it is used as it is"
            context.draft.notice("VolumeNotOurs", message, volume.source)


def _is_first(context: Context, network: Network) -> bool:
    """Whether it has subnets of its own, and the engine has not refused to make it."""
    written = bool(json_value(network.definition, "IPAM", "Config")) and not network.external
    return written and f"network.create:{network.name}" not in context.draft.failed


def resources_missing(context: Context, service: Service) -> str:
    """The first network or volume that this service needs and that does not exist yet, in words."""
    networks = next((f"network {item.network}" for item in service.networks if _absent(context, item.network)), "")
    volumes = next((f"volume {name}" for name in service.volumes if not context.observed.volume(name)), "")
    return networks or volumes


def paths_missing(context: Context, view: View) -> str:
    """The first path that a service with containers to be made has to find on the engine's machine and does not.

    Each is also a condition; what the engine makes by itself, always as a folder, is only told.
    """
    service = view.service
    lost = [path for path in service.bound_paths if path in context.observed.missing_paths]
    if not lost or all(slot.settled for slot in view.slots):
        return ""
    required = [path for path in lost if path in service.required_paths]
    for path in lost:
        source = service.source(f"volumes.{service.bound_paths[path]}")
        if path in required:
            context.draft.stall("BindSourceMissing", _is_lost(service, path), service.name, source)
        else:
            message = f"{service.name}: {path} does not exist: the engine makes an empty folder there"
            context.draft.notice("BindSourceMade", message, source)
    return next(iter(required), "")


def _is_lost(service: Service, path: str) -> str:
    """That a path does not exist, and what to do: a config or secret is a file that only the user can write."""
    fields = (item.field.partition(":")[0] for item in service.contents if item.path == path)
    name = next((field for field in fields if not field.startswith("volumes.")), "")
    if name:
        return f"{path}, the file of {name}, does not exist: create it"
    return (
        f"{path} does not exist, and the engine is not to make it: create it, or let "
        f"`bind.create_host_path: true` stand beside it"
    )


def _absent(context: Context, network: str) -> bool:
    return network in context.draft.absent or context.observed.network(network) is None


def _missing_network(context: Context, network: Network) -> None:
    unknown = network_too_new(network, context.observed.engine)
    if unknown:
        context.draft.stall("Blocked", unknown, source=network.source)
        return
    if network.external:
        message = (
            f"external network {network.name} does not exist; create it with `docker network create {network.name}`"
        )
        context.draft.stall("NetworkMissing", message, source=network.source)
        return
    ipam = context.memory.subnets.get(network.name) if network.keeps_addresses else None
    kept = {labels.SUBNET: "asked for"} if ipam else {}
    asked = {**(network.definition.get("IPAM") or {}), **(ipam or {})}
    wanted = replace(network, definition={**network.definition, "IPAM": asked}) if ipam else network
    _create(context, wanted, "network", {**_network_labels(context, network), **kept})


def _ask_for_subnet(context: Context, network: Network, existing: NetworkState) -> None:
    """Make the network anew with the subnet that the engine chose for it, so that containers may ask for addresses.

    Only while nobody is attached: later it stays as it is.
    """
    if labels.SUBNET in existing.labels or _attached(context, network, existing):
        return
    pools = json_value(existing.raw, "IPAM", "Config") or []
    chosen = next((pool["Subnet"] for pool in pools if "." in (pool.get("Subnet") or "")), "")
    if not chosen:
        return
    ipam = {"Config": [{name: value for name, value in pool.items() if value} for pool in pools]}
    reason = "publish: healthy needs addresses to be kept, so the subnet that the engine chose is asked for by name"
    operation = Operation(
        id=f"network.remove:{network.name}",
        kind="network.remove",
        resource=network.name,
        project=context.project,
        target=existing.id,
        cause=(Difference(f"networks.{network.key}.ipam", None, chosen, network.source, reason),),
        payload={"ipam": ipam},
    )
    context.draft.add(operation)
    context.draft.absent.add(network.name)


def _attached(context: Context, network: Network, existing: NetworkState) -> bool:
    """Whether anybody is on this very network; stopped containers may still name a former one of that name."""
    places = (item.networks.get(network.name) for item in context.observed.containers)
    ours = any(place and place.network_id in {"", existing.id} for place in places)
    return ours or any(network.name in item.networks for item in context.observed.foreign)


def _check_network(context: Context, network: Network, existing: NetworkState) -> None:
    if not is_ours(context.desired, context.memory, existing):
        message = f"network {network.name} exists and is not ours; {_way_out(context, existing)}"
        context.draft.stall("NetworkNotOurs", message, source=network.source)
    elif network.name in context.networks.refused:
        context.draft.stall("Blocked", context.networks.refused[network.name], source=network.source)
    elif network.keeps_addresses and network.name not in context.networks.changed:
        _ask_for_subnet(context, network, existing)


def _way_out(context: Context, existing: NetworkState) -> str:
    if made_by_compose(context.project, existing):
        return "docker compose made it for this project: `--adopt` takes it over"
    return "rename it in the spec or declare it `external: true`"


def _owners(volume: VolumeState) -> tuple[str | None, ...]:
    """The projects that made it or, by Compose's label, had it made: it is used as it is either way."""
    return volume.labels.get(labels.PROJECT), volume.labels.get(labels.COMPOSE_PROJECT)


def _missing_volume(context: Context, volume: Volume) -> None:
    if volume.external:
        message = f"external volume {volume.name} does not exist; create it with `docker volume create {volume.name}`"
        context.draft.stall("VolumeMissing", message, source=volume.source)
        return
    _create(context, volume, "volume", _volume_labels(context, volume))


def _create(context: Context, item: Network | Volume, resource: Resource, ours: dict[str, str]) -> None:
    body = {**item.definition, "Labels": {**(item.definition.get("Labels") or {}), **ours}}
    operation = Operation(
        id=f"{resource}.create:{item.name}",
        kind="network.create" if resource == "network" else "volume.create",
        resource=item.name,
        project=context.project,
        target=item.name,
        cause=(Difference(f"{resource}s.{item.key}", None, item.name, item.source, "does not exist"),),
        payload={"name": item.name, "body": body},
    )
    failed = context.draft.add(operation)
    if failed:
        context.draft.stall(f"{resource.capitalize()}Failed", f"{resource} {item.name}: {failed}", source=item.source)


def _network_labels(context: Context, network: Network) -> dict[str, str]:
    return {
        **_ours(context),
        labels.SPEC_HASH: network_hash(context.desired, network),
        labels.COMPOSE_NETWORK: network.key,
    }


def _volume_labels(context: Context, volume: Volume) -> dict[str, str]:
    return {
        **_ours(context),
        labels.SPEC_HASH: keyed_hash(context.desired.hash_key, volume.definition),
        labels.COMPOSE_VOLUME: volume.key,
    }


def _ours(context: Context) -> dict[str, str]:
    return {
        labels.INSTANCE: context.desired.instance,
        labels.PROJECT: context.project,
        labels.COMPOSE_PROJECT: compose_project_labels(context.desired)[labels.COMPOSE_PROJECT],
        labels.COMPOSE_VERSION: compose_project_labels(context.desired)[labels.COMPOSE_VERSION],
    }
