"""The planner's first argument: a project, who asks for it, and which image each service is to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconciler.model.project import Project

UNCHECKED = "SignatureUnchecked"
NO_TAG = "NoTagAdmitted"
OTHER_DIGEST = "the registry has another digest"
NEWEST = "that may be followed"
MAX_REMOVED = 0.3
HeldBy = Literal["cooldown", "window", "signature", "pin", "policy", "same", "quarantine"]


@dataclass(frozen=True)
class Held:
    """A newer image that a service does not get yet: `reference` (`name:tag@digest`), what holds it back, in words.

    `until` is when that ends by itself, in seconds since the epoch; None where somebody has to act. `reason` is the
    code of what is wrong, where something is (`SignatureMissing`; `UNCHECKED` where no registry could be asked).
    """

    reference: str
    by: HeldBy
    message: str
    until: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class Target:
    """The image that a service is to run, decided before planning: past this, no reference is mutable.

    `reference` is the one written or the tag followed instead, `digest` the index digest under it; None: what is local
    under the reference, for `error` is why no registry said more (its code: `reason`), or none had to be asked.
    `same_as` is the id of a local image that is the same on this engine's platform, although it came under another
    index digest. `why` tells who chose, and `source` the `file:line` of it, for the cause of what follows. `held` are
    newer ones. Where it is `refused` nothing is made of it, and `error` is why.
    """

    reference: str
    digest: str | None = None
    same_as: str = ""
    why: str = ""
    source: str = ""
    error: str = ""
    reason: str = ""
    held: tuple[Held, ...] = ()
    refused: bool = False


@dataclass(frozen=True)
class Desired:
    """`hash_key` keys every desired hash: the engine's id, so that it is the same from every machine.

    `targets` says by service what it is to run; one that is absent runs what is local under its reference.
    `max_unavailable` bounds how many replicas of the project may be out of service at once for rollouts' sake.
    `max_removed` is the share of the project's services (0 to 1, but three at least) that one pass may remove. `down`
    says that a person wants everything gone, also what is suspended. `hashes` keeps the services' desired hashes from
    pass to pass, by name, image and what else may change in a run.
    """

    project: Project
    instance: str = "default"
    hash_key: str = ""
    targets: Mapping[str, Target] = field(default_factory=dict)
    prune: bool = True
    max_unavailable: int | None = None
    max_removed: float = MAX_REMOVED
    down: bool = False
    hashes: dict[tuple[object, ...], str] = field(default_factory=dict, init=False, repr=False, compare=False)
