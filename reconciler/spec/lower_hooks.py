"""Keys whose meaning needs another program than an engine (Compose Spec): refused by name, with what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.spec.lower_scope import Scope

REFUSED = {
    "models": (
        "a model runner would have to serve them",
        "run the model as a service of its own, and name it in environment",
    ),
    "post_start": (
        "its command would change a container that runs",
        "run it in the image's entrypoint, or as a service that completes",
    ),
    "pre_start": (
        "its command would change a container that runs",
        "run it as a service of its own, and wait for it: depends_on with service_completed_successfully",
    ),
    "pre_stop": (
        "what a replica does before it is stopped is its drain",
        "write x-reconcile: {rollout: {drain: {method: exec, command: [...]}}}",
    ),
    "provider": ("it is brought about by a plugin of Docker Compose", "run what it provides as a service"),
}


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


def refuse_hooks(scope: Scope) -> None:
    """Raises SpecError for the first of these keys that the service has."""
    for key, (reason, hint) in REFUSED.items():
        if scope.spec.get(key):
            raise scope.refuse(key, f"{key} is not supported: {reason}", hint)
