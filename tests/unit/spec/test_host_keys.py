"""Keys that go straight to the container's config: the document is the one that `docker compose config` prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.spec.render import render
from tests.unit.spec.conftest import Loader

Refusal = Callable[..., list[str]]


def spec(body: str) -> str:
    """One service `a` with this line."""
    return f"services:\n  a:\n    image: x\n    {body}\n  b: {{image: x}}\n"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("mem_swappiness: 10", {"mem_swappiness": "10"}),
        ("mem_swappiness: 0", {}),
        ("mem_limit: -1", {"mem_limit": "-1"}),
        ("mem_limit: 0", {}),
        ("memswap_limit: 1.5g", {"memswap_limit": "1610612736"}),
        ("cpus: 1e-1", {"cpus": 0.1}),
        ("pids_limit: -1", {"pids_limit": -1}),
        ('cpu_quota: "50000"', {"cpu_quota": 50000}),
        ('oom_score_adj: "-500"', {"oom_score_adj": -500}),
        ("oom_kill_disable: false", {}),
        ("group_add: [1000, mail]", {"group_add": ["1000", "mail"]}),
        ("dns: 1.1.1.1", {"dns": ["1.1.1.1"]}),
        ("dns: [1.1.1.1, 1.1.1.1]", {"dns": ["1.1.1.1"]}),
        ('dns: ""', {}),
        ("sysctls: [a=1, a=2]", {"sysctls": {"a": "2"}}),
        ("annotations: {a: null, b: 1.5}", {"annotations": {"a": "", "b": "1.5"}}),
        ("storage_opt: {size: 12, b: null}", {"storage_opt": {"size": "12", "b": ""}}),
        ("devices: [/dev/a]", {"devices": [{"source": "/dev/a", "target": "/dev/a", "permissions": "rwm"}]}),
        ('devices: ["/dev/a::r"]', {"devices": [{"source": "/dev/a", "target": "/dev/a", "permissions": "r"}]}),
        ("devices: [{source: /dev/a, target: /b}]", {"devices": [{"source": "/dev/a", "target": "/b"}]}),
        (
            "devices: [/dev/a:/b, /dev/c:/b:r]",
            {"devices": [{"source": "/dev/c", "target": "/b", "permissions": "r"}]},
        ),
        (
            "blkio_config: {weight: 300, device_read_bps: [{path: /dev/a, rate: 12mb}]}",
            {"blkio_config": {"weight": 300, "device_read_bps": [{"Path": "/dev/a", "Rate": "12582912"}]}},
        ),
        ("blkio_config: {}", {"blkio_config": {}}),
        ("gpus: all", {"gpus": [{"count": -1}]}),
        ('gpus: [{count: "2"}]', {"gpus": [{"count": 2}]}),
        ("gpus: [{count: 0}]", {"gpus": [{}]}),
        ("gpus: [{driver: nvidia}]", {"gpus": [{"count": -1, "driver": "nvidia"}]}),
        ("gpus: [{device_ids: [a], options: [a=b]}]", {"gpus": [{"device_ids": ["a"], "options": {"a": "b"}}]}),
        ("credential_spec: {config: x}", {"credential_spec": {"config": "x"}}),
        (
            'links: [b, "b:al"]',
            {
                "links": ["b", "b:al"],
                "depends_on": {"b": {"condition": "service_started", "restart": True, "required": True}},
            },
        ),
        (
            'volumes_from: ["b:ro", "container:c"]',
            {
                "volumes_from": ["b:ro", "container:c"],
                "depends_on": {"b": {"condition": "service_started", "required": True}},
            },
        ),
    ],
)
def test_they_are_shown_as_compose_shows_them(loader: Loader, body: str, shown: dict[str, Any]) -> None:
    """Recorded with docker compose 2.40.3."""
    document = json.loads(render(loader(spec(body)).document, "json"))
    always = {"image", "networks", "command", "entrypoint"}
    assert {key: value for key, value in document["services"]["a"].items() if key not in always} == shown


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("mem_limit: 1e3", "mem_limit: must be a whole number of bytes"),
        ("mem_limit: 1.0", "mem_limit: must be a whole number of bytes"),
        ("mem_limit: 10.5", "mem_limit: must be a whole number of bytes"),
        ("mem_limit: 9223372036854775808", "is larger than the engine can hold"),
        ('mem_limit: "-1"', "size '-1' is negative"),
        ("cpu_percent: 120", "must be less than or equal to 100"),
        ("oom_score_adj: 5000", "must be less than or equal to 1000"),
        ("group_add: [1.5]", "group_add[0]: must be the name or the number of a group"),
        ("group_add: [a, a]", "'a' is listed twice"),
        ("devices: [/dev/a:/b:rwm:x]", "is not HOST:CONTAINER:PERMISSIONS"),
        ("devices: [{source: /dev/a}]", "devices[0].target: is required"),
        ("gpus: some", "must be all or a list, not 'some'"),
        ("gpus: [{count: 1, device_ids: [a]}]", "has both count and device_ids"),
        ("gpus: [{count: some}]", "must be a whole number, not 'some'"),
        ("cgroup: bogus", "'bogus' is not one of host, private"),
        ("links: [c]", "services.a.links: there is no service 'c'"),
        ("volumes_from: [c]", "services.a.volumes_from: there is no service 'c'"),
        ('{cpus: 1, deploy: {resources: {limits: {cpus: "2"}}}}', "cpus: is 1, but deploy.resources.limits.cpus is 2"),
    ],
)
def test_what_means_nothing_is_refused(refusal: Refusal, body: str, said: str) -> None:
    """Also where Compose makes 0 of it without a word."""
    text = spec(body)
    if body.startswith("{"):
        text = f"services:\n  a: {{image: x, {body[1:]}\n"
    (line,) = refusal(text)
    assert said in line


def test_a_limit_of_zero_contradicts_nothing(loader: Loader) -> None:
    """It is no limit, so that the one of `deploy` holds."""
    text = "services:\n  a: {image: x, mem_limit: 0, deploy: {resources: {limits: {memory: 64k}}}}\n"
    assert loader(text).document["services"]["a"]["deploy"]["resources"]["limits"] == {"memory": "65536"}


def test_a_zero_that_compose_drops_is_told(loader: Loader) -> None:
    """`mem_swappiness: 0` does not reach the engine."""
    assert [notice.code for notice in loader(spec("mem_swappiness: 0")).notices] == ["ZeroIgnored"]


def test_the_later_file_has_the_device(loader: Loader) -> None:
    """Devices are one by their path in the container, links by their text."""
    files = {
        "a.yaml": spec("devices: [/dev/a:/x]").replace("image: x\n", "image: x\n    links: [b]\n", 1),
        "b.yaml": "services: {a: {devices: [/dev/b:/x], links: [b]}}",
    }
    service = loader(files).document["services"]["a"]
    assert [device["source"] for device in service["devices"]] == ["/dev/b"]
    assert service["links"] == ["b"]
