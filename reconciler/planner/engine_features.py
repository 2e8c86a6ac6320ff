"""What a spec asks for and an older engine would leave out without a word: refused, with the version that knows it."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.observed import EngineInfo, json_value
from reconciler.model.project import JSON, Network, Service

INTERFACE_NAME = "com.docker.network.endpoint.ifname"

# Engine API version -> what came with it (Engine API version history).
_MOUNTS = {
    ("BindOptions", "ReadOnlyNonRecursive"): ("bind.recursive: writable", "1.44"),
    ("BindOptions", "ReadOnlyForceRecursive"): ("bind.recursive: readonly", "1.44"),
    ("VolumeOptions", "Subpath"): ("volume.subpath", "1.45"),
}
_IMAGE_MOUNTS = "1.48"
_HOST = {"Annotations": ("annotations", "1.43")}


def too_new(service: Service, engine: EngineInfo) -> tuple[str, str] | None:
    """What the service asks for and this engine does not know, with its `file:line`; None where there is nothing."""
    for field, what, api in _asked(service):
        if not engine.supports(api):
            message = (
                f"{what} needs Engine API {api}, and this engine speaks {engine.api}: remove it, or update the engine"
            )
            return message, service.source(field)
    return None


def network_too_new(network: Network, engine: EngineInfo) -> str:
    """The same for a network: in words, "" where nothing is."""
    if "EnableIPv4" not in network.definition or engine.supports(_IMAGE_MOUNTS):
        return ""
    return f"network {network.name}: enable_ipv4 needs Engine API 1.48, and this engine speaks {engine.api}: remove it"


def _asked(service: Service) -> Iterator[tuple[str, str, str]]:
    """(field, what, API version) of everything that not every engine knows."""
    for key, (field, api) in _HOST.items():
        if json_value(service.container, "HostConfig", key):
            yield field, field, api
    if json_value(service.container, "Healthcheck", "StartInterval"):
        yield "healthcheck.start_interval", "healthcheck.start_interval", "1.44"
    for mount in json_value(service.container, "HostConfig", "Mounts") or ():
        yield from _of_mount(mount)
    for item in service.networks:
        if item.endpoint.get("GwPriority"):
            yield f"networks.{item.key}", f"gw_priority of network {item.key}", "1.48"
        if INTERFACE_NAME in (item.endpoint.get("DriverOpts") or {}):
            yield f"networks.{item.key}", f"interface_name of network {item.key}", "1.48"
    for item in service.networks[1:]:
        if item.endpoint.get("MacAddress"):
            yield f"networks.{item.key}", f"mac_address of network {item.key}, not the service's first,", "1.44"


def _of_mount(mount: JSON) -> Iterator[tuple[str, str, str]]:
    field = f"volumes.{mount['Target']}"
    if mount["Type"] == "image":
        yield field, f"the image mount at {mount['Target']}", _IMAGE_MOUNTS
    for (options, key), (what, api) in _MOUNTS.items():
        if json_value(mount, options, key):
            yield field, f"{what} of the mount at {mount['Target']}", api
