"""Spec files -> one normalised document: the order of work of Compose's loader. The only entrance to this package.

Called by `app` and by `reconcile validate|config`; `lowering` takes the result on to Engine API terms. Reads the files
that the request and the spec name, and nothing else. Per document: YAML, then what `assembly` does; then, over the
whole: profiles, consistency, env files, defaults.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.age import Keyring
from reconciler.errors import SpecError, SpecErrors
from reconciler.model.project import Notice
from reconciler.spec.assembly import Assembly
from reconciler.spec.compose_variables import folder_environment
from reconciler.spec.consistency import check_consistency
from reconciler.spec.defaults import apply_service_defaults, complete_definitions, used_networks, used_volumes
from reconciler.spec.encrypted import Decrypting
from reconciler.spec.environment import EnvFiles, resolve_environment, resolve_labels
from reconciler.spec.file_references import SECTIONS, used_references
from reconciler.spec.files import Files, display_path
from reconciler.spec.forms import Scope, Spot
from reconciler.spec.image_rules import check_image_rules
from reconciler.spec.interpolation import Interpolation
from reconciler.spec.names import chosen_name, default_name, usable_name
from reconciler.spec.nodes import MAX_ERRORS, Table, source_text
from reconciler.spec.positions import plain, source_map
from reconciler.spec.profiles import enabled_profiles, split_by_profile
from reconciler.spec.references import admit_references
from reconciler.spec.rollouts import check_rollouts, rollout_notices
from reconciler.spec.schema.extension import ProjectRules
from reconciler.spec.signing_keys import read_keys
from reconciler.spec.sources import Source, Sources
from reconciler.spec.volumes import resolve_device

MAX_NOTICES = 200


@dataclass(frozen=True)
class Request:
    """What to load as one project: its files, merged in order, and the command line's say in it.

    `project_dir` is where relative paths begin (default: the folder of the first file); `env_files` replace
    `<project_dir>/.env`, and the `.env` of `env_folder` wins over it. `services` is reserved. `confined_to` is a folder
    that the project may read nothing outside of, symbolic links resolved, for specs of people who may not read this
    machine: all but the `env_files` of the command line, and the sources of bind mounts. Shown paths are relative to
    `cwd` (default: the current folder). The `keyring` decrypts what is encrypted. Where it lacks a key and
    `undecrypted` is set, that is a warning and not an error: such a project is for looking at, never for running.
    """

    files: tuple[str, ...]
    project_dir: str | None = None
    project_name: str | None = None
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    env_folder: str | None = None
    confined_to: str | None = None
    cwd: str | None = None
    keyring: Keyring | None = None
    undecrypted: bool = False


@dataclass(frozen=True)
class Loaded:
    """One project as Compose normalises it.

    `document` is what `docker compose config --format json` prints before `$` is doubled, with `x-*` kept. `sources`
    maps paths in it (`services.web.ports[0]`, "" for the whole) to `file:line`; what nobody wrote has no entry.
    `variables` are the values, None where unset, of the variables that configs and secrets take their content from, by
    `configs.NAME`; `keys` is the PEM of the public keys that services verify with, by path.
    `decrypted` is what those configs and secrets hold whose files are encrypted, by path, and `hidden` names the
    variables of services that stood encrypted.
    `disabled` names the services of profiles that are not enabled. `reconcile` is the whole top-level `x-reconcile`.
    `files` are those of the request, as `docker compose` lists them in its label; `read` are the absolute paths of
    all files and folders that the result depends on, optional ones that are not there among them.
    """

    name: str
    document: dict[str, Any]
    sources: Mapping[str, str]
    disabled: frozenset[str]
    working_dir: str
    files: tuple[str, ...]
    notices: tuple[Notice, ...]
    reconcile: dict[str, Any]
    variables: Mapping[str, str | None] = field(default_factory=dict)
    read: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    decrypted: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)


def load(request: Request, environment: Mapping[str, str]) -> Loaded:
    """The project; `environment` is the shell's, which wins over env files. PWD is always set, as for Compose.

    Raises SpecErrors with everything that is wrong in the files, and UsageError for a name from the command line or
    COMPOSE_PROJECT_NAME that is none.
    """
    return _Load(request, environment).run()


class _Load:
    """The state of one load."""

    def __init__(self, request: Request, shell: Mapping[str, str]) -> None:
        self.cwd = request.cwd or str(Path.cwd())
        self.request = request
        self.shell = {"PWD": self.cwd, **shell}
        self.files = tuple(os.path.abspath(file) for file in request.files)  # noqa: PTH100  keeps symlinks, unlike resolve()
        self.folder = os.path.abspath(request.project_dir or Path(self.files[0]).parent)  # noqa: PTH100
        self.scope = Scope(self.folder, shell.get("HOME") or "/")
        self.on_disk = Files(request.confined_to)
        self.sources = Sources(self.cwd, self.on_disk)
        self.decrypting = Decrypting(request.keyring or Keyring(), optional=request.undecrypted)
        self.env_files = EnvFiles(self.cwd, self.on_disk, self.decrypting)
        self.notices: list[Notice] = []
        self.variables: dict[str, str | None] = {}
        self.keys: dict[str, str] = {}
        self.decrypted: dict[str, bytes] = {}
        self.hidden: dict[str, frozenset[str]] = {}

    def run(self) -> Loaded:
        environment = self._environment()
        sources = self._read()
        name, environment = self._name(sources, environment)
        document = self._merge(sources, environment)
        disabled = split_by_profile(document, enabled_profiles(self.request.profiles, environment))
        self._fail_on([*check_consistency(document, disabled), *check_rollouts(document), *check_image_rules(document)])
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
            notices=_bounded((*self.env_files.notices, *self.decrypting.notices, *self.notices, *self.scope.notices)),
            reconcile=rules.model_dump(),
            variables=self.variables,
            read=self.on_disk.named,
            keys=self.keys,
            decrypted=self.decrypted,
            hidden={name: found for name, found in self.hidden.items() if found},
        )

    def _environment(self) -> dict[str, str]:
        shell, flags = self.shell, self.request.env_files
        outer = self.request.env_folder
        try:
            if outer is not None and outer != self.folder:
                shell = folder_environment(outer, flags, shell, self.cwd, self.env_files)
            return folder_environment(self.folder, flags, shell, self.cwd, self.env_files)
        except SpecError as error:
            raise SpecErrors([error]) from None

    def _read(self) -> list[Source]:
        errors: list[SpecError] = []
        sources: list[Source] = []
        for path in self.files:
            try:
                sources += self.sources.read(path)
            except SpecError as error:
                errors.append(error)
        self._fail_on(errors)
        return sources

    def _name(self, sources: list[Source], environment: dict[str, str]) -> tuple[str, dict[str, str]]:
        """The project's name, and the environment that also says it as COMPOSE_PROJECT_NAME."""
        name = chosen_name(self.request.project_name, environment)
        try:
            name = name or self._written_name(sources, environment) or self._default_name()
        except SpecError as error:
            raise SpecErrors([error]) from None
        return name, {**environment, "COMPOSE_PROJECT_NAME": name}

    def _default_name(self) -> str:
        return default_name(self.files, self.folder, self._shown(self.files[0]))

    def _written_name(self, sources: list[Source], environment: dict[str, str]) -> str:
        """The last `name:` of the files; "" where there is none, or one that the schema will refuse."""
        named = [source.table for source in sources if isinstance(source.table.get("name"), str)]
        if not named:
            return ""
        mark = named[-1].mark("name")
        work = Interpolation(environment)
        written = work.text(named[-1]["name"], ("name",), mark)
        return "" if work.errors else usable_name(written, source_text(mark))

    def _merge(self, sources: list[Source], environment: dict[str, str]) -> Table:
        assembly = Assembly(self.scope, environment, self.sources, self.env_files, self.notices, self.variables)
        try:
            return assembly.assemble(sources)
        except SpecErrors as error:
            raise self._in_order(error.errors) from None

    def _complete(self, document: Table, name: str, environment: dict[str, str]) -> None:
        services = document["services"]
        for key, service in services.items():
            spot = Spot(("services", key), services.marks[key], self.scope)
            self.hidden[key] = resolve_environment(service, spot, environment, self.env_files)
            resolve_labels(service, spot, self.env_files)
            if len(self.scope.errors) >= MAX_ERRORS:
                break
            apply_service_defaults(service, self.folder, environment)
        self._fail_on(self.scope.errors)
        self._fail_on(admit_references(document, self.folder, self.on_disk))
        self.keys, errors = read_keys(document, self.on_disk, self.cwd)
        self._fail_on(errors)
        complete_definitions(document, "networks", name, used_networks(services))
        for volume in (document.get("volumes") or {}).values():
            resolve_device(volume or Table(), self.folder, self.scope.home)
        complete_definitions(document, "volumes", name, used_volumes(services))
        for kind in SECTIONS:
            complete_definitions(document, kind, name, used_references(services, kind))
        self.decrypted, errors = self.decrypting.files(document, self.cwd)
        self._fail_on(errors)
        document.drop("version")
        document.put("name", name, document.mark("name"))

    def _fail_on(self, errors: list[SpecError]) -> None:
        if errors:
            raise self._in_order(errors)

    def _in_order(self, errors: Iterable[SpecError]) -> SpecErrors:
        order = {self._shown(file): index for index, file in enumerate(self.files)}
        distinct = {str(error): error for error in errors}.values()
        return SpecErrors(sorted(distinct, key=lambda error: _place(error, order))[:MAX_ERRORS])

    def _shown(self, path: str) -> str:
        return display_path(path, self.cwd)


def _bounded(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """The first of the notices, each once, and how many more there are."""
    distinct = tuple(dict.fromkeys(notices))
    more = len(distinct) - MAX_NOTICES
    if more <= 0:
        return distinct
    return (*distinct[:MAX_NOTICES], Notice("MoreNotices", f"and {more} more of this kind", distinct[-1].source))


def _place(error: SpecError, order: dict[str, int]) -> tuple[int, int]:
    """Where an error sorts: by file as given, then by line."""
    file, _, line = (error.source or "").rpartition(":")
    return order.get(file, len(order)), int(line) if line.isdigit() else 0
