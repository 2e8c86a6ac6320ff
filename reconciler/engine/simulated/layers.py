"""Writable layers: what a container wrote, as GET /containers/{id}/changes says it."""

from __future__ import annotations

from reconciler.engine.simulated.state import Box, Document, World, find_container

CHANGED, ADDED = 0, 1


def write(box: Box, path: str) -> None:
    """A new file; the folders above it count as changed."""
    parts = path.split("/")
    for depth in range(2, len(parts)):
        box.written.setdefault("/".join(parts[:depth]), CHANGED)
    box.written[path] = ADDED
    box.changed = True


def changes(world: World, reference: str) -> list[Document]:
    """Every path that differs from the image, in order; 404 when the container is gone."""
    written = find_container(world, reference).written
    return [{"Path": path, "Kind": written[path]} for path in sorted(written)]
