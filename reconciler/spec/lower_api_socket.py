"""`use_api_socket` (Compose Spec, "Services") to a mount and a variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SOCKET = "/var/run/docker.sock"
SOCKET_MOUNT = {"type": "bind", "source": SOCKET, "target": SOCKET, "bind": {"create_host_path": True}}
SOCKET_CONFIG = {"DOCKER_CONFIG": "/run/secrets/docker"}


def with_api_socket(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The service with the engine's socket and the variable that Compose adds for `use_api_socket`.

    Unlike Compose's, it does not get the passwords of registries: `unhonoured` says so.
    """
    if not spec.get("use_api_socket"):
        return spec
    volumes = [*(spec.get("volumes") or ()), SOCKET_MOUNT]
    return {**spec, "volumes": volumes, "environment": {**(spec.get("environment") or {}), **SOCKET_CONFIG}}
