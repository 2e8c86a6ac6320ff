"""Hold a project, or one operation of a plan, against its policy: what the rest of the program calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from reconciler.errors import PolicyError
from reconciler.model.operation import Operation
from reconciler.model.project import JSON, Network, Notice, Project, Service, Volume
from reconciler.model.redaction import redact_text
from reconciler.model.settings import PolicyException
from reconciler.policy.images import Used, images_of, images_of_build, mounted_images
from reconciler.policy.resolve import Policy
from reconciler.policy.rule import Finding, Ground, Kind
from reconciler.policy.table import RULES

Payloads = Iterator[tuple[Kind, Any]]
# What gives nobody anything: it ends or removes what there is, names it, or reaches only into a replica itself.
HARMLESS: frozenset[str] = frozenset(
    {
        "container.copy",
        "container.exec",
        "container.http",
        "container.kill",
        "container.remove",
        "container.stop",
        "image.tag",
        "volume.remove",
        "network.disconnect",
        "network.remove",
    }
)


@dataclass(frozen=True)
class Violation:
    """What a project asks for and its policy denies.

    `place` is the object in words (`services.web`), `service` its name ("" for networks and volumes), `source` the
    `file:line`, `hint` what would allow it.
    """

    rule: str
    place: str
    message: str
    service: str = ""
    source: str = ""
    hint: str = ""

    @property
    def error(self) -> PolicyError:
        """The error that says it."""
        message = f"{self.place}: {self.message} is not allowed here (policy rule {self.rule})"
        return PolicyError(message, source=self.source or None, hint=self.hint)


@dataclass(frozen=True)
class Subject:
    """A service, network or volume whose payloads are judged; `source` tells the `file:line` of a field of it."""

    place: str
    service: str
    ground: Ground
    source: Callable[[str], str]


def violations(project: Project, policy: Policy) -> tuple[Violation, ...]:
    """All that the policy denies of a lowered project, in the order of services, networks and volumes.

    What it asks of images and builds, of every container, network and volume that it would make. No engine is asked.
    """
    return tuple(item for item, exception in _judged(project, policy) if exception is None)


def used_exceptions(project: Project, policy: Policy) -> tuple[Notice, ...]:
    """What the project may do only by an exception, and exceptions that nothing needs (any more)."""
    used = dict.fromkeys(exception for _, exception in _judged(project, policy) if exception)
    notices = [_used(exception) for exception in used]
    return (*notices, *(_unused(exception) for exception in policy.exceptions if exception not in used))


def denied(operation: Operation, policy: Policy) -> tuple[Violation, ...]:
    """What the policy denies of an operation, by the final payload of its engine call.

    What is started is judged by what it was made of: an old container that a rollback brings back, too. `HARMLESS`
    operations are never denied.
    """
    service = policy.project.service(operation.service or "")
    payload = operation.payload
    joined = frozenset(f"container:{container}" for container in payload.get("joins") or ())
    carried, job = frozenset(payload.get("carries") or ()), service is not None and service.job
    ground = replace(policy.ground, joined=joined, carried=carried, job=job)
    place = f"services.{operation.service}" if operation.service else f"{operation.kind} {operation.resource}"
    subject = Subject(place, operation.service or "", ground, _source_of(operation, service))
    made_here = service is not None and service.image.build is not None
    found = _findings(policy, subject, _payloads(operation, ground, made_here=made_here))
    return tuple(item for item, exception in found if exception is None)


def _payloads(operation: Operation, ground: Ground, *, made_here: bool) -> Payloads:
    """What of the operation rules look at, by kind of payload."""
    payload, body = operation.payload, operation.payload.get("body") or {}
    if operation.kind in {"container.create", "container.start"}:
        yield "container", body
        yield from (("image", image) for image in mounted_images(body))
        image = str(body.get("Image") or "")
        if image and not made_here and not image.startswith("sha256:"):
            yield "image", Used(image)
    elif operation.kind == "network.connect":
        yield "endpoint", {"NetworkingConfig": {"EndpointsConfig": {payload["network"]: payload["endpoint"]}}}
    elif operation.kind == "network.create":
        yield "network", body
    elif operation.kind == "volume.create":
        yield "volume", body
    elif operation.kind == "image.build":
        yield "build", payload["build"]
        yield from (("image", image) for image in images_of_build(payload["build"], ground))
    elif operation.kind == "image.pull":
        yield "image", Used(payload["reference"])
    elif operation.kind not in HARMLESS:
        yield "operation", operation.kind


def _source_of(operation: Operation, service: Service | None) -> Callable[[str], str]:
    """Where the spec says it, else where it says what caused the operation."""
    caused = next((cause.source for cause in operation.cause if cause.source), "")
    return lambda field: (service.source(field) if service else "") or caused


def _judged(project: Project, policy: Policy) -> Iterator[tuple[Violation, PolicyException | None]]:
    """Everything that the rules find in the project, each with the exception that allows it all the same."""
    for service in project.services:
        ground = replace(policy.ground, job=service.job)
        subject = Subject(f"services.{service.name}", service.name, ground, service.source)
        yield from _findings(policy, subject, _of_service(service, ground))
    for network in project.networks:
        yield from _findings(policy, _subject("networks", network, network.place, policy), _of("network", network))
    for volume in project.volumes:
        place = _always(volume.source)
        yield from _findings(policy, _subject("volumes", volume, place, policy), _of("volume", volume))


def _subject(section: str, item: Network | Volume, source: Callable[[str], str], policy: Policy) -> Subject:
    return Subject(f"{section}.{item.key}", "", policy.ground, source)


def _always(source: str) -> Callable[[str], str]:
    return lambda _: source


def _of_service(service: Service, ground: Ground) -> Payloads:
    yield "service", service
    yield from (("image", image) for image in images_of(service, ground))
    if service.image.build:
        yield "build", service.image.build
    yield "container", _create_body(service)


def _of(kind: Kind, item: Network | Volume) -> Payloads:
    if not item.external:
        yield kind, item.definition


def _create_body(service: Service) -> JSON:
    """What every container of the service is made of, as far as that is known before anything is decided."""
    host = dict(service.container.get("HostConfig") or {})
    if service.networks:
        host["NetworkMode"] = service.networks[0].network
    endpoints = {item.network: item.endpoint for item in service.networks}
    return {**service.container, "HostConfig": host, "NetworkingConfig": {"EndpointsConfig": endpoints}}


def _findings(
    policy: Policy, subject: Subject, payloads: Payloads
) -> Iterator[tuple[Violation, PolicyException | None]]:
    """What the rules find, each once, in the order of the payloads and then of the rules."""
    seen = set()
    for kind, payload in payloads:
        for name, parameter in policy.rules.items():
            check = RULES[name].checks.get(kind)
            for finding in check(payload, parameter, subject.ground) if check else ():
                violation = _violation(policy, subject, name, finding)
                if violation not in seen:
                    seen.add(violation)
                    yield violation, _exception(policy, violation)


def _violation(policy: Policy, subject: Subject, rule: str, finding: Finding) -> Violation:
    message = redact_text(finding.message)
    hint = _what_would_allow(policy, subject, rule, finding)
    return Violation(rule, subject.place, message, subject.service, subject.source(finding.field), hint)


def _what_would_allow(policy: Policy, subject: Subject, rule: str, finding: Finding) -> str:
    parts = {"rule": rule, "project": policy.project.name, "service": subject.service, "reason": "..."}
    exception = ", ".join(f"{key}: {value}" for key, value in parts.items() if value)
    value = redact_text(finding.value)
    change = f"{value!r} in policy.rules.{rule}" if value else f"`{rule}: false` in policy.rules"
    return f"{change} of the settings would allow it, or an exception: {{{exception}}}"


def _exception(policy: Policy, violation: Violation) -> PolicyException | None:
    return next(
        (item for item in policy.exceptions if item.rule == violation.rule and item.service in {"", violation.service}),
        None,
    )


def _used(exception: PolicyException) -> Notice:
    message = f"{_who(exception)} is excepted from the policy rule {exception.rule}: {exception.reason}"
    return Notice("PolicyException", message, exception.place)


def _unused(exception: PolicyException) -> Notice:
    message = f"{_who(exception)} does not need its exception from the policy rule {exception.rule}: remove it"
    return Notice("PolicyExceptionUnused", message, exception.place)


def _who(exception: PolicyException) -> str:
    return "/".join(part for part in (exception.project, exception.service) if part)
