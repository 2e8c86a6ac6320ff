"""Where the checks of one service look, and how they say what they found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reconciler.errors import SpecError
from reconciler.model.project import Notice
from reconciler.spec.nodes import Table, source_text


@dataclass(frozen=True)
class Site:
    """One service and the document around it."""

    name: str
    service: Table
    document: Table

    def section(self, *path: str) -> Table:
        """The section at a path of the service, empty where it is not there."""
        section: Any = self.service
        for step in path:
            section = section.get(step) or Table()
        return section if isinstance(section, Table) else Table()

    def error(self, path: tuple[str, ...], message: str, hint: str) -> SpecError:
        """An error at a path of the service."""
        return SpecError(f"{self._name(path)}: {message}", source=self._source(path), hint=hint)

    def notice(self, code: str, path: tuple[str, ...], message: str) -> Notice:
        """A notice at a path of the service."""
        return Notice(code, f"{self._name(path)}: {message}", self._source(path))

    def _name(self, path: tuple[str, ...]) -> str:
        return ".".join(("services", self.name, *path))

    def _source(self, path: tuple[str, ...]) -> str:
        return source_text(self.section(*path[:-1]).mark(path[-1]))


def sites(document: Table) -> list[Site]:
    """One for each service, in the document's order."""
    return [Site(name, service, document) for name, service in document["services"].items()]
