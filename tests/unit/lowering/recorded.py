"""What `docker compose up` sent to the engine for a compose text, read from `data/compose_requests.jsonl`.

One line a case: `document` is what `docker compose config` prints for `compose`; `containers` the create bodies by
service, `networks` and `volumes` the bodies of their creation by name, `endpoints` per service name, settings and
listed aliases in connection order. Left out: what says nothing (null, zero, empty), the image, and the labels that
Compose adds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.model.project import Project
from reconciler.spec.load import Loaded
from reconciler.spec.lowering import lower

DATA = Path(__file__).parent / "data"
UNORDERED = {"Env", "Binds", "Mounts", "ExtraHosts", "Ulimits"}


@dataclass(frozen=True)
class Case:
    """One recorded compose text. `refused` says that no engine takes what Compose sends for it."""

    case: str
    compose: str
    document: dict[str, Any]
    containers: dict[str, Any]
    endpoints: dict[str, list[list[Any]]]
    networks: dict[str, Any]
    volumes: dict[str, Any]
    refused: bool


def cases() -> list[Case]:
    """All recorded cases, in file order."""
    lines = (DATA / "compose_requests.jsonl").read_text(encoding="utf-8").splitlines()
    return [Case(**json.loads(line)) for line in lines]


def load(document: dict[str, Any], sources: Mapping[str, str] | None = None, **others: Any) -> Loaded:
    """A loaded project around a document, with the data folder as its own."""
    values: dict[str, Any] = {
        "name": "shop",
        "document": document,
        "sources": sources or {},
        "disabled": frozenset(),
        "working_dir": str(DATA),
        "files": ("compose.yaml",),
        "notices": (),
        "reconcile": {},
    }
    return Loaded(**(values | others))


def lower_service(sources: Mapping[str, str] | None = None, **spec: Any) -> Project:
    """The lowered project of one service `web` with these keys and the default network."""
    service = {"image": "example/base:1", "networks": {"default": None}, **spec}
    document = {"services": {"web": service}, "networks": {"default": {"name": "shop_default", "ipam": {}}}}
    return lower(load(document, sources))


def without_order(body: Any, key: str = "") -> Any:
    """The body with lists sorted whose order means nothing to the engine (Compose writes them in random order)."""
    if isinstance(body, Mapping):
        return {name: without_order(value, name) for name, value in body.items()}
    if isinstance(body, list):
        items = [without_order(item) for item in body]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if key in UNORDERED else items
    return body
