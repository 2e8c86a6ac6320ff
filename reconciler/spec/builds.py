"""Grammar of `build` (Compose Build Specification): short forms to long ones. For `canonical`."""

from __future__ import annotations

from typing import Any

from reconciler.spec import forms
from reconciler.spec.file_references import reference
from reconciler.spec.forms import Rule, Spot, from_plain, listing, mapping, need_text, section
from reconciler.spec.nodes import Items, MalformedError, Table, shown
from reconciler.spec.volumes import resolve_path

SERVICE_CONTEXT = "service:"
REMOTE_CONTEXTS = (
    "http://",
    "https://",
    "git://",
    "ssh://",
    "git@",
    "github.com/",
    "docker-image://",
    "oci-layout://",
    "target:",
    SERVICE_CONTEXT,
)
DEFAULT_KEY = "default"


def build(ulimit: Rule, hosts: Rule) -> Rule:
    """`build`: a context, short for `{context: CONTEXT}`, or the long form."""
    long_form = section(
        {
            **dict.fromkeys(("no_cache", "privileged", "pull"), forms.boolean),
            **dict.fromkeys(("provenance", "sbom"), forms.plain_text),
            "additional_contexts": _contexts,
            "args": forms.pairs,
            "context": context,
            "extra_hosts": hosts,
            "labels": forms.labels,
            "secrets": listing(reference),
            "shm_size": forms.natural_size,
            "ssh": _ssh,
            "ulimits": mapping(ulimit),
        }
    )

    def apply(value: Any, spot: Spot) -> Any:
        return long_form(from_plain({"context": value}, spot) if isinstance(value, str) else value, spot)

    return apply


def context(value: Any, spot: Spot) -> str:
    """An absolute path, or what is not on this machine as it is."""
    if not need_text(value):
        raise MalformedError("names no folder", "write . for the project's own")
    if value.startswith(REMOTE_CONTEXTS):
        return str(value)
    return resolve_path(value, spot.scope.folder, spot.scope.home)


def _contexts(value: Any, spot: Spot) -> Table:
    """`NAME=CONTEXT`, or a mapping of them."""
    named = forms.pairs(value, spot)
    missing = next((name for name, place in named.items() if place is None), None)
    if missing is not None:
        raise MalformedError(f"{shown(missing)} is not NAME=CONTEXT")
    return mapping(context)(named, spot)  # type: ignore[no-any-return]


def _ssh(value: Any, spot: Spot) -> Items:
    """Agents and keys as `ID` or `ID=PATH`, sorted; only `default` needs no path."""
    keys = forms.pairs(value, spot)
    items = Items()
    for name, path in sorted(keys.items()):
        if not path and name != DEFAULT_KEY:
            raise MalformedError(f"the key {shown(name)} has no path", "write ID=PATH")
        items.add(f"{name}={path}" if path else name, keys.mark(name))
    return items
