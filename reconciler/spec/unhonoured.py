"""Keys that are accepted and change nothing yet: the user is told, with the place, that they do not act."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model.project import Notice
from reconciler.spec.nodes import Table, source_text

CODE = "NotYetHonoured"
_DEPLOY: dict[str, tuple[str, ...]] = {
    "update_config": ("delay", "monitor", "failure_action", "max_failure_ratio"),
    "rollback_config": (),
    "restart_policy": ("delay", "window"),
}


def unhonoured_notices(document: Table) -> list[Notice]:
    """One notice for each key of an enabled service that is accepted but not honoured yet."""
    return [notice for name, service in document["services"].items() for notice in _of_service(name, service)]


def _of_service(name: str, service: Table) -> Iterator[Notice]:
    deploy = service.get("deploy") or Table()
    for section, keys in _DEPLOY.items():
        if section in deploy and not keys:
            yield _notice(f"services.{name}.deploy.{section}", deploy, section)
        for key in keys:
            if key in deploy.get(section, ()):
                yield _notice(f"services.{name}.deploy.{section}.{key}", deploy[section], key)
    for other, dependency in (service.get("depends_on") or {}).items():
        if dependency.get("restart"):
            yield _notice(f"services.{name}.depends_on.{other}.restart", dependency, "restart")


def _notice(path: str, table: Table, key: str) -> Notice:
    return Notice(CODE, f"{path}: accepted, but not honoured yet: it changes nothing", source_text(table.mark(key)))
