"""`cap_add`, `cap_drop` and `security_opt` (Compose Spec) to capabilities and SecurityOpt (Engine API, HostConfig)."""

from __future__ import annotations

import json
import posixpath
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.spec.files import read_bytes
from reconciler.spec.lower_scope import Scope, compact

UNCONFINED_PATHS = "systempaths=unconfined"
WITHOUT_VALUE = "no-new-privileges"
MAX_PROFILE = 256 * 1024
MAX_OPTIONS = 100


def capabilities(spec: Mapping[str, Any]) -> dict[str, Any]:
    """`CapAdd` and `CapDrop` by their kernel names, sorted, each once."""
    return compact({"CapAdd": _names(spec.get("cap_add") or ()), "CapDrop": _names(spec.get("cap_drop") or ())})


def security(scope: Scope) -> dict[str, Any]:
    """`SecurityOpt`, with seccomp profiles inlined: the engine takes their text, not a path.

    `systempaths=unconfined` becomes empty MaskedPaths and ReadonlyPaths. Raises SpecError for an option without value
    and for a profile that cannot be read.
    """
    asked = scope.spec.get("security_opt") or ()
    if len(asked) > MAX_OPTIONS:
        raise scope.refuse("security_opt", f"security_opt has more than {MAX_OPTIONS} options")
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
        return sys.intern(f"seccomp={_profile(scope, value)}")  # one string for all services of one profile
    return option


def _profile(scope: Scope, path: str) -> str:
    place, what = scope.source("security_opt"), f"services.{scope.name}: the seccomp profile {path}"
    hint = "the path is relative to the project's folder"
    data = read_bytes(posixpath.join(scope.working_dir, path), MAX_PROFILE, what=what, source=place, hint=hint)
    if len(data) > MAX_PROFILE:
        raise scope.refuse("security_opt", f"the seccomp profile {path} is larger than {MAX_PROFILE // 1024} KB")
    try:
        profile = json.loads(data)
    except (ValueError, RecursionError) as error:
        reason = str(error).split(";")[0]
        raise scope.refuse("security_opt", f"the seccomp profile {path} is not JSON: {reason}") from error
    return json.dumps(profile, separators=(",", ":"), ensure_ascii=False)
