"""What lowering makes of a service beyond its create body: image, replicas, rollout, jobs, ports, mounts, sources."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.errors import SpecError
from reconciler.model.project import Build, Dependency, HostPort, Image, Rollout, Service
from reconciler.spec.lowering import lower, split_sources
from tests.unit.lowering.recorded import load, lower_service


def web(**spec: Any) -> Service:
    """The lowered service `web` with these keys."""
    return lower_service(**spec).services[0]


def refusal(sources: dict[str, str], **spec: Any) -> SpecError:
    """The error by which the service `web` with these keys is refused."""
    with pytest.raises(SpecError) as caught:
        lower_service(sources, **spec)
    return caught.value


def test_an_image_is_kept_as_written() -> None:
    """The reference, pull policy and platform reach `images` unresolved."""
    service = web(image="example/web:1@sha256:ab", pull_policy="if_not_present", platform="linux/arm64")
    assert service.image == Image("example/web:1@sha256:ab", "missing", None, "linux/arm64")


@pytest.mark.parametrize(
    ("written", "policy", "interval"),
    [
        (None, "missing", 0),
        ("missing", "missing", 0),
        ("if_not_present", "missing", 0),
        ("always", "always", 0),
        ("refresh", "always", 0),
        ("never", "never", 0),
        ("build", "build", 0),
        ("daily", "timed", 86_400),
        ("weekly", "timed", 604_800),
        ("every_12h", "timed", 43_200),
        ("every_1w2d3h4m5s", "timed", 788_645),
        ("every_0s", "timed", 0),
    ],
)
def test_pull_policies(written: str | None, policy: str, interval: float) -> None:
    """Those with a schedule have their seconds; a registry is asked each time where none have to pass."""
    image = web(pull_policy=written).image
    assert (image.pull_policy, image.interval) == (policy, interval)


def test_an_unknown_pull_policy_is_refused_where_it_stands() -> None:
    """What `images` cannot carry out is an error at its line, not a silent `missing`."""
    error = refusal({"services.web.pull_policy": "compose.yaml:7"}, pull_policy="hourly")
    assert str(error).startswith("compose.yaml:7: services.web: pull_policy 'hourly' is not supported")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"deploy": {"endpoint_mode": "dnsrr"}}, "services.web.deploy.endpoint_mode: is ignored: only Swarm"),
        ({"deploy": {"placement": {"constraints": ["a==b"]}}}, "services.web.deploy.placement: is ignored: only Swarm"),
        (
            {"deploy": {"resources": {"reservations": {"cpus": 1}}}},
            "services.web.deploy.resources.reservations.cpus: is ignored: only Swarm",
        ),
    ],
)
def test_what_is_not_honoured_is_said(spec: dict[str, Any], said: str) -> None:
    """What only Swarm has changes no container, and is warned about at its line."""
    (notice,) = lower_service({"services.web": "compose.yaml:2"}, **spec).notices
    assert (notice.code, notice.source) == ("NotHonoured", "compose.yaml:2")
    assert notice.message.startswith(said)
    assert lower_service(deploy={"replicas": 2}, pull_policy="every_12h").notices == ()


def test_a_build_names_absolute_files_and_sorted_arguments() -> None:
    """Arguments and labels are sorted; an argument that the environment does not set is not passed."""
    build = {"context": "/src/web", "dockerfile": "deploy/Dockerfile", "target": "run"}
    service = web(image="", build={**build, "args": {"Z": "1", "A": "2", "UNSET": None}, "labels": {"b": "c"}})
    expected = Build("/src/web", "/src/web/deploy/Dockerfile", None, (("A", "2"), ("Z", "1")), "run", (("b", "c"),))
    assert service.image == Image("", "missing", expected)


def test_an_inline_dockerfile_has_no_path() -> None:
    """The text of the Dockerfile stands in the spec, and no file is named beside it."""
    build = web(build={"context": "/src", "dockerfile_inline": "FROM scratch\n"}).image.build
    assert build == Build("/src", "", "FROM scratch\n")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, 1),
        ({"scale": 2}, 2),
        ({"scale": 0}, 0),
        ({"deploy": {"replicas": 3}}, 3),
        ({"deploy": {"replicas": 0}}, 0),
        ({"deploy": {"mode": "global", "replicas": 3}}, 1),
        ({"deploy": {"mode": "replicated-job", "replicas": 2}}, 2),
    ],
)
def test_replicas(spec: dict[str, Any], expected: int) -> None:
    """`scale` or `deploy.replicas`, zero included; one engine runs a global service once."""
    assert web(**spec).replicas == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, False),
        ({"restart": "no"}, True),
        ({"restart": "always"}, False),
        ({"deploy": {"mode": "replicated-job"}}, True),
        ({"deploy": {"mode": "global-job"}}, True),
        ({"restart": "no", "deploy": {"restart_policy": {"condition": "any"}}}, False),
        ({"restart": "always", "deploy": {"restart_policy": {"condition": "none"}}}, False),
        ({"restart": "no", "deploy": {"restart_policy": {"condition": "none"}}}, False),
        ({"deploy": {"restart_policy": {"condition": "none", "max_attempts": 3}}}, False),
        ({"deploy": {"mode": "replicated-job", "restart_policy": {"condition": "any"}}}, True),
    ],
)
def test_a_job_is_what_is_said_to_end(spec: dict[str, Any], expected: bool) -> None:
    """By its mode, or by `restart: "no"`; with `condition: none` it is a service that nobody restarts."""
    assert web(**spec).job is expected


def test_a_service_awaited_to_completion_is_a_job() -> None:
    """Who is waited for by service_completed_successfully is expected to end; its restart policy stays as written."""
    services = {
        "migrate": {"image": "a"},
        "web": {"image": "a", "depends_on": {"migrate": {"condition": "service_completed_successfully"}}},
    }
    project = lower(load({"services": services}))
    migrate, service = project.services
    assert (migrate.job, service.job) == (True, False)
    assert "HostConfig" not in migrate.container


def test_dependencies_keep_their_conditions() -> None:
    """Every field of the long form reaches the planner; what is left out has the default of the Compose Spec."""
    depends_on = {"db": {"condition": "service_healthy", "required": False, "restart": True}, "cache": {}}
    assert web(depends_on=depends_on).depends_on == (
        Dependency("cache"),
        Dependency("db", "service_healthy", required=False, restart=True),
    )


def test_rollout_is_read_from_update_config_and_the_extension() -> None:
    """Times are seconds, whatever unit they are written in."""
    service = web(
        deploy={"update_config": {"order": "stop-first", "parallelism": 0}},
        **{"x-reconcile": {"rollout": {"min_running": "500ms", "progress_deadline": "2m0s"}}},
    )
    assert service.rollout == Rollout("stop-first", 0, min_running=0.5, progress_deadline=120.0)


def test_an_unset_rollout_leaves_the_order_open() -> None:
    """Order is the planner's choice, and every other default the model's."""
    assert web().rollout == Rollout()
    assert web().rollout.order is None


def test_host_ports_are_what_the_host_gives_away() -> None:
    """Ranges, addresses and protocols as published; nothing published is a port of the engine's choice."""
    ports = [
        {"target": 80, "published": "8000-8002", "protocol": "tcp"},
        {"target": 53, "published": "53", "protocol": "udp", "host_ip": "127.0.0.1"},
        {"target": 90},
    ]
    assert web(ports=ports).ports == (
        HostPort(8000, 8002),
        HostPort(53, 53, "udp", "127.0.0.1"),
        HostPort(0, 0),
    )


def test_mounts_are_named_for_the_choice_of_order() -> None:
    """Writable mounts are told in words; read-only and in-memory ones cannot collide."""
    volumes = [
        {"type": "volume", "source": "data", "target": "/var/lib/data"},
        {"type": "volume", "source": "seed", "target": "/seed", "read_only": True},
        {"type": "bind", "source": "/srv/x", "target": "/x"},
        {"type": "volume", "target": "/cache"},
        {"type": "tmpfs", "target": "/tmp"},
    ]
    document = {
        "services": {"web": {"image": "a", "volumes": volumes}},
        "volumes": {"data": {"name": "shop_data"}, "seed": {"name": "seed", "external": True}, "old": {"name": "old"}},
    }
    project = lower(load(document, {"volumes.data": "compose.yaml:9"}))
    assert project.services[0].volumes == ("seed", "shop_data")
    assert project.services[0].writable_mounts == (
        "anonymous volume at /cache",
        "volume shop_data at /var/lib/data",
        "bind /srv/x at /x",
    )
    assert [(item.name, item.external, item.source) for item in project.volumes] == [
        ("shop_data", False, "compose.yaml:9"),
        ("seed", True, ""),
    ]


def test_the_order_in_which_volumes_are_written_means_nothing() -> None:
    """Moving a line in the spec replaces no container."""
    entries = [{"type": "bind", "source": f"/srv/{name}", "target": f"/{name}"} for name in "abc"]
    entries += [{"type": "volume", "target": f"/cache/{name}"} for name in "ab"]
    assert web(volumes=entries).container == web(volumes=entries[::-1]).container


def test_a_shared_network_is_left_to_the_planner() -> None:
    """`service:db` names a service, whose container is known only when it runs."""
    service = web(network_mode="service:db", pid="service:app", ipc="service:db", networks=None)
    assert service.shares == (("NetworkMode", "db"), ("PidMode", "app"), ("IpcMode", "db"))
    assert (service.networks, service.container) == ((), {"AttachStdout": True, "AttachStderr": True})


def test_other_namespaces_are_sent_as_written() -> None:
    """`host`, `shareable` and a container's name are words of the engine (Engine API, HostConfig)."""
    service = web(network_mode="none", pid="container:other", ipc="shareable", networks=None)
    assert service.container["HostConfig"] == {
        "NetworkMode": "none",
        "PidMode": "container:other",
        "IpcMode": "shareable",
    }
    assert service.shares == ()


def test_a_mac_address_stands_where_every_engine_reads_it() -> None:
    """The first network's address is in the endpoint, and in Config for engines before API 1.44."""
    service = web(networks={"default": {"mac_address": "02:42:ac:11:65:43"}})
    assert service.container["MacAddress"] == "02:42:ac:11:65:43"
    assert service.networks[0].endpoint == {"MacAddress": "02:42:ac:11:65:43"}
    assert service.networks[0].static_address


def test_the_services_mac_address_is_that_of_its_first_network() -> None:
    """The first by priority gets it, in the engine's form, whatever form it is written in."""
    networks = {"default": None, "front": {"priority": 1}}
    document = {
        "services": {"web": {"image": "a", "mac_address": "02-42-AC-11-65-43", "networks": networks}},
        "networks": {"default": {"name": "shop_default"}, "front": {"name": "shop_front"}},
    }
    (service,) = lower(load(document)).services
    assert service.container["MacAddress"] == "02:42:ac:11:65:43"
    assert [(item.key, item.endpoint) for item in service.networks] == [
        ("front", {"MacAddress": "02:42:ac:11:65:43"}),
        ("default", {}),
    ]


def test_a_mac_address_without_networks_is_still_asked_for() -> None:
    """On the engine's own bridge there is no endpoint to say it in."""
    service = web(mac_address="0242.ac11.6543", network_mode="bridge", networks=None)
    assert (service.container["MacAddress"], service.networks) == ("02:42:ac:11:65:43", ())


def test_two_different_mac_addresses_are_refused() -> None:
    """The service and its first network may both say it, in any form, but not differently."""
    same = web(mac_address="02:42:ac:11:65:43", networks={"default": {"mac_address": "02-42-ac-11-65-43"}})
    assert same.container["MacAddress"] == "02:42:ac:11:65:43"
    error = refusal(
        {"services.web.mac_address": "compose.yaml:6"},
        mac_address="02:42:ac:11:65:43",
        networks={"default": {"mac_address": "02:42:ac:11:65:44"}},
    )
    assert str(error).startswith(
        "compose.yaml:6: services.web: mac_address is 02:42:ac:11:65:43, but on network default it is 02:42:ac:11:65:44"
    )


@pytest.mark.parametrize("mode", ["host", "container:x", "service:db"])
def test_a_mac_address_needs_a_network_of_its_own(mode: str) -> None:
    """Engines answer it with 400 on a network stack that belongs to somebody else."""
    error = refusal({}, mac_address="02:42:ac:11:65:43", network_mode=mode, networks=None)
    assert error.message == f"services.web: mac_address means nothing with network_mode {mode}"


def test_start_interval_is_sent_with_its_period() -> None:
    """Times are nanoseconds (Engine API, HealthConfig)."""
    healthcheck = {"test": ["CMD", "true"], "start_period": "10s", "start_interval": "1s"}
    assert web(healthcheck=healthcheck).container["Healthcheck"] == {
        "Test": ["CMD", "true"],
        "StartPeriod": 10_000_000_000,
        "StartInterval": 1_000_000_000,
    }


def test_start_interval_without_period_is_refused() -> None:
    """The engine ignores it, so it is an error at its line rather than a check that never runs as written."""
    sources = {"services.web.healthcheck.start_interval": "compose.yaml:5"}
    error = refusal(sources, healthcheck={"test": ["CMD", "true"], "start_interval": "1s"})
    assert str(error).startswith("compose.yaml:5: services.web: healthcheck.start_interval needs")


def test_a_missing_seccomp_profile_is_refused() -> None:
    """The profile's text goes into the body, so a file that cannot be read is an error of the spec, with its place."""
    error = refusal({"services.web": "compose.yaml:2"}, security_opt=["seccomp:absent.json"])
    assert str(error) == (
        "compose.yaml:2: services.web: the seccomp profile absent.json does not exist "
        "(the path is relative to the project's folder)"
    )


def test_a_broken_seccomp_profile_is_refused() -> None:
    """What is not JSON never reaches the engine."""
    error = refusal({"services.web.security_opt": "compose.yaml:4"}, security_opt=["seccomp=compose_requests.jsonl"])
    assert str(error).startswith("compose.yaml:4: services.web: the seccomp profile compose_requests.jsonl is not JSON")


def test_a_security_option_without_value_is_refused() -> None:
    """Only no-new-privileges stands alone."""
    assert "security_opt 'apparmor' has no value" in refusal({}, security_opt=["apparmor"]).message


def test_a_document_without_services_is_an_empty_project() -> None:
    """Settings, notices and places of the project pass through; `prune` is on and `allow_empty` off by default."""
    project = lower(load({}, {"": "compose.yaml:1"}, disabled=frozenset({"debug"})))
    assert (project.services, project.networks, project.volumes) == ((), (), ())
    assert (project.prune, project.allow_empty, project.source) == (True, False, "compose.yaml:1")
    assert project.disabled == {"debug"}
    strict = lower(load({}, reconcile={"prune": False, "allow_empty": True}))
    assert (strict.prune, strict.allow_empty) == (False, True)


def test_a_suspended_project_says_where() -> None:
    """The line that suspends it, else the file's; nothing where it is not suspended."""
    places = {"": "compose.yaml:1", "x-reconcile.suspend": "compose.yaml:9"}
    assert lower(load({}, places, reconcile={"suspend": True})).suspended == "compose.yaml:9"
    assert lower(load({}, {"": "compose.yaml:1"}, reconcile={"suspend": True})).suspended == "compose.yaml:1"
    assert lower(load({}, {}, reconcile={"suspend": True})).suspended == "shop"
    assert lower(load({}, places, reconcile={"suspend": False})).suspended == ""


def test_networks_carry_their_place() -> None:
    """A network's file:line is kept for the plan; an external one has no definition of ours."""
    document = {
        "services": {"web": {"image": "a", "networks": {"front": None, "shared": None}}},
        "networks": {"front": {"name": "shop_front"}, "shared": {"name": "shared", "external": True, "driver": "x"}},
    }
    networks = lower(load(document, {"networks.front": "compose.yaml:8"})).networks
    assert [(item.key, item.name, item.external, item.definition, item.source) for item in networks] == [
        ("front", "shop_front", False, {}, "compose.yaml:8"),
        ("shared", "shared", True, {}, ""),
    ]


def test_sources_are_told_apart_where_names_hold_dots() -> None:
    """A path belongs to the longest service name that begins it; services of disabled profiles keep theirs."""
    sources = {
        "services.a": "f:1",
        "services.a.image": "f:2",
        "services.a.ports[0]": "f:3",
        "services.a.b": "f:4",
        "services.a.b.image": "f:5",
        "networks.a": "f:6",
    }
    assert split_sources(sources, {"a", "a.b"}) == {
        "a": {"": "f:1", "image": "f:2", "ports[0]": "f:3"},
        "a.b": {"": "f:4", "image": "f:5"},
    }


def test_the_restart_policy_is_found_where_it_was_decided() -> None:
    """The engine's one restart policy is explained by the line of `deploy.restart_policy` where that overrides."""
    sources = {"services.web.restart": "f:1", "services.web.deploy.restart_policy": "f:2"}
    service = lower_service(sources, restart="no", deploy={"restart_policy": {"condition": "any"}}).services[0]
    assert service.source("restart") == "f:2"
