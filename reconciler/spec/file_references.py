"""Grammar of `configs` and `secrets` (Compose Spec, "Configs" and "Secrets"), top level and in services.

For `canonical` (short form, file modes), `consistency` (where a content comes from) and `defaults` (targets).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from reconciler.errors import SpecError
from reconciler.spec.forms import Spot, section
from reconciler.spec.nodes import NOWHERE, Items, MalformedError, Table, kind_of, shown, source_text

SECTIONS = ("configs", "secrets")
SECRETS_FOLDER = "/run/secrets"
_ORIGINS = {"secrets": ("file", "environment"), "configs": ("file", "environment", "content")}
_MODE = re.compile("[0-7]{1,5}")
_MOST = 0o7777


def reference(value: Any, spot: Spot) -> Table:
    """`NAME`, short for `{source: NAME}`, or the long form; its `mode` as Compose prints it, such as "0440"."""
    if isinstance(value, str):
        table = Table()
        table.put("source", value, spot.mark)
        return table
    if not isinstance(value, Table):
        raise MalformedError(f"must be a name or a mapping, not {kind_of(value)}")
    long_form: Table = _REFERENCE(value, spot)
    return long_form


def file_mode(value: Any, _: Spot) -> str:
    """File permissions: a number, or its octal digits as text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise MalformedError(f"must be file permissions such as 0440, not {kind_of(value)}")
    if isinstance(value, str):
        if not _MODE.fullmatch(value):
            raise MalformedError(f"{shown(value)} is not an octal number", 'write file permissions such as "0440"')
        value = int(value, 8)
    if not 0 <= value <= _MOST:
        raise MalformedError(f"0{value:o} is more than file permissions", "write at most 07777")
    return f"0{value:o}"


def check_definitions(document: Table) -> Iterator[SpecError]:
    """What is wrong with the top-level `configs` and `secrets`: each takes its content from exactly one place."""
    for kind, origins in _ORIGINS.items():
        definitions = document.get(kind) or Table()
        for name, definition in definitions.items():
            given = [key for key in origins if key in definition and (definition[key] or kind == "configs")]
            path, source = f"{kind}.{name}", source_text(definitions.mark(name))
            if not given and not definition.get("external"):
                yield SpecError(f"{path}: says not where its content comes from", source=source, hint=_choices(origins))
            elif len(given) > 1:
                message = f"{path}: takes its content from {' and '.join(given)}"
                yield SpecError(message, source=source, hint="leave one of them")


def check_references(name: str, service: Table, document: Table) -> Iterator[SpecError]:
    """The configs and secrets that a service, or its build, names and nobody declares."""
    build = service.get("build") or Table()
    for kind, items, place in (
        *((kind, service.get(kind) or Items(), kind) for kind in SECTIONS),
        ("secrets", build.get("secrets") or Items(), "build.secrets"),
    ):
        for index, item in enumerate(items):
            source = item.get("source", "")
            if source not in (document.get(kind) or ()):
                message = f"services.{name}.{place}[{index}]: there is no {kind.removesuffix('s')} {source!r}"
                hint = f"declare it under the top-level {kind}:"
                yield SpecError(message, source=source_text(items.marks[index]), hint=hint)


def complete_references(service: Table) -> None:
    """Leave out what is empty, and say where secrets without a `target` go, as Compose prints it."""
    for kind in SECTIONS:
        for item in service.get(kind) or ():
            for key in [key for key, value in item.items() if not value]:
                item.drop(key)
            if kind == "secrets" and "target" not in item:
                item.put("target", f"{SECRETS_FOLDER}/{item['source']}", NOWHERE)


def used_references(services: Table, kind: str) -> frozenset[str]:
    """Keys of the configs or secrets that services, or the builds of their images, name."""
    builds = [service.get("build") or {} for service in services.values()] if kind == "secrets" else []
    return frozenset(item["source"] for user in (*services.values(), *builds) for item in user.get(kind) or ())


def target_of(kind: str) -> Any:
    """What tells two references of a service apart when files are merged: where they go."""
    folder = SECRETS_FOLDER if kind == "secrets" else ""
    return lambda item: item.get("target") or f"{folder}/{item.get('source')}" if isinstance(item, Table) else item


def _choices(origins: tuple[str, ...]) -> str:
    return f"give it {', '.join(f'{key}:' for key in origins[:-1])} or {origins[-1]}:, or external: true"


_REFERENCE = section({"mode": file_mode})
