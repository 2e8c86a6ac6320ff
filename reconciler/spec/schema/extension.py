"""`x-reconcile`: what the Compose Spec has no word for. Per service, and at the top level."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from reconciler.spec.schema.base import ABSENT, Section

OnMutation = Literal["ignore", "report", "replace"]


class VerifyRules(Section):
    """`x-reconcile.image.verify`: absolute paths of public keys."""

    files: Annotated[list[str], Field(alias="keys")]


class ImageRules(Section):
    """`x-reconcile.image`: whether and how the service follows its registry. `cooldown` in Go's form."""

    track: Literal["none", "digest", "semver"] = ABSENT
    range: str = ABSENT
    filter: str = ABSENT
    extract: str = ABSENT
    cooldown: str = ABSENT
    window: str = ABSENT
    verify: VerifyRules = ABSENT


class DrainRules(Section):
    """`x-reconcile.rollout.drain`: how a replica hears that it will be stopped. `delay` in Go's form."""

    method: Literal["none", "signal", "exec", "http"] = ABSENT
    delay: str = ABSENT
    signal: str = ABSENT
    command: list[str] = ABSENT
    port: Annotated[int, Field(ge=1, le=65535)] = ABSENT
    path: str = ABSENT


class RolloutRules(Section):
    """`x-reconcile.rollout`: when a new replica counts as up, and how an old one goes. Durations in Go's form."""

    min_running: str = ABSENT
    progress_deadline: str = ABSENT
    settle: str = ABSENT
    drain: DrainRules = ABSENT
    publish: Literal["immediate", "healthy"] = ABSENT


class MutationRules(Section):
    """`x-reconcile.mutation`: what to do about changes made by hand; absolute paths whose changes are nobody's."""

    config: OnMutation = ABSENT
    filesystem: OnMutation = ABSENT
    allow: list[str] = ABSENT


class ServiceRules(Section):
    """`services.*.x-reconcile`."""

    rollout: RolloutRules = ABSENT
    image: ImageRules = ABSENT
    mutation: MutationRules = ABSENT


class ProjectRules(Section):
    """Top-level `x-reconcile`."""

    prune: bool = True
    allow_empty: bool = False
    suspend: bool = False
    not_yet: ClassVar[frozenset[str]] = frozenset({"engines"})
