"""Several documents of one project, merged in order (Compose Spec, "Merge and override"). After `canonical`.

Mappings merge key by key, lists append, scalars replace; null leaves what is there. The tables name the exceptions.
Lists whose items have an identity (ports, mounts, ...) keep one item each: the later one, in the earlier one's place.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from reconciler.errors import SpecError
from reconciler.spec.file_references import target_of
from reconciler.spec.nodes import NOWHERE, Items, Mark, Path, Table, kind_of, path_text, source_text

Pattern = tuple[str, ...]
Identity = Callable[[Any], Hashable]

_NAMED: frozenset[Pattern] = frozenset(
    {
        ("services",),
        ("networks",),
        ("volumes",),
        ("configs",),
        ("models",),
        ("secrets",),
        ("services", "*", "networks"),
        ("services", "*", "ulimits"),
        ("services", "*", "build", "ulimits"),
    }
)
_REPLACED: frozenset[Pattern] = frozenset(
    {
        ("services", "*", "command"),
        ("services", "*", "entrypoint"),
        ("services", "*", "healthcheck", "test"),
        ("services", "*", "ulimits", "*"),
        ("services", "*", "build", "ulimits", "*"),
        ("services", "*", "x-reconcile", "rollout", "drain", "command"),
    }
)
_ONE_KIND: dict[Pattern, str] = {
    ("services", "*", "logging"): "driver",
    ("services", "*", "x-reconcile", "rollout", "drain"): "method",
}
_NULL_IS_A_VALUE: frozenset[Pattern] = frozenset({("services", "*", "environment"), ("services", "*", "build", "args")})


def _port_identity(port: Any) -> Hashable:
    """As text: the schema has yet to say what else than strings and numbers the values are. No address is 0.0.0.0."""
    if not isinstance(port, Table):
        return repr(port)
    return repr(
        (port.get("host_ip", "0.0.0.0"), port.get("published", ""), port.get("target"), port.get("protocol", "tcp"))
    )


def _key(name: str) -> Identity:
    return lambda item: repr(item[name]) if isinstance(item, Table) and name in item else repr(item)


_UNIQUE: dict[Pattern, Identity] = {
    **{
        ("services", "*", key): repr
        for key in (
            *("cap_add", "cap_drop", "dns", "dns_opt", "dns_search", "expose", "extra_hosts", "links", "profiles"),
            "tmpfs",
        )
    },
    ("services", "*", "networks", "*", "aliases"): repr,
    ("services", "*", "build", "tags"): repr,
    ("services", "*", "build", "extra_hosts"): repr,
    ("services", "*", "x-reconcile", "mutation", "allow"): repr,
    ("services", "*", "x-reconcile", "image", "verify", "keys"): repr,
    ("services", "*", "networks", "*", "link_local_ips"): repr,
    ("services", "*", "ports"): _port_identity,
    ("services", "*", "devices"): _key("target"),
    ("services", "*", "volumes"): _key("target"),
    ("services", "*", "configs"): target_of("configs"),
    ("services", "*", "secrets"): target_of("secrets"),
    ("services", "*", "env_file"): _key("path"),
    ("networks", "*", "ipam", "config"): _key("subnet"),
}


def merge(base: Table, over: Table, resets: Sequence[Path] = ()) -> Table:
    """`base` without the `resets`, overridden by `over`; `base` is used up. SpecError where their shapes do not fit."""
    for path in resets:
        _forget(base, path)
    return _merge_tables(base, over, (), ())


def merge_service(name: str, base: Table, over: Table, resets: Sequence[Path]) -> Table:
    """Service `name`: `base`, which it extends, overridden by its own keys; `base` is used up."""
    merged: Table = merge(_alone(name, base), _alone(name, over), resets)["services"][name]
    return merged


def _alone(name: str, service: Table) -> Table:
    services, document = Table(), Table()
    services.put(name, service, NOWHERE)
    document.put("services", services, NOWHERE)
    return document


def _forget(table: Table, path: Path) -> None:
    """Take away what stands at the path; with an empty one, everything."""
    if not path:
        for key in list(table):
            table.drop(key)
        return
    *parents, last = path
    value: Any = table
    for step in parents:
        value = value.get(str(step)) if isinstance(value, Table) else None
    if isinstance(value, Table):
        value.drop(str(last))


def _merge_tables(base: Table, over: Table, pattern: Pattern, path: Path) -> Table:
    result = Table()
    for key, value in base.items():
        result.put(key, value, base.marks[key])
    for key, value in over.items():
        mark, step = over.marks[key], (*path, key)
        inner = (*pattern, "*" if pattern in _NAMED else key)
        if key in base:
            old_mark = base.marks[key]
            merged = _merge(base[key], value, inner, step, mark)
            kept = merged is base[key] or (isinstance(merged, Table) and isinstance(base[key], Table))
            result.put(key, merged, old_mark if kept else mark)
        else:
            result.put(key, _merge(Table() if isinstance(value, Table) else None, value, inner, step, mark), mark)
    return result


def _merge(base: Any, over: Any, pattern: Pattern, path: Path, mark: Mark) -> Any:
    if pattern in _REPLACED:
        return over
    if over is None and pattern[:-1] not in _NULL_IS_A_VALUE:
        return base
    if isinstance(base, Table) and isinstance(over, Table):
        return _merge_tables(_same_kind(base, over, _ONE_KIND.get(pattern)), over, pattern, path)
    if isinstance(over, Items) and (base is None or isinstance(base, Items)):
        return _append(base or Items(), over, _UNIQUE.get(pattern), pattern)
    if isinstance(base, Table | Items):
        message = f"{path_text(path)}: {kind_of(over)} cannot override {kind_of(base)}"
        raise SpecError(message, source=source_text(mark), hint="use the same form in both files, or !override")
    return over


def _same_kind(base: Table, over: Table, kind: str | None) -> Table:
    """Options of another logging driver, and those of another drain method, are not merged."""
    other = kind is not None and base.get(kind, over.get(kind)) != over.get(kind, base.get(kind))
    return Table() if other else base


def _append(base: Items, over: Items, identity: Identity | None, pattern: Pattern) -> Items:
    result = Items()
    places: dict[Hashable, int] = {}
    for item, mark in (*base.marked(), *over.marked()):
        known = identity(item) if identity else None
        if known is None or known not in places:
            places[known] = len(result)
            result.add(item, mark)
        else:
            _replace(result, places[known], item, mark, pattern)
    return result


def _replace(items: Items, place: int, item: Any, mark: Mark, pattern: Pattern) -> None:
    if pattern[-1] == "config" and isinstance(item, Table):
        item = _merge_tables(items[place], item, (*pattern, "*"), ())
    items[place], items.marks[place] = item, mark
