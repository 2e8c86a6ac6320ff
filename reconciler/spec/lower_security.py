"""`cap_add`, `cap_drop` and `security_opt` (Compose Spec) to capabilities and SecurityOpt (Engine API, HostConfig)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from reconciler.spec.lower_scope import Scope, compact

UNCONFINED_PATHS = "systempaths=unconfined"
WITHOUT_VALUE = "no-new-privileges"


def capabilities(spec: Mapping[str, Any]) -> dict[str, Any]:
    """`CapAdd` and `CapDrop` by their kernel names, sorted, each once."""
    return compact({"CapAdd": _names(spec.get("cap_add") or ()), "CapDrop": _names(spec.get("cap_drop") or ())})


def security(scope: Scope) -> dict[str, Any]:
    """`SecurityOpt`, with seccomp profiles inlined: the engine takes their text, not a path.

    `systempaths=unconfined` becomes empty MaskedPaths and ReadonlyPaths. Raises SpecError for an option without value
    and for a profile that cannot be read.
    """
    asked = scope.spec.get("security_opt") or ()
    options = [_option(scope, option) for option in asked if option != UNCONFINED_PATHS]
    unmasked: dict[str, Any] = {"MaskedPaths": [], "ReadonlyPaths": []} if UNCONFINED_PATHS in asked else {}
    return compact({"SecurityOpt": options}) | unmasked


def _names(capabilities: Iterable[str]) -> list[str]:
    return sorted({_name(capability.upper()) for capability in capabilities})


def _name(capability: str) -> str:
    return capability if capability == "ALL" or capability.startswith("CAP_") else f"CAP_{capability}"


def _option(scope: Scope, option: str) -> str:
    separator = "=" if "=" in option else ":"
    name, found, value = option.partition(separator)
    if not found and name != WITHOUT_VALUE:
        raise scope.refuse("security_opt", f"security_opt {option!r} has no value", "write it as name:value")
    if name == "seccomp" and value != "unconfined":
        return f"seccomp={_profile(scope, value)}"
    return option


def _profile(scope: Scope, path: str) -> str:
    try:
        profile = json.loads((Path(scope.working_dir) / path).read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot read the seccomp profile {path}: {error.strerror}"
        raise scope.refuse("security_opt", message, "the path is relative to the project's folder") from error
    except ValueError as error:
        raise scope.refuse("security_opt", f"the seccomp profile {path} is not JSON: {error}") from error
    return json.dumps(profile, separators=(",", ":"), ensure_ascii=False)
