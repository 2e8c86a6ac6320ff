"""Which services take part (Compose Spec, "Profiles"): those without profiles, and those with an enabled one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from reconciler.spec.nodes import NOWHERE, Table


def enabled_profiles(flags: tuple[str, ...], environment: Mapping[str, str]) -> frozenset[str]:
    """The profiles of `--profile`; where there are none, of COMPOSE_PROFILES (comma-separated)."""
    listed = (name.strip() for name in environment.get("COMPOSE_PROFILES", "").split(","))
    return frozenset(flags or (name for name in listed if name))


def split_by_profile(document: Table, profiles: Iterable[str]) -> frozenset[str]:
    """Take the services of profiles that are not enabled out of the document; their names. `*` enables all."""
    wanted = frozenset(profiles)
    services, kept = document.get("services") or Table(), Table()
    for name, service in services.items():
        own = service.get("profiles") or ()
        if not own or "*" in wanted or wanted.intersection(own):
            kept.put(name, service, services.marks[name])
    document.put("services", kept, document.mark("services") if "services" in document else NOWHERE)
    return frozenset(services) - frozenset(kept)
