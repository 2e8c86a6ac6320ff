"""What must hold between keys and between services (Compose Spec). After the merge and profiles, before defaults.

Every check returns its errors; `check_consistency` runs them all, so that one load names everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reconciler.errors import SpecError
from reconciler.spec.builds import SERVICE_CONTEXT
from reconciler.spec.file_references import check_definitions, check_references
from reconciler.spec.hooks import check_hooks
from reconciler.spec.lower_rollout import replicas
from reconciler.spec.namespaces import implied
from reconciler.spec.nodes import Table, source_text

_TWICE_WRITTEN = (
    ("scale", ("replicas",)),
    ("cpus", ("resources", "limits", "cpus")),
    ("mem_limit", ("resources", "limits", "memory")),
    ("pids_limit", ("resources", "limits", "pids")),
    ("mem_reservation", ("resources", "reservations", "memory")),
)

MAX_REPLICAS = 1000  # the bridge of a Docker network has 1023 ports

_NO_LIMIT = (None, 0, "0")


@dataclass(frozen=True)
class _Site:
    """One service and the document around it."""

    name: str
    service: Table
    document: Table
    disabled: frozenset[str]

    def error(self, key: str, message: str, hint: str | None = None) -> SpecError:
        """An error at a key of the service, or at the service where it does not have the key."""
        mark = self.service.marks.get(key) or self.document["services"].mark(self.name)
        path = f"services.{self.name}.{key}" if key else f"services.{self.name}"
        return SpecError(f"{path}: {message}", source=source_text(mark), hint=hint)


def check_consistency(document: Table, disabled: frozenset[str]) -> list[SpecError]:
    """All errors between the parts of a valid document, in the order of its services."""
    errors: list[SpecError] = []
    for name, service in document["services"].items():
        site = _Site(name, service, document, disabled)
        for check in _CHECKS:
            errors += check(site)
    errors += _shared_names(document, disabled)
    errors += _external_volumes(document)
    errors += check_definitions(document)
    return errors + _cycles(document, disabled)


def dependencies(service: Table) -> dict[str, bool]:
    """The services that must be there before this one; whether each is required. Those it names by other keys are."""
    found = {name: entry.get("required", True) for name, entry in (service.get("depends_on") or {}).items()}
    return found | dict.fromkeys(implied(service), True)


def _naming_key(service: Table, dependency: str) -> str:
    """The key by which the service depends on that other one."""
    if dependency in (service.get("depends_on") or ()):
        return "depends_on"
    return implied(service)[dependency].key


def _has_image(site: _Site) -> Iterator[SpecError]:
    if not any(site.service.get(key) for key in ("image", "provider")) and site.service.get("build") is None:
        yield site.error("", "has neither image nor build", "say what it runs: image: name:tag, or build: ./folder")


def _one_dockerfile(site: _Site) -> Iterator[SpecError]:
    build = site.service.get("build") or {}
    if build.get("dockerfile") and build.get("dockerfile_inline"):
        yield site.error("build", "has both dockerfile and dockerfile_inline", "remove one of the two")


def _built_for_its_platform(site: _Site) -> Iterator[SpecError]:
    platforms = (site.service.get("build") or {}).get("platforms") or ()
    platform = site.service.get("platform")
    if platform and platforms and platform not in platforms:
        message = f"the service runs on {platform}, and its image is built for {', '.join(platforms)}"
        yield site.error("build", message, "add the platform to build.platforms")


def _built_from_services(site: _Site) -> Iterator[SpecError]:
    for name, place in ((site.service.get("build") or {}).get("additional_contexts") or {}).items():
        if not place.startswith(SERVICE_CONTEXT):
            continue
        other = place.removeprefix(SERVICE_CONTEXT)
        named = site.document["services"].get(other)
        if named is None or named.get("build") is None:
            message = f"additional_contexts.{name}: there is no service {other!r} with a build"
            yield site.error("build", message, "name a service that is built, and enabled")


def _known_dependencies(site: _Site) -> Iterator[SpecError]:
    for name, required in dependencies(site.service).items():
        if name in site.document["services"] or (name in site.disabled and not required):
            continue
        key = _naming_key(site.service, name)
        if name in site.disabled:
            hint = "enable its profile, or set required: false"
            yield site.error(key, f"service {name!r} belongs to a profile that is not enabled", hint)
        else:
            yield site.error(key, f"there is no service {name!r}", "declare it under services:")


def _known_networks(site: _Site) -> Iterator[SpecError]:
    networks, declared = site.service.get("networks") or {}, site.document.get("networks") or {}
    if networks and site.service.get("network_mode"):
        yield site.error("network_mode", "cannot stand together with networks", "remove one of the two")
    for name in networks:
        if name not in declared and name != "default":
            yield site.error("networks", f"there is no network {name!r}", "declare it under the top-level networks:")


def _known_volumes(site: _Site) -> Iterator[SpecError]:
    declared = site.document.get("volumes") or {}
    for mount in site.service.get("volumes") or ():
        source = mount.get("source")
        if mount["type"] == "volume" and source and source not in declared:
            hint = "declare it under the top-level volumes:, or begin a path with ./"
            yield site.error("volumes", f"there is no volume {source!r}", hint)
        if mount["type"] == "bind" and source is None:
            yield site.error("volumes", f"the bind mount at {mount['target']} has no source", "say which host path")


def _one_mount_each(site: _Site) -> Iterator[SpecError]:
    seen: dict[str, str] = {}
    for line in site.service.get("tmpfs") or ():
        target = line.partition(":")[0]
        if target in seen:
            yield site.error("tmpfs", f"{target} is listed twice", "remove one of the two")
        seen[target] = "tmpfs"
    for mount in site.service.get("volumes") or ():
        if mount["target"] in seen:
            yield site.error(
                "volumes", f"{mount['target']} is also mounted by {seen[mount['target']]}", "remove one of the two"
            )


def _agreeing_twins(site: _Site) -> Iterator[SpecError]:
    """Keys that `deploy` says in its own way must say the same there."""
    for key, path in _TWICE_WRITTEN:
        section = _at(site.service.get("deploy"), path[:-1])
        unsaid = key not in site.service if key == "scale" else site.service.get(key) in _NO_LIMIT
        if unsaid or section is None or (key == "scale" and path[-1] not in section):
            continue
        other = section.get(path[-1])
        if site.service[key] != other:
            said = f"deploy.{'.'.join(path)} is {'not set beside it' if other is None else other}"
            yield site.error(key, f"is {site.service[key]}, but {said}", f"say it once, in deploy.{'.'.join(path)}")


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, Table) else None
    return value


def _replicas_fit(site: _Site) -> Iterator[SpecError]:
    count = replicas(site.service)
    if count <= 1:
        return
    if count > MAX_REPLICAS:
        key = "scale" if "scale" in site.service else "deploy"
        yield site.error(key, f"{count} replicas on one engine cannot be meant", f"at most {MAX_REPLICAS} are made")
        return
    if site.service.get("container_name"):
        hint = "remove container_name, or run one replica"
        yield site.error("container_name", f"{count} replicas cannot share one container name", hint)


def _shared_names(document: Table, disabled: frozenset[str]) -> Iterator[SpecError]:
    owners: dict[str, str] = {}
    for name, service in document["services"].items():
        chosen = service.get("container_name")
        if chosen and chosen in owners:
            site = _Site(name, service, document, disabled)
            yield site.error(
                "container_name", f"{chosen!r} is also the name of service {owners[chosen]!r}", "rename one"
            )
        elif chosen:
            owners[chosen] = name


def _external_volumes(document: Table) -> Iterator[SpecError]:
    for name, volume in (document.get("volumes") or {}).items():
        if not volume or not volume.get("external"):
            continue
        for key in sorted(set(volume) & {"driver", "driver_opts", "labels"}):
            message = f"volumes.{name}.{key}: an external volume is not ours to define"
            yield SpecError(message, source=source_text(volume.mark(key)), hint="remove it, or external")


def _cycles(document: Table, disabled: frozenset[str]) -> list[SpecError]:
    """One error for each cycle of dependencies, at its first service."""
    services = document["services"]
    done: set[str] = set()
    errors: list[SpecError] = []
    for start in services:
        cycle = _cycle_from(start, services, done)
        if cycle:
            site = _Site(cycle[0], services[cycle[0]], document, disabled)
            key = _naming_key(site.service, cycle[1])
            errors.append(
                site.error(key, f"dependency cycle: {' -> '.join(cycle)}", "remove one of these dependencies")
            )
    return errors


def _cycle_from(start: str, services: Table, done: set[str]) -> list[str]:
    """The first cycle met from `start`, [] where there is none. Adds what it has visited to `done`."""
    if start in done:
        return []
    trail = {start: iter(dependencies(services[start]))}
    while trail:
        name, ahead = next(reversed(trail.items()))
        following = next((one for one in ahead if one in services and one not in done), None)
        if following is None:
            done.add(name)
            del trail[name]
        elif following in trail:
            done.update(trail)
            names = list(trail)
            return [*names[names.index(following) :], following]
        else:
            trail[following] = iter(dependencies(services[following]))
    return []


def _known_files(site: _Site) -> Iterator[SpecError]:
    yield from check_references(site.name, site.service, site.document)
    yield from check_hooks(site.name, site.service, site.document)


_CHECKS = (
    _has_image,
    _one_dockerfile,
    _built_for_its_platform,
    _built_from_services,
    _known_dependencies,
    _known_networks,
    _known_volumes,
    _known_files,
    _one_mount_each,
    _agreeing_twins,
    _replicas_fit,
)
