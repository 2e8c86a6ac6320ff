"""Holds projects against their policies: whole, before anything is touched, and each operation before the engine is.

`policy` is pure; here it gets what has to be looked up: symbolic links, and what a Dockerfile starts from.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from reconciler.errors import PolicyError, PolicyErrors
from reconciler.images.dockerfile.mentions import find_images
from reconciler.loading import Specs, error_notice
from reconciler.model.operation import Operation
from reconciler.model.project import Build, Notice, Project
from reconciler.model.settings import Settings
from reconciler.policy.judge import denied, used_exceptions, violations
from reconciler.policy.resolve import Policy, resolve

PolicyOf = Callable[[Project], Policy]
# A Dockerfile can start from other images elsewhere (`FROM base-$TARGETARCH`): where most engines run counts as well.
_PLATFORMS = ("linux/amd64", "linux/arm64")


def policies(settings: Settings) -> PolicyOf:
    """What says a project's policy by these settings, which have to be free of errors (`check_settings`).

    What is materialised for a project below `host_data_dir` may be mounted by that project.
    """

    def policy_of(project: Project) -> Policy:
        roots = (f"{settings.host_data_dir.rstrip('/')}/{project.name}",) if settings.host_data_dir else ()
        return resolve(settings.policy, project, roots, real_path=_real_path, base_images=_base_images)

    return policy_of


def admit(specs: Specs, policy_of: PolicyOf) -> Specs:
    """The specs without the projects that their policies deny: those are errors, one for each violation.

    Exceptions that are used, and those that are not, are warnings.
    """
    admitted, warnings, errors = [], [*specs.warnings], [*specs.errors]
    for project in specs.projects:
        policy = policy_of(project)
        refused = refusals(project, policy)
        errors += [error_notice(error) for error in refused]
        warnings += used_exceptions(project, policy)
        admitted += [] if refused else [project]
    return replace(specs, projects=tuple(admitted), warnings=tuple(warnings), errors=tuple(dict.fromkeys(errors)))


def refusals(project: Project, policy: Policy) -> tuple[PolicyError, ...]:
    """What the policy denies of the project, as errors."""
    return tuple(violation.error for violation in violations(project, policy))


def require_none(refused: Iterable[PolicyError]) -> None:
    """PolicyErrors where there is any."""
    if errors := [*refused]:
        raise PolicyErrors(errors)


class Gate:
    """The guard of one project's operations. `refused` are those that it did not let through."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.refused: dict[str, PolicyError] = {}

    def __call__(self, operation: Operation) -> None:
        """PolicyErrors for an operation that the policy denies, and for one of another project."""
        errors = [violation.error for violation in denied(operation, self._policy)]
        if operation.project != self._policy.project.name:
            errors.append(
                PolicyError(f"{operation.id} is an operation of {operation.project}, whose policy is another")
            )
        if errors:
            self.refused |= {str(error): error for error in errors}
            raise PolicyErrors(errors)


def policy_notices(error: PolicyError) -> tuple[Notice, ...]:
    """The error as a report carries it, each violation by itself."""
    return tuple(error_notice(one) for one in (error.errors if isinstance(error, PolicyErrors) else (error,)))


def _real_path(path: str) -> str:
    """The path with its symbolic links followed, as far as this machine has it."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return path


def _base_images(build: Build) -> Iterable[str]:
    """Every image that the Dockerfile starts from or copies from, pinned ones too, and what reads it."""
    return dict.fromkeys(_mentioned(build))


def _mentioned(build: Build) -> Iterator[str]:
    yield from (reference for reference, _ in build.bases)
    for platform in (*_PLATFORMS, *build.platforms):
        found = find_images(build.instructions, dict(build.args), build.target, platform, platform)
        yield from (place.image for place in found.places)
        if found.syntax:
            yield found.syntax.image
