"""A plan's operations as a person thinks of them: what is created, replaced or removed, and why.

Read by every rendering of a plan or report. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from reconciler.model.operation import Difference, Impact, Operation
from reconciler.model.redaction import redact
from reconciler.model.report import ProjectReport

Verb = Literal[
    "create", "replace", "remove", "copy", "start", "stop", "connect", "disconnect", "drain", "pull", "build", "tag"
]
SIGNS: dict[Verb, str] = {
    "create": "+",
    "replace": "~",
    "remove": "-",
    "copy": "~",
    "start": "~",
    "stop": "-",
    "connect": "~",
    "disconnect": "~",
    "drain": "~",
}
PAST: dict[Verb, str] = {
    "create": "created",
    "replace": "replaced",
    "remove": "removed",
    "copy": "copied files into",
    "start": "started",
    "stop": "stopped",
    "connect": "connected",
    "disconnect": "disconnected",
    "drain": "drained",
    "pull": "pulled",
    "build": "built",
    "tag": "tagged",
}
_DRAINS = {"container.kill": "signal", "container.exec": "exec", "container.http": "http"}
_IMPACTS: tuple[Impact, ...] = ("none", "rolling", "recreate", "gap")
_Key = tuple[str, str, int | str]


@dataclass(frozen=True)
class Change:
    """What happens to one or more objects for one and the same cause.

    `resource` is `image`, `network`, `volume` or `container`; `targets` are replicas (`web/1`) or names of objects.
    """

    resource: str
    verb: Verb
    service: str | None
    targets: tuple[str, ...]
    impact: Impact
    causes: tuple[Difference, ...]

    @property
    def sign(self) -> str:
        """`+`, `~` or `-`."""
        return SIGNS.get(self.verb, "+")


def changes(project: ProjectReport) -> tuple[Change, ...]:
    """All changes of a plan: networks, volumes and images first, then replicas, each in the order of the operations."""
    merged: dict[str, Change] = {}
    for key, operations in _by_object(project.operations).items():
        change = _change(key, operations)
        same = merged.get(_likeness(change))
        merged[_likeness(change)] = _merged(same, change) if same else change
    return tuple(sorted(merged.values(), key=lambda change: _RESOURCE_ORDER.get(change.resource, 3)))


_RESOURCE_ORDER = {"network": 0, "volume": 1, "image": 2}


def tally(found: Iterable[Change]) -> dict[Verb, int]:
    """How many objects each verb concerns, in the order of `PAST`, zeros left out."""
    counts = dict.fromkeys(PAST, 0)
    for change in found:
        counts[change.verb] += len(change.targets)
    return {verb: count for verb, count in counts.items() if count}


def verb_of(operation: Operation) -> Verb:
    """What the operation does to its object; a signal, command or request before a stop is a drain."""
    return "drain" if operation.kind in _DRAINS else operation.kind.partition(".")[2]  # type: ignore[return-value]


def drain_method(operation: Operation) -> str:
    """`signal`, `exec` or `http`; empty for what is no drain."""
    return _DRAINS.get(operation.kind, "")


def replica(operation: Operation) -> str:
    """How people call what the operation acts on: `web/1` for a replica, the object's name for the rest."""
    if operation.service and operation.slot is not None:
        return f"{operation.service}/{operation.slot}"
    return operation.resource


def redacted(cause: Difference) -> Difference:
    """The cause as it may be shown. The planner redacts already: this is the last gate before a screen or a log."""
    return replace(cause, before=redact(cause.field, cause.before), after=redact(cause.field, cause.after))


def _by_object(operations: Iterable[Operation]) -> dict[_Key, list[Operation]]:
    found: dict[_Key, list[Operation]] = {}
    for operation in operations:
        found.setdefault(_key(operation), []).append(operation)
    return found


def _key(operation: Operation) -> _Key:
    resource = operation.kind.partition(".")[0]
    if operation.slot is not None and operation.service:
        return ("container", operation.service, operation.slot)
    if resource == "image" and operation.service:
        return (resource, operation.service, "")
    return (resource, operation.service or "" if resource == "container" else "", operation.resource)


def _change(key: _Key, operations: list[Operation]) -> Change:
    return Change(
        resource=key[0],
        verb=_verb(key[0], {verb_of(operation) for operation in operations}),
        service=operations[0].service,
        targets=(_image(operations) if key[0] == "image" else replica(operations[0]),),
        impact=max((operation.impact for operation in operations), key=_IMPACTS.index),
        causes=_causes(operations),
    )


def _image(operations: list[Operation]) -> str:
    """What a service's image is called: as it is tagged after the pull, with the digest that was pulled."""
    names = {operation.kind: operation.resource for operation in operations}
    tag, digest = names.get("image.tag", ""), names.get("image.pull", "").partition("@")[2]
    return f"{tag}@{digest}" if tag and digest else tag or operations[0].resource


def _causes(operations: list[Operation]) -> tuple[Difference, ...]:
    """Why a replica is created, an image fetched or a network removed first says why all that follows is done.

    Else every operation's causes.
    """
    leading = [operation for operation in operations if operation.kind in _LEADING and operation.cause]
    if operations[0].kind == "network.remove":
        leading = operations[:1]
    return _distinct(cause for operation in leading[:1] or operations for cause in operation.cause)


_LEADING = {"container.create", "image.pull", "image.build"}


def _verb(resource: str, verbs: set[Verb]) -> Verb:
    if resource == "image":
        return next(verb for verb in _IMAGE_VERBS if verb in verbs)
    if "create" in verbs:
        return "replace" if verbs & {"remove", "stop"} else "create"
    return next(verb for verb in _OTHER_VERBS if verb in verbs)


_IMAGE_VERBS: tuple[Verb, ...] = ("build", "pull", "tag", "remove")
_OTHER_VERBS: tuple[Verb, ...] = ("remove", "start", "stop", "connect", "disconnect", "copy", "drain")


def _distinct(causes: Iterable[Difference]) -> tuple[Difference, ...]:
    return tuple({_identity(cause): redacted(cause) for cause in causes}.values())


def _likeness(change: Change) -> str:
    """Equal for changes that one paragraph can tell: a reason that names its own replica does not keep them apart."""
    owner = change.service if change.resource == "container" else change.targets[0]
    causes = (_identity(_impersonal(cause, change.targets)) for cause in change.causes)
    return "\0".join([change.resource, change.verb, owner or "", change.impact, *causes])


def _merged(first: Change, second: Change) -> Change:
    causes = tuple(
        one if one.reason == other.reason else _impersonal(one, first.targets)
        for one, other in zip(first.causes, second.causes, strict=True)
    )
    return replace(first, targets=tuple(sorted(first.targets + second.targets, key=_number)), causes=causes)


def _number(target: str) -> tuple[int, str]:
    digits = target.rpartition("/")[2]
    return (int(digits) if digits.isdecimal() else 0, target)


def _impersonal(cause: Difference, targets: tuple[str, ...]) -> Difference:
    return replace(cause, reason=cause.reason.replace(targets[0], "replica"))


def _identity(cause: Difference) -> str:
    parts: list[Any] = [cause.field, cause.before, cause.after, cause.source, cause.reason]
    return json.dumps(parts, sort_keys=True, default=str)
