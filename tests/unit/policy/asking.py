"""What a policy says of one payload, by the way that every payload takes: an operation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.model.operation import Kind, Operation
from reconciler.model.project import Image, Project, Service
from reconciler.model.settings import PolicySettings
from reconciler.policy.judge import denied, violations
from reconciler.policy.resolve import Policy, resolve
from reconciler.policy.table import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.settings import PolicyLevel

ROOTS = ("/srv/reconciler/shop",)
_OF_KIND: Mapping[str, Kind] = {
    "container": "container.create",
    "network": "network.create",
    "volume": "volume.create",
    "build": "image.build",
    "pull": "image.pull",
    "connect": "network.connect",
}


def policy_of(level: PolicyLevel = "standard", project: Project | None = None, **rules: Any) -> Policy:
    """The policy of a project; rules by their names, with _ for -."""
    chosen = {name.replace("_", "-"): value for name, value in rules.items()}
    return resolve(PolicySettings(level, chosen), project or Project("shop", ()), ROOTS)


def only(rule: str, value: Any = None) -> Policy:
    """A policy of one rule: with this parameter, else as it is at `standard`, else at `strict`."""
    found = RULES[rule]
    default = next((item for item in (found.standard, found.strict) if item is not False), True)
    return replace(policy_of("open"), rules={rule: default if value is None else value})


def operation(kind: str, payload: Mapping[str, Any], service: str | None = None) -> Operation:
    """An operation of `shop`; a container's, network's or volume's payload is its body."""
    whole = payload if kind in {"build", "pull", "connect"} else {"body": payload}
    return Operation("id", _OF_KIND.get(kind, kind), "resource", "shop", service, payload=whole)  # type: ignore[arg-type]


def broken(policy: Policy, kind: str, payload: Mapping[str, Any], **more: Any) -> set[str]:
    """The rules that the payload breaks; `more` stands beside the body."""
    asked = operation(kind, payload)
    return {item.rule for item in denied(replace(asked, payload={**asked.payload, **more}), policy)}


def host(**fields: Any) -> dict[str, Any]:
    """A create body with this HostConfig."""
    return {"HostConfig": fields}


def service(name: str = "web", container: Mapping[str, Any] | None = None, **changes: Any) -> Service:
    """A service of app:1."""
    return replace(Service(name, Image("app:1"), container or {}), **changes)


def broken_by(asked: Service, policy: Policy) -> set[str]:
    """The rules that a project of this service breaks."""
    project = Project("shop", (asked,))
    return {item.rule for item in violations(project, replace(policy, project=project))}
