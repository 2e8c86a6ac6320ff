"""What `docker compose` made: which of it a project may take over, and which replica each container is.

Read by `adoption`, `conflicts`, `resources` and `causes`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from itertools import count

from reconciler.model import labels
from reconciler.model.observed import Container, Foreign, NetworkState
from reconciler.model.project import Project

LEFTOVER = re.compile(r"[0-9a-f]{12}_.+")


def others_of_project(project: Project, foreign: Iterable[Foreign]) -> list[Foreign]:
    """The containers that Compose's labels give to the project and that are not ours.

    Without those of `docker compose run`, of services that this run is not about, and copies of our own.
    """
    return [
        item
        for item in foreign
        if item.compose_project == project.name
        and not item.claims
        and not item.one_off
        and item.compose_service not in project.disabled
    ]


def is_adoptable(container: Foreign) -> bool:
    """Whether Compose itself made it, and no other instance of ours."""
    return bool(container.compose_service) and not container.instance


def made_by_compose(project: str, network: NetworkState) -> bool:
    """Whether Compose made the network for the project, and no instance of ours."""
    found = network.labels
    ours = labels.INSTANCE in found or labels.COMPOSE_NETWORK not in found
    return found.get(labels.COMPOSE_PROJECT) == project and not ours


def is_leftover(container: Container) -> bool:
    """Whether a run of Compose that failed left it: made to replace another, never started, never given its name."""
    replaces = labels.COMPOSE_REPLACE in container.labels
    return replaces and container.status == "created" and LEFTOVER.fullmatch(container.name) is not None


def was_adopted(container: Container) -> bool:
    """Whether a container of ours was taken over: it has no rollout of ours behind it."""
    return labels.ROLLOUT not in container.labels


def literal_name(project: str, service: str, container: Container) -> str | None:
    """The `container_name` that it was made with; None where the name is one that Compose gives by itself."""
    given = rf"(?:[0-9a-f]{{12}}_)?{re.escape(project)}[-_]{re.escape(service)}[-_]\d+"
    return None if re.fullmatch(given, container.name) else container.name


def given_slots(containers: Collection[Container], replicas: int, taken: Collection[int] = ()) -> dict[str, int]:
    """The slot of each container of one service, by id; what runs comes first, and `taken` are those of our own.

    A container keeps its number where that is wanted and free; else it fills a gap, and what is too many comes after
    the last. A leftover is nobody's replica: 0, or its number where nothing else could tell what that slot was.
    """
    in_order = sorted(containers, key=_in_order)
    whole = [item for item in in_order if not is_leftover(item)]
    found: dict[str, int] = {}
    for group in ([item for item in whole if item.occupied], [item for item in whole if not item.occupied]):
        found |= _placed(group, replicas, {*taken, *found.values()})
    for item in in_order:
        if item.id not in found:
            alone = _is_free(item, replicas, {*taken, *found.values()})
            found[item.id] = _number(item) if alone else 0
    return found


def _placed(group: Iterable[Container], replicas: int, used: set[int]) -> dict[str, int]:
    kept: dict[str, int] = {}
    for item in group:
        if _is_free(item, replicas, used):
            kept[item.id] = _number(item)
            used.add(_number(item))
    free = (slot for slot in count(1) if slot not in used)
    return {item.id: kept.get(item.id) or next(free) for item in group}


def _is_free(container: Container, replicas: int, used: Collection[int]) -> bool:
    return 1 <= _number(container) <= replicas and _number(container) not in used


def _in_order(container: Container) -> tuple[int, float, str]:
    return (_number(container), container.created_at, container.id)


def _number(container: Container) -> int:
    text = container.labels.get(labels.COMPOSE_NUMBER, "")
    return int(text) if text.isdecimal() else 0
