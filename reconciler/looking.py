"""How a session looks at the engine: anew for a question, and for a pass on from what the pass before has read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.engine.protocol import Engine
from reconciler.executor import SessionExecutor
from reconciler.model import labels
from reconciler.model.desired import Desired
from reconciler.model.memory import Memory
from reconciler.model.project import Notice, Project
from reconciler.model.report import Adoption
from reconciler.observer import Observer
from reconciler.planner.adoption import adopted, candidates, moved, summary
from reconciler.reports import adoption_notices


class Looking:
    """Makes the observers of one instance on one engine; keeps that of the project that had the last pass."""

    def __init__(self, engine: Engine, instance: str, executor: SessionExecutor) -> None:
        self._engine = engine
        self._instance = instance
        self._executor = executor
        self._info = engine.info()
        self._kept: dict[str, Observer] = {}

    def anew(self, project: Project, memory: Memory, *, deep: bool) -> Observer:
        """An observer that has read everything; `deep`: with every writable layer that its services let it report on.

        EngineError where the engine cannot be read; nothing that another thread does disturbs it.
        """
        observer = self._observer(project, memory)
        observer.resync()
        _look_deep(observer, project, memory, {"report", "replace"} if deep else {"replace"})
        return observer

    def again(self, project: Project, memory: Memory, *, full: bool) -> Observer:
        """The observer of the project's last pass, which has read again what changed or was touched; `full`: all.

        It is one pass's at a time, and begins anew where the engine is another version since.
        """
        known = self._kept.get(project.name) if self._engine.info() == self._info else None
        self._info = self._engine.info()
        observer = known or self._observer(project, memory)
        self._kept = {project.name: observer}
        observer.retarget(project, lambda: memory.made, memory.adopted)
        touched = self._executor.touched()
        observer.distrust({""} if full else touched)
        observer.resync()
        _look_deep(observer, project, memory, {"replace"})
        return observer

    def _observer(self, project: Project, memory: Memory) -> Observer:
        gather, now = self._executor.gather, self._executor.now
        info, made = self._engine.info(), memory.made
        return Observer(self._engine, info, project, self._instance, gather, now, lambda: made, memory.adopted)


def with_baselines(memory: Memory, observer: Observer, project: Project) -> Memory:
    """The memory and what the replicas that came up have written by themselves so far."""
    watched = {service.name for service in project.services if service.mutation.filesystem != "ignore"}
    new = {
        item.id
        for item in observer.observed().containers
        if item.id not in memory.baselines and item.running and item.labels.get(labels.SERVICE) in watched
    }
    if not new:
        return memory
    observer.look_deep(new)
    found = observer.observed().mutations
    return replace(memory, baselines={**memory.baselines, **{key: found[key] for key in new if key in found}})


def taken_over(project: Project, observer: Observer) -> tuple[tuple[str, ...], tuple[Notice, ...]]:
    """The ids of what `docker compose` made of the project, which the observer takes for ours from here on."""
    observed = observer.observed()
    chosen = candidates(project, observed)
    observer.adopt({key: {} for key in chosen})
    return chosen, moved(project, observed)


def take_over(
    desired: Desired, observer: Observer, memory: Memory, now: float, chosen: tuple[str, ...]
) -> tuple[Memory, Adoption, tuple[Notice, ...]]:
    """The memory in which the chosen containers are ours; the observer sees it so too."""
    memory = adopted(desired, observer.observed(), memory, now, chosen)
    ours: Mapping[str, Mapping[str, str]] = {key: memory.adopted[key] for key in chosen if key in memory.adopted}
    observer.adopt(ours)
    adoption = summary(desired, observer.observed(), memory, chosen)
    return memory, adoption, adoption_notices(desired.project, adoption)


def _look_deep(observer: Observer, project: Project, memory: Memory, looked_at: set[str]) -> None:
    modes = {service.name: service.mutation.filesystem for service in project.services}
    chosen = {
        item.id
        for item in observer.observed().containers
        if modes.get(item.labels.get(labels.SERVICE, "")) in looked_at and item.id in memory.baselines
    }
    if unseen := chosen - observer.looked_into:
        observer.look_deep(unseen)
