"""Small projects and engine states, written by hand, for tests of the pure planner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reconciler.model import labels
from reconciler.model.desired import Desired, Target
from reconciler.model.memory import Failure, Memory, Stable
from reconciler.model.observed import Container, Endpoint, EngineInfo, Foreign, ImageState, Observed, RegistryAnswer
from reconciler.model.operation import Operation
from reconciler.model.project import Image, Project, Rollout, Service
from reconciler.model.step import Step
from reconciler.planner.context import Context
from reconciler.planner.plan import plan

NOW = 1000.0
ENGINE = EngineInfo("test", "engine-id", "20.10", "1.41")
IMAGE = ImageState("sha256:" + "1" * 64, ("app:1",))
DIGEST = "sha256:" + "d" * 64


def service(name: str = "web", **changes: Any) -> Service:
    """One replica of app:1, gated by nothing but being up."""
    plain = Service(name, Image("app:1"), {"Env": ["A=1"]}, rollout=Rollout(min_running=0.0, monitor=0.0))
    return replace(plain, **changes)


def project(*services: Service, **changes: Any) -> Project:
    """The project `shop` of these services."""
    return Project("shop", services, source="compose.yaml:1", **changes)


def desired(*services: Service, registry: dict[str, RegistryAnswer] | None = None, **changes: Any) -> Desired:
    """What is wanted: these services, of which registries said that."""
    answers = {item.name: (registry or {}).get(item.image.reference, RegistryAnswer()) for item in services}
    targets = {
        item.name: Target(
            item.image.reference,
            answer.digest,
            why="the registry has another digest" if item.image.pull_policy == "always" else "",
            error=answer.error or "",
            reason=answer.reason,
        )
        for item, answer in ((item, answers[item.name]) for item in services)
    }
    return Desired(project(*services, **changes), targets=targets)


def container(of: str = "web", slot: int = 1, **changes: Any) -> Container:
    """A running container of ours, of an older definition unless `labels` say otherwise."""
    own = {
        labels.INSTANCE: "default",
        labels.PROJECT: "shop",
        labels.SERVICE: of,
        labels.SLOT: str(slot),
        labels.SPEC_HASH: "old",
        labels.IMAGE: "app:1",
        labels.ROLLOUT: "00000000",
    }
    own |= changes.pop("labels", {})
    plain = Container(
        id=f"id-{of}-{slot}",
        name=f"shop-{of}-{slot}-{own[labels.ROLLOUT]}",
        status="running",
        labels=own,
        image="app:1",
        image_id=IMAGE.id,
        created_at=1.0,
        started_at=2.0,
        seen_at=NOW,
        config={"Env": ["A=1"]},
        networks={"bridge": Endpoint("bridge-id")},
    )
    return replace(plain, **changes)


def current(wanted: Desired, of: str = "web", slot: int = 1, **changes: Any) -> Container:
    """A running container of the definition that this service has now."""
    found = wanted.project.service(of)
    if found is None:
        raise LookupError(of)
    spec_hash = Context(wanted, observed(), Memory(), NOW).view(found).desired_hash
    own = {labels.SPEC_HASH: spec_hash, labels.ROLLOUT: "11111111", **changes.pop("labels", {})}
    return container(of, slot, labels=own, **{"id": f"new-{of}-{slot}", "created_at": 5.0, **changes})


def observed(*containers: Container, **changes: Any) -> Observed:
    """An engine that has the image and these containers."""
    return Observed(**{"engine": ENGINE, "containers": containers, "images": (IMAGE,), **changes})


def foreign(name: str, **changes: Any) -> Foreign:
    """A running container of somebody else."""
    return replace(Foreign(f"id-{name}", name, "running"), **changes)


def step(wanted: Desired, seen: Observed, memory: Memory | None = None, now: float = NOW) -> Step:
    """One pass."""
    return plan(wanted, seen, memory or Memory(), now)


def kinds(found: Step) -> list[str]:
    """What is done to which container or resource: `container.stop web/1`, `image.pull app`."""
    return [f"{item.kind} {f'{item.service}/{item.slot}' if item.slot else item.resource}" for item in found.operations]


def reasons(found: Step) -> list[str]:
    """The reasons of the conditions."""
    return [condition.reason for condition in found.conditions]


def stable(of: Service, spec_hash: str = "old", **changes: Any) -> Stable:
    """The definition that this service came up with before, under the hash of `container`."""
    return replace(Stable(of, spec_hash, IMAGE.id, "app:1", IMAGE.id, "app:1", revision=1), **changes)


def remembering(*definitions: Stable, **changes: Any) -> Memory:
    """A memory in which services came up with these definitions."""
    return Memory(stable={item.service.name: item for item in definitions}, **changes)


def known_bad(wanted: Desired, of: str = "web", memory: Memory | None = None) -> Memory:
    """The memory in which this service's wanted definition is in quarantine since an earlier run."""
    spec_hash = current(wanted, of).labels[labels.SPEC_HASH]
    action = next(item.rollout.failure_action for item in wanted.project.services if item.name == of)
    failure = Failure(of, spec_hash, "Exited", f"{of}/1: exited (1)", rolled_back=action == "rollback")
    return replace((memory or Memory()).with_failures((failure,)), quarantined=frozenset({(of, spec_hash)}))


def targets(found: Step) -> list[tuple[str, str]]:
    """What is done to which container: kind and id (the name of one that is to be created)."""
    return [(item.kind, item.target) for item in found.operations]


def unguarded(_operation: Operation) -> None:
    """A guard for tests of what is not about policies: everything reaches the engine."""
