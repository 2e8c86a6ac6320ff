"""Short forms -> long forms, for one document (Compose Spec, one rule per key). After interpolation, before the merge.

The tables below are the map of the spec: a key that needs more than the schema's type check has its rule here. Paths
become absolute here too, because they are relative to the file's own project directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.spec import forms, hooks
from reconciler.spec.builds import build
from reconciler.spec.devices import complete_request, device_count, parse_device
from reconciler.spec.extension import service_rules
from reconciler.spec.file_references import reference
from reconciler.spec.forms import (
    Rule,
    Scope,
    Spot,
    from_plain,
    listing,
    mapping,
    need_items,
    need_table,
    need_text,
    section,
)
from reconciler.spec.nodes import NOWHERE, Items, MalformedError, Table, shown
from reconciler.spec.policies import (
    check_mac_address,
    check_namespace,
    check_pull_policy,
    check_restart,
    rollback_action,
)
from reconciler.spec.ports import check_address, check_protocol, check_published, parse_port
from reconciler.spec.schema.support import SUPPORT
from reconciler.spec.shellwords import split_words
from reconciler.spec.volumes import clean, parse_volume, resolve_path

MAX_PORTS = 100_000
_TESTS = ("CMD", "CMD-SHELL", "NONE")


def canonical(document: Table, scope: Scope) -> Table:
    """The document with every value in its one form. What is malformed is reported to `scope` and left out."""
    converted = forms.convert(_PROJECT, document, Spot((), NOWHERE, scope))
    return converted if isinstance(converted, Table) else Table()


def _command(value: Any, spot: Spot) -> Any:
    if isinstance(value, str):
        return from_plain(split_words(value), spot)
    return need_items(value)


def _test(value: Any, spot: Spot) -> Any:
    if isinstance(value, str):
        return from_plain(["CMD-SHELL", value], spot)
    items = need_items(value)
    if items and items[0] not in _TESTS:
        raise MalformedError(
            f"must begin with {', '.join(_TESTS[:-1])} or {_TESTS[-1]}", f"write [CMD, {items[0]}, ...]"
        )
    return items


def _path(value: Any, spot: Spot) -> str:
    return resolve_path(need_text(value), spot.scope.folder, spot.scope.home)


def _paths(value: Any, spot: Spot) -> Any:
    return listing(_path)(forms.text_list(value, spot), spot)


def _env_file(value: Any, spot: Spot) -> Any:
    return listing(_env_file_entry)(forms.text_list(value, spot), spot)


def _env_file_entry(value: Any, spot: Spot) -> Any:
    return _ENV_FILE(from_plain({"path": value}, spot) if isinstance(value, str) else value, spot)


def _depends_on(value: Any, spot: Spot) -> Table:
    if not isinstance(value, Items):
        return mapping(_DEPENDENCY)(value, spot)  # type: ignore[no-any-return]
    return _named(value, spot, {"condition": "service_started", "required": True})


def _networks(value: Any, spot: Spot) -> Table:
    if not isinstance(value, Items):
        return mapping(_ATTACHMENT)(value, spot)  # type: ignore[no-any-return]
    return _named(value, spot, None)


def _named(value: Items, spot: Spot, default: Mapping[str, Any] | None) -> Table:
    """The mapping that a list of names stands for."""
    table = Table()
    for index, (item, mark) in enumerate(value.marked()):
        child = spot.child(index, mark)
        name = forms.convert(forms.text, item, child)
        if name in table:
            child.report(MalformedError(f"{shown(name)} is listed twice"))
        elif name is not forms.FAILED:
            table.put(name, from_plain(default, child), mark)
    return table


def _port(value: Any, spot: Spot) -> Any:
    if isinstance(value, Table):
        return _PORT(value, spot)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    ports = parse_port(need_text(value))
    spot.scope.ports += len(ports)
    if spot.scope.ports > MAX_PORTS:
        raise MalformedError(f"port ranges of the file expand to more than {MAX_PORTS} ports")
    return from_plain(ports, spot)


def _published(value: Any, _: Spot) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return check_published(str(value))
    return check_published(value) if need_text(value) else ""


def _expose(value: Any, _: Spot) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return need_text(value)


def _group(value: Any, spot: Spot) -> Any:
    if isinstance(value, float):
        raise MalformedError("must be the name or the number of a group")
    return forms.number_or_text(value, spot)


def _volume(value: Any, spot: Spot) -> Table:
    table = from_plain(parse_volume(value), spot) if isinstance(value, str) else need_table(value)
    mount: Table = _MOUNT(table, spot)
    if mount.get("type") == "bind" and isinstance(mount.get("source"), str):
        mount["source"] = resolve_path(mount["source"], spot.scope.folder, spot.scope.home)
    return mount


def _extra_hosts(value: Any, spot: Spot) -> Items:
    """`HOST:ADDRESS`, `HOST=ADDRESS` or a mapping -> `HOST=ADDRESS`, brackets of IPv6 addresses removed."""
    if isinstance(value, Items):
        return listing(_extra_host)(value, spot)  # type: ignore[no-any-return]
    items = Items()
    for host, addresses in need_table(value).items():
        child = spot.child(host, value.marks[host])
        if not host:
            child.report(MalformedError("a host may not be without a name"))
        for address in addresses if isinstance(addresses, Items) else [addresses]:
            line = forms.convert(forms.text, address, child)
            if line is not forms.FAILED:
                items.add(f"{host}={_unbracketed(line)}", child.mark)
    return items


def _extra_host(value: Any, _: Spot) -> str:
    line = need_text(value)
    host, found, address = line.partition("=" if "=" in line else ":")
    if not found or not host:
        raise MalformedError(f"{shown(line)} is not HOST=ADDRESS")
    return f"{host}={_unbracketed(address)}"


def _unbracketed(address: str) -> str:
    inside = address[1:-1]
    return inside if inside and address == f"[{inside}]" else address


def _addresses(value: Any, spot: Spot) -> Items:
    """A name server or search domain, or a list of them; "" means none."""
    return Items() if value == "" else forms.text_list(value, spot)


def _device(value: Any, spot: Spot) -> Table:
    table: Table = from_plain(parse_device(value), spot) if isinstance(value, str) else section({})(value, spot)
    return table


def _gpus(value: Any, spot: Spot) -> Any:
    """`all`, or a list of requests."""
    if isinstance(value, str):
        if value != "all":
            raise MalformedError(f"must be all or a list, not {shown(value)}")
        value = from_plain([{"count": value}], spot)
    return listing(_gpu)(value, spot)


def _gpu(value: Any, spot: Spot) -> Table:
    table: Table = _GPU(value, spot)
    return complete_request(table)


def _swappiness(value: Any, spot: Spot) -> str:
    """The percentage as text, as Compose prints it; it takes 0 for not given."""
    text: str = forms.size(value, spot)
    if text == "0":
        spot.notice("ZeroIgnored", "0 means the engine's default here, as in Compose; write 1 for the least swapping")
    return text


def _refresh_after(value: Any, spot: Spot) -> Any:
    spot.notice("NotHonoured", f"is ignored: {SUPPORT['Service.pull_refresh_after'].reason}")
    return forms.duration(value, spot)


def _blank_options(value: Any, spot: Spot) -> Table:
    """Options of which one without a value is empty."""
    table = forms.options(value, spot)
    for key, item in table.items():
        if item is None:
            table[key] = ""
    return table


def _ulimit(value: Any, spot: Spot) -> Any:
    return _ULIMIT(value, spot) if isinstance(value, Table) else forms.whole(value, spot)


def _definition(rules: Mapping[str, Rule], *, keep_extensions: bool = True) -> Rule:
    """A top-level definition; `external: {name: x}` is the old way to write `external: true` and `name: x`."""
    convert_section = section({**rules, "external": _external}, keep_extensions=keep_extensions)

    def apply(value: Any, spot: Spot) -> Table:
        table: Table = convert_section(value, spot)
        external = table.get("external")
        if isinstance(external, Table):
            mark = table.marks["external"]
            table.put("external", value=True, mark=mark)
            if "name" in external:
                table.put("name", external["name"], external.marks["name"])
        return table

    return apply


def _external(value: Any, spot: Spot) -> Any:
    return value if isinstance(value, Table) else forms.boolean(value, spot)


_ENV_FILE = section({"path": _path, "required": forms.boolean})
_DEPENDENCY = section({"restart": forms.boolean})


def _rank(value: Any, spot: Spot) -> Any:
    """A whole number, and not as text."""
    if isinstance(value, str):
        raise MalformedError(f"must be a whole number, not {shown(value)}", "remove the quotes")
    return forms.whole(value, spot)


_ATTACHMENT = section(
    {
        "driver_opts": forms.options,
        "mac_address": check_mac_address,
        **dict.fromkeys(("priority", "gw_priority"), _rank),
    }
)
_PORT = section(
    {
        "target": forms.whole,
        "published": _published,
        "protocol": lambda value, _: check_protocol(need_text(value)),
        "host_ip": lambda value, _: check_address(need_text(value)),
    }
)


def _tmpfs_mode(value: Any, _: Spot) -> Any:
    if isinstance(value, int) and value < 0:
        raise MalformedError(f"mode {value} is negative")
    return value


_MOUNT = section(
    {
        "target": lambda value, _: clean(need_text(value)),
        "read_only": forms.boolean,
        "bind": section({"create_host_path": forms.boolean}),
        "volume": section({"nocopy": forms.boolean, "labels": forms.labels}),
        "tmpfs": section({"size": forms.natural_size, "mode": _tmpfs_mode}),
    }
)
_ULIMIT = section({"soft": forms.whole, "hard": forms.whole})
_GPU = section({"count": device_count, "options": forms.labels})
_RATES = listing(section({"rate": forms.natural_size}))
_BLKIO = section(
    dict.fromkeys(("device_read_bps", "device_read_iops", "device_write_bps", "device_write_iops"), _RATES)
)
_HEALTHCHECK = section(
    {
        "test": _test,
        "disable": forms.boolean,
        "retries": forms.whole,
        **dict.fromkeys(("interval", "timeout", "start_period", "start_interval"), forms.duration),
    }
)
_BATCHES: Mapping[str, Rule] = {
    "parallelism": forms.whole,
    "delay": forms.duration,
    "monitor": forms.duration,
    "max_failure_ratio": forms.single,
}
_RESOURCES = section({"cpus": forms.single, "memory": forms.size_text, "pids": forms.whole})
_RESERVATIONS = section(
    {
        "cpus": forms.single,
        "memory": forms.size_text,
        "devices": listing(_gpu),
        "generic_resources": listing(section({})),
    }
)
_DEPLOY = section(
    {
        "replicas": forms.whole,
        "labels": forms.labels,
        "update_config": section(_BATCHES),
        "rollback_config": section({**_BATCHES, "failure_action": rollback_action}),
        "placement": section({"max_replicas_per_node": forms.whole, "preferences": listing(section({}))}),
        "restart_policy": section({"max_attempts": forms.whole, "delay": forms.duration, "window": forms.duration}),
        "resources": section({"limits": _RESOURCES, "reservations": _RESERVATIONS}),
    }
)
_SERVICE = section(
    {
        **dict.fromkeys(("command", "entrypoint"), _command),
        **dict.fromkeys(
            ("attach", "init", "read_only", "privileged", "tty", "stdin_open", "oom_kill_disable"), forms.boolean
        ),
        **dict.fromkeys(
            (
                *("scale", "pids_limit", "oom_score_adj", "cpu_count", "cpu_percent", "cpu_shares", "cpu_quota"),
                *("cpu_period", "cpu_rt_period", "cpu_rt_runtime"),
            ),
            forms.whole,
        ),
        **dict.fromkeys(("mem_limit", "memswap_limit"), forms.size),
        **dict.fromkeys(("shm_size", "mem_reservation"), forms.natural_size),
        **dict.fromkeys(("dns", "dns_search"), _addresses),
        **dict.fromkeys(("annotations", "labels", "sysctls"), forms.labels),
        "blkio_config": _BLKIO,
        "build": build(_ulimit, _extra_hosts),
        "configs": listing(reference),
        "cpus": forms.single,
        "depends_on": _depends_on,
        "deploy": _DEPLOY,
        "develop": hooks.develop(_path, _command),
        "devices": listing(_device),
        "env_file": _env_file,
        "label_file": _paths,
        "environment": forms.variables,
        "expose": listing(_expose),
        "extra_hosts": _extra_hosts,
        "gpus": _gpus,
        "group_add": listing(_group),
        "healthcheck": _HEALTHCHECK,
        "ipc": check_namespace("host", "none", "private", "shareable"),
        "logging": section({"options": _blank_options}),
        "mac_address": check_mac_address,
        "mem_swappiness": _swappiness,
        "models": hooks.service_models,
        "networks": _networks,
        "pid": check_namespace("host"),
        "ports": listing(_port),
        **dict.fromkeys(("post_start", "pre_start", "pre_stop"), listing(hooks.hook(_command))),
        "provider": section({"options": hooks.provider_options}),
        "pull_policy": lambda value, _: check_pull_policy(value),
        "pull_refresh_after": _refresh_after,
        "restart": lambda value, _: check_restart(value),
        "secrets": listing(reference),
        "stop_grace_period": forms.duration,
        "storage_opt": _blank_options,
        "tmpfs": forms.text_list,
        "ulimits": mapping(_ulimit),
        "volumes": listing(_volume),
        "x-reconcile": service_rules(_command, _paths),
    },
    keep_extensions=True,
)
_NETWORK = _definition(
    {
        **dict.fromkeys(("internal", "attachable", "enable_ipv4", "enable_ipv6"), forms.boolean),
        "driver_opts": forms.options,
        "ipam": section({"config": listing(section({})), "options": mapping(forms.text)}),
        "labels": forms.labels,
    }
)
_VOLUME = _definition({"driver_opts": forms.options, "labels": forms.labels})
_FILE = _definition({"driver_opts": forms.options, "file": _path, "labels": forms.labels}, keep_extensions=False)
_PROJECT = section(
    {
        "configs": mapping(_FILE),
        "secrets": mapping(_FILE),
        "models": mapping(section({"context_size": lambda value, _: value})),
        "services": mapping(_SERVICE),
        "networks": mapping(_NETWORK),
        "volumes": mapping(_VOLUME),
        "x-reconcile": section(dict.fromkeys(("prune", "allow_empty", "suspend"), forms.boolean)),
    },
    keep_extensions=True,
)
