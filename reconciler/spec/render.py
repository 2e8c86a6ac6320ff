"""Prints a loaded document as `docker compose config` does: `$` doubled, so that it loads again to the same model."""

from __future__ import annotations

import json
from typing import Any, Literal

import yaml

from reconciler.spec.scalars import resolve

_EXTENDED = ("services", "networks", "volumes", "configs")
_KEPT_EMPTY = ("content", "network_mode")
_KEPT_EXTENSION = "x-reconcile"
_SIGNED = ("mem_limit", "memswap_limit", "mem_swappiness")
_BATCHES = ("update_config", "rollback_config")


def render(document: dict[str, Any], fmt: Literal["json", "yaml"]) -> str:
    """The document as text that ends in a newline, keys sorted.

    JSON is Compose's own answer, with its ways: no models, no empty network mode or content, no nested `x-*`, no zeros
    in ulimits and monitors, `$` doubled in keys.
    YAML is what loads again to the same document.
    """
    if fmt == "yaml":
        services = {name: _loadable(entry) for name, entry in (document.get("services") or {}).items()}
        return yaml.dump(
            _escaped({**document, "services": services}, keys=False),
            Dumper=ComposeDumper,
            sort_keys=True,
            allow_unicode=True,
            default_flow_style=False,
            width=10_000,
        )
    shown = {key: _entries(value) if key in _EXTENDED else value for key, value in document.items() if key != "models"}
    return json.dumps(_escaped(shown, keys=True), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _loadable(service: dict[str, Any]) -> dict[str, Any]:
    """The service with negative sizes as numbers, the only form in which Compose reads them."""
    return {key: int(value) if key in _SIGNED and value[:1] == "-" else value for key, value in service.items()}


def _entries(section: dict[str, Any]) -> dict[str, Any]:
    return {name: _entry(entry) for name, entry in section.items()}


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    """A service, network or volume as Compose's JSON shows it: no `x-*`, and of ulimits and monitors no zeros."""
    shown = {key: value for key, value in entry.items() if key == _KEPT_EXTENSION or not key.startswith("x-")}
    shown = {key: value for key, value in shown.items() if value != "" or key not in _KEPT_EMPTY}
    if "ulimits" in shown:
        shown["ulimits"] = {name: _without_zeros(limit) for name, limit in shown["ulimits"].items()}
    if "blkio_config" in shown:
        shown["blkio_config"] = {key: _capitalised(part) for key, part in shown["blkio_config"].items()}
    if "deploy" in shown:
        shown["deploy"] = {key: _without_no_monitor(key, part) for key, part in shown["deploy"].items()}
    return shown


def _without_no_monitor(key: str, part: Any) -> Any:
    if key not in _BATCHES:
        return part
    return {name: value for name, value in part.items() if (name, value) != ("monitor", "0s")}


def _capitalised(devices: Any) -> Any:
    """The devices of `blkio_config` by the names of Compose's own fields: Path, Rate, Weight."""
    if not isinstance(devices, list):
        return devices
    return [{key.capitalize(): value for key, value in device.items()} for device in devices]


def _without_zeros(limit: int | dict[str, int]) -> int | dict[str, int]:
    return {key: value for key, value in limit.items() if value} if isinstance(limit, dict) else limit or {}


def _escaped(value: Any, *, keys: bool) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [_escaped(item, keys=keys) for item in value]
    if isinstance(value, dict):
        return {key.replace("$", "$$") if keys else key: _escaped(item, keys=keys) for key, item in value.items()}
    return value


class ComposeDumper(yaml.CSafeDumper):
    """Writes no anchors, and quotes what Compose's YAML (not only PyYAML's) would read as something else than text."""

    def ignore_aliases(self, _: Any) -> bool:
        """Always: the document is a tree."""
        return True


def _text(dumper: ComposeDumper, text: str) -> yaml.ScalarNode:
    bare = type(resolve(text)) is str and text != "<<"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if bare else '"')


ComposeDumper.add_representer(str, _text)
