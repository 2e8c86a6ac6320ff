"""The planner's first argument: a project, who asks for it, and what registries said of its images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.observed import RegistryAnswer
from reconciler.model.project import Project


@dataclass(frozen=True)
class Desired:
    """`hash_key` keys every desired hash: the engine's id, so that it is the same from every machine.

    `registry` holds an answer for each reference that had to be asked for: absent means that nobody asked.
    `max_unavailable` bounds how many replicas of the project may be out of service at once for rollouts' sake.
    `hashes` keeps the services' desired hashes from pass to pass, by name, image and what else may change in a run.
    """

    project: Project
    instance: str = "default"
    hash_key: str = ""
    registry: Mapping[str, RegistryAnswer] = field(default_factory=dict)
    prune: bool = True
    max_unavailable: int | None = None
    hashes: dict[tuple[object, ...], str] = field(default_factory=dict, init=False, repr=False, compare=False)
