"""Take over what `docker compose` made of a project: which containers are kept, as which replicas, under which labels.

Called by `session` before the forecast of a run with `--adopt`. Labels cannot be added to a container, so what stands
for ours is remembered (`Memory.adopted`). A container that shows what its service asks for gets the service's desired
hash and is kept; every other gets a hash of its own, so that the rollout replaces it as it replaces any older
definition.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.observed import Container, Observed
from reconciler.model.project import Notice, Project
from reconciler.model.report import Adoption
from reconciler.planner.composed import (
    given_slots,
    is_adoptable,
    is_leftover,
    literal_name,
    made_by_compose,
    others_of_project,
)
from reconciler.planner.context import Context, View
from reconciler.planner.inspection import shows_what_is_asked
from reconciler.planner.payload import spec_hash
from reconciler.planner.slots import slot_number

Overlays = Mapping[str, Mapping[str, str]]


def candidates(project: Project, observed: Observed) -> tuple[str, ...]:
    """Ids of the containers that a run with `--adopt` takes over."""
    return tuple(item.id for item in others_of_project(project, observed.foreign) if is_adoptable(item))


def moved(project: Project, observed: Observed) -> tuple[Notice, ...]:
    """A warning where Compose made the containers from another folder: it may be another project of the same name."""
    found = others_of_project(project, observed.foreign)
    folders = sorted({item.working_dir for item in found if item.working_dir} - {project.working_dir})
    if not folders:
        return ()
    message = (
        f"docker compose made project {project.name} from {folders[0]}, and this spec stands in {project.working_dir}: "
        f"if that is another project of the same name, choose another one with -p instead of --adopt"
    )
    return (Notice("AdoptedFromElsewhere", message, project.source),)


def adopted(desired: Desired, observed: Observed, memory: Memory, now: float, chosen: Collection[str]) -> Memory:
    """The memory in which the chosen containers, inspected in `observed`, and the project's networks are ours."""
    project = desired.project
    wanted = {network.name for network in project.networks if not network.external}
    made = {item.id for item in observed.networks if item.name in wanted and made_by_compose(project.name, item)}
    memory = replace(memory, adopted_networks=memory.adopted_networks | made)
    own = _own_labels(desired, observed, chosen)
    return replace(memory, adopted={**memory.adopted, **_judged(desired, observed, memory, now, own)})


def summary(desired: Desired, observed: Observed, memory: Memory, chosen: Collection[str]) -> Adoption:
    """What of the chosen containers, of networks and of volumes is kept as it is."""
    replicas = sorted(
        (item.labels[labels.SERVICE], slot_number(item), item.name)
        for item in observed.containers
        if item.id in chosen and _is_kept(item.labels)
    )
    networks = tuple(sorted(item.name for item in observed.networks if item.id in memory.adopted_networks))
    names = {volume.name for volume in desired.project.volumes}
    project = desired.project.name
    volumes = (item for item in observed.volumes if item.name in names and labels.INSTANCE not in item.labels)
    mine = tuple(sorted(item.name for item in volumes if item.labels.get(labels.COMPOSE_PROJECT) == project))
    return Adoption(tuple(replicas), networks, mine)


def _judged(desired: Desired, observed: Observed, memory: Memory, now: float, own: Overlays) -> Overlays:
    """The labels of each container, those of what is kept included.

    What shares a namespace can be judged only when its owner is known to be kept: so until nothing more is found.
    """
    found: Overlays = own
    while True:
        kept = _kept_labels(Context(desired, _labelled(observed, found), memory, now), found)
        judged = {key: {**mine, **kept.get(key, {})} for key, mine in own.items()}
        if judged == found:
            return found
        found = judged


def _own_labels(desired: Desired, observed: Observed, chosen: Collection[str]) -> dict[str, dict[str, str]]:
    """The labels of each container, with a hash that no definition of ours has."""
    by_service: dict[str, list[Container]] = defaultdict(list)
    for item in observed.containers:
        if item.id in chosen:
            by_service[item.labels[labels.COMPOSE_SERVICE]].append(item)
    return {
        item.id: _labels(desired, name, slot, item)
        for name, items in by_service.items()
        for slot, item in _placed(desired, observed, name, items)
    }


def _placed(desired: Desired, observed: Observed, name: str, items: list[Container]) -> list[tuple[int, Container]]:
    service = desired.project.service(name)
    taken = {slot_number(item) for item in observed.containers if item.labels.get(labels.SERVICE) == name}
    slots = given_slots(items, service.replicas if service else len(items), taken)
    return [(slots[item.id], item) for item in items]


def _labels(desired: Desired, name: str, slot: int, container: Container) -> dict[str, str]:
    service = desired.project.service(name)
    literal = literal_name(desired.project.name, name, container)
    if service and service.container_name == container.name:
        literal = container.name
    return {
        labels.INSTANCE: desired.instance,
        labels.PROJECT: desired.project.name,
        labels.SERVICE: name,
        labels.SLOT: str(slot),
        labels.SPEC_HASH: _made_of(container),
        **({labels.NAME: literal} if literal else {}),
    }


def _made_of(container: Container) -> str:
    """Equal for containers that Compose made of the same definition and image."""
    made_of = f"{container.labels.get(labels.COMPOSE_HASH, '')}:{container.image_id}"
    return hashlib.sha256(made_of.encode()).hexdigest()


def _is_kept(found: Mapping[str, str]) -> bool:
    return labels.DIGEST in found


def _kept_labels(context: Context, found: Overlays) -> dict[str, dict[str, str]]:
    """The labels that say what the containers run which show what their services ask for."""
    views = {view.service.name: _joined(context, view, found) for view in context.views}
    kept = {}
    for item in context.observed.containers:
        view = views.get(item.labels.get(labels.SERVICE, ""))
        if item.id in found and view and not is_leftover(item) and shows_what_is_asked(context, view, item):
            kept[item.id] = {labels.SPEC_HASH: view.desired_hash, labels.DIGEST: view.image.digest}
    return kept


def _joined(context: Context, view: View, found: Overlays) -> View:
    """The view in which namespaces are shared with the owners that are kept, whether they are up by now or not."""
    service = view.service
    if not service.shares or view.desired_hash or view.image.state != "ready":
        return view
    owners = {
        item.labels[labels.SERVICE]: item.id
        for item in context.observed.containers
        if item.id in found and _is_kept(item.labels) and slot_number(item) == 1
    }
    joined = {field: owners[name] for field, name in service.shares if name in owners}
    if len(joined) < len(service.shares):
        return view
    desired_hash = spec_hash(context.desired, service, view.image, joined)
    return replace(view, gate=replace(view.gate, spec_hash=desired_hash, joined=joined))


def _labelled(observed: Observed, found: Overlays) -> Observed:
    containers = (
        replace(item, labels={**item.labels, **found[item.id]}) if item.id in found else item
        for item in observed.containers
    )
    return replace(observed, containers=tuple(containers))
