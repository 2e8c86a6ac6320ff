"""Hooks, `develop`, `provider`, `models`, `attach`: printed as Compose does, refused or warned about by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from reconciler.errors import SpecError
from reconciler.spec.lowering import lower
from reconciler.spec.render import render
from tests.unit.spec.conftest import Loader

Refusal = Callable[..., list[str]]
WEB = "services:\n  web:\n    image: x\n"
MODELS = "models: {m: {model: ai/x, context_size: 5, runtime_flags: [a]}}\n"
HOOK = {"command": ["a", "b"]}


@pytest.mark.parametrize(
    ("text", "key", "printed"),
    [
        ("attach: false", "attach", False),
        ("post_start: [{command: a b}]", "post_start", [HOOK]),
        ("pre_start: [{command: [a, b], environment: [C]}]", "pre_start", [HOOK | {"environment": {"C": None}}]),
        (
            "pre_stop: [{command: a b, user: u, privileged: 'true', working_dir: /w}]",
            "pre_stop",
            [HOOK | {"user": "u", "privileged": True, "working_dir": "/w"}],
        ),
        ("models: [m]", "models", {"m": None}),
        ("models: {m: {endpoint_var: A}}", "models", {"m": {"endpoint_var": "A"}}),
        (
            "provider: {type: t, options: {a: true, b: [1, x]}}",
            "provider",
            {"type": "t", "options": {"a": ["true"], "b": ["1", "x"]}},
        ),
        (
            "develop: {watch: [{path: /a, action: rebuild, ignore: x}]}",
            "develop",
            {"watch": [{"path": "/a", "action": "rebuild", "ignore": ["x"], "exec": {"command": None}}]},
        ),
        (
            "develop: {watch: [{path: /a, action: sync+exec, target: /b, exec: {command: a b}}]}",
            "develop",
            {"watch": [{"path": "/a", "action": "sync+exec", "target": "/b", "exec": HOOK}]},
        ),
        ("develop:", "develop", None),
        ("pull_refresh_after: 5h", "pull_refresh_after", None),
    ],
)
def test_what_config_prints(loader: Loader, text: str, key: str, printed: Any) -> None:
    """Long forms; the models at the top are Compose's YAML, not its JSON."""
    document = loader(f"{WEB}    {text}\n{MODELS}").document
    assert document["services"]["web"].get(key) == printed
    assert "models" in document
    assert "models" not in json.loads(render(document, "json"))


def test_a_provider_needs_neither_image_nor_network(loader: Loader) -> None:
    """Its plugin decides."""
    assert loader("services: {web: {provider: {type: t}}}\n").document["services"]["web"] == {
        "command": None,
        "entrypoint": None,
        "provider": {"type": "t"},
    }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "develop: {watch: [{path: a, action: sync}]}",
            "develop.watch[0]: has no target (say where in the container it goes)",
        ),
        ("models: [n]", "models: there is no model 'n' (declare it under the top-level models:)"),
        ("models: [m, m]", "models: 'm' is listed twice"),
        ("models: [[m]]", "models[0]: must be a string, not a list"),
        ("post_start: [{user: u}]", "post_start[0].command: is required"),
        (
            "provider: {type: t, options: {a: [[b]]}}",
            "provider.options.a[0]: must be a string, a number or a boolean, not a list",
        ),
    ],
)
def test_what_is_malformed_is_named(refusal: Refusal, text: str, error: str) -> None:
    """With its line."""
    assert refusal(f"{WEB}    {text}\n{MODELS}") == [f"compose.yaml:4: services.web.{error}"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "post_start: [{command: a}]",
            (
                "post_start is not supported: its command would change a container that runs "
                "(run it in the image's entrypoint, or as a service that completes)"
            ),
        ),
        (
            "pre_stop: [{command: a}]",
            (
                "pre_stop is not supported: what a replica does before it is stopped is its drain "
                "(write x-reconcile: {rollout: {drain: {method: exec, command: [...]}}})"
            ),
        ),
        (
            "provider: {type: t}",
            (
                "provider is not supported: it is brought about by a plugin of Docker Compose "
                "(run what it provides as a service)"
            ),
        ),
    ],
)
def test_what_needs_another_program_is_refused(loader: Loader, text: str, error: str) -> None:
    """By name, with what to do instead, and only when it is to be brought about."""
    with pytest.raises(SpecError) as caught:
        lower(loader(f"{WEB}    {text}\n"))
    assert str(caught.value) == f"compose.yaml:4: services.web: {error}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pull_refresh_after: 5h", "is ignored: Compose ignores it too: write pull_policy: every_DURATION"),
        ("develop: {watch: [{path: a, action: rebuild}]}", "is ignored: only `docker compose watch` reads it"),
        ("use_api_socket: true", "the container gets the engine's socket, and no passwords of registries"),
        (
            "deploy: {resources: {reservations: {generic_resources: [{discrete_resource_spec: {kind: a, value: 1}}]}}}",
            "is ignored: only Swarm counts them",
        ),
    ],
)
def test_what_means_nothing_here_is_warned_about(loader: Loader, text: str, message: str) -> None:
    """By name and line."""
    (notice,) = lower(loader(f"{WEB}    {text}\n")).notices
    assert (notice.code, notice.source) == ("NotHonoured", "compose.yaml:4")
    assert notice.message.endswith(message)


def test_the_api_socket_is_mounted(loader: Loader) -> None:
    """With the variable that Compose adds. A socket is no data that two replicas could spoil."""
    service = lower(loader(f"{WEB}    use_api_socket: true\n    environment: [A=b]\n")).services[0]
    assert service.container["HostConfig"]["Binds"] == ["/var/run/docker.sock:/var/run/docker.sock:rw"]
    assert service.container["Env"] == ["A=b", "DOCKER_CONFIG=/run/secrets/docker"]
    assert service.writable_mounts == ()
