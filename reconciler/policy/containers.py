"""Rules about the body of POST /containers/create (Engine API, ContainerCreate), mounts and ports aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from reconciler.model.observed import json_value
from reconciler.model.project import JSON
from reconciler.policy.host_paths import clean, shown
from reconciler.policy.rule import Finding, Ground

# Modes that keep a namespace to the container itself; everything else is the host's, or another container's.
_OWN = {
    "PidMode": ("pid", {"", "private"}),
    "IpcMode": ("ipc", {"", "none", "private", "shareable"}),
    "UTSMode": ("uts", {"", "private"}),
    "UsernsMode": ("userns_mode", {"", "private"}),
    "CgroupnsMode": ("cgroup", {"", "private"}),
}
_JOINS = "container:"
_FOREIGN_NETWORKS = ("host", "ns:")
_LOG_OPTIONS = {
    "cache-compress",
    "cache-disabled",
    "cache-max-file",
    "cache-max-size",
    "compress",
    "env",
    "env-regex",
    "labels",
    "labels-regex",
    "max-buffer-size",
    "max-file",
    "max-size",
    "mode",
    "tag",
}
_LOCAL_LOGS = {"", "json-file", "local", "none"}
# What engines hide and protect in every container (runc's defaults); a list of one's own may only be longer.
_LEAST = {
    "MaskedPaths": {
        "/proc/acpi",
        "/proc/kcore",
        "/proc/keys",
        "/proc/sched_debug",
        "/proc/timer_list",
        "/sys/firmware",
    },
    "ReadonlyPaths": {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
}
_SYSCTLS = "com.docker.network.endpoint.sysctls"
_SWITCHES = {"true", "t", "1", ""}
_ROOT = {"0", "root"}
_LIMITS = {
    "memory": ("Memory", "deploy.resources.limits.memory"),
    "cpus": ("NanoCpus", "deploy.resources.limits.cpus"),
    "pids": ("PidsLimit", "deploy.resources.limits.pids"),
}


def privileged(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """`privileged: true`."""
    if _host(body).get("Privileged"):
        yield Finding("privileged", "a privileged container")


def host_namespaces(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """Namespaces that are the host's, or that nobody knows."""
    for key, (field, own) in _OWN.items():
        mode = _mode(body, key)
        if mode not in own and not mode.startswith(_JOINS):
            yield Finding(field, f"the {field} namespace {shown(mode)}")
    if _mode(body, "NetworkMode").startswith(_FOREIGN_NETWORKS):
        yield Finding("network_mode", f"the network namespace {shown(_mode(body, 'NetworkMode'))}")
    if "host" in _endpoints(body):
        yield Finding("networks", "the host's network")


def foreign_namespaces(body: JSON, _: object, ground: Ground) -> Iterator[Finding]:
    """Namespaces of containers that are none of the project's own."""
    fields = {key: field for key, (field, _own) in _OWN.items()} | {"NetworkMode": "network_mode"}
    for key, field in fields.items():
        mode = str(_host(body).get(key) or "").strip()
        if mode.lower().startswith(_JOINS) and mode not in ground.joined:
            yield Finding(field, f"the {field} namespace of another container ({shown(mode)})")
    for joined in _host(body).get("VolumesFrom") or ():
        yield Finding("volumes_from", f"the volumes of another container ({shown(joined)})")


def capabilities(body: JSON, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Added capabilities beside the allowed ones."""
    known = {_capability(name) for name in allowed}
    for name in _host(body).get("CapAdd") or ():
        if _capability(name) not in known:
            yield Finding("cap_add", f"the capability {shown(_capability(name))}", _capability(name))


def capabilities_dropped(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """A container that keeps the engine's default capabilities."""
    if "ALL" not in {_capability(name) for name in _host(body).get("CapDrop") or ()}:
        yield Finding("cap_drop", "the default capabilities: `cap_drop: [ALL]` is missing")


def devices(body: JSON, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Devices by their path on the host, requests (GPUs, CDI names) and rules of the device cgroup."""
    for field, value in _devices(_host(body)):
        if not any(fnmatchcase(value, pattern) for pattern in allowed):
            yield Finding(field, f"the device {shown(value)}", value)


def _devices(host: JSON) -> Iterator[tuple[str, str]]:
    for device in host.get("Devices") or ():
        yield "devices", clean(str(device.get("PathOnHost") or ""))
    for request in host.get("DeviceRequests") or ():
        names = request.get("DeviceIDs") if request.get("Driver") == "cdi" else None
        wanted = names or [name for group in request.get("Capabilities") or () for name in group]
        yield from (("devices" if names else "gpus", str(name)) for name in wanted or [request.get("Driver") or "any"])
    for rule in host.get("DeviceCgroupRules") or ():
        yield "device_cgroup_rules", str(rule)


def security_options(body: JSON, allowed: tuple[str, ...], __: Ground) -> Iterator[Finding]:
    """Security options beside the allowed ones, as `name=value`."""
    for text in _host(body).get("SecurityOpt") or ():
        option = _option(str(text))
        if not any(fnmatchcase(option, pattern) for pattern in allowed):
            name, _equals, value = option.partition("=")
            own = name == "seccomp" and value != "unconfined"
            said = "a seccomp profile of its own" if own else f"the security option {shown(option)}"
            yield Finding("security_opt", said, "seccomp=*" if own else option)


def system_paths(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """Paths below /proc and /sys that are hidden or read-only in other containers and not in this one."""
    for key, least in _LEAST.items():
        paths = _host(body).get(key)
        if paths is not None and not least <= set(paths):
            said = "hidden" if key == "MaskedPaths" else "read-only"
            yield Finding("security_opt", f"paths of the kernel that are {said} in other containers")


def no_new_privileges(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """A container whose processes can gain privileges."""
    if "no-new-privileges=true" not in {_option(str(text)) for text in _host(body).get("SecurityOpt") or ()}:
        yield Finding("security_opt", "no `no-new-privileges:true`")


def sysctls(body: JSON, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Kernel parameters, also those that hide in a network's `driver_opts`."""
    for name in _host(body).get("Sysctls") or ():
        if not _matches(name, allowed):
            yield Finding(f"sysctls.{name}", f"the kernel parameter {shown(name)}", name)
    for network, endpoint in _endpoints(body).items():
        for text in str((endpoint.get("DriverOpts") or {}).get(_SYSCTLS) or "").split(","):
            name = text.partition("=")[0].strip()
            if name and not _matches(name, allowed):
                yield Finding(f"networks.{network}.driver_opts", f"the kernel parameter {shown(name)}", name)


def runtimes(body: JSON, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Another program than the engine's own choice to run the container."""
    runtime = str(_host(body).get("Runtime") or "")
    if runtime and runtime not in allowed:
        yield Finding("runtime", f"the runtime {shown(runtime)}", runtime)


def cgroup_parent(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """Another place in the host's tree of cgroups, where other limits hold."""
    if parent := str(_host(body).get("CgroupParent") or ""):
        yield Finding("cgroup_parent", f"the cgroup parent {shown(parent)}")


def oom_protection(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """What makes the kernel end others when memory runs out."""
    if _host(body).get("OomKillDisable"):
        yield Finding("oom_kill_disable", "protection from the kernel when memory runs out")
    if (_host(body).get("OomScoreAdj") or 0) < 0:
        yield Finding("oom_score_adj", "more protection than others when memory runs out")


def annotated(body: JSON, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """What runtimes read as settings of their own."""
    for name in _host(body).get("Annotations") or ():
        if not _matches(name, allowed):
            yield Finding(f"annotations.{name}", f"the annotation {shown(name)}", name)


def log_drivers(body: JSON, allowed: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Log drivers beside the allowed ones, and options that mean a place to write to."""
    config: JSON = _host(body).get("LogConfig") or {}
    driver = str(config.get("Type") or "")
    if driver and driver not in allowed:
        yield Finding("logging.driver", f"the log driver {shown(driver)}", driver)
    elif driver in _LOCAL_LOGS:
        for name in sorted(set(config.get("Config") or ()) - _LOG_OPTIONS):
            yield Finding(f"logging.options.{name}", f"the log option {shown(name)}")


def read_only(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """A container that can change its own files."""
    if not _host(body).get("ReadonlyRootfs"):
        yield Finding("read_only", "no `read_only: true`")


def non_root(body: JSON, _: object, __: Ground) -> Iterator[Finding]:
    """A container whose user the spec does not name, or that is root."""
    user = str(body.get("User") or "").partition(":")[0].strip()
    if not user or user in _ROOT or (user.isdecimal() and int(user) == 0):
        yield Finding("user", "no `user:` other than root")


def limits(body: JSON, wanted: tuple[str, ...], _: Ground) -> Iterator[Finding]:
    """Resources without a limit."""
    for name in wanted:
        key, field = _LIMITS[name]
        if (_host(body).get(key) or 0) <= 0 and not (name == "cpus" and _host(body).get("CpuQuota")):
            yield Finding(field, f"no limit of {name}")


def health_check(body: JSON, _: object, ground: Ground) -> Iterator[Finding]:
    """A service that nobody can tell to be healthy; jobs complete instead."""
    test = [*(json_value(body, "Healthcheck", "Test") or ())]
    if not ground.job and test[:1] in ([], ["NONE"]):
        yield Finding("healthcheck", "no `healthcheck:`")


def other_network(body: JSON, allowed: tuple[str, ...], ground: Ground) -> Iterator[Finding]:
    """Networks whose name does not begin with the project's, so that they are another's or everybody's."""
    mode = str(_host(body).get("NetworkMode") or "")
    alone = {"", "none", "default"}
    modes = [("network_mode", mode)] if mode not in alone and not mode.startswith((*_FOREIGN_NETWORKS, _JOINS)) else []
    for field, name in [*modes, *((f"networks.{name}", name) for name in _endpoints(body) if name != mode)]:
        if not name.startswith(f"{ground.project}_") and not _matches(name, allowed):
            yield Finding(field, f"the network {shown(name)}, which is not the project's own", name)


def limit_names() -> tuple[str, ...]:
    """What there can be a limit of."""
    return tuple(_LIMITS)


def _host(body: JSON) -> Mapping[str, Any]:
    return body.get("HostConfig") or {}


def _mode(body: JSON, key: str) -> str:
    return str(_host(body).get(key) or "").strip().lower()


def _endpoints(body: JSON) -> Mapping[str, JSON]:
    found = json_value(body, "NetworkingConfig", "EndpointsConfig") or {}
    return {name: endpoint or {} for name, endpoint in found.items()}


def _capability(name: str) -> str:
    return str(name).strip().upper().removeprefix("CAP_")


def _option(text: str) -> str:
    """`name=value` in the engine's two spellings, `name:value` being the older one; a bare name is true."""
    name, found, value = text.strip().partition("=" if "=" in text else ":")
    if name == "no-new-privileges" and value.strip().lower() in _SWITCHES:
        return "no-new-privileges=true"
    return f"{name.strip()}={value.strip()}" if found else name


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
