"""Containers put on networks and taken off, with what hangs on it: published ports lead to a container with an address.

What POST /networks/{id}/connect and /disconnect do. Called by `engine` and `outside`.
"""

from __future__ import annotations

from reconciler.engine.protocol import JSON
from reconciler.engine.simulated import endpoints, ports
from reconciler.engine.simulated.state import NOT_FOUND, OCCUPIED, World, find_container
from reconciler.errors import EngineError


def connect(world: World, network: str, container: str, endpoint: JSON) -> None:
    """Put it on the network; its ports are published again where they were closed."""
    endpoints.connect(world, network, container, endpoint)
    box = find_container(world, container)
    if box.status in OCCUPIED and not box.document["NetworkSettings"].get("Ports"):
        ports.bind_all(world, box)


def disconnect(world: World, network: str, container: str) -> None:
    """Take it off the network; without any address left its ports are closed. Gone or not connected is success."""
    try:
        endpoints.disconnect(world, network, container)
    except EngineError as error:
        if error.status != NOT_FOUND:
            raise
        return
    box = find_container(world, container)
    if not endpoints.reachable(box):
        box.document["NetworkSettings"]["Ports"] = {}
