"""What every part of lowering is given: one service, the document around it, and where its lines stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.errors import SpecError
from reconciler.spec.positions import nearest


@dataclass(frozen=True)
class Scope:
    """One service to lower. `sources` maps its field paths to `file:line`; the empty path is the service itself.

    `variables` holds what configs and secrets of `environment:` contain, by `configs.NAME`; `keys` the PEM of public
    keys, by path. `decrypted` is what encrypted files hold, by path, and `hidden` are the variables out of such ones.
    """

    name: str
    spec: Mapping[str, Any]
    document: Mapping[str, Any]
    working_dir: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str | None] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    decrypted: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    hidden: frozenset[str] = frozenset()

    def refuse(self, path: str, message: str, hint: str | None = None) -> SpecError:
        """The error that refuses the project because of this field, to be raised by the caller."""
        return SpecError(f"services.{self.name}: {message}", source=self.source(path) or None, hint=hint)

    def source(self, path: str) -> str:
        """Where the field, or the nearest part around it that was written, stands; "" where nothing was."""
        return nearest(path, self.sources)


def compact(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body without entries that say nothing to the engine: null, "", 0, false, and empty lists and objects.

    Keeps a desired hash free of what was not asked for. Not for values whose zero means something (StopTimeout, Init).
    """
    return {key: value for key, value in body.items() if value}
