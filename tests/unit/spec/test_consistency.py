from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.spec.load import Loaded

Loader = Callable[..., Loaded]


@pytest.mark.parametrize(
    ("services", "rest", "error"),
    [
        (
            "a: {}",
            "",
            "services.a: has neither image nor build (say what it runs: image: name:tag, or build: ./folder)",
        ),
        (
            "a: {build: {dockerfile: D, dockerfile_inline: FROM x}}",
            "",
            "services.a.build: has both dockerfile and dockerfile_inline (remove one of the two)",
        ),
        (
            "a: {image: x, depends_on: [b]}",
            "",
            "services.a.depends_on: there is no service 'b' (declare it under services:)",
        ),
        (
            "a: {image: x, depends_on: {b: {condition: service_started, required: false}}}",
            "",
            "services.a.depends_on: there is no service 'b' (declare it under services:)",
        ),
        (
            "a: {image: x, depends_on: [b]}\n  b: {image: x, profiles: [p]}",
            "",
            (
                "services.a.depends_on: service 'b' belongs to a profile that is not enabled (enable its "
                "profile, or set required: false)"
            ),
        ),
        (
            "a: {image: x, network_mode: 'service:b'}",
            "",
            "services.a.network_mode: there is no service 'b' (declare it under services:)",
        ),
        (
            "a: {image: x, network_mode: host, networks: [n]}",
            "networks: {n: }",
            "services.a.network_mode: cannot stand together with networks (remove one of the two)",
        ),
        (
            "a: {image: x, networks: [n]}",
            "",
            "services.a.networks: there is no network 'n' (declare it under the top-level networks:)",
        ),
        (
            "a: {image: x, volumes: ['v:/t']}",
            "",
            (
                "services.a.volumes: there is no volume 'v' (declare it under the top-level volumes:, or "
                "begin a path with ./)"
            ),
        ),
        (
            "a: {image: x, volumes: [{type: bind, target: /t}]}",
            "",
            "services.a.volumes: the bind mount at /t has no source (say which host path)",
        ),
        (
            "a: {image: x, volumes: [/t], tmpfs: /t}",
            "",
            "services.a.volumes: /t is also mounted by tmpfs (remove one of the two)",
        ),
        (
            "a: {image: x, tmpfs: [/t, '/t:size=1m']}",
            "",
            "services.a.tmpfs: /t is listed twice (remove one of the two)",
        ),
        (
            "a: {image: x, scale: 2, deploy: {replicas: 3}}",
            "",
            "services.a.scale: is 2, but deploy.replicas is 3 (say it once, in deploy.replicas)",
        ),
        (
            "a: {image: x, scale: 2, container_name: one}",
            "",
            (
                "services.a.container_name: 2 replicas cannot share one container name (remove "
                "container_name, or run one replica)"
            ),
        ),
        (
            "a: {image: x, pid: 'service:b'}",
            "",
            "services.a.pid: there is no service 'b' (declare it under services:)",
        ),
        (
            "a: {image: x, ipc: 'service:b'}\n  b: {image: x, profiles: [p]}",
            "",
            (
                "services.a.ipc: service 'b' belongs to a profile that is not enabled (enable its "
                "profile, or set required: false)"
            ),
        ),
        (
            (
                "a: {image: x, depends_on: [c], ipc: 'service:b'}\n  b: {image: x, pid: 'service:a', ipc: host}\n"
                "  c: {image: x}"
            ),
            "",
            "services.a.ipc: dependency cycle: a -> b -> a (remove one of these dependencies)",
        ),
        (
            "a: {image: x, uts: 'service:b'}",
            "",
            "services.a.uts: there is no service 'b' (declare it under services:)",
        ),
        (
            "a: {build: {context: ., additional_contexts: {base: 'service:b'}}}",
            "",
            (
                "services.a.build: additional_contexts.base: there is no service 'b' with a build "
                "(name a service that is built, and enabled)"
            ),
        ),
        (
            "a: {build: {context: ., additional_contexts: {base: 'service:b'}}}\n  b: {image: x}",
            "",
            (
                "services.a.build: additional_contexts.base: there is no service 'b' with a build "
                "(name a service that is built, and enabled)"
            ),
        ),
        (
            "a: {image: x, container_name: one}\n  b: {image: x, container_name: one}",
            "",
            "services.b.container_name: 'one' is also the name of service 'a' (rename one)",
        ),
        (
            "a: {image: x, depends_on: [a]}",
            "",
            "services.a.depends_on: dependency cycle: a -> a (remove one of these dependencies)",
        ),
        (
            (
                "a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [c]}\n  c: {image: x, "
                "network_mode: 'service:b'}"
            ),
            "",
            "services.b.depends_on: dependency cycle: b -> c -> b (remove one of these dependencies)",
        ),
        (
            "a: {image: x, network_mode: 'service:a'}",
            "",
            "services.a.network_mode: dependency cycle: a -> a (remove one of these dependencies)",
        ),
        (
            "a: {image: x}",
            "volumes: {v: {external: true, driver: local}}",
            "volumes.v.driver: an external volume is not ours to define (remove it, or external)",
        ),
    ],
)
def test_what_cannot_hold_is_refused(refusal: Callable[..., list[str]], services: str, rest: str, error: str) -> None:
    """References that lead nowhere, contradictions, and what no engine can run, each with its remedy."""
    lines = refusal(f"services:\n  {services}\n{rest}\n")
    assert "\n".join(lines).partition(": ")[2] == error


@pytest.mark.parametrize(
    ("services", "rest"),
    [
        ("a: {image: x, depends_on: {b: {condition: service_healthy}}}\n  b: {image: x}", ""),
        (
            (
                "a: {image: x, depends_on: {b: {condition: service_started, required: false}}}\n  b: "
                "{image: x, profiles: [p]}"
            ),
            "",
        ),
        ("a: {image: x, depends_on: [b, c]}\n  b: {image: x, depends_on: [c]}\n  c: {image: x}", ""),
        ("a: {image: x, scale: 3, deploy: {labels: {a: b}}, ports: ['8000-8002:80', '81', '0:82']}", ""),
        ("a: {image: x, scale: 2, deploy: {replicas: 2}}", ""),
        ("a: {image: x, deploy: {mode: global, replicas: 2}, ports: ['80:80'], container_name: one}", ""),
        (
            "a: {image: x, container_name: one, networks: [default], volumes: [/t, 'v:/u', ./x:/w], tmpfs: /s}",
            "volumes: {v: {external: true}, w: }",
        ),
    ],
)
def test_what_can_hold_is_accepted(loader: Loader, services: str, rest: str) -> None:
    """A health condition on a service without a health check, an optional service that is off, ranges for replicas."""
    assert loader(f"services:\n  {services}\n{rest}\n").document["services"]


def test_a_shared_namespace_is_a_dependency(loader: Loader) -> None:
    """`network_mode: service:x` implies that x is started first and that its replacement restarts this one."""
    text = (
        "services:\n  a: {image: x, network_mode: 'service:b'}\n  b: {image: x}\n  c: {image: x, "
        "network_mode: 'service:b', depends_on: [b]}\n"
    )
    services = loader(text).document["services"]
    assert services["a"]["depends_on"] == {"b": {"condition": "service_started", "restart": True, "required": True}}
    assert services["c"]["depends_on"] == {"b": {"condition": "service_started", "required": True}}
    assert "networks" not in services["a"]


@pytest.mark.parametrize("mode", ["shareable", "host", "container:other", "service:cache"])
def test_an_ipc_namespace_that_is_shared_can_be_joined(loader: Loader, mode: str) -> None:
    """Said to be shareable, the host's, or somebody else's, which that one shares."""
    services = f"  db: {{image: x, ipc: '{mode}'}}\n  cache: {{image: x, ipc: shareable}}\n"
    loaded = loader(f"services:\n{services}  app: {{image: x, ipc: 'service:db'}}\n")
    assert loaded.document["services"]["app"]["ipc"] == "service:db"


def test_process_and_memory_namespaces_are_dependencies_too(loader: Loader) -> None:
    """`pid: service:x` and `ipc: service:x` imply what `network_mode: service:x` does, at the line of the key."""
    loaded = loader(
        "services:\n  a:\n    image: x\n    pid: service:b\n    ipc: service:c\n  b: {image: x, pid: host}\n"
        "  c: {image: x, ipc: shareable}\n"
    )
    implied = {"condition": "service_started", "restart": True, "required": True}
    services = loaded.document["services"]
    assert services["a"]["depends_on"] == {"b": implied, "c": implied}
    assert [key for key in services if "depends_on" in services[key]] == ["a"]
    assert loaded.sources["services.a.depends_on.c"] == "compose.yaml:5"
