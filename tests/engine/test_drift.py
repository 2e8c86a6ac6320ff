"""What people do to running containers behind the program's back, on a real engine: found, named and undone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.observation import container_from_inspect
from reconciler.planner.drift import LIMITS, in_place_changes, written_paths
from reconciler.spec.load import Request, load
from reconciler.spec.lowering import lower
from tests.engine.gallery import SPECS, Gallery, docker, service_of
from tests.unit.lowering import recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker import APIClient

    from reconciler.model.observed import Container
    from reconciler.model.operation import Difference
    from reconciler.model.project import Project, Service
    from tests.support.command import Site

pytestmark = pytest.mark.engine

CHANGEABLE = {*LIMITS, "RestartPolicy"}
# Engines from 25 on refuse a number of attempts without `on-failure`.
UNPORTABLE = {"deploy-restart-nocond3"}
RECORDED = [
    pytest.param(service, id=f"{case.case}/{service.name}")
    for case in recorded.cases()
    if not case.refused and case.case not in UNPORTABLE
    for service in lower(recorded.load(case.document)).services
    if CHANGEABLE & set(service.container.get("HostConfig") or ())
]
LIMITED = {
    "restart": "on-failure:3",
    "deploy": {
        "resources": {"limits": {"memory": "64m", "cpus": "0.25", "pids": 20}, "reservations": {"memory": "32m"}},
    },
}
MEMORY, SWAP, RESERVED = "deploy.resources.limits.memory", "memswap_limit", "deploy.resources.reservations.memory"
CPUS, PIDS = "deploy.resources.limits.cpus", "deploy.resources.limits.pids"


def project_of(path: Path, name: str, **environment: str) -> Project:
    """What the spec of a folder or file asks for."""
    file = path / "compose.yaml" if path.is_dir() else path
    return lower(load(Request(files=(str(file),), project_name=name), environment))


def wanted(site: Site, name: str = "web") -> Service:
    """What a site's spec asks for of a service."""
    found = project_of(site.spec, site.name).service(name)
    assert found is not None
    return found


def seen(api: APIClient, container: str) -> Container:
    """A container as the program sees it."""
    return container_from_inspect(api.inspect_container(container), 0.0)


def changes(api: APIClient, service: Service, container: str) -> dict[str, Difference]:
    """What counts as changed by hand, by field."""
    found = in_place_changes(service, seen(api, container), {}, swap_limited=api.info()["SwapLimit"])
    return {item.field: item for item in found}


def run(site: Site, service: Service) -> str:
    """A running container of what the service asks for, made by hand on the first of its networks; its id."""
    body = {**service.container, "HostConfig": dict(service.container.get("HostConfig") or {})}
    if service.networks:
        first = service.networks[0]
        body["HostConfig"]["NetworkMode"] = first.network
        body["NetworkingConfig"] = {"EndpointsConfig": {first.network: dict(first.endpoint)}}
    return site.outsider("made", **body)


# --- what engines show of what was asked ------------------------------------------------------------------------------


@pytest.mark.parametrize("service", RECORDED)
def test_what_was_asked_is_no_drift(api: APIClient, site: Site, service: Service) -> None:
    """Every limit and restart policy that a spec can ask for reads back from the engine as nobody's change."""
    asked = {key: value for key, value in service.container["HostConfig"].items() if key in CHANGEABLE}
    if asked.get("NanoCpus", 0) > api.info()["NCPU"] * 1e9:
        pytest.skip("this engine has fewer CPUs than the case asks for")
    service = replace(service, networks=(), container={"HostConfig": {"NetworkMode": "none", **asked}})
    made = site.api.create_container_from_config({"Image": site.image, **service.container}, f"{site.name}-made")
    assert changes(api, service, made["Id"]) == {}


@pytest.fixture(params=sorted(folder.name for folder in SPECS.iterdir() if folder.is_dir()))
def gallery(request: pytest.FixtureRequest, prefix: str) -> Iterator[Gallery]:
    """A spec of the gallery under a project name that nobody else uses."""
    found = Gallery(SPECS / request.param, f"reconciler-test-{prefix}{request.param}")
    yield found
    print("\n".join(found.said))  # noqa: T201  (pytest shows it when the test fails)
    found.remove()


def test_the_gallery_is_made_without_drift(gallery: Gallery, api: APIClient) -> None:
    """After a converge, no container of any spec of the gallery shows a change by hand."""
    assert gallery.reconcile().returncode == 0
    project = project_of(gallery.spec, gallery.project)
    found = gallery.containers()
    assert {service_of(row) for row in found.values()} == {service.name for service in project.services}
    for key, row in found.items():
        service = project.service(service_of(row))
        assert service is not None
        assert changes(api, service, key) == {}


def test_every_kind_of_network_is_made_without_drift(site: Site, api: APIClient) -> None:
    """Several networks, aliases, fixed addresses, built-in modes and shared networks read back as they were asked."""
    subnet = {"ipam": {"config": [{"subnet": "10.213.87.0/24"}]}}
    fixed = {"aliases": ["www"], "ipv4_address": "10.213.87.9"}
    site.write(
        {"networks": {"front": subnet, "back": {}}},
        plain=site.service(),
        many=site.service(networks={"front": fixed, "back": {"aliases": ["api"], "priority": 7}}, **LIMITED),
        bridged=site.service(network_mode="bridge", restart="unless-stopped"),
        apart=site.service(network_mode="none"),
        hosted=site.service(network_mode="host", restart="always"),
        joined=site.service(network_mode="service:plain"),
    ).converge()
    found = {name: changes(api, wanted(site, name), site.only(name)["Id"]) for name in wanted_names(site)}
    assert found == {name: {} for name in ("apart", "bridged", "hosted", "joined", "many", "plain")}


def wanted_names(site: Site) -> list[str]:
    """The names of the services of a site's spec."""
    return [service.name for service in project_of(site.spec, site.name).services]


# --- what each hand leaves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "options", "found"),
    [
        ({}, "--memory 64m --memory-swap 128m", {MEMORY, SWAP}),
        ({}, "--memory 64m --memory-swap -1", {MEMORY, SWAP}),
        ({}, "--memory-reservation 32m", {RESERVED}),
        ({}, "--cpus 0.5", {CPUS}),
        ({}, "--cpu-quota 20000 --cpu-period 50000", {"cpu_quota", "cpu_period"}),
        ({}, "--cpu-shares 512", {"cpu_shares"}),
        ({}, "--cpuset-cpus 0", {"cpuset"}),
        ({}, "--cpuset-mems 0", {"cpuset_mems"}),
        ({}, "--pids-limit 50", {PIDS}),
        ({}, "--pids-limit -1", set()),
        ({}, "--restart always", {"restart"}),
        ({}, "--restart no", set()),
        (LIMITED, "--memory 32m", {MEMORY}),
        (LIMITED, "--memory 128m --memory-swap 128m", {MEMORY}),
        (LIMITED, "--memory 64m --memory-swap -1", {SWAP}),
        (LIMITED, "--memory-swap 64m", {SWAP}),
        (LIMITED, "--memory 64m --memory-swap 128m --cpus 0.25 --pids-limit 20", set()),
        (LIMITED, "--memory-reservation 16m", {RESERVED}),
        (LIMITED, "--cpus 1", {CPUS}),
        (LIMITED, "--pids-limit 77", {PIDS}),
        (LIMITED, "--pids-limit -1", {PIDS}),
        (LIMITED, "--restart no", {"restart"}),
        (LIMITED, "--restart on-failure", {"restart"}),
        (LIMITED, "--restart on-failure:3", set()),
    ],
)
def test_docker_update_is_found(
    site: Site, api: APIClient, fields: dict[str, Any], options: str, found: set[str]
) -> None:
    """Every field that was changed, under its Compose name, and none that was not."""
    if SWAP in found and not api.info()["SwapLimit"]:
        pytest.skip("this engine cannot limit swap")
    service = wanted(site.write(web=site.service(network_mode="none", **fields)))
    container = run(site, service)
    docker("update", *options.split(), container)
    assert set(changes(api, service, container)) == found


def test_a_change_is_told_with_its_line(site: Site, api: APIClient) -> None:
    """What runs now, what the spec asks for and where it says so."""
    service = wanted(site.write(web=site.service(network_mode="none", **LIMITED)))
    container = run(site, service)
    docker("update", "--memory", "32m", "--restart", "always", container)
    lines = site.spec.read_text().splitlines()
    expected = {MEMORY: ("32m", "64m", '"memory": "64m"'), "restart": ("always", "on-failure:3", '"restart"')}
    found = changes(api, service, container)
    assert found.keys() == expected.keys()
    for field, (before, after, text) in expected.items():
        number = next(number for number, line in enumerate(lines, 1) if text in line)
        assert (found[field].before, found[field].after) == (before, after)
        assert found[field].source.endswith(f"compose.yaml:{number}")


def test_docker_rename_is_found(site: Site, api: APIClient) -> None:
    """By the name that the container was given."""
    service = wanted(site.write(web=site.service(network_mode="none")))
    container = run(site, service)
    given = {container: seen(api, container).name}
    assert in_place_changes(service, seen(api, container), given) == ()
    docker("rename", container, f"{site.name}-other")
    (change,) = in_place_changes(service, seen(api, container), given)
    assert (change.field, change.before, change.after) == ("name", f"{site.name}-other", given[container])


def test_networks_connected_and_disconnected_are_found(site: Site, api: APIClient) -> None:
    """Named in words; put back by hand as it was, with or without its aliases, nothing is left to find."""
    networks = {"networks": {"default": {}, "front": {"ipam": {"config": [{"subnet": "10.213.88.0/24"}]}}}}
    fixed = {"front": {"ipv4_address": "10.213.88.9", "aliases": ["www"]}}
    service = wanted(site.write(networks, web=site.service(networks=fixed)))
    front, other = f"{site.name}_front", f"{site.name}_other"
    docker("network", "create", "--subnet", "10.213.88.0/24", front)
    docker("network", "create", other)
    container = run(site, service)
    assert changes(api, service, container) == {}

    docker("network", "connect", other, container)
    assert changes(api, service, container)["networks"].reason == f"connected to {other} by hand"
    docker("network", "disconnect", front, container)
    assert changes(api, service, container)["networks"].reason == (
        f"disconnected from {front} and connected to {other} by hand"
    )
    docker("network", "disconnect", other, container)
    docker("network", "connect", front, container)
    assert set(changes(api, service, container)) == {"networks.front.ipv4_address"}
    docker("network", "disconnect", front, container)
    docker("network", "connect", "--ip", "10.213.88.9", front, container)
    assert changes(api, service, container) == {}


@pytest.mark.parametrize("mode", ["bridge", "none"])
def test_a_built_in_network_is_compared_too(site: Site, api: APIClient, mode: str) -> None:
    """A container can be taken off the default bridge and out of its isolation."""
    service = wanted(site.write(web=site.service(network_mode=mode)))
    container = run(site, service)
    assert changes(api, service, container) == {}
    docker("network", "disconnect", mode, container)
    assert changes(api, service, container)["networks"].reason == f"disconnected from {mode} by hand"


def test_what_was_written_since_a_replica_came_up_is_found(site: Site, api: APIClient) -> None:
    """Files written, made and removed, but no folder above them, and nothing of volumes, tmpfs and what is allowed.

    What the container itself wrote before is its own, also where it does so again after a restart.
    """
    command = ["sh", "-c", "mkdir -p /var/own; echo 1 > /var/own/log; touch /ready; sleep 600"]
    fields = {"command": command, "tmpfs": ["/fast"], "volumes": ["/data"], "network_mode": "none"}
    mutation = {"mutation": {"allow": ["/tmp", "/var/cache/app"]}}
    service = wanted(site.write(web=site.service(**fields, **{"x-reconcile": mutation})))
    container = run(site, service)
    wait_for(site, container, "/ready")
    baselines = {container: paths(api, container)}
    inside = "echo 2 > /var/own/log; mkdir -p /tmp/a /var/cache/app /opt; echo > /tmp/a/b; echo > /var/cache/app/c"
    site.execute(container, "sh", "-c", f"{inside}; echo > /fast/d; echo > /data/e; rmdir /opt")
    api.restart(container, timeout=0)
    wait_for(site, container, "/ready")
    assert written_paths(service, seen(api, container), {container: paths(api, container)}, baselines) == ()
    site.execute(container, "sh", "-c", "mkdir -p /srv/x; echo > /srv/x/y; rm /bin/wget; echo > /var/own/other")
    found = written_paths(service, seen(api, container), {container: paths(api, container)}, baselines)
    assert found == ("/bin/wget", "/srv/x/y", "/var/own/other")


def paths(api: APIClient, container: str) -> tuple[str, ...]:
    """GET /containers/{id}/changes."""
    return tuple(row["Path"] for row in api.diff(container) or ())


def wait_for(site: Site, container: str, path: str) -> None:
    """Until this exists in the container."""
    site.execute(container, "sh", "-c", f"until test -e {path}; do sleep 0.05; done")


# --- what the program does about it -----------------------------------------------------------------------------------


def update(*options: str) -> Callable[[Site, str], Any]:
    """Somebody who runs `docker update`."""
    return lambda _site, container: docker("update", *options, container)


def disconnect(site: Site, container: str) -> None:
    """Somebody who takes a replica off its network."""
    docker("network", "disconnect", f"{site.name}_default", container)


def connect(site: Site, container: str) -> None:
    """Somebody who puts a replica on one more network."""
    docker("network", "create", f"{site.name}-theirs")
    docker("network", "connect", f"{site.name}-theirs", container)


def rename(site: Site, container: str) -> None:
    """Somebody who gives a replica another name."""
    docker("rename", container, f"{site.name}-renamed")


def plainly(*verb: str) -> Callable[[Site, str], Any]:
    """Somebody who runs a verb of the docker CLI on a replica."""
    return lambda _site, container: docker(*verb, container)


HANDS: dict[str, tuple[Callable[[Site, str], Any], tuple[str, ...]]] = {
    "memory": (update("--memory", "64m", "--memory-swap", "64m"), (MEMORY, "docker update")),
    "cpus": (update("--cpus", "0.5"), (CPUS, "docker update")),
    "pids": (update("--pids-limit", "99"), (PIDS, "docker update")),
    "restart": (update("--restart", "always"), ("restart", "docker update")),
    "renamed": (rename, ("name", "docker rename")),
    "disconnected": (disconnect, ("networks", "disconnected from")),
    "connected": (connect, ("networks", "connected to")),
    "paused": (plainly("pause"), ("paused",)),
    "stopped": (plainly("stop", "-t", "0"), ("exited (137)",)),
    "killed": (plainly("kill"), ("exited (137)",)),
    "removed": (plainly("rm", "-f"), ("web/",)),
}


def state(site: Site, *options: str) -> dict[str, Any]:
    """What `status` says of the project."""
    found: dict[str, Any] = site.run("status", "-o", "json", *options).expect(0).document["projects"][0]
    return found


@pytest.mark.parametrize("hand", HANDS)
def test_what_somebody_did_is_undone(site: Site, hand: str) -> None:
    """Sync says `Modified` and the plan names the cause; one replica is replaced, the other one left alone."""
    act, words = HANDS[hand]
    site.write(web=site.service(scale=2)).converge()
    hurt, kept = sorted(site.running())
    act(site, hurt)
    assert state(site)["sync"] == "Modified"
    site.run("--dry-run").expect(0).says(*words)
    site.converge()
    healed = site.running()
    assert len(healed) == 2
    assert kept in healed
    assert site.containers().keys() == healed.keys()
    assert hurt not in healed
    assert state(site)["sync"] == "Synced"
    site.converge().says("in sync")
    assert site.running() == healed


def test_a_copy_is_reported_and_left_running(site: Site) -> None:
    """A second container with the labels of one of ours: sync is `Modified` and it is named, but it is not ours."""
    site.write(web=site.service()).converge()
    ours = site.running()
    copy = site.outsider("copy", Labels=site.only("web")["Config"]["Labels"])
    both = site.running()
    for arguments in ((), ("--dry-run",), ("status",)):
        site.run(*arguments).expect(0).says("warning", f"{site.name}-copy")
    assert state(site)["sync"] == "Modified"
    assert site.running() == both
    site.write(web=site.service(environment={"A": "1"})).converge()
    assert ours.keys().isdisjoint(site.containers())
    assert site.running()[copy] == both[copy]
    site.api.remove_container(copy, force=True)
    assert state(site)["sync"] == "Synced"


def test_a_container_that_is_not_remembered_is_judged_without_its_name(site: Site) -> None:
    """With its state folder lost, the program finds nothing to undo in what it made."""
    site.write(web=site.service(scale=2, **LIMITED)).converge()
    before = site.running()
    site.run("--state-dir", str(site.folder.with_name(f"{site.folder.name}-new"))).expect(0).says("in sync")
    assert site.running() == before


def test_a_service_can_opt_out(site: Site) -> None:
    """`mutation.config: ignore`: what somebody tunes stays as it is, and sync says nothing of it."""
    site.write(web=mutable(site, config="ignore")).converge()
    before = site.running()
    (container,) = before
    docker("update", "--memory", "64m", "--memory-swap", "64m", "--restart", "always", container)
    rename(site, container)
    assert state(site)["sync"] == "Synced"
    site.converge().says("in sync")
    assert site.running() == before


def mutable(site: Site, **mutation: Any) -> dict[str, Any]:
    """A service that writes a file of its own before it is healthy, under these rules of mutation."""
    fields = site.service(command=["sh", "-c", "echo 1 > /own; sleep 600"])
    check = {"test": ["CMD-SHELL", "test -e /own"], "interval": "100ms", "timeout": "2s"}
    return {**fields, "healthcheck": check, "x-reconcile": {**fields["x-reconcile"], "mutation": mutation}}


def scribble(site: Site, *paths: str) -> str:
    """Somebody writes these files in the one replica; its id."""
    (container,) = site.running()
    for path in paths:
        site.execute(container, "sh", "-c", f"mkdir -p $(dirname {path}); echo 2 > {path}")
    return container


def mutated(site: Site) -> list[str]:
    """What `status --deep` says was written."""
    (service,) = state(site, "--deep")["services"]
    found: list[str] = service["mutated"]
    return found


def test_written_files_are_reported_and_left(site: Site) -> None:
    """By default: listed by `status --deep` alone, minus the allow list, and neither sync nor exit code change."""
    site.write(web=mutable(site, allow=["/tmp", "/var/cache"])).converge()
    assert mutated(site) == []
    before = site.running()
    scribble(site, "/etc/app.conf", "/tmp/x", "/var/cache/y", "/own")
    assert mutated(site) == ["web/1: /etc/app.conf"]
    site.run("status", "--deep").expect(0).says("/etc/app.conf")
    (service,) = state(site)["services"]
    assert service["mutated"] == []
    assert state(site, "--deep")["sync"] == "Synced"
    site.converge()
    assert site.running() == before


def test_written_files_are_undone_where_the_spec_says_so(site: Site) -> None:
    """`mutation.filesystem: replace`: sync is `Modified`, the plan names the path, and a fresh replica takes over."""
    site.write(web=mutable(site, filesystem="replace", allow=["/tmp"])).converge()
    container = scribble(site, "/tmp/x")
    assert state(site, "--deep")["sync"] == "Synced"
    site.converge()
    assert list(site.running()) == [container]
    scribble(site, "/etc/app.conf")
    assert state(site, "--deep")["sync"] == "Modified"
    site.run("--dry-run").expect(0).says("/etc/app.conf")
    site.converge()
    after = site.running()
    assert len(after) == 1
    assert container not in site.containers()
    site.converge().says("in sync")
    assert site.running() == after


def test_written_files_are_nobodys_business_where_the_spec_says_so(site: Site) -> None:
    """`mutation.filesystem: ignore`: they are not even looked for."""
    site.write(web=mutable(site, filesystem="ignore")).converge()
    container = scribble(site, "/etc/app.conf")
    assert mutated(site) == []
    site.converge()
    assert list(site.running()) == [container]
