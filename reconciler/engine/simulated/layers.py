"""Writable layers: what a container wrote, as GET /containers/{id}/changes says it."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.engine.simulated.state import FORBIDDEN, Box, Document, World, find_container, refusal
from reconciler.model.files import CopiedFile

CHANGED, ADDED = 0, 1


def write(box: Box, path: str) -> None:
    """A new file; the folders above it count as changed."""
    parts = path.split("/")
    for depth in range(2, len(parts)):
        box.written.setdefault("/".join(parts[:depth]), CHANGED)
    box.written[path] = ADDED
    box.changed = True


def copy_files(world: World, reference: str, files: Sequence[CopiedFile]) -> None:
    """Write each file; what is mounted above it takes it, and shows no change."""
    box = find_container(world, reference)
    if box.document["HostConfig"].get("ReadonlyRootfs"):
        raise refusal(FORBIDDEN, "container rootfs is marked read-only")
    mounted = [mount["Destination"] for mount in box.document["Mounts"]]
    for file in files:
        if not any(file.path == folder or file.path.startswith(f"{folder}/") for folder in mounted):
            write(box, file.path)


def changes(world: World, reference: str) -> list[Document]:
    """Every path that differs from the image, in order; 404 when the container is gone."""
    written = find_container(world, reference).written
    return [{"Path": path, "Kind": written[path]} for path in sorted(written)]
