"""From settings to the policy of one project: which rules hold, with which parameters, and what is excepted."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from reconciler.errors import SettingsError
from reconciler.model.project import Build, Project
from reconciler.model.settings import PolicyException, PolicyLevel, PolicySettings
from reconciler.policy.parameters import parameter
from reconciler.policy.rule import Ground
from reconciler.policy.table import RULES


@dataclass(frozen=True)
class Policy:
    """What one project may ask for. `rules` are those that hold, by name, each with its parameter.

    `exceptions` are those of the settings that name the project.
    """

    project: Project = field(repr=False)
    level: PolicyLevel
    rules: Mapping[str, Any]
    ground: Ground
    exceptions: tuple[PolicyException, ...] = ()


def resolve(
    settings: PolicySettings,
    project: Project,
    roots: Iterable[str] = (),
    *,
    real_path: Callable[[str], str] | None = None,
    base_images: Callable[[Build], Iterable[str]] | None = None,
) -> Policy:
    """The policy of a project: `settings.level`, else `standard` for what comes from Git and `open` for the rest.

    `roots` are folders (absolute) of the engine's machine that this project may mount whatever the rules say, such as
    its materialised files. What is not from Git may mount its own folder besides. `real_path` and `base_images` are
    those of `Ground`. Settings that `check_settings` finds wrong are a ValueError here.
    """
    level = settings.level or ("standard" if project.from_git else "open")
    own = () if project.from_git or not project.working_dir else (project.working_dir,)
    ground = Ground(project.name, (*roots, *own))
    ground = replace(ground, real_path=real_path or ground.real_path, base_images=base_images or ground.base_images)
    chosen = {name: _chosen(settings, level, name) for name in RULES}
    exceptions = tuple(item for item in settings.exceptions if item.project == project.name)
    return Policy(
        project, level, {name: value for name, value in chosen.items() if value is not False}, ground, exceptions
    )


def _chosen(settings: PolicySettings, level: str, name: str) -> Any:
    rule = RULES[name]
    return parameter(rule, settings.rules[name]) if name in settings.rules else rule.default(level)


def check_settings(settings: PolicySettings) -> list[SettingsError]:
    """All that is wrong: a level or rule that there is not, a malformed parameter, an exception without reason.

    Each names its place, from `rule_places` and `PolicyException.place`.
    """
    errors = [] if settings.level in {None, *get_args(PolicyLevel)} else [_no_level(settings.level)]
    for name, value in settings.rules.items():
        place = settings.rule_places.get(name)
        errors += _unknown(name, place) or _malformed(name, value, place)
    for exception in settings.exceptions:
        errors += _unknown(exception.rule, exception.place) or _incomplete(exception)
    return errors


def _no_level(level: object) -> SettingsError:
    return SettingsError(f"policy.level {level!r} is unknown", hint=f"it is one of {', '.join(get_args(PolicyLevel))}")


def _unknown(name: str, place: str | None) -> list[SettingsError]:
    if name in RULES:
        return []
    close = difflib.get_close_matches(name, RULES, 1)
    hint = f"did you mean {close[0]}?" if close else "docs/policy.md lists the rules"
    return [SettingsError(f"there is no policy rule {name!r}", source=place or None, hint=hint)]


def _malformed(name: str, value: Any, place: str | None) -> list[SettingsError]:
    try:
        parameter(RULES[name], value)
    except ValueError as error:
        return [SettingsError(f"policy.rules.{name}: {error}", source=place or None)]
    return []


def _incomplete(exception: PolicyException) -> list[SettingsError]:
    missing = [key for key in ("project", "reason") if not getattr(exception, key).strip()]
    if not missing:
        return []
    message = f"the exception from {exception.rule} has no {' and no '.join(missing)}"
    hint = "write {rule: ..., project: ..., service: ..., reason: ...}"
    return [SettingsError(message, source=exception.place or None, hint=hint)]
