"""Top-level `volumes` (Compose Spec) to the body of POST /volumes/create (Engine API, VolumeCreate)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.spec.lower_scope import compact


def volume_definition(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The body without name; of labels only the user's own."""
    return compact({"Driver": spec.get("driver"), "DriverOpts": spec.get("driver_opts"), "Labels": spec.get("labels")})
