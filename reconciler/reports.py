"""Turn how a run of the loop ended into the report that `cli` renders."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import get_args

from reconciler.controller import Outcome
from reconciler.errors import SignatureReason
from reconciler.images.resolution import Option, is_running, policy_words
from reconciler.model import labels
from reconciler.model.canonical import keyed_hash
from reconciler.model.desired import UNCHECKED, Desired, Held
from reconciler.model.memory import POLICY_DENIED, Failure
from reconciler.model.observed import Container, Observed
from reconciler.model.operation import Operation
from reconciler.model.project import Notice, Pin, Project, Service
from reconciler.model.redaction import redact_text
from reconciler.model.references import parse_reference, short_digest
from reconciler.model.report import Adoption, ImageRow, ProjectReport
from reconciler.model.step import Condition, Step
from reconciler.planner.images import HELD, bind_image
from reconciler.resolving import Resolution

GIVEN_UP_FOR_NOW = {
    *(
        POLICY_DENIED,
        "BackOff",
        "RestartsExhausted",
        "DependencyFailed",
        "TooManyRemoved",
        "WritesItsOwnFile",
        UNCHECKED,
    ),
    *get_args(SignatureReason),
}
KNOWN_AFTER = {"image.pull": "known after pull", "image.build": "known after build"}


def forecast_report(
    desired: Desired, observed: Observed, first: Step, outcome: Outcome, quarantined: Collection[str], seconds: float
) -> ProjectReport:
    """A plan: all operations of the forecast, and the services as they are now (`first` is the first pass's step).

    `quarantined` services have failed already and stay behind: the rest converges. `seconds` is what it takes.
    """
    operations = _with_known_order(outcome.operations)
    return ProjectReport(
        name=desired.project.name,
        engine=observed.engine,
        operations=operations,
        services=first.services,
        conditions=(*outcome.step.conditions, *_ended_early(outcome)),
        failures=tuple(outcome.failures),
        failed_operations=tuple(outcome.failed_operations),
        in_sync=not operations and _is_in_sync(outcome.step),
        converges=outcome.succeeded or _went_as_far_as_it_can(outcome, quarantined),
        succeeded=outcome.succeeded,
        expected_seconds=round(seconds, 1) if operations else 0.0,
        fingerprint=_fingerprint(desired, observed),
        unknown=_unknown(desired.project, operations),
        notices=tuple(dict.fromkeys((*first.notices, *outcome.step.notices))),
        source=desired.project.source,
        revision=desired.project.revision,
    )


def adoption_notices(project: Project, adoption: Adoption) -> tuple[Notice, ...]:
    """One notice a container, network or volume that is taken over as it is."""
    containers = (
        Notice("Adopted", f"{service}/{slot}: {name} already runs as written and is kept", _source(project, service))
        for service, slot, name in adoption.replicas
    )
    networks = (Notice("Adopted", f"network {name} is kept", project.source) for name in adoption.networks)
    volumes = (Notice("Adopted", f"volume {name} is kept", project.source) for name in adoption.volumes)
    return (*containers, *networks, *volumes)


def moved_pins(project: Project, resolution: Resolution) -> tuple[Notice, ...]:
    """One notice for each pinned service for which a registry has something else by now, or does not say."""
    pins = ((service, service.image.pin) for service in project.services)
    found = (_pin_notice(service, pin, resolution) for service, pin in pins if pin)
    return tuple(notice for notice in found if notice)


def _pin_notice(service: Service, pin: Pin, resolution: Resolution) -> Notice | None:
    option, unanswered = resolution.available.get(service.name), resolution.unanswered.get(service.name)
    if option and (option.reference, option.digest) != (pin.reference, pin.digest):
        return Notice("TagMoved", _moved(service, option), pin.source)
    if option is None and unanswered:
        message = f"{service.name}: whether its tag has moved is not known: {unanswered.error}"
        return Notice(unanswered.reason or "Registry", redact_text(message), pin.source)
    return None


def _moved(service: Service, option: Option) -> str:
    todo = f"reconcile images lock --update {service.name} moves the pin"
    return f"{service.name}: the registry has {option.reference} as {short_digest(option.digest)} by now: {todo}"


def image_rows(
    desired: Desired, observed: Observed, resolution: Resolution, failures: tuple[Failure, ...] = ()
) -> tuple[ImageRow, ...]:
    """What each service runs and could run, in the order of the spec; `failures` are the definitions in quarantine."""
    failed = {failure.service: failure for failure in failures}
    return tuple(
        _image_row(service, desired, observed, resolution, failed.get(service.name))
        for service in desired.project.services
    )


def _image_row(
    service: Service, desired: Desired, observed: Observed, resolution: Resolution, failure: Failure | None
) -> ImageRow:
    bound, target = bind_image(service, desired, observed), desired.targets.get(service.name)
    pinned = parse_reference(bound.reference).pinned(target.digest) if target and target.digest else ""
    wanted = bound.create_from or pinned or (bound.operation.resource if bound.operation else "")
    option = resolution.available.get(service.name)
    held = target.held if target else ()
    running = resolution.running.get(service.name)
    known = {bound.digest or (target and target.digest), running and running.digest}
    if option and not held and option.digest not in known:
        same = is_running(option, running, observed.images)
        held = (_held_as_same(option) if same else _held_by_policy(service, option),)
    if failure:
        held = (*held, _held_by_failure(pinned or wanted, failure))
    return ImageRow(
        project=desired.project.name,
        service=service.name,
        written=service.image.reference or bound.reference,
        policy="build" if service.image.build else policy_words(service.image),
        resolved=wanted if bound.state != "error" else "",
        running=tuple(dict.fromkeys(_runs(item) for item in observed.containers if _is_replica(item, service))),
        available=option.pinned if option else "",
        held=held,
        error=redact_text(bound.message or (bound.warning if bound.reason != HELD else "")),
        source=service.source("build" if service.image.build else "image"),
    )


def _held_by_policy(service: Service, option: Option) -> Held:
    pin = service.image.pin
    if pin:
        return Held(option.pinned, "pin", f"pinned by {pin.source}")
    why = "not due yet" if service.image.pull_policy == "timed" else "not followed"
    return Held(option.pinned, "policy", f"{why}: {policy_words(service.image)}")


def _held_by_failure(reference: str, failure: Failure) -> Held:
    todo = f"`reconcile retry {failure.service}` tries it again"
    return Held(reference, "quarantine", f"in quarantine: {failure.message}; {todo}", reason=failure.reason)


def _held_as_same(option: Option) -> Held:
    return Held(option.pinned, "same", "the same image on this engine's platform: nothing to do")


def _is_replica(container: Container, service: Service) -> bool:
    return container.occupied and container.labels.get(labels.SERVICE) == service.name


def _runs(container: Container) -> str:
    """The reference that a container was made of; of one made by an image's id, that id behind the name."""
    if not container.image.startswith("sha256:"):
        return container.image
    return f"{container.labels.get(labels.IMAGE, '')} ({container.image_id.removeprefix('sha256:')[:12]})"


def _source(project: Project, name: str) -> str:
    service = project.service(name)
    return service.source() if service else project.source


def _went_as_far_as_it_can(outcome: Outcome, quarantined: Collection[str]) -> bool:
    """Whether nothing but what was given up earlier keeps the project from being in sync."""
    known = (
        condition.service in quarantined or condition.reason in GIVEN_UP_FOR_NOW for condition in outcome.step.stalled
    )
    ended = outcome.step.empty and not outcome.endless
    return ended and all(known) and all(failure.service in quarantined for failure in outcome.failures)


def _with_known_order(operations: list[Operation]) -> tuple[Operation, ...]:
    """The operations with only those predecessors that are part of the plan."""
    known = {operation.id for operation in operations}
    return tuple(replace(item, after=tuple(name for name in item.after if name in known)) for item in operations)


def _unknown(project: Project, operations: tuple[Operation, ...]) -> tuple[tuple[str, str], ...]:
    """Per service, which operation will tell what its image declares; sharing an image is sharing the answer."""
    images = {item.service: item.kind for item in operations if item.kind in KNOWN_AFTER}
    by_reference = {
        service.image: KNOWN_AFTER[images[service.name]] for service in project.services if service.name in images
    }
    return tuple(
        (service.name, by_reference[service.image]) for service in project.services if service.image in by_reference
    )


def _fingerprint(desired: Desired, observed: Observed) -> str:
    """A hash over what is wanted and the stable part of what runs: equal fingerprints mean an equal plan."""
    seen = [
        [item.name, item.status, item.labels.get(labels.SPEC_HASH, ""), item.image_id, item.health or ""]
        for item in sorted(observed.containers, key=lambda item: item.name)
    ]
    wanted = [[service.name, service.replicas, service.container] for service in desired.project.services]
    names = [sorted(item.name for item in observed.networks if item.labels.get(labels.PROJECT) == desired.project.name)]
    return keyed_hash(desired.hash_key, {"seen": seen, "wanted": wanted, "networks": names})


def outcome_report(
    plan_report: ProjectReport, outcome: Outcome, logs: Mapping[str, str], duration: float, *, succeeded: bool
) -> ProjectReport:
    """How a converge of that plan ended, after `duration` seconds."""
    return replace(
        plan_report,
        operations=_with_known_order(outcome.operations),
        services=outcome.step.services,
        conditions=(*outcome.step.conditions, *_ended_early(outcome)),
        failures=tuple(outcome.failures),
        failed_operations=_untold_failures(outcome),
        succeeded=succeeded,
        in_sync=outcome.succeeded and _is_in_sync(outcome.step),
        duration=duration,
        logs=tuple(sorted(logs.items())),
    )


def _is_in_sync(step: Step) -> bool:
    """Whether nothing stalls, and nothing that differs is left as it is for a suspension's sake."""
    held = (service for service in step.services if service.health == "Suspended" or service.reason == "Suspended")
    return not step.stalled and all(service.sync == "Synced" for service in held)


def _untold_failures(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    """The failed operations that no failed rollout speaks of."""
    told = tuple(f":{failure.service}/" for failure in outcome.failures)
    return tuple(item for item in outcome.failed_operations if not any(name in item[0] for name in told))


def _ended_early(outcome: Outcome) -> tuple[Condition, ...]:
    if outcome.timed_out and not outcome.step.empty:
        return (Condition("Stalled", "True", "Timeout", "not converged in the time that --timeout gives"),)
    if outcome.endless:
        return (Condition("Stalled", "True", "Endless", "the plan does not come to an end; please report this spec"),)
    return ()
