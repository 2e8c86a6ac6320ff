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


def _since(api: str, limits: str = "") -> Support:
    return Support(Verdict.WORKS, limits, api)


def _ignored(reason: str) -> Support:
    return Support(Verdict.IGNORED, reason)


def _nothing(reason: str) -> Support:
    return Support(Verdict.NOTHING, reason)


def _refused(reason: str, hint: str = "remove it") -> Support:
    return Support(Verdict.REFUSED, reason, hint=hint)


NOT_YET = _refused("not supported yet")

_SWARM_KEEPS = {
    **dict.fromkeys(("Config.labels", "Config.template_driver"), _ignored("only Swarm keeps configs")),
    **dict.fromkeys(
        ("Secret.driver", "Secret.driver_opts", "Secret.labels", "Secret.template_driver"),
        _ignored("only Swarm keeps secrets"),
    ),
    **dict.fromkeys(("Config.external", "Secret.external"), _works("refused where a service uses it: Swarm has those")),
    **dict.fromkeys(
        ("FileReference.uid", "FileReference.gid", "FileReference.mode"),
        _works("numbers; of `file:` ignored, with a warning: a mounted file keeps its own"),
    ),
}

_OTHER_PROGRAMS = {
    "Service.attach": _nothing("it is about what `docker compose up` shows"),
    "Service.develop": _ignored("only `docker compose watch` reads it"),
    "Service.models": _refused(
        "a model runner would have to serve them",
        "run the model as a service of its own, and name it in environment",
    ),
    "Service.post_start": _refused(
        "its command would change a container that runs",
        "run it in the image's entrypoint, or as a service that completes",
    ),
    "Service.pre_start": _refused(
        "its command would change a container that runs",
        "run it as a service of its own, and wait for it: depends_on with service_completed_successfully",
    ),
    "Service.pre_stop": _refused(
        "what a replica does before it is stopped is its drain",
        "write x-reconcile: {rollout: {drain: {method: exec, command: [...]}}}",
    ),
    "Service.provider": _refused(
        "it is brought about by a plugin of Docker Compose", "run what it provides as a service"
    ),
    "Service.pull_refresh_after": _ignored("Compose ignores it too: write pull_policy: every_DURATION"),
    "Service.use_api_socket": _works("the engine's socket; the passwords of registries not, with a warning"),
    "Spec.models": _nothing("services that use one are refused"),
}

_BUILDS = {
    "Build.additional_contexts": _works(
        "with buildx, from Docker 23 on; folders by content, images by digest, other addresses as written; "
        "no `service:`, no `target:`"
    ),
    "Build.cache_from": _works("without buildx, images only; it is no reason to build"),
    "Build.cache_to": _works("with buildx, else said and left out; it is no reason to build"),
    "Build.context": _works("a folder; contexts on other machines are refused"),
    **dict.fromkeys(("Build.entitlements", "Build.privileged"), _works("with buildx, where the engine allows it")),
    "Build.isolation": _refused("it is for Windows images"),
    "Build.no_cache": _works("of a build that is due; it is no reason to build"),
    "Build.platforms": _works(
        "the service's `platform` alone, if it has one; several need buildx and the containerd image store"
    ),
    **dict.fromkeys(
        ("Build.provenance", "Build.sbom"), _ignored("the image stays on the engine, without attestations")
    ),
    "Build.pull": _works("registries are asked for the base images at each run; one that moved is a reason to build"),
    "Build.secrets": _works(
        "with buildx; at most 500 kB, or 100 kB of `environment:`; a changed one is a reason to build, "
        "from BuildKit's cache unless `no_cache`; `uid`, `gid`, `mode` are ignored, with a warning: see RUN --mount"
    ),
    **dict.fromkeys(
        ("Build.shm_size", "Build.ulimits"), _works("with buildx, from Docker 23 on; else said and left out")
    ),
    "Build.ssh": _works("with buildx; it is no reason to build"),
    "Build.tags": _works("given to what is built, beside the tag made of its content; it is no reason to build"),
}

SUPPORT: dict[str, Support] = {
    **_BUILDS,
    **_SWARM_KEEPS,
    **_OTHER_PROGRAMS,
    "Spec.version": _ignored("it is obsolete"),
    "Network.enable_ipv4": _since("1.48"),
    "Service.annotations": _since("1.43"),
    "Service.cpu_count": _ignored("only engines on Windows count CPUs so: write cpus"),
    "Service.cpu_percent": _ignored("only engines on Windows have it: write cpus"),
    "Service.credential_spec": _refused("it is for Windows containers"),
    "Service.isolation": _works("`default` only: engines on Linux know no other"),
    "Service.userns_mode": _works("`host` only: engines on Linux know no other"),
    "Service.uts": _works("`host` only: engines on Linux know no other"),
    "Service.volumes_from": _refused(
        "replacing the container it names would leave its volumes behind",
        "mount the same named volumes in both services",
    ),
    "Attachment.gw_priority": _since("1.48"),
    "Attachment.interface_name": _since("1.48"),
    "Attachment.mac_address": _works("before API 1.44 on the first network only, by priority and name"),
    "BindOptions.recursive": _since("1.44", "`disabled` from any"),
    "Deploy.endpoint_mode": _ignored(
        "only Swarm has endpoint modes: every replica answers to the service's name in Docker's DNS"
    ),
    "Deploy.placement": _ignored("only Swarm has nodes to choose from: every replica runs on the one engine"),
    "ImageRules.verify": _works("with the extra `verify` installed"),
    "Healthcheck.start_interval": _since("1.44"),
    "Ipam.options": _ignored("no built-in driver of the engine has any, and Compose does not send them"),
    "Mount.consistency": _nothing("engines on Linux have one consistency"),
    "Mount.image": _since("1.48"),
    "Mount.type": _works("`npipe` (Windows) and `cluster` (Swarm) are refused; `image` needs API 1.48"),
    "Port.app_protocol": _nothing("it tells people what speaks there"),
    "Port.mode": _nothing("on one engine, `ingress` and `host` are the same"),
    "Port.name": _nothing("it tells people what the port is for"),
    "Reservations.cpus": _ignored("only Swarm reserves CPUs: an engine limits them, and shares them by cpu_shares"),
    "Reservations.generic_resources": _ignored("only Swarm counts them"),
    "VolumeOptions.subpath": _since("1.45"),
}


def support_of(model: type[Section], key: str) -> Support:
    """The verdict on one key of a section."""
    usual = NOT_YET if key in model.not_yet else Support(Verdict.WORKS)
    return SUPPORT.get(f"{model.__name__}.{key}", usual)
