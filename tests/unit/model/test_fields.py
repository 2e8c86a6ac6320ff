"""The table between Engine payloads and spec fields: what a replacement is explained with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from reconciler.model.fields import (
    PAYLOAD_FIELDS,
    UNEXPLAINED,
    as_written,
    asked_fields,
    changed_fields,
    observed_fields,
)
from reconciler.spec.lowering import lower
from tests.unit.lowering.recorded import cases, load

# Config and HostConfig as Engine 20.10 inspects a container of which nothing was asked but its image.
CONFIG: dict[str, Any] = {
    "Hostname": "06f991669e9f",
    "Domainname": "",
    "User": "",
    "AttachStdout": True,
    "AttachStderr": True,
    "Tty": False,
    "OpenStdin": False,
    "Env": ["PATH=/bin"],
    "Cmd": ["sleep", "3600"],
    "Image": "example/base:1",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "Labels": {"com.docker.compose.project": "shop", "io.reconciler.slot": "1"},
}
HOST_CONFIG: dict[str, Any] = {
    "Binds": None,
    "LogConfig": {"Type": "json-file", "Config": {}},
    "NetworkMode": "shop_default",
    "PortBindings": {},
    "RestartPolicy": {"Name": "", "MaximumRetryCount": 0},
    "CapAdd": None,
    "CapDrop": None,
    "ExtraHosts": [],
    "IpcMode": "private",
    "Privileged": False,
    "ReadonlyRootfs": False,
    "SecurityOpt": None,
    "ShmSize": 67108864,
    "Memory": 0,
    "NanoCpus": 0,
    "MemoryReservation": 0,
    "PidsLimit": None,
    "Ulimits": None,
    "MaskedPaths": ["/proc/asound"],
    "ReadonlyPaths": ["/proc/bus"],
}
IMAGE = {"Env": ["PATH=/bin"], "Cmd": ["sleep", "3600"]}
RICH = {
    "Env": ["PATH=/bin", "LEVEL=info"],
    "Labels": {"maker": "us"},
    "Cmd": ["sleep", "3600"],
    "Entrypoint": ["busybox"],
    "WorkingDir": "/srv",
    "User": "65534",
    "StopSignal": "SIGINT",
    "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/data": {}},
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 7_000_000_000},
}


def paths(body: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Payload paths of a body, as deep as the table goes."""
    for key, value in body.items():
        path = (*prefix, key)
        known = path in PAYLOAD_FIELDS or path in UNEXPLAINED
        if isinstance(value, Mapping) and not known:
            yield from paths(value, path)
        else:
            yield path


def test_the_table_is_closed() -> None:
    """Every payload path that lowering can emit has its spec field, so no change of it goes unexplained."""
    bodies = [
        service.container for case in cases() if not case.refused for service in lower(load(case.document)).services
    ]
    emitted = {path for body in bodies for path in paths(body)}
    assert emitted <= {*PAYLOAD_FIELDS, *UNEXPLAINED}


def test_a_container_that_asks_for_nothing_shows_nothing() -> None:
    """Engine defaults, the image's own settings, its id as host name and reserved labels are nobody's wish."""
    assert observed_fields(CONFIG, HOST_CONFIG, IMAGE) == {} == asked_fields({})


def test_fields_are_named_and_written_as_in_a_spec() -> None:
    """Maps are split by key; durations, sizes and CPUs are in the spec's notation; sets are sorted."""
    body = {
        "Env": ["LEVEL=debug", "EMPTY=", "GONE"],
        "Labels": {"team": "a", "com.docker.compose.project": "shop"},
        "StopTimeout": 90,
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1_500_000_000, "Retries": 2},
        "HostConfig": {
            "Memory": 64 * 1024**2,
            "MemoryReservation": 1000,
            "NanoCpus": 3141590016,
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
            "LogConfig": {"Type": "local", "Config": {"max-size": "10m"}},
            "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}, {"Name": "nproc", "Soft": 5, "Hard": 5}],
            "CapAdd": ["CAP_SYS_TIME", "CAP_CHOWN"],
            "Tmpfs": {"/run": "size=1m", "/tmp": ""},
        },
    }
    assert asked_fields(body) == {
        "environment.LEVEL": "debug",
        "environment.EMPTY": "",
        "environment.GONE": "(removed)",
        "labels.team": "a",
        "stop_grace_period": "1m30s",
        "healthcheck.test": ["CMD", "true"],
        "healthcheck.interval": "1s500ms",
        "healthcheck.retries": 2,
        "deploy.resources.limits.memory": "64m",
        "deploy.resources.reservations.memory": "1000",
        "deploy.resources.limits.cpus": "3.14159",
        "restart": "on-failure:3",
        "logging.driver": "local",
        "logging.options.max-size": "10m",
        "ulimits.nofile": "1:2",
        "ulimits.nproc": "5",
        "cap_add": ["CAP_CHOWN", "CAP_SYS_TIME"],
        "tmpfs./run": "size=1m",
        "tmpfs./tmp": "(no options)",
    }


def test_ports_read_like_their_short_form() -> None:
    """A published port exposes itself, which is not told twice; a port of the engine's choice is its target alone."""
    bindings = {
        "80/tcp": [{"HostIp": "", "HostPort": "8000-8002"}, {"HostIp": "::1", "HostPort": "80"}],
        "90/udp": [{"HostIp": "", "HostPort": "0"}, {"HostIp": "127.0.0.1", "HostPort": "90"}],
        "91/tcp": None,
    }
    body = {"ExposedPorts": {"80/tcp": {}, "90/udp": {}, "99": {}}, "HostConfig": {"PortBindings": bindings}}
    assert asked_fields(body) == {
        "expose.99": "99",
        "ports": ["127.0.0.1:90:90/udp", "8000-8002:80/tcp", "90/udp", "[::1]:80:80/tcp"],
    }


def test_mounts_are_told_by_their_place_in_the_container() -> None:
    """A volume that the engine named is anonymous, whether it was carried over or is new."""
    host = {
        "Binds": ["shop_data:/d:rw", "/srv/x:/x:ro,z", "bare"],
        "Mounts": [
            {"Type": "volume", "Target": "/cache", "Source": "a" * 64},
            {"Type": "volume", "Target": "/new", "VolumeOptions": {"NoCopy": True}},
            {
                "Type": "bind",
                "Source": "/y",
                "Target": "/y",
                "ReadOnly": True,
                "BindOptions": {"CreateMountpoint": True},
            },
            {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 5}},
        ],
    }
    assert asked_fields({"HostConfig": host}) == {
        "volumes./d": "shop_data",
        "volumes./x": "/srv/x (ro,z)",
        "volumes./cache": "anonymous volume",
        "volumes./new": "anonymous volume (NoCopy=True)",
        "volumes./y": "/y (ro)",
        "volumes./t": "tmpfs (SizeBytes=5)",
    }


def test_what_the_image_brings_is_nobodys_wish() -> None:
    """What came from the image, and volumes carried over at its VOLUME paths, do not show."""
    config = CONFIG | {key: value for key, value in RICH.items() if key != "Volumes"}
    carried = {"Mounts": [{"Type": "volume", "Target": "/data", "Source": "b" * 64}]}
    assert observed_fields(config, HOST_CONFIG | carried, RICH) == {}


def test_repeating_the_image_is_no_difference() -> None:
    """Asking for what the image says anyway is the same container."""
    body = {"Env": ["LEVEL=info"], "User": "65534", "Cmd": ["sleep", "3600"], "Labels": {"maker": "us"}}
    assert changed_fields(body, CONFIG | {"Cmd": RICH["Cmd"], "Env": RICH["Env"]}, HOST_CONFIG, RICH) == {}
    assert asked_fields(body)["environment.LEVEL"] == "info"


def test_a_dropped_command_was_the_old_one() -> None:
    """Before is what was asked, after is nothing, as the image's own command is the image's business."""
    assert changed_fields({}, CONFIG | {"Cmd": ["sleep", "1"]}, HOST_CONFIG, IMAGE) == {
        "command": (["sleep", "1"], None)
    }


def test_a_command_of_ones_own_entrypoint_is_ones_own() -> None:
    """With another entrypoint the engine takes no command from the image, so an equal one was asked for."""
    config = CONFIG | {"Entrypoint": ["sh"], "Cmd": ["sleep", "3600"]}
    assert observed_fields(config, HOST_CONFIG, IMAGE) == {"entrypoint": ["sh"], "command": ["sleep", "3600"]}


def test_a_cleared_entrypoint_is_asked_for() -> None:
    """`entrypoint: []` takes the image's away, while an empty command says nothing."""
    assert asked_fields({"Entrypoint": [], "Cmd": []}) == {"entrypoint": []}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ({"NetworkMode": "host"}, {"network_mode": "host"}),
        ({"NetworkMode": "none"}, {"network_mode": "none"}),
        ({"NetworkMode": "bridge"}, {}),
        ({"NetworkMode": f"container:{'c' * 64}"}, {}),
        ({"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}, {}),
        ({"RestartPolicy": {"Name": "always", "MaximumRetryCount": 0}}, {"restart": "always"}),
        ({"Privileged": True, "SecurityOpt": ["label=disable"]}, {"privileged": True}),
        ({"SecurityOpt": ["label=disable"]}, {"security_opt": ["label=disable"]}),
        ({"MaskedPaths": []}, {"security_opt.systempaths": "unconfined"}),
        ({"SecurityOpt": ['seccomp={"a":1}']}, {"security_opt": ["seccomp=(profile ef3eaa08)"]}),
        ({"Init": False}, {"init": False}),
        ({"PidsLimit": 0}, {}),
    ],
)
def test_what_engines_write_by_themselves_is_not_told(host: dict[str, Any], expected: dict[str, Any]) -> None:
    """Networks and shared namespaces stand elsewhere; `no`, `bridge` and a privileged label come from the engine."""
    assert observed_fields(CONFIG, HOST_CONFIG | host, IMAGE) == expected


def test_a_host_name_on_the_hosts_network_is_the_hosts() -> None:
    """With network_mode host the engine writes the machine's own name, with another container's network that one's."""
    config = CONFIG | {"Hostname": "vm"}
    assert observed_fields(config, HOST_CONFIG, IMAGE) == {"hostname": "vm"}
    for mode in ("host", "container:f00"):
        assert "hostname" not in observed_fields(config, HOST_CONFIG | {"NetworkMode": mode}, IMAGE)


def test_durations_below_a_second_and_zero_are_written_out() -> None:
    """`stop_grace_period: 0s` is a wish, and nanoseconds are never lost."""
    body = {"StopTimeout": 0, "Healthcheck": {"Timeout": 3_600_000_001_001}}
    assert asked_fields(body) == {"stop_grace_period": "0s", "healthcheck.timeout": "1h1µs1ns"}


def test_the_engines_own_choice_explains_only_what_nothing_else_does() -> None:
    """A log option may come from the engine's configuration: it is a cause only where there is no other."""
    host = HOST_CONFIG | {"LogConfig": {"Type": "journald", "Config": {"tag": "x"}}}
    body = {"User": "app"}
    assert changed_fields(body, CONFIG, host, IMAGE) == {"user": (None, "app")}
    assert changed_fields({}, CONFIG, host, IMAGE) == {
        "logging.driver": ("journald", None),
        "logging.options.tag": ("x", None),
    }


def test_a_working_directory_is_compared_as_the_engine_cleans_it() -> None:
    """`/w/` and `/w` are one place."""
    assert changed_fields({"WorkingDir": "/w/"}, CONFIG | {"WorkingDir": "/w"}, HOST_CONFIG, IMAGE) == {}


@pytest.mark.parametrize(
    ("path", "value", "fields"),
    [
        ("MemorySwap", -1, {"memswap_limit": "-1"}),
        ("CpuPercent", 5000, {"cpu_percent": 50}),
        ("Sysctls", {"net.a": "1"}, {"sysctls.net.a": "1"}),
        ("BlkioDeviceReadBps", [{"Path": "/a", "Rate": 5}], {"blkio_config.device_read_bps./a": 5}),
        ("BlkioWeightDevice", [{"Path": "/a", "Weight": 50}], {"blkio_config.weight_device./a": 50}),
        (
            "Devices",
            [{"PathOnHost": "/dev/a", "PathInContainer": "/b", "CgroupPermissions": "r"}],
            {"devices./b": "/dev/a (r)"},
        ),
        (
            "DeviceRequests",
            [{"Driver": "", "Count": -1, "DeviceIDs": None, "Capabilities": [["gpu"]], "Options": {}}],
            {"gpus": [{"Count": -1, "Capabilities": [["gpu"]]}]},
        ),
        ("DeviceRequests", [], {}),
    ],
)
def test_keys_of_the_host_are_shown(path: str, value: Any, fields: dict[str, Any]) -> None:
    """Each as a spec names it."""
    assert asked_fields({"HostConfig": {path: value}}) == fields


def test_what_engines_choose_is_told_only_alone() -> None:
    """The swap that goes with memory never; runtime and cgroup namespace where nothing else explains."""
    before = {**HOST_CONFIG, "Memory": 64, "MemorySwap": 128, "CgroupnsMode": "private", "Runtime": "crun"}
    after = {"HostConfig": {"Memory": 32}}
    found = changed_fields(after, CONFIG, before, IMAGE)
    assert found == {"deploy.resources.limits.memory": ("64", "32")}


@pytest.mark.parametrize(
    ("sources", "field"),
    [
        ({"mem_limit": "a:1"}, "mem_limit"),
        ({"mem_limit": "a:1", "deploy.resources.limits.memory": "a:2"}, "deploy.resources.limits.memory"),
        ({}, "deploy.resources.limits.memory"),
    ],
)
def test_limits_are_named_as_written(sources: dict[str, str], field: str) -> None:
    """By the service's own key where `deploy` does not say the limit."""
    assert as_written("deploy.resources.limits.memory", sources) == field
