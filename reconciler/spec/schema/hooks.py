"""Hooks, `develop`, `provider` and `models` (Compose Spec, "Services", "Develop", "Models")."""

from __future__ import annotations

from typing import Literal

from reconciler.spec.schema.base import ABSENT, Section


class Command(Section):
    """What follows a change that `develop.watch` sees."""

    command: list[str] | None = None
    user: str = ABSENT
    privileged: bool = ABSENT
    working_dir: str = ABSENT
    environment: dict[str, str | None] = ABSENT


class Hook(Command):
    """One entry of `post_start`, `pre_start` or `pre_stop`."""

    command: list[str]


class Watch(Section):
    """One entry of `develop.watch`: an absolute path."""

    path: str
    action: Literal["rebuild", "sync", "restart", "sync+restart", "sync+exec"]
    target: str = ABSENT
    ignore: list[str] = ABSENT
    include: list[str] = ABSENT
    initial_sync: bool = ABSENT
    exec: Command = ABSENT


class Develop(Section):
    """`develop`."""

    watch: list[Watch] = ABSENT


class Provider(Section):
    """`provider`."""

    type: str
    options: dict[str, list[str]] = ABSENT


class ModelBinding(Section):
    """One entry of a service's `models`."""

    endpoint_var: str = ABSENT
    model_var: str = ABSENT


class Model(Section):
    """`models.*`."""

    model: str
    name: str = ABSENT
    context_size: int = ABSENT
    runtime_flags: list[str] = ABSENT
