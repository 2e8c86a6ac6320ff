"""Rules about what is mounted: paths of the host, the engine's socket, volumes and what makes them."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from reconciler.model.project import JSON
from reconciler.policy import host_paths
from reconciler.policy.host_paths import shown
from reconciler.policy.rule import Finding, Ground

_SPREADING = {"shared", "rshared"}


def host_path(body: JSON, allowed: tuple[str, ...], ground: Ground) -> Iterator[Finding]:
    """Paths outside of the allowed roots."""
    for item in host_paths.mounted(body):
        yield from _host_path(item.field, item.path, allowed, ground)


def volume_host_path(body: JSON, allowed: tuple[str, ...], ground: Ground) -> Iterator[Finding]:
    """The same, where a volume is a bind mount."""
    for path in host_paths.device_binds(body):
        yield from _host_path("driver_opts.device", path, allowed, ground)


def _host_path(field: str, path: str, allowed: tuple[str, ...], ground: Ground) -> Iterator[Finding]:
    if not host_paths.allowed(ground, path, (*ground.roots, *allowed)):
        yield Finding(field, f"the host path {shown(path)} is outside of the folders that may be mounted", path)


def engine_socket(body: JSON, _: object, ground: Ground) -> Iterator[Finding]:
    """The engine's socket, and folders that it is in."""
    for item in host_paths.mounted(body):
        yield from _engine_socket(item.field, item.path, ground)


def volume_engine_socket(body: JSON, _: object, ground: Ground) -> Iterator[Finding]:
    """The same, where a volume is a bind mount."""
    for path in host_paths.device_binds(body):
        yield from _engine_socket("driver_opts.device", path, ground)


def _engine_socket(field: str, path: str, ground: Ground) -> Iterator[Finding]:
    if host_paths.reaches_engine(ground, path):
        yield Finding(field, f"{shown(path)} gives it the container engine, and so the host")


def propagation(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """Mounts that a container makes and the host sees."""
    for _source, target, options in host_paths.binds(body):
        for option in sorted(_SPREADING & set(options.lower().split(","))):
            yield Finding(f"volumes.{target}", f"the propagation {option}")
    for mount in host_paths.mounts(body):
        asked = str((mount.get("BindOptions") or {}).get("Propagation") or "").lower()
        if asked in _SPREADING:
            yield Finding(f"volumes.{mount.get('Target', '')}", f"the propagation {asked}")


def volume_driver(body: JSON, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Drivers that are no part of the engine."""
    driver = str(body.get("Driver") or "local")
    if driver not in allowed:
        yield Finding("driver", f"the volume driver {shown(driver)}", driver)


def mount_driver(body: JSON, allowed: tuple[str, ...], ground: Ground) -> Iterator[Finding]:
    """The same, where the mount itself says how its volume is made (Engine API, Mount.VolumeOptions.DriverConfig)."""
    if driver := str((body.get("HostConfig") or {}).get("VolumeDriver") or ""):
        yield from volume_driver({"Driver": driver}, allowed, ground)
    for mount in host_paths.mounts(body):
        for finding in volume_driver(host_paths.driver_config(mount), allowed, ground):
            yield Finding(f"volumes.{mount.get('Target', '')}", finding.message, finding.value)


def volume_option(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """Options of the built-in driver that mount something else than memory, another machine's files, or a path."""
    if host_paths.is_built_in(body):
        for odd in host_paths.odd_options(host_paths.options_of(body)):
            yield Finding("driver_opts", odd)


def mount_option(body: JSON, allowed: object, ground: Ground) -> Iterator[Finding]:
    """The same, of a mount that says how its volume is made."""
    for mount in host_paths.mounts(body):
        for finding in volume_option(host_paths.driver_config(mount), allowed, ground):
            yield Finding(f"volumes.{mount.get('Target', '')}", finding.message)


def network_storage(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """File systems of other machines."""
    if host_paths.is_network_storage(host_paths.options_of(body)):
        yield Finding("driver_opts", "a file system of another machine")


def mount_network_storage(body: JSON, allowed: object, ground: Ground) -> Iterator[Finding]:
    """The same, of a mount that says how its volume is made."""
    for mount in host_paths.mounts(body):
        for finding in network_storage(host_paths.driver_config(mount), allowed, ground):
            yield Finding(f"volumes.{mount.get('Target', '')}", finding.message)


def other_volume(body: JSON, allowed: tuple[str, ...], ground: Ground) -> Iterator[Finding]:
    """Volumes whose name does not begin with the project's, so that they are another's or everybody's."""
    for target, name in _named_volumes(body):
        own = name.startswith(f"{ground.project}_") or name in ground.carried
        if not own and not any(fnmatchcase(name, pattern) for pattern in allowed):
            yield Finding(f"volumes.{target}", f"the volume {shown(name)}, which is not the project's own", name)


def _named_volumes(body: JSON) -> Iterator[tuple[str, str]]:
    """Where in the container, and the volume's name."""
    for source, target, _ in host_paths.binds(body):
        if not host_paths.is_path(source):
            yield target, source
    for mount in host_paths.mounts(body):
        if mount.get("Type") == "volume" and mount.get("Source"):
            yield mount.get("Target", ""), mount["Source"]
