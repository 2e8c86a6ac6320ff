"""Keys that `config` keeps and no container shows: each is warned about by name and with the reason, by `lowering`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from reconciler.model.project import Notice
from reconciler.spec.nodes import path_text
from reconciler.spec.positions import nearest
from reconciler.spec.schema.support import Verdict, support_of
from reconciler.spec.schema.tree import ANY, ITEM, keys

_Path = tuple[str | int, ...]


def unhonoured(document: Mapping[str, Any], sources: Mapping[str, str]) -> Iterator[Notice]:
    """What a normalised document asks for and does not get, service by service. `sources`: path -> `file:line`."""
    for pattern, reason in _ignored():
        for path in _written(document, pattern, ()):
            yield _notice(path, f"is ignored: {reason}", sources)
    for name, service in (document.get("services") or {}).items():
        if service.get("use_api_socket"):
            message = "the container gets the engine's socket, and no passwords of registries"
            yield _notice(("services", name, "use_api_socket"), message, sources)


@cache
def _ignored() -> tuple[tuple[tuple[str, ...], str], ...]:
    """Paths of the keys that mean nothing to one engine, and why."""
    found = [(key.path, support_of(key.model, key.name)) for key in keys()]
    return tuple((path, support.reason) for path, support in found if support.verdict is Verdict.IGNORED)


def _written(value: Any, pattern: tuple[str, ...], path: _Path) -> Iterator[_Path]:
    """Where a value stands that says anything."""
    if not pattern:
        if value:
            yield path
        return
    step, *rest = pattern
    for key, item in _entries(value):
        if step in (ANY, ITEM, key):
            yield from _written(item, tuple(rest), (*path, key))


def _entries(value: Any) -> list[tuple[str | int, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _notice(path: _Path, message: str, sources: Mapping[str, str]) -> Notice:
    place = path_text(path)
    return Notice("NotHonoured", f"{place}: {message}", nearest(place, sources))
