"""What a merged document says without saying it (Compose Spec): defaults, default network, names, implied dependencies.

Also leaves out what Compose does not print: values that mean nothing, networks and volumes that no service uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reconciler.spec.file_references import complete_references
from reconciler.spec.hooks import complete_develop
from reconciler.spec.namespaces import implied
from reconciler.spec.nodes import NOWHERE, Items, Mark, Table
from reconciler.spec.volumes import resolve_path

_KEPT_ZEROS = frozenset({"attach", "network_mode", "init", "scale", "stop_grace_period", "command", "entrypoint"})
_ZERO_SIZES = ("shm_size", "mem_limit", "mem_reservation", "mem_swappiness", "memswap_limit")
_KEPT_SECTIONS = frozenset({"develop", "blkio_config", "build", "credential_spec", "deploy", "healthcheck", "logging"})
_KEPT_IN_HEALTHCHECK = frozenset({"retries"})


def apply_service_defaults(service: Table, folder: str, environment: Mapping[str, str]) -> None:
    """Complete one service in place. `environment` gives build arguments without a value theirs."""
    for key in ("command", "entrypoint"):
        if key not in service:
            service.put(key, None, NOWHERE)
    for port in service.get("ports") or ():
        _default(port, "mode", "ingress")
        _default(port, "protocol", "tcp")
        _drop_nothing(port, frozenset())
    for mount in service.get("volumes") or ():
        _complete_mount(mount)
    complete_references(service)
    _complete_build(service, folder, environment)
    _complete_deploy(service)
    _complete_dependencies(service)
    for request in service.get("gpus") or ():
        _drop_nothing(request, frozenset())
    for key in ("blkio_config", "credential_spec"):
        _drop_nothing(service.get(key) or Table(), frozenset())
    for key, kept in (("healthcheck", _KEPT_IN_HEALTHCHECK), ("logging", frozenset[str]())):
        _drop_nothing(service.get(key) or Table(), kept)
    complete_develop(service)
    _sort_hosts(service)
    _default_network(service)
    _drop_nothing(service, _KEPT_ZEROS | _KEPT_SECTIONS)
    for key in _ZERO_SIZES:
        if service.get(key) == "0":
            service.drop(key)


def complete_definitions(document: Table, section: str, project: str, used: frozenset[str]) -> None:
    """Keep the used networks or volumes and give each its name: `<project>_<key>`, or the key if it is external."""
    definitions = document.get(section) or Table()
    completed = Table()
    for key in sorted(used):
        definition = definitions.get(key)
        table = Table() if definition is None else definition
        if "name" not in table:
            table.put("name", key if table.get("external") else f"{project}_{key}", definitions.mark(key))
        if section == "networks":
            _default(table, "ipam", Table())
            _drop_nothing(table["ipam"], frozenset())
        _drop_nothing(table, frozenset({"ipam", "enable_ipv4", "enable_ipv6", "content"}))
        completed.put(key, table, definitions.mark(key))
    document.drop(section)
    if completed:
        document.put(section, completed, NOWHERE)


def used_networks(services: Table) -> frozenset[str]:
    """Keys of the networks that services are attached to."""
    return frozenset(key for service in services.values() for key in service.get("networks") or ())


def used_volumes(services: Table) -> frozenset[str]:
    """Keys of the named volumes that services mount."""
    return frozenset(
        mount["source"]
        for service in services.values()
        for mount in service.get("volumes") or ()
        if mount["type"] == "volume" and mount.get("source")
    )


def _default(table: Table, key: str, value: Any) -> None:
    if key not in table:
        table.put(key, value, NOWHERE)


def _complete_mount(mount: Table) -> None:
    for kind in ("bind", "volume", "tmpfs", "image"):
        if kind in mount:
            _drop_nothing(mount[kind], frozenset())
            if mount[kind].get("size") == "0":
                mount[kind].drop("size")
    _drop_nothing(mount, frozenset({"bind", "volume", "tmpfs", "image"}))


def _complete_build(service: Table, folder: str, environment: Mapping[str, str]) -> None:
    build = service.get("build")
    if build is None:
        return
    _default(build, "context", resolve_path(".", folder, ""))
    if not build.get("dockerfile_inline"):
        _default(build, "dockerfile", "Dockerfile")
    args = build.get("args") or Table()
    for key in [key for key, value in args.items() if value is None]:
        if key in environment:
            args[key] = environment[key]
        else:
            args.drop(key)
    _sort_hosts(build)
    if build.get("shm_size") == "0":
        build.drop("shm_size")
    _drop_nothing(build, frozenset())


def _complete_deploy(service: Table) -> None:
    deploy = service.get("deploy")
    if deploy is None:
        service.drop("deploy")
        return
    _default(deploy, "resources", Table())
    for part in deploy["resources"].values():
        _drop_nothing(part, frozenset())
        if part.get("memory") == "0":
            part.drop("memory")
    for key in ("update_config", "rollback_config"):
        if key in deploy:
            _drop_no_delay(deploy[key])
            _drop_nothing(deploy[key], frozenset({"parallelism"}))
    _drop_nothing(deploy.get("placement") or Table(), frozenset())
    if "restart_policy" in deploy:
        _drop_nothing(deploy["restart_policy"], frozenset({"max_attempts"}))
    _drop_nothing(deploy, frozenset({"replicas", "resources", "update_config", "rollback_config", "restart_policy"}))


def _drop_no_delay(config: Table) -> None:
    """No delay is the default; no `monitor` is not, and stays, although Compose does not print it."""
    if config.get("delay") == "0s":
        config.drop("delay")


def _complete_dependencies(service: Table) -> None:
    for dependency in (service.get("depends_on") or {}).values():
        _default(dependency, "required", value=True)
        _drop_nothing(dependency, frozenset({"required"}))
    for owner, reason in implied(service).items():
        dependencies = service.setdefault("depends_on", Table())
        if owner not in dependencies:
            dependencies.put(owner, _implied_dependency(restart=reason.restart), service.mark(reason.key))


def _implied_dependency(*, restart: bool) -> Table:
    dependency = Table()
    dependency.put("condition", "service_started", NOWHERE)
    if restart:
        dependency.put("restart", value=True, mark=NOWHERE)
    dependency.put("required", value=True, mark=NOWHERE)
    return dependency


def _sort_hosts(service: Table) -> None:
    hosts = service.get("extra_hosts")
    if hosts:
        ordered = Items()
        by_host: Callable[[tuple[str, Mark]], str] = lambda pair: pair[0].partition("=")[0]  # noqa: E731
        for line, mark in sorted(hosts.marked(), key=by_host):
            ordered.add(line, mark)
        service["extra_hosts"] = ordered


def _default_network(service: Table) -> None:
    if "network_mode" not in service and "provider" not in service and not service.get("networks"):
        networks = Table()
        networks.put("default", None, NOWHERE)
        service.put("networks", networks, service.mark("networks"))
    for attachment in (service.get("networks") or {}).values():
        if attachment:
            _drop_nothing(attachment, frozenset())


def _drop_nothing(table: Table, kept: frozenset[str]) -> None:
    """Remove entries that say nothing: null, "", 0, false, empty lists and mappings."""
    for key in [key for key, value in table.items() if not value and key not in kept and not key.startswith("x-")]:
        table.drop(key)
