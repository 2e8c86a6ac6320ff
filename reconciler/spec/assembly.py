"""The documents of a project's files -> one document in canonical form, in the order of work of Compose's loader.

Per document: interpolation, canonical form, `include`, `extends`, merge, schema. Called by `load`, and by itself for
every project that is included.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from reconciler.errors import SpecError, SpecErrors
from reconciler.model.project import Notice
from reconciler.spec.canonical import canonical
from reconciler.spec.environment import EnvFiles, project_environment
from reconciler.spec.extends import Family, apply_extends
from reconciler.spec.file_references import SECTIONS
from reconciler.spec.forms import Scope
from reconciler.spec.include import Inclusion, complete_included, import_resources, take_inclusions
from reconciler.spec.interpolation import Interpolation, interpolate_values
from reconciler.spec.merge import merge
from reconciler.spec.nodes import Table, source_text
from reconciler.spec.schema.check import MISSING, check_document
from reconciler.spec.sources import Source, Sources

MAX_DEPTH = 50


@dataclass(frozen=True)
class Assembly:
    """The folder (in `scope`) and environment in which files are read, and what the whole load shares.

    `variables` collects the content of configs and secrets that are variables, by `configs.NAME`: each has the value
    that it has where it is declared. `trail` are the files that include these, outermost first, symbolic links
    resolved.
    """

    scope: Scope
    environment: Mapping[str, str]
    sources: Sources
    env_files: EnvFiles
    notices: list[Notice]
    variables: dict[str, str | None]
    trail: tuple[str, ...] = ()
    families: dict[str, Family] = field(default_factory=dict)

    def assemble(self, sources: list[Source]) -> Table:
        """The merged document; SpecErrors with everything that is wrong up to the first document that is not valid."""
        merged = Table()
        for source in sources:
            document = self._canonical(source)
            self._keep_variables(document)
            nulls = _null_errors(document)
            for inclusion in take_inclusions(document, self.scope):
                self._include(document, inclusion, source)
            apply_extends(self._family(document, source, self.scope.folder), self.scope, self._read_family)
            try:
                merged = merge(merged, document, source.document.resets)
            except SpecError as error:
                self.scope.errors.append(error)
            malformed = [*self.scope.errors, *nulls]
            _fail_on(malformed + _not_yet_told(check_document(merged), malformed))
        return merged

    def _keep_variables(self, document: Table) -> None:
        for kind in SECTIONS:
            definitions = document.get(kind) or Table()
            for name, definition in definitions.items():
                variable = definition.get("environment") if isinstance(definition, Table) else None
                if isinstance(variable, str):
                    self.variables[f"{kind}.{name}"] = self.environment.get(variable)

    def _canonical(self, source: Source) -> Table:
        values = self._interpolated(source)
        if "version" in values:
            message = "version is obsolete and ignored: remove it"
            self.notices.append(Notice("VersionIgnored", message, source_text(values.mark("version"))))
        return canonical(values, self.scope)

    def _interpolated(self, source: Source) -> Table:
        work = Interpolation(self.environment)
        values: Table = interpolate_values(source.table, work)
        _fail_on(work.errors)
        self.notices.extend(work.notices)
        return values

    def _include(self, document: Table, inclusion: Inclusion, source: Source) -> None:
        try:
            inner = self._inside(inclusion, source)
            found = [one for path in inclusion.paths for one in self.sources.read(path, source_text(inclusion.mark))]
        except SpecErrors:
            raise
        except SpecError as error:
            self.scope.errors.append(error)
            return
        imported = inner.assemble(found)
        complete_included(imported, inner.scope, inner.environment)
        import_resources(document, imported, self.scope)

    def _inside(self, inclusion: Inclusion, source: Source) -> Assembly:
        """The assembly of what is included. The variables of this project win over those of its env files."""
        trail = (*self.trail, os.path.realpath(source.path))
        self._check_trail(inclusion, trail)
        environment, place = self.environment, source_text(inclusion.mark)
        if inclusion.env_files != ():
            files = inclusion.env_files or ()
            environment = project_environment(inclusion.folder, files, environment, self.env_files, place)
        scope = replace(self.scope, folder=inclusion.folder)
        return replace(self, scope=scope, environment=environment, trail=trail, families={})

    def _check_trail(self, inclusion: Inclusion, trail: tuple[str, ...]) -> None:
        place = source_text(inclusion.mark)
        again = next((path for path in map(os.path.realpath, inclusion.paths) if path in trail), None)
        if again:
            cycle = " -> ".join(self.sources.shown(path) for path in (*trail[trail.index(again) :], again))
            raise SpecError(f"include cycle: {cycle}", source=place, hint="remove one of these includes")
        if len(trail) > MAX_DEPTH:
            raise SpecError(f"files include each other more than {MAX_DEPTH} levels deep", source=place)

    def _read_family(self, path: str, named_at: str) -> Family:
        """The services of another file, read once; SpecErrors if they are malformed."""
        if path not in self.families:
            self.families[path] = self._fresh_family(path, named_at)
        return self.families[path]

    def _fresh_family(self, path: str, named_at: str) -> Family:
        found = self.sources.read(path, named_at)
        folder, merged = posixpath.dirname(path), Table()
        scope = replace(self.scope, folder=folder)
        for source in found:
            values = self._interpolated(source)
            services = Table()
            services.put("services", values.get("services"), values.mark("services"))
            merged = merge(merged, canonical(services, scope), source.document.resets)
        _fail_on(scope.errors)
        return self._family(merged, found[-1], folder)

    def _family(self, document: Table, source: Source, folder: str) -> Family:
        services = document.get("services")
        table = services if isinstance(services, Table) else Table()
        return Family(table, source.document.resets, source.file, folder, os.path.realpath(source.path))


def _fail_on(errors: list[SpecError]) -> None:
    if errors:
        raise SpecErrors(list(errors))


def _not_yet_told(errors: list[SpecError], malformed: list[SpecError]) -> list[SpecError]:
    """The errors without those that miss a value which was left out because it is malformed."""
    told = {error.message.partition(": ")[0] for error in malformed}
    return [error for error in errors if error.message.removesuffix(f": {MISSING}") not in told]


def _null_errors(document: Table) -> list[SpecError]:
    """Sections and services that stand there with nothing in them."""
    sections = [
        name
        for name in ("services", "networks", "volumes", "configs", "secrets")
        if name in document and document[name] is None
    ]
    errors = [_must_be_mapping(name, document, name) for name in sections]
    services = document.get("services") or Table()
    errors += [
        _must_be_mapping(f"services.{name}", services, name) for name, service in services.items() if service is None
    ]
    return errors


def _must_be_mapping(path: str, table: Table, key: str) -> SpecError:
    return SpecError(f"{path}: must be a mapping, not nothing", source=source_text(table.mark(key)))
