"""Refuses what engines on Linux do not take, or take without doing it: modes, isolation, Windows credentials."""

from __future__ import annotations

from reconciler.spec.lower_scope import Scope
from reconciler.spec.schema.parts import Build
from reconciler.spec.schema.service import Service
from reconciler.spec.schema.support import Verdict, support_of

# The only value that engines know, beside the empty one (Engine API, HostConfig: UsernsMode, UTSMode, Isolation).
ONLY = {"userns_mode": "host", "uts": "host", "isolation": "default"}


def refuse_unknown_modes(scope: Scope) -> None:
    """Raises SpecError for the first key whose value no engine on Linux can honour."""
    for key, known in ONLY.items():
        value = scope.spec.get(key) or known
        if value != known:
            raise scope.refuse(key, f"{key} {value!r} is unknown to engines on Linux", f"write {known}, or remove it")


def refuse_unsupported_keys(scope: Scope) -> None:
    """Raises SpecError for the first key, of the service or its build, that `config` keeps and nobody can honour."""
    for model, section, prefix in ((Service, scope.spec, ""), (Build, scope.spec.get("build") or {}, "build.")):
        for key, value in section.items():
            support = support_of(model, key)
            if value and support.verdict is Verdict.REFUSED:
                path = f"{prefix}{key}"
                raise scope.refuse(path, f"{path} is not supported: {support.reason}", support.hint)
