"""Keys that `config` keeps and no container shows: each is warned about by name and with the reason, by `lowering`."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.project import Notice
from reconciler.spec.lower_scope import Scope
from reconciler.spec.policies import is_timed_pull

_SWARM_ONLY = {
    "endpoint_mode": "only Swarm has endpoint modes: every replica answers to the service's name in Docker's DNS",
    "placement": "only Swarm has nodes to choose from: every replica runs on the one engine",
}


def unhonoured(scope: Scope) -> Iterator[Notice]:
    """What the service asks for and does not get."""
    for key, reason in _SWARM_ONLY.items():
        if (scope.spec.get("deploy") or {}).get(key):
            yield _notice(scope, f"deploy.{key}", f"is ignored: {reason}")
    if scope.spec.get("use_api_socket"):
        yield _notice(scope, "use_api_socket", "the container gets the engine's socket, and no passwords of registries")
    if scope.spec.get("develop"):
        yield _notice(scope, "develop", "is ignored: only `docker compose watch` reads it")
    reservations = ((scope.spec.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    if reservations.get("generic_resources"):
        path = "deploy.resources.reservations.generic_resources"
        yield _notice(scope, path, "is ignored: only Swarm counts them")
    policy = scope.spec.get("pull_policy") or ""
    if is_timed_pull(policy):
        yield _notice(scope, "pull_policy", f"{policy!r} pulls a missing image; no registry is asked on a schedule yet")


def _notice(scope: Scope, path: str, message: str) -> Notice:
    return Notice("NotHonoured", f"services.{scope.name}.{path}: {message}", scope.source(path))
