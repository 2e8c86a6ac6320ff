"""Read the engine into an Observed: whole at first, then what changed. A failed read raises; nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from reconciler.engine.protocol import Engine
from reconciler.engine.snapshot import Snapshot
from reconciler.errors import EngineError
from reconciler.model.observed import Container, EngineInfo, Observed
from reconciler.model.operation import Operation
from reconciler.model.project import Project
from reconciler.observation import (
    NOTHING,
    container_from_inspect,
    foreign_from_row,
    image_from_row,
    is_ours,
    mutated_paths,
    network_from_row,
    our_rows,
    row_signature,
    volume_from_row,
)
from reconciler.secrecy import hiding

Key = TypeVar("Key")
Found = TypeVar("Found")
_Question = Callable[[Engine], Any]
NOT_FOUND = 404


class Gather(Protocol):
    """Calls a function of (engine, key) for every key; the results in order."""

    def __call__(self, call: Callable[[Engine, Key], Found], keys: Iterable[Key], /) -> list[Found]:
        """The results, made in parallel where the engine allows it. The first error is raised."""
        ...


class Observer:
    """Keeps the last raw answers for one project and instance, and what of them is stale.

    `gather` calls a function of (engine, key) for every key, in parallel where the engine allows it. `made` tells the
    containers that we are known to have made, by id: they are ours under any name. `adopted` are the labels that stand
    for ours on containers that were taken over, by id (`Memory.adopted`).
    """

    def __init__(
        self,
        engine: Engine,
        info: EngineInfo,
        project: Project,
        instance: str,
        gather: Gather,
        clock: Callable[[], float],
        made: Callable[[], Mapping[str, str]] = dict,
        adopted: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        self._engine = engine
        self._info = info
        self._project = project
        self._instance = instance
        self._gather = gather
        self._clock = clock
        self._made = made
        self._adopted = dict(adopted or {})
        self._hide = hiding(project.services)
        self._rows: dict[str, dict[str, Any]] = {}
        self._inspects: dict[str, dict[str, Any]] = {}
        self._seen_at: dict[str, float] = {}
        self._containers: dict[str, Container] = {}
        self._changes: dict[str, list[dict[str, Any]]] = {}
        self._networks: list[dict[str, Any]] | None = None
        self._volumes: list[dict[str, Any]] | None = None
        self._images: list[dict[str, Any]] | None = None
        self._image_inspects: dict[str, dict[str, Any]] = {}
        self._parsed: Observed | None = None
        self._distrusted: set[str] = set()

    def go_on(self, engine: Engine, gather: Gather, clock: Callable[[], float]) -> None:
        """As a copy of another observer: look from now on at an engine that continues from that one's `snapshot`."""
        self._engine, self._gather, self._clock = engine, gather, clock
        self._rows, self._seen_at = dict(self._rows), dict(self._seen_at)
        self._inspects, self._containers = dict(self._inspects), dict(self._containers)
        self._changes, self._image_inspects = dict(self._changes), dict(self._image_inspects)
        self._adopted, self._distrusted = dict(self._adopted), set(self._distrusted)

    def retarget(
        self, project: Project, made: Callable[[], Mapping[str, str]], adopted: Mapping[str, Mapping[str, str]]
    ) -> None:
        """Go on for the next pass, with what is wanted and remembered by now; `resync` comes next."""
        changed = {key for key in self._adopted.keys() | adopted.keys() if self._adopted.get(key) != adopted.get(key)}
        before, self._project, self._made, self._adopted = self._project.services, project, made, dict(adopted)
        if before != project.services:
            self._hide = hiding(project.services, before)
            self._containers = {key: self._container(key) for key in self._containers}
        self.distrust(changed)
        self._parsed = None

    def distrust(self, containers: Iterable[str]) -> None:
        """Inspect these at the next `resync`, whatever their rows say; with "" all of them."""
        named = set(containers)
        self._distrusted |= named | (self.known if "" in named else set())
        if "" in named:
            self._changes.clear()

    def rest(self) -> None:
        """The pass is over: keep only what spares the next one work."""
        self._rows = {key: row for key, row in self._rows.items() if key in self._inspects}
        self._networks = self._volumes = self._images = self._parsed = None

    @property
    def known(self) -> set[str]:
        """Ids of our containers."""
        return set(self._inspects)

    def resync(self) -> None:
        """Read every list again and inspect the containers whose row changed.

        All of it at once where the engine allows it: of a container that has just ended it tells late.
        """
        rows = {row["Id"]: row for row in self._engine.list_containers()}
        ours = our_rows(rows.values(), self._project.name, self._instance, self._made())
        ours |= {key: rows[key] for key in self._adopted.keys() & rows.keys()}
        changed, seen_at = sorted(key for key, row in ours.items() if self._changed(key, row)), self._clock()
        questions: list[_Question] = [*(partial(inspect_or_none, container=key) for key in changed), *_LISTS]
        *inspected, networks, volumes, images = self._gather(_answer, questions)
        for gone in self._inspects.keys() - ours.keys():
            self._drop(gone)
        self._rows = rows
        self._keep_all((key, found, seen_at) for key, found in zip(changed, inspected, strict=True))
        self._distrusted.clear()
        self._networks, self._volumes, self._images, self._parsed = networks, volumes, None, None
        self._images = self._inspected(images)

    def refresh(self, containers: Iterable[str]) -> None:
        """Inspect again what an event named, or what time alone may have changed."""
        self._keep_all(self._look_at(containers))

    def adopt(self, adopted: Mapping[str, Mapping[str, str]]) -> None:
        """Take these containers for ours from now on, with the labels that stand for ours.

        EngineError where one cannot be read; one that is gone by now is left out.
        """
        self._adopted |= adopted
        self.refresh(adopted)
        self.forget("image")

    def look_deep(self, containers: Iterable[str]) -> None:
        """Read what those of our containers have written to their writable layers; it stays known until they are gone.

        EngineError where that fails. Slow: the engine compares whole layers.
        """
        wanted = sorted(set(containers) & self.known)
        found = self._gather(_changes_or_none, wanted)
        self._changes |= {key: rows for key, rows in zip(wanted, found, strict=True) if rows is not None}
        self._parsed = None

    @property
    def looked_into(self) -> set[str]:
        """Ids of the containers whose writable layers were read."""
        return set(self._changes)

    def learn(self, container: str, inspected: dict[str, Any] | None, seen_at: float) -> None:
        """Take over what an operation found at that engine time, unless a later read is known; None: it is gone."""
        if inspected is None or seen_at >= self._seen_at.get(inspected["Id"], 0.0):
            self._keep(container, inspected, seen_at)

    def forget(self, kind: str) -> None:
        """Read networks, volumes or images again on the next pass, because an operation of that kind finished."""
        self._parsed = None
        if kind.startswith("network"):
            self._networks = None
        elif kind.startswith("volume"):
            self._volumes = None
        elif kind.startswith("image"):
            self._images = None

    def observed(self) -> Observed:
        """The engine's state as last read. Reads again whatever list is stale; EngineError where that fails."""
        if self._parsed is None:
            self._parsed = self._parse()
        return self._parsed

    def with_inflight(self, inflight: Mapping[str, Operation]) -> Observed:
        """The observed state together with the operations that are under way, by their ids."""
        claimed = frozenset(address for operation in inflight.values() for address in operation.addresses)
        return replace(self.observed(), inflight=frozenset(inflight), claimed=claimed)

    def snapshot(self) -> Snapshot:
        """The raw answers, to seed a simulated engine with."""
        self.observed()
        return Snapshot(
            info=self._info,
            containers=tuple(self._rows.values()),
            inspects=dict(self._inspects),
            networks=tuple(self._networks or ()),
            volumes=tuple(self._volumes or ()),
            images=tuple(self._images or ()),
            image_inspects=dict(self._image_inspects),
            changes=dict(self._changes),
            missing_paths=self.observed().missing_paths,
        )

    def _changed(self, key: str, row: Mapping[str, Any]) -> bool:
        known = self._rows.get(key)
        return (
            key in self._distrusted
            or key not in self._inspects
            or known is None
            or row_signature(known) != row_signature(row)
        )

    def _look_at(self, containers: Iterable[str]) -> list[tuple[str, dict[str, Any] | None, float]]:
        wanted, seen_at = sorted(set(containers)), self._clock()
        found = self._gather(inspect_or_none, wanted)
        return [(key, inspected, seen_at) for key, inspected in zip(wanted, found, strict=True)]

    def _keep_all(self, found: Iterable[tuple[str, dict[str, Any] | None, float]]) -> None:
        for key, inspected, seen_at in found:
            self._keep(key, inspected, seen_at)

    def _keep(self, container: str, inspected: dict[str, Any] | None, seen_at: float) -> None:
        self._parsed = None
        if inspected is None:
            self._drop(container)
            self._rows.pop(container, None)
        elif not self._is_ours(inspected):
            self._drop(inspected["Id"])
        else:
            self._inspects[inspected["Id"]] = inspected
            self._seen_at[inspected["Id"]] = seen_at
            self._containers[inspected["Id"]] = self._container(inspected["Id"])

    def _container(self, key: str) -> Container:
        adopted = self._adopted.get(key, NOTHING)
        return container_from_inspect(self._inspects[key], self._seen_at[key], adopted, self._hide)

    def _is_ours(self, inspected: dict[str, Any]) -> bool:
        adopted = inspected["Id"] in self._adopted
        return adopted or is_ours(inspected, self._project.name, self._instance, self._made())

    def _drop(self, container: str) -> None:
        for kept in (self._inspects, self._seen_at, self._containers, self._changes):
            kept.pop(container, None)

    def _parse(self) -> Observed:
        if self._networks is None:
            self._networks = self._engine.list_networks()
        if self._volumes is None:
            self._volumes = self._engine.list_volumes()
        if self._images is None:
            self._images = self._inspected(self._engine.list_images())
        foreign = [row for key, row in self._rows.items() if key not in self._inspects]
        return Observed(
            engine=self._info,
            containers=tuple(self._containers.values()),
            foreign=tuple(foreign_from_row(row, self._instance) for row in foreign),
            networks=tuple(network_from_row(row) for row in self._networks),
            volumes=tuple(volume_from_row(row) for row in self._volumes),
            images=tuple(image_from_row(row, self._image_inspects.get(row["Id"])) for row in self._images),
            mutations={container: mutated_paths(rows) for container, rows in self._changes.items()},
            missing_paths=self._engine.missing_paths(
                path for service in self._project.services for path in service.bound_paths
            ),
        )

    def _inspected(self, images: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows, once what is to be known of them has been read."""
        listed = {row["Id"] for row in images}
        wanted = (self._wanted_images(images) & listed) - set(self._image_inspects)
        found = self._gather(inspect_image_or_none, sorted(wanted))
        known = {key: raw for key, raw in self._image_inspects.items() if key in listed}
        self._image_inspects = known | {raw["Id"]: raw for raw in found if raw}
        return images

    def _wanted_images(self, images: Iterable[Mapping[str, Any]]) -> set[str]:
        """Ids of the images that the project may run or that its containers run."""
        names = {service.image.reference.partition("@")[0] for service in self._project.services}
        names |= {service.image.build.tag for service in self._project.services if service.image.build}
        repositories = {_repository(name) for name in names if name}
        running = {raw.get("Image", "") for raw in self._inspects.values()}
        return running | {
            row["Id"]
            for row in images
            if any(
                _repository(name) in repositories
                for name in (*(row.get("RepoTags") or ()), *(row.get("RepoDigests") or ()))
            )
            or any(
                row["Id"] == name or row["Id"].startswith(f"sha256:{name.removeprefix('sha256:')}")
                for name in names
                if name
            )
        }


def _answer(engine: Engine, question: _Question) -> Any:
    return question(engine)


_LISTS: tuple[_Question, ...] = (
    lambda engine: engine.list_networks(),
    lambda engine: engine.list_volumes(),
    lambda engine: engine.list_images(),
)


def inspect_or_none(engine: Engine, container: str) -> dict[str, Any] | None:
    """GET /containers/{id}/json, None where it is gone."""
    try:
        return engine.inspect_container(container)
    except EngineError as error:
        if error.status == NOT_FOUND:
            return None
        raise


def _changes_or_none(engine: Engine, container: str) -> list[dict[str, Any]] | None:
    try:
        return engine.container_changes(container)
    except EngineError as error:
        if error.status == NOT_FOUND:
            return None
        raise


def inspect_image_or_none(engine: Engine, image: str) -> dict[str, Any] | None:
    """GET /images/{name}/json, None where it is gone."""
    try:
        return engine.inspect_image(image)
    except EngineError as error:
        if error.status == NOT_FOUND:
            return None
        raise


def _repository(name: str) -> str:
    name = name.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}".removeprefix("docker.io/").removeprefix("library/")
