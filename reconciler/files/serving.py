"""What an engine that does not see our files gets instead of mounts of them.

Configs and secrets of `file:` are put into the container before its first start. What is bind-mounted from the
project's folder cannot be served: it is refused, for an engine would make empty folders in its place. Other paths are
the engine's machine's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from reconciler.errors import SpecError, SpecErrors
from reconciler.files.materialising import Bind, binds_of
from reconciler.files.trees import is_within
from reconciler.model.files import LARGEST_COPIED, Content, CopiedFile, FileReference
from reconciler.model.observed import EngineInfo
from reconciler.model.project import JSON, Project, Service

_ELSEWHERE = "an engine that does not see the files of this machine"
_BIND_HINT = "make it a config, build it into the image, or keep it in a volume"


def for_engine(project: Project, info: EngineInfo) -> Project:
    """The project as that engine can be asked for it: itself where the engine sees our files.

    SpecErrors with every file that cannot be put into its container, and every bind that cannot be served. An engine
    beside our own container may have been given our paths: there, binds are as they are written.
    """
    if info.shares_files:
        return project
    folder = project.checkout or project.working_dir
    errors = [] if info.nearby else [error for service in project.services for error in _unserved(service, folder)]
    services = []
    for service in project.services:
        try:
            services.append(_served(service))
        except SpecError as error:
            errors.append(error)
    if errors:
        raise SpecErrors(errors)
    return replace(project, services=tuple(services))


def _served(service: Service) -> Service:
    """The service with its configs and secrets as files that are copied in."""
    if not service.file_references:
        return service
    files = {reference.target: _copied(service, reference) for reference in service.file_references}
    host: dict[str, Any] = dict(service.container.get("HostConfig") or {})
    mounts = [mount for mount in host.pop("Mounts") if mount["Target"] not in files]
    container = {**service.container, "HostConfig": host | ({"Mounts": mounts} if mounts else {})}
    return replace(
        service,
        container=container,
        contents=tuple(_content(content, files.get(content.target)) for content in service.contents),
        copied_files=tuple(sorted((*service.copied_files, *files.values()), key=lambda file: file.path)),
    )


def _content(content: Content, file: CopiedFile | None) -> Content:
    return replace(content, digest=file.digest, path="") if file else content


def _copied(service: Service, reference: FileReference) -> CopiedFile:
    place = service.source(reference.name) or None
    if reference.unknown_owner:
        message = f"services.{service.name}: the {reference.unknown_owner} of {reference.name} is no number"
        raise SpecError(message, source=place, hint="names of users mean nothing outside of the container")
    obstacle = _obstacle(service, reference.target)
    if obstacle:
        message = f"services.{service.name}: {reference.target} cannot be put into {obstacle}"
        hint = f"for {_ELSEWHERE}, {reference.name} is copied in: give it another target"
        raise SpecError(message, source=place, hint=hint)
    try:
        with Path(reference.path).open("rb") as file:
            data = file.read(LARGEST_COPIED + 1)
    except OSError as error:
        message = f"{reference.path}, the file of {reference.name}, cannot be read: {error.strerror}"
        raise SpecError(message, source=place) from None
    if len(data) > LARGEST_COPIED:
        message = f"{reference.path}, the file of {reference.name}, is larger than {LARGEST_COPIED // 1024} kB"
        raise SpecError(message, source=place, hint=f"that is the most that is copied in for {_ELSEWHERE}")
    return reference.copied(data)


def _obstacle(service: Service, path: str) -> str:
    """Why a file cannot be put there, in words; "" where it can."""
    host: JSON = service.container.get("HostConfig") or {}
    if host.get("ReadonlyRootfs"):
        return "a container that is read_only"
    copied = {reference.target for reference in service.file_references}
    folder = next((folder for folder in _closed(host) if folder not in copied and is_within(path, folder)), "")
    return f"what is mounted at {folder}" if folder else ""


def _closed(host: JSON) -> Iterator[str]:
    """Where a mount hides what is copied in, or cannot be written."""
    yield from host.get("Tmpfs") or {}
    mounts = host.get("Mounts") or ()
    yield from (mount["Target"] for mount in mounts if mount["Type"] == "tmpfs" or mount.get("ReadOnly"))
    yield from (text.split(":")[1] for text in host.get("Binds") or () if "ro" in text.split(":")[-1].split(","))
    yield from ("/dev", "/proc", "/sys")


def _unserved(service: Service, folder: str) -> Iterator[SpecError]:
    """What is bind-mounted from the project's folder, but for configs and secrets."""
    copied = {reference.target for reference in service.file_references}
    for bind in binds_of(service.container.get("HostConfig") or {}):
        if bind.target not in copied and folder and is_within(bind.source, folder):
            yield _is_unserved(service, bind)


def _is_unserved(service: Service, bind: Bind) -> SpecError:
    message = f"services.{service.name}: {bind.source} cannot be mounted by {_ELSEWHERE}"
    return SpecError(message, source=service.source(f"volumes.{bind.target}") or None, hint=_BIND_HINT)
