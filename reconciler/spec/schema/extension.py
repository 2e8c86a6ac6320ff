"""`x-reconcile`: what the Compose Spec has no word for. Per service, and at the top level."""

from __future__ import annotations

from typing import ClassVar, Literal

from reconciler.spec.schema.base import Section


class ImageRules(Section):
    """`x-reconcile.image`: whether the service follows its tag."""

    track: Literal["none"] = "none"
    not_yet: ClassVar[frozenset[str]] = frozenset({"range", "filter", "extract", "cooldown", "window", "verify"})


class RolloutRules(Section):
    """`x-reconcile.rollout`: when a new replica counts as up, and when to give up. Durations in Go's form."""

    min_running: str = "5s"
    progress_deadline: str = "10m0s"
    not_yet: ClassVar[frozenset[str]] = frozenset({"settle", "drain", "publish"})


class ServiceRules(Section):
    """`services.*.x-reconcile`."""

    rollout: RolloutRules = RolloutRules()
    image: ImageRules = ImageRules()
    not_yet: ClassVar[frozenset[str]] = frozenset({"mutation"})


class ProjectRules(Section):
    """Top-level `x-reconcile`."""

    prune: bool = True
    allow_empty: bool = False
    not_yet: ClassVar[frozenset[str]] = frozenset({"suspend", "engines"})
