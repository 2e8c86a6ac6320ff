"""What is on the engine and whose it is, as last looked at: which projects a change concerns."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.engine.events import Event
from reconciler.engine.protocol import Engine
from reconciler.model import labels
from reconciler.model.project import JSON
from reconciler.model.references import parse_reference
from reconciler.observation import row_signature

NOBODYS = ""
"""Stands for what belongs to no project: it can be in the way of one that is not in sync, and of no other."""


@dataclass(frozen=True)
class Sight:
    """One look.

    `signatures` tell whether something changed; `owners` names the project of a container's, network's or volume's id,
    `users` the projects that run an image of a repository.
    """

    signatures: Mapping[str, Any] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    users: dict[str, set[str]] = field(default_factory=dict)

    @property
    def projects(self) -> set[str]:
        """The names of all projects that have something on the engine."""
        return {name for name in self.owners.values() if name}


class Inventory:
    """The last look, and what events added to it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sight = Sight()

    def look(self, engine: Engine) -> frozenset[str]:
        """Read every list; the projects that what changed since the last look concerns, `NOBODYS` among them."""
        new = sight(engine)
        with self._lock:
            old, self._sight = self._sight, new
        changed = {
            key
            for key in old.signatures.keys() | new.signatures.keys()
            if old.signatures.get(key) != new.signatures.get(key)
        }
        return frozenset(name for key in changed for seen in (old, new) for name in _concerned(seen, key))

    def concerned(self, event: Event) -> frozenset[str]:
        """The projects that an event concerns, `NOBODYS` where it may be anybody's."""
        with self._lock:
            if event.kind == "container":
                self._note(event)
            if event.kind == "image":
                return frozenset(_users(self._sight, event.image)) | {NOBODYS}
            found = event.project or self._sight.owners.get(event.container or event.subject)
            return frozenset({found or NOBODYS})

    def owner(self, event: Event) -> str:
        """The project of the container that an event concerns; "" where there is none or it is not known."""
        with self._lock:
            return event.project or self._sight.owners.get(event.container, "")

    def _note(self, event: Event) -> None:
        if event.action == "destroy":
            return  # the look that misses it has to know whose it was
        if event.project:
            self._sight.owners[event.container] = event.project
            if event.image:
                self._sight.users.setdefault(_repository(event.image), set()).add(event.project)


def sight(engine: Engine) -> Sight:
    """What the engine's lists say now. EngineError where one cannot be read."""
    signatures: dict[str, Any] = {}
    owners: dict[str, str] = {}
    users: defaultdict[str, set[str]] = defaultdict(set)
    repositories: dict[str, str] = {}
    for row in engine.list_containers():
        signatures[row["Id"]] = row_signature(row)
        found = row.get("Labels") or {}
        owners[row["Id"]] = project = _project(found)
        for name in {found.get(labels.IMAGE) or "", row.get("Image") or ""} if project else ():
            repositories[name] = repositories.get(name) or _repository(name)
            users[repositories[name]].add(project)
    for row in engine.list_networks():
        signatures[row["Id"]] = row.get("Name")
        owners[row["Id"]] = _project(row.get("Labels") or {})
    for row in engine.list_volumes():
        signatures[row["Name"]] = row.get("CreatedAt")
        owners[row["Name"]] = _project(row.get("Labels") or {})
    for row in engine.list_images():
        signatures[f"{_IMAGE}{row['Id']}"] = tuple(_names(row))
    return Sight(signatures, owners, dict(users))


_IMAGE = "image "


def _concerned(seen: Sight, key: str) -> set[str]:
    if key.startswith(_IMAGE):
        return {NOBODYS}.union(*(_users(seen, name) for name in seen.signatures.get(key) or ()))
    return {seen.owners[key]} if key in seen.owners else set()


def _users(seen: Sight, image: str) -> set[str]:
    """The projects that run an image of the same repository; all where the image has no name."""
    return seen.users.get(_repository(image), set()) if image else seen.projects


def _names(row: JSON) -> Iterator[str]:
    for name in (*(row.get("RepoTags") or ()), *(row.get("RepoDigests") or ())):
        if not name.startswith("<none>"):
            yield name


def _project(found: Mapping[str, str]) -> str:
    return found.get(labels.PROJECT) or found.get(labels.COMPOSE_PROJECT) or NOBODYS


def _repository(name: str) -> str:
    return "" if not name or name.startswith("sha256:") else parse_reference(name).repository
