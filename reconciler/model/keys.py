"""What a container of ours is called in operation ids and in memory, whatever its own name is."""

from __future__ import annotations

from reconciler.model import labels
from reconciler.model.observed import Container


def container_key(container: Container) -> str:
    """`<service>/<slot>/<hash8>`: names it in operation ids."""
    found = container.labels
    return f"{found.get(labels.SERVICE, '')}/{found.get(labels.SLOT, '')}/{found.get(labels.ROLLOUT, container.id[:8])}"


def up_key(container: Container) -> str:
    """Names one life of it in `Memory.up`: a restart begins another."""
    return f"{container.id}@{container.started_at!r}"
