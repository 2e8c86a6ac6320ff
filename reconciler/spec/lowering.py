"""Turn a loaded project (normalised Compose document) into Engine API terms: the last step of `spec`, called by `app`.

Makes of a document the containers, networks and volumes that `docker compose up` would make of it. Reads nothing but
the document, the seccomp profiles that `security_opt` names, and the files whose content counts (`lower_files`). Its
parts are split by resource: `lower_*.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from reconciler.errors import SpecErrors
from reconciler.model.project import Dependency, Network, Notice, Project, Service, Volume
from reconciler.spec.lower_api_socket import with_api_socket
from reconciler.spec.lower_build import build_notices
from reconciler.spec.lower_conflicts import conflicts
from reconciler.spec.lower_container import container_body
from reconciler.spec.lower_files import contents, copied_files, file_notices, file_references, file_sources
from reconciler.spec.lower_image import lower_image
from reconciler.spec.lower_mounts import named_volumes, writable_mounts
from reconciler.spec.lower_networks import attachments, keeps_addresses, network_definition
from reconciler.spec.lower_ports import host_ports
from reconciler.spec.lower_restart import replacement_policy
from reconciler.spec.lower_rollout import is_job, lower_mutation, lower_rollout, publishes_when_healthy, replicas
from reconciler.spec.lower_scope import Scope
from reconciler.spec.lower_volumes import volume_definition
from reconciler.spec.namespaces import shared_namespaces
from reconciler.spec.unhonoured import unhonoured

if TYPE_CHECKING:
    from reconciler.spec.load import Loaded

COMPLETED = "service_completed_successfully"


def lower(loaded: Loaded) -> Project:
    """The project as the planner wants it, its services in the order of their names.

    Networks and volumes are those that an enabled service uses, as Compose creates them (Compose Spec, networks and
    volumes sections). Raises SpecError where the engine would refuse what the document asks for.
    """
    document = loaded.document
    sources = split_sources(loaded.sources, {*document.get("services", {}), *loaded.disabled})
    scopes = [
        Scope(
            name,
            with_api_socket(spec),
            document,
            loaded.working_dir,
            {**file_sources(spec, sources.get(name, {}), loaded.sources), **sources.get(name, {})},
            loaded.variables,
            loaded.keys,
            loaded.decrypted,
            loaded.hidden.get(name, frozenset()),
        )
        for name, spec in sorted(document.get("services", {}).items())
    ]
    errors = [error for scope in scopes for error in conflicts(scope)]
    if errors:
        raise SpecErrors(errors)
    completed = {name for scope in scopes for name in _awaited(scope)}
    services = tuple(_service(scope, completed=scope.name in completed) for scope in scopes)
    return Project(
        name=loaded.name,
        services=services,
        networks=tuple(_networks(loaded, scopes)),
        volumes=tuple(_volumes(loaded, scopes)),
        disabled=loaded.disabled,
        prune=loaded.reconcile.get("prune", True),
        allow_empty=loaded.reconcile.get("allow_empty", False),
        suspended=_suspended(loaded),
        working_dir=loaded.working_dir,
        files=loaded.files,
        source=loaded.sources.get("", ""),
        notices=(
            *loaded.notices,
            *unhonoured(document, loaded.sources),
            *(notice for scope, service in zip(scopes, services, strict=True) for notice in _notices(scope, service)),
        ),
    )


def _suspended(loaded: Loaded) -> str:
    """Where the spec wants the whole project left alone; "" where it does not."""
    place = loaded.sources.get("x-reconcile.suspend") or loaded.sources.get("", "") or loaded.name
    return place if loaded.reconcile.get("suspend", False) else ""


def split_sources(sources: Mapping[str, str], services: Collection[str]) -> dict[str, dict[str, str]]:
    """The sources of each service, its prefix removed; "" is the service itself. Names may hold dots: longest wins."""
    split: dict[str, dict[str, str]] = defaultdict(dict)
    for path, place in sources.items():
        if path.startswith("services."):
            name, field = _owner(path.removeprefix("services."), services)
            split[name][field] = place
    for own in split.values():
        _name_restart(own)
    return split


def _owner(path: str, services: Collection[str]) -> tuple[str, str]:
    name = path
    while name not in services and "." in name:
        name = name.rpartition(".")[0]
    return name, path[len(name) + 1 :]


def _name_restart(sources: dict[str, str]) -> None:
    """`deploy.restart_policy` overrides `restart`, under which name the engine's policy is explained."""
    if "deploy.restart_policy" in sources:
        sources["restart"] = sources["deploy.restart_policy"]


def _service(scope: Scope, *, completed: bool) -> Service:
    return Service(
        name=scope.name,
        image=lower_image(scope),
        container=container_body(scope),
        replicas=replicas(scope.spec),
        networks=attachments(scope),
        depends_on=_dependencies(scope.spec),
        container_name=scope.spec.get("container_name"),
        shares=shared_namespaces(scope.spec),
        ports=host_ports(scope.spec),
        volumes=named_volumes(scope),
        writable_mounts=writable_mounts(scope),
        contents=contents(scope),
        copied_files=copied_files(scope),
        file_references=file_references(scope),
        hidden=tuple(sorted(scope.hidden)),
        rollout=lower_rollout(scope.spec),
        restart=replacement_policy(scope.spec),
        mutation=lower_mutation(scope.spec),
        job=completed or is_job(scope.spec),
        sources=scope.sources,
    )


def _notices(scope: Scope, service: Service) -> Iterator[Notice]:
    yield from file_notices(scope, service.contents)
    yield from build_notices(scope)


def _dependencies(spec: Mapping[str, Any]) -> tuple[Dependency, ...]:
    return tuple(
        Dependency(
            name,
            entry.get("condition", "service_started"),
            required=entry.get("required", True),
            restart=entry.get("restart", False),
        )
        for name, entry in sorted((spec.get("depends_on") or {}).items())
    )


def _awaited(scope: Scope) -> Iterable[str]:
    """The services that this one wants to see completed: jobs, whatever their own `restart` says."""
    return (dependency.service for dependency in _dependencies(scope.spec) if dependency.condition == COMPLETED)


def _networks(loaded: Loaded, scopes: list[Scope]) -> Iterable[Network]:
    used = {key for scope in scopes for key in scope.spec.get("networks") or {}}
    published = {key for scope in scopes if publishes_when_healthy(scope.spec) for key in scope.spec["networks"]}
    for key, spec in sorted((loaded.document.get("networks") or {}).items()):
        if key in used:
            external = bool(spec.get("external"))
            definition = {} if external else network_definition(spec)
            source = loaded.sources.get(f"networks.{key}", "")
            kept = key in published and keeps_addresses(spec)
            sources = _below(loaded.sources, f"networks.{key}.")
            yield Network(key, spec["name"], external, definition, source, keeps_addresses=kept, sources=sources)


def _below(sources: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {path.removeprefix(prefix): place for path, place in sources.items() if path.startswith(prefix)}


def _volumes(loaded: Loaded, scopes: list[Scope]) -> Iterable[Volume]:
    used = {name for scope in scopes for name in named_volumes(scope)}
    for key, spec in sorted((loaded.document.get("volumes") or {}).items()):
        if spec["name"] in used:
            external = bool(spec.get("external"))
            definition = {} if external else volume_definition(spec)
            yield Volume(key, spec["name"], external, definition, loaded.sources.get(f"volumes.{key}", ""))
