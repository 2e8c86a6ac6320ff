"""Containers: made by POST /containers/create, removed, inspected and listed, as raw Engine API JSON."""

from __future__ import annotations

from reconciler.engine.protocol import JSON
from reconciler.engine.simulated import configuration, endpoints, mounts, ports
from reconciler.engine.simulated.images import find_image
from reconciler.engine.simulated.state import (
    BAD_REQUEST,
    CONFLICT,
    LIVE,
    Box,
    Document,
    World,
    copied,
    find_container,
    has_container,
    named_container,
    refusal,
)
from reconciler.engine.simulated.wording import status_text
from reconciler.engine.times import ZERO_TIME, seconds, timestamp


def create_container(world: World, name: str, body: JSON) -> str:
    """The id of a new container; 400, 404 for its image, 409 for its name. A missing network fails at start only."""
    configuration.check(name, body)
    picture = find_image(world, str(body["Image"]))
    container_id = world.new_id("container", name)
    config = configuration.merged_config(body, picture.document.get("Config") or {}, container_id)
    if picture.known and not (config["Entrypoint"] or config["Cmd"]):
        raise refusal(BAD_REQUEST, "No command specified")
    if holder := named_container(world, name):
        message = f'Conflict. The container name "/{name}" is already in use by container "{holder.id}".'
        raise refusal(
            CONFLICT, f"{message} You have to remove (or rename) that container to be able to reuse that name."
        )
    host_config = configuration.full_host_config(world, body.get("HostConfig") or {})
    networking = endpoints.settings(world, host_config["NetworkMode"], body.get("NetworkingConfig") or {})
    box = Box(
        {
            "Id": container_id,
            "Name": f"/{name}",
            "Image": picture.document["Id"],
            "NetworkSettings": networking,
            **_document(world, config, host_config),
        }
    )
    world.containers[container_id] = box
    world.log(world.clock.now(), "create", box)
    return container_id


def remove_container(world: World, reference: str) -> None:
    """Remove it, volumes kept; 409 while it runs, waits to be restarted or is paused. One that is gone is success."""
    if not has_container(world, reference):
        return
    box = find_container(world, reference)
    if box.status in LIVE:
        todo = "Stop the container before attempting removal or force remove"
        todo = f"Unpause and then {todo[0].lower()}{todo[1:]}" if box.status == "paused" else todo
        raise refusal(CONFLICT, f"You cannot remove a {box.status} container {box.id}. {todo}")
    discard(world, box, world.clock.now())


def discard(world: World, box: Box, at: float) -> None:
    """The container is no more."""
    del world.containers[box.id]
    world.log(at, "destroy", box)


def inspect_container(world: World, reference: str) -> Document:
    """GET /containers/{id}/json; of a container known from its row alone, what the row says."""
    document: Document = copied(find_container(world, reference).document)
    return document


def rows(world: World) -> list[Document]:
    """The rows of GET /containers/json?all=1, newest first."""
    return [_row(world, box) for box in reversed(world.containers.values())]


def new_state() -> Document:
    """State of a container that was never started."""
    flags = dict.fromkeys(("Running", "Paused", "Restarting", "OOMKilled", "Dead"), False)
    times = {"StartedAt": ZERO_TIME, "FinishedAt": ZERO_TIME}
    return {"Status": "created", **flags, "Pid": 0, "ExitCode": 0, "Error": "", **times}


def _document(world: World, config: Document, host_config: Document) -> Document:
    command = [*(config["Entrypoint"] or []), *(config["Cmd"] or [])]
    if host_config["NetworkMode"] == "host":
        config["Hostname"] = world.info.name
    return {
        "Created": timestamp(world.clock.now()),
        "Path": command[0] if command else "",
        "Args": command[1:],
        "State": new_state(),
        **dict.fromkeys(("ResolvConfPath", "HostnamePath", "HostsPath", "LogPath"), ""),
        "RestartCount": 0,
        "Driver": "overlay2",
        "Platform": "linux",
        **dict.fromkeys(("MountLabel", "ProcessLabel", "AppArmorProfile"), ""),
        "ExecIDs": None,
        "HostConfig": host_config,
        "GraphDriver": {"Data": None, "Name": "overlay2"},
        "Mounts": mounts.mount_points(world, config, host_config),
        "Config": config,
    }


def _row(world: World, box: Box) -> Document:
    if box.row and not box.changed:
        return {**copied(box.row), "Status": _seeded_status(world, box)}
    document = box.document
    row = {
        "Id": box.id,
        "Names": [document["Name"]],
        "Image": document["Config"]["Image"],
        "ImageID": document["Image"],
        "Command": " ".join([document["Path"], *document["Args"]]),
        "Created": int(seconds(document["Created"])),
        "Labels": copied(document["Config"].get("Labels") or {}),
        "HostConfig": {"NetworkMode": document["HostConfig"]["NetworkMode"]},
        "Mounts": copied(document["Mounts"]),
    }
    networks = {name: {**copied(one), "Aliases": None} for name, one in box.endpoints.items()}
    return {
        **row,
        **(copied(box.row) if box.row else {}),
        "Names": [document["Name"]],
        "Ports": ports.rows(box),
        "State": box.status,
        "Status": status_text(box.document, world.clock.now()),
        "NetworkSettings": {"Networks": networks},
    }


def _seeded_status(world: World, box: Box) -> str:
    text = str((box.row or {}).get("Status", ""))
    return text if world.clock.now() == box.seeded_at else status_text(box.document, world.clock.now())
