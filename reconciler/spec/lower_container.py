"""The body of POST /containers/create (Engine API, ContainerCreate) out of a service, except image and networks."""

from __future__ import annotations

from typing import Any

from reconciler.spec.durations import parse_duration
from reconciler.spec.lower_devices import devices
from reconciler.spec.lower_healthcheck import healthcheck
from reconciler.spec.lower_mounts import mounts, tmpfs
from reconciler.spec.lower_networks import mac_address
from reconciler.spec.lower_ports import exposed_ports, port_bindings
from reconciler.spec.lower_resources import resources
from reconciler.spec.lower_restart import restart_policy
from reconciler.spec.lower_scope import Scope, compact
from reconciler.spec.lower_security import capabilities, security
from reconciler.spec.lower_system import refuse_unknown_modes, refuse_unsupported_keys
from reconciler.spec.namespaces import plain_modes
from reconciler.spec.sizes import parse_bytes

SECOND = 1_000_000_000

# Compose attaches to both streams of every container (ContainerCreate, AttachStdout), and `docker inspect` shows it.
ATTACHED = {"AttachStdout": True, "AttachStderr": True}

CONFIG = {
    "hostname": "Hostname",
    "domainname": "Domainname",
    "user": "User",
    "working_dir": "WorkingDir",
    "stop_signal": "StopSignal",
    "tty": "Tty",
    "stdin_open": "OpenStdin",
    "labels": "Labels",
    "command": "Cmd",
}

HOST_CONFIG = {
    "annotations": "Annotations",
    "cgroup": "CgroupnsMode",
    "dns": "Dns",
    "dns_opt": "DnsOptions",
    "dns_search": "DnsSearch",
    "group_add": "GroupAdd",
    "isolation": "Isolation",
    "oom_score_adj": "OomScoreAdj",
    "privileged": "Privileged",
    "read_only": "ReadonlyRootfs",
    "runtime": "Runtime",
    "storage_opt": "StorageOpt",
    "sysctls": "Sysctls",
    "userns_mode": "UsernsMode",
    "uts": "UTSMode",
}


def container_body(scope: Scope) -> dict[str, Any]:
    """What the service asks of its containers: only what the document says, so that the hash of it is stable.

    The user's labels are in it; `deploy.labels` belong to the service and never reach a container.
    Raises SpecError for what the engine would refuse.
    """
    spec = scope.spec
    config = compact({field: spec.get(key) for key, field in CONFIG.items()})
    config |= compact(
        {
            "Env": environment(spec.get("environment") or {}),
            "ExposedPorts": exposed_ports(spec),
            "Healthcheck": healthcheck(scope),
            "MacAddress": mac_address(scope),
        }
    )
    return config | ATTACHED | _zero_matters(scope) | compact({"HostConfig": host_config(scope)})


def environment(variables: dict[str, Any]) -> list[str]:
    """`Env`, sorted by name. A null variable is a bare name, by which the engine takes away the image's own."""
    return [name if value is None else f"{name}={value}" for name, value in sorted(variables.items())]


def host_config(scope: Scope) -> dict[str, Any]:
    """`HostConfig`, with the keys that the service asks for."""
    spec = scope.spec
    refuse_unknown_modes(scope)
    refuse_unsupported_keys(scope)
    body = compact({field: spec.get(key) for key, field in HOST_CONFIG.items()})
    body |= compact(
        {
            "PortBindings": port_bindings(spec),
            "Tmpfs": tmpfs(spec),
            "ExtraHosts": _hosts(scope),
            "RestartPolicy": restart_policy(spec),
            "LogConfig": _logging(spec.get("logging") or {}),
            "ShmSize": parse_bytes(spec["shm_size"]) if spec.get("shm_size") else 0,
        }
    )
    body |= {"Init": spec["init"]} if spec.get("init") is not None else {}
    body |= plain_modes(spec) | mounts(scope) | capabilities(spec) | security(scope)
    return body | resources(scope) | devices(scope)


def _zero_matters(scope: Scope) -> dict[str, Any]:
    """`entrypoint: []` clears the image's, `stop_grace_period: 0s` kills at once: both differ from saying nothing."""
    body: dict[str, Any] = {}
    if scope.spec.get("entrypoint") is not None:
        body["Entrypoint"] = scope.spec["entrypoint"]
    if scope.spec.get("stop_grace_period") is not None:
        body["StopTimeout"] = parse_duration(scope.spec["stop_grace_period"]) // SECOND
    return body


def _hosts(scope: Scope) -> list[str]:
    """`HOST:ADDRESS`; SpecError for a host without an address, which no engine takes."""
    for entry in scope.spec.get("extra_hosts") or ():
        if entry.endswith("="):
            raise scope.refuse("extra_hosts", f"extra_hosts: {entry.rstrip('=')} has no address", "write HOST=ADDRESS")
    return [entry.replace("=", ":", 1) for entry in scope.spec.get("extra_hosts") or ()]


def _logging(spec: dict[str, Any]) -> dict[str, Any]:
    return compact({"Type": spec.get("driver"), "Config": spec.get("options")})
