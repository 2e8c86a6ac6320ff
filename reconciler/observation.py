"""Translate raw Engine API JSON into the model. Called by `observer`; knows shapes, makes no calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

from reconciler.engine.times import seconds
from reconciler.images.registry.digests import ConfigDigest, ImageContent, Platform, PlatformDigest, normal_variant
from reconciler.model import labels
from reconciler.model.observed import (
    Container,
    Endpoint,
    EngineInfo,
    Foreign,
    ImageState,
    ImageUser,
    NetworkState,
    Probe,
    VolumeState,
    json_value,
)
from reconciler.model.project import JSON, HostPort
from reconciler.model.redaction import hidden_names, hide_values, redact_text, secret_entries
from reconciler.model.references import parse_reference

NOTHING: Mapping[str, str] = MappingProxyType({})
_CHANGED = 0
_SHOWN = 200


def container_from_inspect(
    raw: JSON, seen_at: float, adopted: Mapping[str, str] = NOTHING, hide: Callable[[str], str] = redact_text
) -> Container:
    """A container of ours from GET /containers/{id}/json, read at engine time `seen_at`.

    `adopted` are the labels that stand for ours on one that was taken over; `hide` takes out what is secret.
    """
    state, config = raw.get("State") or {}, raw.get("Config") or {}
    environment = secret_entries(config.get("Env") or (), hidden_names(config.get("Labels") or {}))
    health = state.get("Health") or {}
    status = health.get("Status")
    return Container(
        id=raw["Id"],
        name=raw.get("Name", "").removeprefix("/"),
        status=state.get("Status", ""),
        labels={**(config.get("Labels") or {}), **adopted},
        image=config.get("Image", ""),
        image_id=raw.get("Image", ""),
        created_at=seconds(raw.get("Created") or ""),
        started_at=seconds(state.get("StartedAt") or ""),
        finished_at=seconds(state.get("FinishedAt") or ""),
        exit_code=state.get("ExitCode") or 0,
        error=hide(hide_values(state.get("Error") or "", environment)),
        health=status if status and status != "none" else None,
        health_output=hide(hide_values(_last_output(health), environment))[:_SHOWN],
        health_log=tuple(_probe(entry, environment, hide) for entry in health.get("Log") or ()),
        restart_count=raw.get("RestartCount") or 0,
        oom_killed=bool(state.get("OOMKilled")),
        config=config,
        host_config=raw.get("HostConfig") or {},
        networks={name: _endpoint(value) for name, value in _networks(raw).items()},
        mounts=tuple(raw.get("Mounts") or ()),
        seen_at=seen_at,
    )


def foreign_from_row(row: JSON, instance: str) -> Foreign:
    """A container that is not ours from its row in GET /containers/json."""
    found = row.get("Labels") or {}
    return Foreign(
        id=row["Id"],
        name=row_name(row),
        status=row.get("State", ""),
        ports=tuple(_row_ports(row.get("Ports") or ())),
        networks=tuple(sorted(_networks(row))),
        compose_project=found.get(labels.COMPOSE_PROJECT, ""),
        compose_service=found.get(labels.COMPOSE_SERVICE, ""),
        one_off=found.get(labels.COMPOSE_ONEOFF) == "True",
        working_dir=found.get(labels.COMPOSE_DIR, ""),
        instance=found.get(labels.INSTANCE, ""),
        claims=found.get(labels.PROJECT, "") if found.get(labels.INSTANCE) == instance else "",
        replica=f"{found.get(labels.SERVICE, '')}/{found.get(labels.SLOT, '')}",
    )


def network_from_row(row: JSON) -> NetworkState:
    """A network from GET /networks."""
    return NetworkState(row["Id"], row.get("Name", ""), row.get("Labels") or {}, row.get("Driver", ""), row)


def volume_from_row(row: JSON) -> VolumeState:
    """A volume from GET /volumes."""
    return VolumeState(row["Name"], row.get("Labels") or {}, row.get("Driver", ""))


def image_from_row(row: JSON, inspected: JSON | None) -> ImageState:
    """An image from GET /images/json, with its config where GET /images/{name}/json was read."""
    return ImageState(
        id=row["Id"],
        tags=tuple(tag for tag in row.get("RepoTags") or () if tag != "<none>:<none>"),
        digests=tuple(digest for digest in row.get("RepoDigests") or () if not digest.startswith("<none>")),
        labels=row.get("Labels") or {},
        config=(inspected or {}).get("Config") or {},
        predicted=bool((inspected or {}).get("Predicted")),
        size=row.get("Size") or 0,
        layers=tuple(json_value(inspected or {}, "RootFS", "Layers") or ()),
    )


def image_content(raw: JSON, engine: EngineInfo) -> ImageContent:
    """What GET /images/{name}/json says of an image's content: in its id, or with `manifests=1` in its manifests."""
    platform = Platform(raw.get("Os", ""), raw.get("Architecture", ""), normal_variant(raw))
    if not engine.snapshotter:
        return ImageContent(platform, ConfigDigest(raw["Id"]))
    listed = (item for item in raw.get("Manifests") or () if item.get("Kind") == "image" and item.get("Available"))
    manifests = frozenset(PlatformDigest(json_value(item, "Descriptor", "digest") or "") for item in listed)
    indexes = tuple(digest.partition("@")[2] for digest in raw.get("RepoDigests") or ())
    return ImageContent(platform, None, manifests, indexes)


def image_user_from_row(row: JSON) -> ImageUser:
    """What a container uses of images, from its row in GET /containers/json: what it runs and what it mounts.

    `ImageManifestDescriptor` (API 1.48) is the platform's manifest, where `ImageID` may be an index.
    """
    mounted = [mount.get("Name") or "" for mount in row.get("Mounts") or () if mount.get("Type") == "image"]
    said = [parse_reference(text) for text in (row.get("Image") or "", *mounted) if text]
    named = {f"{item.repository}@{item.digest}" if item.digest else item.tagged for item in said}
    named |= {item.digest or "" for item in said}
    ids = {row.get("ImageID") or "", json_value(row, "ImageManifestDescriptor", "digest") or ""}
    return ImageUser(row_name(row), row.get("State", ""), frozenset(named | ids) - {""})


def row_name(row: JSON) -> str:
    """A list row's own name: the one without a second slash, which would be a legacy link."""
    names = [name.removeprefix("/") for name in row.get("Names") or ()]
    return next((name for name in names if "/" not in name), names[0] if names else "")


def our_rows(rows: Iterable[JSON], project: str, instance: str, made: Mapping[str, str] = NOTHING) -> dict[str, JSON]:
    """The rows of containers that this instance made for this project, by id; `made` as for `is_ours`."""
    return {
        row["Id"]: row
        for row in rows
        if _claims(row.get("Labels") or {}, project, instance)
        and (row["Id"] in made or _has_its_name(row.get("Labels") or {}, row_name(row)))
    }


def is_ours(raw: JSON, project: str, instance: str, made: Mapping[str, str] = NOTHING) -> bool:
    """Whether this instance made the container of GET /containers/{id}/json for this project.

    `made` are the ids of the containers that it is known to have made: such a one is ours whatever its name is now.
    """
    found = json_value(raw, "Config", "Labels") or {}
    name = raw.get("Name", "").removeprefix("/")
    return _claims(found, project, instance) and (raw["Id"] in made or _has_its_name(found, name))


def mutated_paths(changes: Iterable[JSON]) -> tuple[str, ...]:
    """The paths of GET /containers/{id}/changes, sorted, without folders listed only for what changed below them."""
    rows = [(str(row["Path"]), row.get("Kind")) for row in changes]
    above = {str(folder) for path, _ in rows for folder in PurePosixPath(path).parents}
    return tuple(sorted(path for path, kind in rows if kind != _CHANGED or path not in above))


def _claims(found: JSON, project: str, instance: str) -> bool:
    return bool(found.get(labels.PROJECT) == project and found.get(labels.INSTANCE) == instance)


def _has_its_name(found: JSON, name: str) -> bool:
    """Labels can be copied, names cannot: the labels must say the very name that the container has."""
    made = "-".join(found.get(part, "") for part in (labels.PROJECT, labels.SERVICE, labels.SLOT, labels.ROLLOUT))
    return bool(name == found.get(labels.NAME, made))


def row_signature(row: JSON) -> tuple[Any, ...]:
    """What of a row tells that its container changed: state, health, name and networks, but not "Up 3 seconds"."""
    status = row.get("Status", "")
    health = status[status.find("(") :] if row.get("State") == "running" and "(" in status else ""
    networks = tuple(sorted((name, value.get("NetworkID", "")) for name, value in _networks(row).items()))
    return (row.get("State"), health, row_name(row), networks)


def _networks(raw: JSON) -> dict[str, Any]:
    return json_value(raw, "NetworkSettings", "Networks") or {}


def _endpoint(raw: JSON) -> Endpoint:
    aliases, ipam = tuple(raw.get("Aliases") or ()), raw.get("IPAMConfig") or {}
    return Endpoint(raw.get("NetworkID", ""), aliases, raw.get("IPAddress", ""), raw.get("MacAddress", ""), ipam)


def _probe(entry: JSON, environment: Iterable[str], hide: Callable[[str], str]) -> Probe:
    output = hide(hide_values((entry.get("Output") or "").strip(), environment))[:_SHOWN]
    return Probe(seconds(entry.get("End") or ""), entry.get("ExitCode") or 0, output)


def _last_output(health: JSON) -> str:
    log = health.get("Log") or []
    return (log[-1].get("Output") or "").strip() if log else ""


def _row_ports(ports: Iterable[JSON]) -> Iterable[HostPort]:
    for port in ports:
        if port.get("PublicPort"):
            yield HostPort(port["PublicPort"], port["PublicPort"], port.get("Type", "tcp"), port.get("IP", ""))
