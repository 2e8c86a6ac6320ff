"""A container that is gone, as a body to create it again: for going back where its literal name had to be freed."""

from __future__ import annotations

from typing import Any

from reconciler.model.observed import Container, EngineInfo
from reconciler.planner.payload import ALL_ENDPOINTS_IN_CREATE, anonymous_volumes


def recreate_body(container: Container, engine: EngineInfo) -> dict[str, Any]:
    """The body of POST /containers/create that makes it again, its anonymous volumes and labels included."""
    body = dict(container.config)
    if container.id.startswith(body.get("Hostname") or "-"):
        del body["Hostname"]
    body["HostConfig"] = _host_config(container)
    names = sorted(container.networks, key=lambda name: name != container.host_config.get("NetworkMode"))
    first = names if engine.supports(ALL_ENDPOINTS_IN_CREATE) else names[:1]
    body["NetworkingConfig"] = {"EndpointsConfig": {name: old_endpoint(container, name) for name in first}}
    return body


def old_endpoint(container: Container, network: str) -> dict[str, Any]:
    """EndpointSettings of one of its networks: aliases and fixed addresses, without what the engine gave."""
    endpoint = container.networks[network]
    aliases = [alias for alias in endpoint.aliases if alias != container.id[:12]]
    return {"Aliases": aliases, **({"IPAMConfig": dict(endpoint.ipam_config)} if endpoint.ipam_config else {})}


def _host_config(container: Container) -> dict[str, Any]:
    carried = anonymous_volumes(container)
    host = dict(container.host_config)
    mounts = [mount for mount in host.get("Mounts") or () if mount.get("Target") not in carried]
    mounts += [{"Type": "volume", "Source": name, "Target": path} for path, name in sorted(carried.items())]
    return {**host, "Mounts": mounts}
