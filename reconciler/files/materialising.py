"""Files of a repository that services mount, replaced by copies that are named by what they contain.

A checkout comes and goes with its commit; what a container mounts must do neither. Pure but for reading the checkout:
`keeping.write` makes the copies, right before the first operation that needs them. So neither a new commit nor a folder
that is swapped for another replaces or breaks what did not change, and going back finds the files of before.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from reconciler.errors import SpecError, SpecErrors
from reconciler.files.trees import GIT_FOLDER, Tree, check, is_within, tree_digest
from reconciler.model.files import KEYED, Content
from reconciler.model.project import JSON, Project, Service, Volume

_SELINUX = {"z", "Z"}
_VOLUME_HINT = "end it in :ro, or keep what the container writes in a volume"


@dataclass(frozen=True)
class Places:
    """Where copies are kept: `data_dir` here, `host_data_dir` the same as the engine's machine calls it.

    `host_data_dir` "" says that nobody said: then it is `data_dir`, on an engine that sees our files. `key` keys the
    digests that the copies are named by.
    """

    data_dir: str
    host_data_dir: str = ""
    key: str = ""

    def here(self, project: str, digest: str) -> str:
        """The path of a copy for this program."""
        return posixpath.join(self.data_dir, project, digest)

    def there(self, project: str, digest: str) -> str:
        """The path of a copy for the engine."""
        return posixpath.join(self.host_data_dir or self.data_dir, project, digest)


def materialised(project: Project, checkout_root: str, places: Places) -> tuple[Project, tuple[Tree, ...]]:
    """The project with copies in place of what it mounts from the checkout, and the trees to be copied.

    Nothing is written. SpecErrors where a mount is writable, is missing, is the checkout's root or Git's own folder,
    leads out of the checkout, or is too large, and where a volume is a folder of the checkout.
    """
    copying = _Copying(project, checkout_root, places)
    services = tuple(copying.service(service) for service in project.services)
    copying.errors += [_is_volume(volume) for volume in project.volumes if is_within(_device(volume), checkout_root)]
    if copying.errors:
        raise SpecErrors(copying.errors)
    return replace(project, services=services), tuple(copying.trees.values())


class _Copying:
    """The state of one rewrite: the trees found so far, by the path mounted, and what is wrong."""

    def __init__(self, project: Project, root: str, places: Places) -> None:
        self.project = project
        self.root = root
        self.real = os.path.realpath(root)
        self.places = places
        self.trees: dict[str, Tree] = {}
        self.errors: list[SpecError] = []

    def service(self, service: Service) -> Service:
        """The service with copies in place of what it mounts from the checkout."""
        found = {bind.target: self._tree(service, bind) for bind in binds_of(service.container.get("HostConfig") or {})}
        copies = {target: tree for target, tree in found.items() if tree}
        if not copies:
            return service
        container = _with_copies(service.container, {target: self._there(tree) for target, tree in copies.items()})
        return replace(service, container=container, contents=self._contents(service, copies))

    def _tree(self, service: Service, bind: Bind) -> Tree | None:
        """What is to be copied, None where the bind is no business of ours or refused."""
        if not is_within(bind.source, self.root):
            return None
        place, shown = service.source(f"volumes.{bind.target}"), self._shown(bind.source)
        if not bind.read_only:
            message = f"services.{service.name}: {shown} is mounted writable, and files of a repository are not"
            self.errors.append(SpecError(message, source=place or None, hint=_VOLUME_HINT))
        try:
            if bind.source not in self.trees:
                self.trees[bind.source] = self._read(bind.source, f"services.{service.name}: {shown}", place)
        except SpecError as error:
            self.errors.append(error)
        return self.trees.get(bind.source)

    def _read(self, path: str, what: str, place: str) -> Tree:
        real = os.path.realpath(path)
        reason, hint = self._refusal(path, real)
        if reason:
            raise SpecError(f"{what} {reason}", source=place or None, hint=hint)
        try:
            check(real, self.real, what, place)
            return Tree(self.project.name, tree_digest(real, self.places.key), real, place)
        except OSError as error:
            raise SpecError(f"{what} cannot be read: {error.strerror}", source=place or None) from None

    def _refusal(self, path: str, real: str) -> tuple[str, str | None]:
        """Why a path cannot be mounted, "" where it can, and what to do."""
        if not os.path.lexists(path):
            return "is not in the repository", "commit it, or correct the path; folders that are empty are not in Git"
        if not is_within(real, self.real):
            return "is a link that leaves the repository", None
        if real == self.real:
            return "is the whole repository, which every commit changes", "mount the folder that is needed"
        if GIT_FOLDER in os.path.relpath(real, self.real).split("/"):
            return "belongs to Git, not to a container", None
        return ("", None) if Path(real).exists() else ("is a link to nothing", None)

    def _contents(self, service: Service, copies: Mapping[str, Tree]) -> tuple[Content, ...]:
        """What the service's files contain, with each copy by its digest."""
        known = {content.target: content for content in service.contents}
        for target, tree in copies.items():
            field = f"volumes.{target}"
            before = known.get(target) or Content(field, "", service.source(field), self._shown(tree.path))
            here, there = self.places.here(tree.project, tree.digest), self._there(tree)
            known[target] = replace(before, digest=f"{KEYED}{tree.digest}", path=here, copy=there)
        return tuple(sorted(known.values(), key=lambda content: content.field))

    def _there(self, tree: Tree) -> str:
        return self.places.there(tree.project, tree.digest)

    def _shown(self, path: str) -> str:
        """As the spec writes it: relative to the project's folder where it is below that."""
        inside = is_within(path, self.project.working_dir) if self.project.working_dir else False
        return f"./{os.path.relpath(path, self.project.working_dir)}" if inside else os.path.relpath(path, self.root)


@dataclass(frozen=True)
class Bind:
    """One path of the engine's machine that a container mounts."""

    source: str
    target: str
    read_only: bool


def binds_of(host: JSON) -> tuple[Bind, ...]:
    """The binds of a HostConfig (Engine API, ContainerCreate and ContainerInspect), without volumes."""
    texts = (_parts(text) for text in host.get("Binds") or () if text.startswith("/"))
    mounts = (mount for mount in host.get("Mounts") or () if mount["Type"] == "bind")
    return (
        *(Bind(source, target, "ro" in options) for source, target, options in texts),
        *(Bind(mount["Source"], mount["Target"], bool(mount.get("ReadOnly"))) for mount in mounts),
    )


def _with_copies(container: JSON, copies: Mapping[str, str]) -> dict[str, Any]:
    """The create body that mounts copies (their paths by where they go).

    Each becomes an object of `Mounts`, by which an engine makes no folder where a copy is missing, but for labels of
    SELinux, which only a text of `Binds` can have.
    """
    host: JSON = container.get("HostConfig") or {}
    binds: list[str] = []
    mounts = [_with_copy(mount, copies) for mount in host.get("Mounts") or ()]
    for text in host.get("Binds") or ():
        _, target, options = _parts(text)
        if target not in copies:
            binds.append(text)
        elif set(options) & _SELINUX:
            binds.append(f"{copies[target]}:{target}:{','.join(options)}")
        else:
            mounts.append({"Type": "bind", "Source": copies[target], "Target": target, "ReadOnly": True})
    given = {"Binds": binds, "Mounts": sorted(mounts, key=lambda mount: str(mount["Target"]))}
    others = {name: value for name, value in host.items() if name not in given}
    return {**container, "HostConfig": others | {name: found for name, found in given.items() if found}}


def _with_copy(mount: JSON, copies: Mapping[str, str]) -> JSON:
    if mount["Type"] != "bind" or mount["Target"] not in copies:
        return mount
    options = {name: value for name, value in (mount.get("BindOptions") or {}).items() if name != "CreateMountpoint"}
    others = {name: value for name, value in mount.items() if name != "BindOptions"}
    return {**others, "Source": copies[mount["Target"]], **({"BindOptions": options} if options else {})}


def _parts(text: str) -> tuple[str, str, list[str]]:
    source, target, options = (*text.split(":"), "")[:3]
    return source, target, options.split(",")


def _device(volume: Volume) -> str:
    """The path that a volume of the driver `local` is, "" for others."""
    return str((volume.definition.get("DriverOpts") or {}).get("device") or "")


def _is_volume(volume: Volume) -> SpecError:
    message = f"volumes.{volume.key}: is a folder of the repository, which goes with its commit"
    return SpecError(message, source=volume.source or None, hint="keep data outside of the repository")
