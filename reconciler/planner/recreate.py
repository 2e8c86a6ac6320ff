"""What of a container's inspection belongs to its definition, so that it can be made again."""

from __future__ import annotations

from typing import Any

from reconciler.model import labels
from reconciler.model.observed import Container
from reconciler.planner.payload import anonymous_volumes


def kept_aliases(container: Container, network: str) -> list[str]:
    """The names that it was given on a network, without those that every replica gets."""
    found = container.labels
    own = {container.id[:12], container.name}
    own.add(f"{found.get(labels.PROJECT)}-{found.get(labels.SERVICE)}-{found.get(labels.SLOT)}")
    return [alias for alias in container.networks[network].aliases if alias not in own]


def fixed_address(container: Container, network: str) -> dict[str, Any]:
    """The address that it asked for on a network, as EndpointSettings."""
    asked = container.networks[network].ipam_config
    return {"IPAMConfig": dict(asked)} if asked else {}


def host_config(container: Container) -> dict[str, Any]:
    """Its HostConfig; its anonymous volumes stay anonymous: each replica takes over its slot's own."""
    carried = anonymous_volumes(container)
    host = dict(container.host_config)
    mounts = [
        {name: value for name, value in mount.items() if name != "Source" or mount.get("Target") not in carried}
        for mount in host.get("Mounts") or ()
    ]
    return {**host, "Mounts": mounts}
