"""What must hold inside the rollout settings of a service, and what the user should know of them.

After the merge and profiles, before defaults: `deploy` (Compose Deploy Specification) and `x-reconcile.rollout`.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.errors import SpecError
from reconciler.model.project import Notice, Rollout
from reconciler.spec.durations import format_duration, parse_duration
from reconciler.spec.lower_networks import has_subnets, keeps_addresses
from reconciler.spec.lower_restart import counted_by_loop
from reconciler.spec.lower_rollout import JOB_MODES, publishes_when_healthy
from reconciler.spec.nodes import Table
from reconciler.spec.sites import Site, sites

ROLLOUT = ("x-reconcile", "rollout")
DRAIN = (*ROLLOUT, "drain")
DRAIN_FIELDS = {"signal": "signal", "command": "exec", "port": "http", "path": "http"}
DRAIN_NEEDS = {
    "signal": ("signal", "signal: SIGUSR1"),
    "exec": ("command", "command: [touch, /tmp/draining]"),
    "http": ("port", "port: 8080"),
}
ALWAYS = ("any", "always", "unless-stopped")

# What the engine takes where a health check does not say (Engine API, HealthConfig), and the longest default monitor.
INTERVAL = TIMEOUT = LONGEST = 30_000_000_000
RETRIES = 3

DEADLINE = (*ROLLOUT, "progress_deadline")
DEFAULT_DEADLINE = f"{Rollout().progress_deadline:g}s"
WITHIN_DEADLINE = ((*ROLLOUT, "min_running"), ("deploy", "update_config", "monitor"))


def check_rollouts(document: Table) -> list[SpecError]:
    """The errors of drains, of `publish` and of `progress_deadline`, in the order of the services."""
    checks = (_drain_fields, _drain_needs, _publish_has_a_name, _time_enough)
    return [error for site in sites(document) for check in checks for error in check(site)]


def rollout_notices(document: Table) -> list[Notice]:
    """What is allowed and may surprise: short monitors, what `publish: healthy` costs, restarts, endless jobs."""
    return [
        notice
        for site in sites(document)
        for tell in (_monitors, _blinking_ports, _lost_addresses, _counted_restarts, _endless_job)
        for notice in tell(site)
    ]


def _method(site: Site) -> str:
    return str(site.section(*DRAIN).get("method", "none"))


def _drain_fields(site: Site) -> Iterator[SpecError]:
    method = _method(site)
    for key, owner in DRAIN_FIELDS.items():
        if key in site.section(*DRAIN) and owner != method:
            message = f"means nothing with method {method}"
            yield site.error((*DRAIN, key), message, f"remove it, or write method: {owner}")


def _drain_needs(site: Site) -> Iterator[SpecError]:
    method = _method(site)
    if method in DRAIN_NEEDS:
        key, example = DRAIN_NEEDS[method]
        if not site.section(*DRAIN).get(key):
            yield site.error((*DRAIN, "method"), f"method {method} needs {key}", f"such as {example}")


def _publish_has_a_name(site: Site) -> Iterator[SpecError]:
    mode = site.service.get("network_mode")
    if mode and publishes_when_healthy(site.service):
        message = f"with network_mode {mode} the service has no service name to publish"
        yield site.error((*ROLLOUT, "publish"), message, "attach it to networks:, or use publish: immediate")


def _time_enough(site: Site) -> Iterator[SpecError]:
    """`progress_deadline` ends every wait: one that is not over by then never ends well."""
    deadline = site.section(*ROLLOUT).get("progress_deadline")
    for path in WITHIN_DEADLINE:
        wait = site.section(*path[:-1]).get(path[-1])
        if wait is None or parse_duration(wait) < parse_duration(deadline or DEFAULT_DEADLINE):
            continue
        shown = format_duration(parse_duration(deadline or DEFAULT_DEADLINE))
        waited = f"{'.'.join(path)} ({format_duration(parse_duration(wait))})"
        if deadline is None:
            message = f"must be shorter than x-reconcile.rollout.progress_deadline, which is {shown} unless set"
            yield site.error(path, message, "shorten it, or set a longer progress_deadline")
        else:
            message = f"{shown} is not longer than {waited}, so no rollout could ever succeed"
            yield site.error(DEADLINE, message, "it ends every wait: make it longer")


def _monitors(site: Site) -> Iterator[Notice]:
    for section in ("update_config", "rollback_config"):
        written = site.section("deploy", section).get("monitor")
        if written is None:
            continue
        message = _too_short(parse_duration(written), _needed(site.section("healthcheck")))
        if message:
            yield site.notice("MonitorTooShort", ("deploy", section, "monitor"), message)


def _too_short(monitor: int, needed: int) -> str:
    """What is wrong with a monitor (nanoseconds, as the need of the health check, 0 without one); "" if nothing."""
    said = "0s watches nothing" if monitor == 0 else f"{format_duration(monitor)} is too short"
    if monitor < needed:
        return (
            f"{said}: the health check needs {format_duration(needed)} to find a replica unhealthy "
            "(interval x retries + timeout, at most 30s)"
        )
    return f"{said}: a replica that dies right after its start counts as up" if monitor == 0 else ""


def _needed(healthcheck: Table) -> int:
    """Nanoseconds until the health check can say unhealthy, at most 30 s; 0 without one in the spec."""
    if not healthcheck or healthcheck.get("disable") or (healthcheck.get("test") or [""])[0] == "NONE":
        return 0
    interval = parse_duration(healthcheck.get("interval") or "0s") or INTERVAL
    timeout = parse_duration(healthcheck.get("timeout") or "0s") or TIMEOUT
    return min(interval * (healthcheck.get("retries") or RETRIES) + timeout, LONGEST)


def _blinking_ports(site: Site) -> Iterator[Notice]:
    if site.service.get("ports") and publishes_when_healthy(site.service):
        message = "published ports stop answering for a moment while the service name is attached or withdrawn"
        yield site.notice("PublishedPortsBlink", (*ROLLOUT, "publish"), message)


def _lost_addresses(site: Site) -> Iterator[Notice]:
    """Networks on which a replica may not come back with its addresses, and on which we cannot see to it."""
    if not publishes_when_healthy(site.service):
        return
    for key in site.service.get("networks") or ("default",):
        network = (site.document.get("networks") or {}).get(key) or {}
        if network.get("external") or not (has_subnets(network) or keeps_addresses(network)):
            message = (
                f"on network {key!r} a replica keeps the service's name until it is stopped: it could come back with "
                "its addresses only if their subnets were asked for, and those of this network are not in the spec"
            )
            yield site.notice("AddressMayBeLost", (*ROLLOUT, "publish"), message)


def _counted_restarts(site: Site) -> Iterator[Notice]:
    policy, job = site.section("deploy", "restart_policy"), site.section("deploy").get("mode") in JOB_MODES
    if counted_by_loop(policy) and policy["condition"] != "none" and not job:
        message = (
            f"engines count attempts with on-failure only, so with {policy['condition']!r} the engine restarts nothing "
            "by itself: a replica that ends is replaced only while reconcile runs"
        )
        yield site.notice("EngineDoesNotRestart", ("deploy", "restart_policy", "max_attempts"), message)


def _endless_job(site: Site) -> Iterator[Notice]:
    mode = site.section("deploy").get("mode")
    if mode not in JOB_MODES or counted_by_loop(site.section("deploy", "restart_policy")):
        return
    path = ("deploy", "restart_policy", "condition") if site.section("deploy").get("restart_policy") else ("restart",)
    policy = site.section(*path[:-1]).get(path[-1])
    if policy in ALWAYS:
        message = f"{policy!r} runs a job again each time it ends, so it never completes: use on-failure or no"
        yield site.notice("JobNeverCompletes", path, message)
