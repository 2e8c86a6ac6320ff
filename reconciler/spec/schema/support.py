"""How far each key of the Compose Spec is honoured, where it is not simply so: the one place that says why not.

Read by whatever refuses or warns (`check`, `lower_system`, `unhonoured`) and by whatever tells people beforehand (the
JSON Schema, docs/compose-keys.md). A row is named `Model.key`. A key without a row works if its model declares it, and
is refused as not supported yet if its model's `not_yet` names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from reconciler.spec.schema.base import Section


class Verdict(Enum):
    """What becomes of a key that somebody writes."""

    WORKS = "works"
    IGNORED = "ignored, with a warning"
    NOTHING = "accepted, nothing to do"
    REFUSED = "refused"


@dataclass(frozen=True)
class Support:
    """The verdict on a key, the reason for it or its limits, and the Engine API version that it needs ("": any)."""

    verdict: Verdict
    reason: str = ""
    api: str = ""
    hint: str = "remove it"


def _works(limits: str) -> Support:
    return Support(Verdict.WORKS, limits)


def _ignored(reason: str) -> Support:
    return Support(Verdict.IGNORED, reason)


def _nothing(reason: str) -> Support:
    return Support(Verdict.NOTHING, reason)


def _refused(reason: str, hint: str = "remove it") -> Support:
    return Support(Verdict.REFUSED, reason, hint=hint)


NOT_YET = _refused("not supported yet")

SUPPORT: dict[str, Support] = {
    "Spec.version": _ignored("it is obsolete"),
    "Service.annotations": Support(Verdict.WORKS, api="1.43"),
    "Service.cpu_count": _ignored("only engines on Windows count CPUs so: write cpus"),
    "Service.cpu_percent": _ignored("only engines on Windows have it: write cpus"),
    "Service.credential_spec": _refused("it is for Windows containers"),
    "Service.isolation": _works("`default` only: engines on Linux know no other"),
    "Service.pull_policy": _works(
        "`refresh`, `daily`, `weekly` and `every_<d>` pull a missing image, with a warning: "
        "no registry is asked on a schedule yet"
    ),
    "Service.userns_mode": _works("`host` only: engines on Linux know no other"),
    "Service.uts": _works("`host` only: engines on Linux know no other"),
    "Service.volumes_from": _refused(
        "replacing the container it names would leave its volumes behind",
        "mount the same named volumes in both services",
    ),
    "Attachment.mac_address": Support(
        Verdict.WORKS, "older engines set it on the first network only, by priority and name", api="1.44"
    ),
    "Build.context": _works("a folder; contexts on other machines are refused"),
    "Build.isolation": _refused("it is for Windows images"),
    "Deploy.endpoint_mode": _ignored(
        "only Swarm has endpoint modes: every replica answers to the service's name in Docker's DNS"
    ),
    "Deploy.placement": _ignored("only Swarm has nodes to choose from: every replica runs on the one engine"),
    "Reservations.cpus": _ignored("only Swarm reserves CPUs: an engine limits them, and shares them by cpu_shares"),
    "Healthcheck.start_interval": Support(
        Verdict.WORKS, "older engines leave it out, and probe every `interval`", api="1.44"
    ),
    "Ipam.options": _ignored("no built-in driver of the engine has any, and Compose does not send them"),
    "Mount.consistency": _nothing("engines on Linux have one consistency"),
    "Port.app_protocol": _nothing("it tells people what speaks there"),
    "Port.mode": _nothing("on one engine, `ingress` and `host` are the same"),
    "Port.name": _nothing("it tells people what the port is for"),
}


def support_of(model: type[Section], key: str) -> Support:
    """The verdict on one key of a section."""
    usual = NOT_YET if key in model.not_yet else Support(Verdict.WORKS)
    return SUPPORT.get(f"{model.__name__}.{key}", usual)
