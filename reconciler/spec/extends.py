"""`services.*.extends` (Compose Spec, "Extends"): a service begins with what another one says, and overrides it.

Works on one document in its canonical form, before it is merged with others: only services of that document (with what
it includes) or of the file that `file` names can be extended. Paths and marks of a base stay those of its own file. Of
another file nothing but the service is taken: no networks, no volumes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from reconciler.errors import SpecError, SpecErrors
from reconciler.spec.forms import Scope, Spot
from reconciler.spec.merge import merge_service
from reconciler.spec.nodes import Items, MalformedError, Mark, Path, Table, kind_of, shown, source_text
from reconciler.spec.sources import local_path

MAX_CHAIN = 50
MAX_COPIED = 250_000


@dataclass(frozen=True)
class Family:
    """The services of one file. `folder` is where the paths of its `extends` begin; `file` is its name in errors.

    `path` is absolute, symbolic links resolved: the same for one file that is reached over several ways.
    """

    services: Table
    resets: tuple[Path, ...]
    file: str
    folder: str
    path: str


ReadFamily = Callable[[str, str], Family]
Step = tuple[str, str, str]  # a file's path, one of its services, the file as errors call it


@dataclass(frozen=True)
class _Reference:
    service: str
    file: str | None


def apply_extends(family: Family, scope: Scope, read: ReadFamily) -> None:
    """Complete the services of a document in place. What is wrong is reported to `scope`; SpecErrors of `read` pass.

    `read` gives the services of another file: it is called with its absolute path and the `file:line` that names it.
    """
    resolver = _Resolver(scope, read)
    for name, service in family.services.items():
        if not isinstance(service, Table) or "extends" not in service:
            continue
        try:
            resolver.resolve(family, name, ())
        except SpecErrors:
            raise
        except SpecError as error:
            scope.errors.append(error)
            service.drop("extends")


class _Resolver:
    """What one document's services have been extended with."""

    def __init__(self, scope: Scope, read: ReadFamily) -> None:
        self._scope = scope
        self._read = read
        self._copied = 0

    def resolve(self, family: Family, name: str, trail: tuple[Step, ...]) -> Table | None:
        """The service, complete; None for one with nothing in it. `trail` are the services that extend this one."""
        service = family.services[name]
        if not isinstance(service, Table) or "extends" not in service:
            return service if isinstance(service, Table) else None
        mark = service.mark("extends")
        spot = Spot(("services", name, "extends"), mark, self._scope)
        self._check_trail(trail, (family.path, name, family.file), spot)
        try:
            reference = _reference(service["extends"])
            base_family = self._family(family, reference, mark)
        except MalformedError as error:
            raise _error(spot, str(error), error.hint) from None
        if reference.service not in base_family.services:
            message = f"there is no service {shown(reference.service)} in {base_family.file}"
            raise _error(spot, message, "extends finds services of its own file, or of the one that file: names")
        base = self.resolve(base_family, reference.service, (*trail, (family.path, name, family.file)))
        own = _without_extends(service)
        merged = own if base is None else merge_service(name, self._copy(base, spot), own, family.resets)
        family.services[name] = merged
        return merged

    def _check_trail(self, trail: tuple[Step, ...], step: Step, spot: Spot) -> None:
        places = [place for place, known in enumerate(trail) if known[:2] == step[:2]]
        if places:
            cycle = " -> ".join(f"{name} ({file})" for _, name, file in (*trail[places[0] :], step))
            raise _error(spot, f"extends cycle: {cycle}", "remove one of these extends")
        if len(trail) >= MAX_CHAIN:
            raise _error(spot, f"services extend each other over more than {MAX_CHAIN} steps")

    def _family(self, family: Family, reference: _Reference, mark: Mark) -> Family:
        if reference.file is None:
            return family
        return self._read(local_path(reference.file, family.folder, self._scope.home), source_text(mark))

    def _copy(self, value: Any, spot: Spot) -> Any:
        self._copied += 1
        if self._copied > MAX_COPIED:
            raise _error(spot, f"extends copies more than {MAX_COPIED} values in this file")
        if isinstance(value, Table):
            table = Table()
            for key, item in value.items():
                table.put(key, self._copy(item, spot), value.mark(key))
            return table
        if isinstance(value, Items):
            items = Items()
            for item, mark in value.marked():
                items.add(self._copy(item, spot), mark)
            return items
        return value


def _reference(value: Any) -> _Reference:
    """`extends: NAME` or `extends: {service: NAME, file: PATH}`."""
    if isinstance(value, str):
        return _Reference(value, None)
    if not isinstance(value, Table):
        raise MalformedError(f"must be a service's name or a mapping, not {kind_of(value)}")
    service, file = value.get("service"), value.get("file")
    unknown = sorted(key for key in set(value) - {"service", "file"} if not key.startswith("x-"))
    if unknown:
        raise MalformedError(f"{shown(unknown[0])} is not a key of extends", "it has service and file")
    if not isinstance(service, str):
        raise MalformedError("service must be the name of a service", "write extends: {service: NAME, file: PATH}")
    if file is not None and not isinstance(file, str):
        raise MalformedError(f"file must be a path, not {kind_of(file)}")
    return _Reference(service, file)


def _without_extends(service: Table) -> Table:
    own = Table()
    for key, value in service.items():
        if key != "extends":
            own.put(key, value, service.mark(key))
    return own


def _error(spot: Spot, message: str, hint: str | None = None) -> SpecError:
    return SpecError(f"services.{spot.path[1]}.extends: {message}", source=source_text(spot.mark), hint=hint)
