"""Marked data -> what leaves this package: a plain document, and `file:line` by path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.spec.nodes import Items, Table


def plain(value: Any) -> Any:
    """The value without marks: plain dicts, lists and scalars, shared with nothing."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def source_map(document: Table, root: str) -> dict[str, str]:
    """Path -> `file:line` of everything that was written; the empty path is `root`. Defaults have no entry."""
    sources = {"": root}
    _collect(document, "", sources)
    return sources


def nearest(path: str, sources: Mapping[str, str]) -> str:
    """Where the value, or the nearest part around it that was written, stands; "" where nothing was."""
    while path and path not in sources:
        path = path.rpartition(".")[0]
    return sources.get(path, "")


def _collect(value: Table | Items, path: str, sources: dict[str, str]) -> None:
    if isinstance(value, Table):
        prefix = f"{path}." if path else ""
        entries = [(f"{prefix}{key}", item, value.marks.get(key)) for key, item in value.items()]
    else:
        entries = [(f"{path}[{index}]", item, mark) for index, (item, mark) in enumerate(value.marked())]
    for inner, item, mark in entries:
        if mark and mark[1]:
            sources[inner] = f"{mark[0]}:{mark[1]}"
        if isinstance(item, Table | Items):
            _collect(item, inner, sources)
