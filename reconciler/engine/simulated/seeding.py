"""A world that continues from what was read of a live engine: same ids, names, states, health and times."""

from __future__ import annotations

from dataclasses import replace

from reconciler.engine.protocol import JSON
from reconciler.engine.simulated import health
from reconciler.engine.simulated.addresses import IPV4, IPV6, has_version
from reconciler.engine.simulated.containers import new_state
from reconciler.engine.simulated.networks import PREDEFINED
from reconciler.engine.simulated.state import Box, Document, Picture, Wire, World, copied
from reconciler.engine.snapshot import Snapshot
from reconciler.engine.times import ZERO_TIME, seconds, timestamp


def fill(world: World, snapshot: Snapshot) -> None:
    """Put everything of the snapshot into an empty world."""
    _add_networks(world, snapshot)
    world.missing_paths = snapshot.missing_paths
    world.volumes = {str(row["Name"]): copied(row) for row in snapshot.volumes}
    inspects = {str(document["Id"]): document for document in snapshot.image_inspects.values()}
    rows = {str(row["Id"]): row for row in reversed(snapshot.images)}
    listed = {image_id: _picture(row, inspects.get(image_id)) for image_id, row in rows.items()}
    unlisted = {key: Picture(copied(one)) for key, one in inspects.items() if key not in rows}
    world.images = {**unlisted, **listed}
    for row in reversed(snapshot.containers):
        box = _box(world, row, snapshot.inspects.get(str(row["Id"])))
        box.written = {str(one["Path"]): int(one["Kind"]) for one in snapshot.changes.get(box.id, ())}
        world.containers[box.id] = box
    _complete_networks(world)


def _add_networks(world: World, snapshot: Snapshot) -> None:
    """The snapshot's networks, and the built-in ones where it leaves them out.

    Who chose a subnet is not to be seen: it is taken for the user's, so that fixed addresses are granted.
    """
    given = {str(row["Id"]): Wire(copied(row), _chosen(row)) for row in snapshot.networks}
    names = {wire.document["Name"] for wire in given.values()}
    kept = {key: wire for key, wire in world.networks.items() if wire.document["Name"] not in names}
    world.networks = {**given, **kept}


def _chosen(row: JSON) -> frozenset[int]:
    versions = (version for version in (IPV4, IPV6) if has_version(row, version))
    return frozenset() if row.get("Name") in PREDEFINED else frozenset(versions)


def _picture(row: JSON, inspected: JSON | None) -> Picture:
    if inspected is not None:
        return Picture(copied(inspected), copied(row), known=not inspected.get("Predicted"))
    document: Document = {
        "Id": row["Id"],
        "RepoTags": [tag for tag in row.get("RepoTags") or [] if "<none>" not in tag],
        "RepoDigests": [digest for digest in row.get("RepoDigests") or [] if "<none>" not in digest],
        "Parent": row.get("ParentId") or "",
        "Created": timestamp(float(row.get("Created") or 0)),
        "Config": {"Labels": copied(row.get("Labels"))},
        "Size": row.get("Size") or 0,
    }
    return Picture(document, copied(row), known=False)


def _box(world: World, row: JSON, inspected: JSON | None) -> Box:
    document = copied(inspected) if inspected is not None else _from_row(row)
    now = world.clock.now()
    box = Box(document, row=copied(row), inspected=inspected is not None, seeded_at=now)
    if inspected is not None and box.status == "running":
        _continue(world, box, now)
    return box


def _continue(world: World, box: Box, now: float) -> None:
    """What a running container will do next. One that is unhealthy now is not assumed to recover by itself."""
    config = box.document["Config"]
    box.behaviour = world.behaviour(str(config["Image"]), config)
    checked = box.state.get("Health") or {}
    if checked.get("Status") == "unhealthy":
        box.behaviour = replace(box.behaviour, healthy_after=None)
    started = seconds(box.state["StartedAt"])
    if box.behaviour.exit_after is not None:
        box.exit_at = max(now, started + box.behaviour.exit_after)
    log = checked.get("Log") or []
    health.arm(world, box, seconds(log[-1]["End"]) if log else started)
    if box.probe_at is not None:
        box.probe_at = max(now, box.probe_at)


def _from_row(row: JSON) -> Document:
    """As much of an inspect document as a list row tells."""
    status = str(row.get("State") or "exited")
    live = status in {"running", "paused", "restarting"}
    flags = {"Running": live, "Paused": status == "paused", "Restarting": status == "restarting"}
    command, *arguments = str(row.get("Command") or "").split(" ")
    created = timestamp(float(row.get("Created") or 0))
    return {
        "Id": row["Id"],
        "Created": created,
        "Path": command,
        "Args": arguments,
        "State": {**new_state(), "Status": status, **flags, "StartedAt": created if live else ZERO_TIME},
        "Image": row.get("ImageID") or "",
        "Name": (row.get("Names") or [f"/{row['Id']}"])[0],
        "RestartCount": 0,
        "HostConfig": {"NetworkMode": "default", **copied(row.get("HostConfig") or {})},
        "Mounts": copied(row.get("Mounts") or []),
        "Config": {"Image": row.get("Image") or "", "Labels": copied(row.get("Labels") or {})},
        "NetworkSettings": {
            "Ports": _ports(row),
            "Networks": copied((row.get("NetworkSettings") or {}).get("Networks") or {}),
        },
    }


def _ports(row: JSON) -> dict[str, list[Document] | None]:
    ports: dict[str, list[Document] | None] = {}
    for port in row.get("Ports") or []:
        key = f"{port['PrivatePort']}/{port.get('Type') or 'tcp'}"
        public = [{"HostIp": port.get("IP") or "", "HostPort": str(port["PublicPort"])}] if "PublicPort" in port else []
        ports[key] = [*(ports.get(key) or []), *public] or None
    return ports


def _complete_networks(world: World) -> None:
    """A live container that names a network by name only is on it: rows of some engines leave the id out."""
    by_name = {str(wire.document["Name"]): wire.document["Id"] for wire in world.networks.values()}
    for box in world.containers.values():
        for name, endpoint in box.endpoints.items():
            if box.state["Running"] and not endpoint.get("NetworkID") and name in by_name:
                endpoint["NetworkID"] = by_name[name]
