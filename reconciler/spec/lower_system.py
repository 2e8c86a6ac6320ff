"""Refuses what engines on Linux do not take, or take without doing it: modes, isolation, Windows credentials."""

from __future__ import annotations

from reconciler.spec.lower_scope import Scope

# The only value that engines know, beside the empty one (Engine API, HostConfig: UsernsMode, UTSMode, Isolation).
ONLY = {"userns_mode": "host", "uts": "host", "isolation": "default"}


def refuse_unknown_modes(scope: Scope) -> None:
    """Raises SpecError for the first key whose value no engine on Linux can honour."""
    for key, known in ONLY.items():
        value = scope.spec.get(key) or known
        if value != known:
            raise scope.refuse(key, f"{key} {value!r} is unknown to engines on Linux", f"write {known}, or remove it")
    if scope.spec.get("credential_spec"):
        message = "credential_spec is for Windows containers, which are not supported"
        raise scope.refuse("credential_spec", message, "remove it")
    for entry in scope.spec.get("volumes_from") or ():
        message = f"volumes_from {entry!r} is not supported: replacing that container would leave its volumes behind"
        raise scope.refuse("volumes_from", message, "mount the same named volumes in both services")
