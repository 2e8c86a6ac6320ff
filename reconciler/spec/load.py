"""Spec files -> one normalised document: the order of work of Compose's loader. The only entrance to this package.

Called by `app` and by `reconcile validate|config`; `lowering` takes the result on to Engine API terms. Reads the files
that the request and the spec name, and nothing else. Per document: YAML, interpolation, canonical form, merge, schema;
then, over the whole: profiles, consistency, env files, defaults.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.errors import SpecError, SpecErrors
from reconciler.model.project import Notice
from reconciler.spec.canonical import canonical
from reconciler.spec.consistency import check_consistency
from reconciler.spec.defaults import apply_service_defaults, complete_definitions, used_networks, used_volumes
from reconciler.spec.environment import EnvFiles, project_environment, resolve_environment
from reconciler.spec.files import display_path, read_bytes
from reconciler.spec.forms import Scope, Spot
from reconciler.spec.interpolation import Interpolation, interpolate_values
from reconciler.spec.merge import merge
from reconciler.spec.names import chosen_name, default_name, normalise_name
from reconciler.spec.nodes import MAX_ERRORS, Table, kind_of, source_text
from reconciler.spec.positions import plain, source_map
from reconciler.spec.profiles import enabled_profiles, split_by_profile
from reconciler.spec.rollouts import check_rollouts, rollout_notices
from reconciler.spec.schema.check import check_document
from reconciler.spec.schema.extension import ProjectRules
from reconciler.spec.yaml_nodes import MAX_BYTES, Document, read_documents

_NO_SERVICES_HINT = "a spec needs services:"


@dataclass(frozen=True)
class Request:
    """What to load as one project: its files, merged in order, and the command line's say in it.

    `project_dir` is where relative paths begin (default: the folder of the first file); `env_files` replace
    `<project_dir>/.env`. `services` is reserved.
    """

    files: tuple[str, ...]
    project_dir: str | None = None
    project_name: str | None = None
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """One project as Compose normalises it.

    `document` is what `docker compose config --format json` prints before `$` is doubled, with `x-*` kept. `sources`
    maps paths in it (`services.web.ports[0]`, "" for the whole) to `file:line`; what nobody wrote has no entry.
    `disabled` names the services of profiles that are not enabled. `reconcile` is the whole top-level `x-reconcile`.
    """

    name: str
    document: dict[str, Any]
    sources: Mapping[str, str]
    disabled: frozenset[str]
    working_dir: str
    files: tuple[str, ...]
    notices: tuple[Notice, ...]
    reconcile: dict[str, Any]


def load(request: Request, environment: Mapping[str, str]) -> Loaded:
    """The project; `environment` is the shell's, which wins over env files.

    Raises SpecErrors with everything that is wrong in the files, and UsageError for a name from the command line or
    COMPOSE_PROJECT_NAME that is none.
    """
    return _Load(request, environment).run()


@dataclass(frozen=True)
class _Source:
    """One document of one file."""

    document: Document
    table: Table
    file: str


class _Load:
    """The state of one load."""

    def __init__(self, request: Request, shell: Mapping[str, str]) -> None:
        self.cwd = str(Path.cwd())
        self.request = request
        self.shell = shell
        self.files = tuple(os.path.abspath(file) for file in request.files)  # noqa: PTH100  keeps symlinks, unlike resolve()
        self.folder = os.path.abspath(request.project_dir or Path(self.files[0]).parent)  # noqa: PTH100
        self.scope = Scope(self.folder, shell.get("HOME") or "/")
        self.env_files = EnvFiles(self.cwd)
        self.notices: list[Notice] = []

    def run(self) -> Loaded:
        environment = self._environment()
        sources = self._read()
        name, environment = self._name(sources, environment)
        document = self._merge(sources, environment)
        disabled = split_by_profile(document, enabled_profiles(self.request.profiles, environment))
        self._fail_on([*check_consistency(document, disabled), *check_rollouts(document)])
        self.notices += rollout_notices(document)
        self._complete(document, name, environment)
        rules = ProjectRules.model_validate(document.get("x-reconcile") or {})
        return Loaded(
            name=name,
            document=plain(document),
            sources=source_map(document, f"{self._shown(self.files[0])}:1"),
            disabled=disabled,
            working_dir=self.folder,
            files=self.files,
            notices=(*self.env_files.notices, *self.notices, *self.scope.notices),
            reconcile=rules.model_dump(),
        )

    def _environment(self) -> dict[str, str]:
        paths = tuple(os.path.abspath(path) for path in self.request.env_files)  # noqa: PTH100
        try:
            return project_environment(self.folder, paths, self.shell, self.env_files)
        except SpecError as error:
            raise SpecErrors([error]) from None

    def _read(self) -> list[_Source]:
        errors: list[SpecError] = []
        sources: list[_Source] = []
        for path in self.files:
            try:
                sources += self._read_file(path)
            except SpecError as error:
                errors.append(error)
        self._fail_on(errors)
        if not sources:
            self._fail_on([SpecError("the file is empty", source=self._shown(self.files[0]), hint=_NO_SERVICES_HINT)])
        return sources

    def _read_file(self, path: str) -> list[_Source]:
        shown = self._shown(path)
        data = read_bytes(path, MAX_BYTES, what="the file", source=shown)
        found: list[_Source] = []
        for document in read_documents(data, shown):
            if document.value is None:
                continue
            if not isinstance(document.value, Table):
                message = f"a spec is a mapping, not {kind_of(document.value)}"
                raise SpecError(message, source=f"{shown}:1", hint=_NO_SERVICES_HINT)
            found.append(_Source(document, document.value, shown))
        return found

    def _name(self, sources: list[_Source], environment: dict[str, str]) -> tuple[str, dict[str, str]]:
        """The project's name, and the environment that also says it as COMPOSE_PROJECT_NAME."""
        name = chosen_name(self.request.project_name, environment) or self._written_name(sources, environment)
        try:
            name = name or default_name(self.files, self.folder)
        except SpecError as error:
            error.source = self._shown(self.files[0])
            raise SpecErrors([error]) from None
        return name, {**environment, "COMPOSE_PROJECT_NAME": name}

    def _written_name(self, sources: list[_Source], environment: dict[str, str]) -> str:
        """The last `name:` of the files; "" where there is none, or one that the schema will refuse."""
        work = Interpolation(environment)
        names = [
            work.text(source.table["name"], ("name",), source.table.mark("name"))
            for source in sources
            if isinstance(source.table.get("name"), str)
        ]
        return normalise_name(names[-1]) if names else ""

    def _merge(self, sources: list[_Source], environment: dict[str, str]) -> Table:
        merged = Table()
        for source in sources:
            work = Interpolation(environment)
            values = interpolate_values(source.table, work)
            self._fail_on(work.errors)
            self.notices += [notice for notice in work.notices if notice not in self.notices]
            self._note_version(values)
            document = canonical(values, self.scope)
            try:
                merged = merge(merged, document, source.document.resets)
            except SpecError as error:
                self.scope.errors.append(error)
            self._fail_on([*self.scope.errors, *_null_errors(document), *check_document(merged)])
        return merged

    def _note_version(self, document: Table) -> None:
        if "version" in document:
            message = "version is obsolete and ignored: remove it"
            self.notices.append(Notice("VersionIgnored", message, source_text(document.mark("version"))))

    def _complete(self, document: Table, name: str, environment: dict[str, str]) -> None:
        services = document["services"]
        for key, service in services.items():
            spot = Spot(("services", key), services.marks[key], self.scope)
            resolve_environment(service, spot, environment, self.env_files)
            if len(self.scope.errors) >= MAX_ERRORS:
                break
            apply_service_defaults(service, self.folder, environment)
        self._fail_on(self.scope.errors)
        complete_definitions(document, "networks", name, used_networks(services))
        complete_definitions(document, "volumes", name, used_volumes(services))
        document.drop("version")
        document.put("name", name, document.mark("name"))

    def _fail_on(self, errors: list[SpecError]) -> None:
        if errors:
            order = {self._shown(file): index for index, file in enumerate(self.files)}
            distinct = {str(error): error for error in errors}.values()
            raise SpecErrors(sorted(distinct, key=lambda error: _place(error, order))[:MAX_ERRORS])

    def _shown(self, path: str) -> str:
        return display_path(path, self.cwd)


def _place(error: SpecError, order: dict[str, int]) -> tuple[int, int]:
    """Where an error sorts: by file as given, then by line."""
    file, _, line = (error.source or "").rpartition(":")
    return order.get(file, len(order)), int(line) if line.isdigit() else 0


def _null_errors(document: Table) -> list[SpecError]:
    """Sections and services that stand there with nothing in them."""
    sections = [name for name in ("services", "networks", "volumes") if name in document and document[name] is None]
    errors = [_must_be_mapping(name, document, name) for name in sections]
    services = document.get("services") or Table()
    errors += [
        _must_be_mapping(f"services.{name}", services, name) for name, service in services.items() if service is None
    ]
    return errors


def _must_be_mapping(path: str, table: Table, key: str) -> SpecError:
    return SpecError(f"{path}: must be a mapping, not nothing", source=source_text(table.mark(key)))
