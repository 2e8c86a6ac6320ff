"""What `deploy.update_config` and `x-reconcile.rollout` may say, and what the user is told about it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from reconciler.spec.load import Loaded

Loader = Callable[..., Loaded]
Refusal = Callable[..., list[str]]

DRAIN = "services.web.x-reconcile.rollout.drain"
PUBLISH = "x-reconcile: {rollout: {publish: healthy}}"
EVERY_SETTING = """
deploy:
  replicas: 2
  update_config:
    {order: start-first, parallelism: 0, delay: 5s, monitor: 30s, failure_action: continue, max_failure_ratio: 0.25}
  rollback_config:
    {order: stop-first, parallelism: 2, delay: 1s, monitor: 1m, failure_action: continue, max_failure_ratio: 1}
  restart_policy: {condition: on-failure, delay: 1s, max_attempts: 3, window: 2m}
x-reconcile:
  rollout: {settle: 2s, drain: {method: signal, signal: SIGUSR1, delay: 3s}, publish: healthy, min_running: 5s}
  mutation: {config: report, filesystem: replace, allow: [/var/cache]}
"""


def web(body: str, rest: str = "") -> str:
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return f"services:\n  web:\n    image: x\n{lines}{rest}"


def told(loader: Loader, body: str, rest: str = "") -> list[tuple[str, str, str]]:
    """Code, message behind the service's name, and line of every notice."""
    return [
        (notice.code, notice.message.removeprefix("services.web."), notice.source.removeprefix("compose.yaml:"))
        for notice in loader(web(body, rest)).notices
    ]


def test_every_setting_at_once_is_accepted_in_silence(loader: Loader) -> None:
    """A complete spec loads without a notice, and each setting is found at its line."""
    loaded = loader(web(EVERY_SETTING))
    assert loaded.notices == ()
    places = {
        "deploy.update_config.monitor": 7,
        "deploy.rollback_config.monitor": 9,
        "deploy.restart_policy.window": 10,
        "x-reconcile.rollout.drain": 12,
        "x-reconcile.rollout.drain.signal": 12,
        "x-reconcile.mutation.allow[0]": 13,
    }
    assert {path: loaded.sources[f"services.web.{path}"] for path in places} == {
        path: f"compose.yaml:{line}" for path, line in places.items()
    }


@pytest.mark.parametrize(
    ("drain", "error"),
    [
        ("sleep", f"{DRAIN}.method: 'sleep' is not one of none, signal, exec, http"),
        ("[none]", f"{DRAIN}: must be a mapping, not a list"),
        ("signal", f"{DRAIN}.method: method signal needs signal (such as signal: SIGUSR1)"),
        ("exec", f"{DRAIN}.method: method exec needs command (such as command: [touch, /tmp/draining])"),
        (
            "{method: exec, command: []}",
            f"{DRAIN}.method: method exec needs command (such as command: [touch, /tmp/draining])",
        ),
        ("{method: http, path: /drain}", f"{DRAIN}.method: method http needs port (such as port: 8080)"),
        (
            "{delay: 5s, command: [a]}",
            f"{DRAIN}.command: means nothing with method none (remove it, or write method: exec)",
        ),
        (
            "{method: signal, signal: SIGUSR1, path: /d}",
            f"{DRAIN}.path: means nothing with method signal (remove it, or write method: http)",
        ),
        (
            "{method: signal, signal: SIGUSR9}",
            f"{DRAIN}.signal: 'SIGUSR9' is not a known value (did you mean 'SIGUSR2'?)",
        ),
        (
            "{method: signal, signal: kill}",
            f"{DRAIN}.signal: 'kill' cannot be heard by a process (use one that it handles, such as SIGUSR1)",
        ),
        ("{method: signal, signal: 10}", f"{DRAIN}.signal: must be a string, not a number (quote it)"),
        ("{method: http, port: 0}", f"{DRAIN}.port: must be greater than or equal to 1"),
        ("{method: http, port: 80, path: drain}", f"{DRAIN}.path: 'drain' does not begin with /"),
        ("{method: exec, command: a; b}", None),
        ("{method: none, dealy: 5s}", f"{DRAIN}.dealy: unknown key (did you mean 'delay'?)"),
        ("{method: none, delay: 5}", f"{DRAIN}.delay: must be a duration, not a number (write 5s for seconds)"),
    ],
)
def test_a_drain_says_what_its_method_needs_and_nothing_else(refusal: Refusal, drain: str, error: str | None) -> None:
    """An unknown method, a field that is missing, belongs to another method or cannot be carried out is refused."""
    (line,) = refusal(web(f"x-reconcile:\n  rollout:\n    drain: {drain}"))
    place, _, said = line.partition(": ")
    assert place == "compose.yaml:6"
    assert said == error if error else said.startswith(f"{DRAIN}.command: ';' in 'a; b' needs a shell")


@pytest.mark.parametrize("drain", ["none", "{}", "{delay: 5s}", "{method: none, delay: 5s}"])
def test_a_drain_may_only_wait(loader: Loader, drain: str) -> None:
    """Without a method nothing is sent to the replica; the delay before its stop holds all the same."""
    assert loader(web(f"x-reconcile: {{rollout: {{drain: {drain}}}}}")).notices == ()


@pytest.mark.parametrize("mode", ["host", "none", "bridge", "service:db", "container:x"])
def test_publish_needs_a_service_name(refusal: Refusal, mode: str) -> None:
    """Only on networks of its own does a service have a name that can be attached and withdrawn."""
    (line,) = refusal(web(f"network_mode: {mode}\n{PUBLISH}", "  db: {image: x}\n"))
    assert line == (
        f"compose.yaml:5: services.web.x-reconcile.rollout.publish: with network_mode {mode} the service has no "
        "service name to publish (attach it to networks:, or use publish: immediate)"
    )


def test_publish_immediate_needs_nothing(loader: Loader) -> None:
    """What every container has anyway is allowed everywhere."""
    assert told(loader, "network_mode: host\nx-reconcile: {rollout: {publish: immediate}}") == []


NEED = "(interval x retries + timeout, at most 30s)"


@pytest.mark.parametrize(
    ("healthcheck", "monitor", "said"),
    [
        ("{test: x}", "30s", None),
        ("{test: x}", "29s", f"29s is too short: the health check needs 30s to find a replica unhealthy {NEED}"),
        ("{test: x, interval: 5s, timeout: 2s}", "17s", None),
        (
            "{test: x, interval: 5s, timeout: 2s}",
            "16s",
            f"16s is too short: the health check needs 17s to find a replica unhealthy {NEED}",
        ),
        ("{test: x, interval: 1s, timeout: 1s, retries: 1}", "2s", None),
        (
            "{interval: 1s, timeout: 0s, retries: 1}",
            "5s",
            f"5s is too short: the health check needs 30s to find a replica unhealthy {NEED}",
        ),
        (
            "{test: x, interval: 1s, timeout: 1s, retries: 1}",
            "0s",
            f"0s watches nothing: the health check needs 2s to find a replica unhealthy {NEED}",
        ),
        ("{disable: true}", "1s", None),
        ("{test: NONE}", "1s", "1s is too short"),
        ("{test: [NONE]}", "1s", None),
        ("{disable: true}", "0s", "0s watches nothing: a replica that dies right after its start counts as up"),
        ("{}", "0s", "0s watches nothing: a replica that dies right after its start counts as up"),
    ],
)
@pytest.mark.parametrize("section", ["update_config", "rollback_config"])
def test_a_monitor_shorter_than_the_health_check_needs_is_said(
    loader: Loader, section: str, healthcheck: str, monitor: str, said: str | None
) -> None:
    """The engine's defaults (30s, 3 retries, 30s) stand in for what the health check leaves out."""
    found = told(loader, f"healthcheck: {healthcheck}\ndeploy:\n  {section}:\n    monitor: {monitor}")
    if said is None:
        assert found == []
        return
    ((code, message, line),) = found
    assert (code, line) == ("MonitorTooShort", "7")
    assert message.startswith(f"deploy.{section}.monitor: {said}")


def test_published_ports_blink_while_the_name_is_attached(loader: Loader) -> None:
    """`publish: healthy` takes the replica off its network for a moment, and with it its host ports."""
    assert told(loader, f"ports: [80]\n{PUBLISH}") == [
        (
            "PublishedPortsBlink",
            (
                "x-reconcile.rollout.publish: published ports stop answering for a moment while the service name is "
                "attached or withdrawn"
            ),
            "5",
        )
    ]
    assert told(loader, PUBLISH) == []


@pytest.mark.parametrize(
    ("definition", "doubtful"),
    [
        ("{external: true}", True),
        ("{driver: macvlan}", True),
        ("{driver: macvlan, ipam: {config: [{subnet: 10.9.0.0/24}]}}", False),
        ("{driver: macvlan, enable_ipv6: true, ipam: {config: [{subnet: 10.9.0.0/24}]}}", True),
        ("{driver: bridge}", False),
        ("", False),
    ],
)
def test_networks_that_may_forget_an_address_are_named(loader: Loader, definition: str, doubtful: bool) -> None:
    """Only for bridges of the project can we see to it that a replica comes back with its address."""
    found = told(loader, f"networks: [front]\n{PUBLISH}", f"networks:\n  front: {definition}\n")
    assert [(code, line) for code, _, line in found] == ([("AddressMayBeLost", "5")] if doubtful else [])
    assert all("network 'front'" in message for _, message, _ in found)


RULES = "x-reconcile.rollout"


@pytest.mark.parametrize(
    ("body", "line", "error"),
    [
        (
            "x-reconcile:\n  rollout:\n    min_running: 30s\n    progress_deadline: 30s",
            7,
            (
                f"{RULES}.progress_deadline: 30s is not longer than {RULES}.min_running (30s), so no rollout could "
                "ever succeed (it ends every wait: make it longer)"
            ),
        ),
        (
            "deploy:\n  update_config:\n    monitor: 1m\nx-reconcile:\n  rollout:\n    progress_deadline: 30s",
            9,
            (
                f"{RULES}.progress_deadline: 30s is not longer than deploy.update_config.monitor (1m0s), so no rollout "
                "could ever succeed (it ends every wait: make it longer)"
            ),
        ),
        (
            "deploy:\n  update_config:\n    monitor: 15m",
            6,
            (
                f"deploy.update_config.monitor: must be shorter than {RULES}.progress_deadline, which is 10m0s unless "
                "set (shorten it, or set a longer progress_deadline)"
            ),
        ),
    ],
)
def test_a_deadline_leaves_time_for_what_it_ends(refusal: Refusal, body: str, line: int, error: str) -> None:
    """A wait that the deadline always cuts off would fail every rollout."""
    assert refusal(web(body)) == [f"compose.yaml:{line}: services.web.{error}"]


@pytest.mark.parametrize(
    "body",
    [
        "x-reconcile: {rollout: {progress_deadline: 2s}}",
        "x-reconcile: {rollout: {progress_deadline: 2s, min_running: 1999ms}}",
        "deploy: {update_config: {monitor: 9m59s}}",
        "deploy: {update_config: {monitor: 15m}}\nx-reconcile: {rollout: {progress_deadline: 20m}}",
    ],
)
def test_a_deadline_that_is_long_enough_is_accepted(loader: Loader, body: str) -> None:
    """Only what is written is compared: a health check makes `min_running` mean nothing, and may be the image's."""
    assert loader(web(body)).notices == ()


@pytest.mark.parametrize("condition", ["any", "always", "unless-stopped"])
def test_who_restarts_is_said_where_the_engine_cannot_count(loader: Loader, condition: str) -> None:
    """The engine gets no restart policy at all then."""
    body = f"deploy:\n  restart_policy:\n    condition: {condition}\n    max_attempts: 5"
    ((code, message, line),) = told(loader, body)
    assert (code, line) == ("EngineDoesNotRestart", "7")
    assert message == (
        "deploy.restart_policy.max_attempts: engines count attempts with on-failure only, so with "
        f"{condition!r} the engine restarts nothing by itself: a replica that ends is replaced only while reconcile "
        "runs"
    )


@pytest.mark.parametrize("policy", ["condition: none, max_attempts: 5", "condition: on-failure, max_attempts: 5"])
def test_nothing_is_said_where_the_engine_counts_or_nobody_restarts(loader: Loader, policy: str) -> None:
    """There the engine does what Compose would have it do."""
    assert told(loader, f"deploy: {{restart_policy: {{{policy}}}}}") == []


def test_a_count_in_restart_is_for_failures_only(refusal: Refusal) -> None:
    """Compose passes it on, and every engine refuses it."""
    assert refusal(web("restart: always:3")) == [
        "compose.yaml:4: services.web.restart: 'always:3' is not a known value (did you mean 'always'?)"
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("restart: always\ndeploy: {mode: replicated-job}", ("restart", "always", "4")),
        (
            "deploy:\n  mode: global-job\n  restart_policy:\n    condition: any",
            ("deploy.restart_policy.condition", "any", "7"),
        ),
        ("restart: always\ndeploy: {mode: replicated-job, restart_policy: {condition: on-failure}}", None),
        ("deploy: {mode: replicated-job}", None),
        ("restart: always\ndeploy: {mode: replicated}", None),
        ("deploy: {mode: replicated-job, restart_policy: {condition: any, max_attempts: 3}}", None),
    ],
)
def test_a_job_that_is_always_restarted_never_completes(
    loader: Loader, body: str, said: tuple[str, str, str] | None
) -> None:
    """The policy that counts is that of `deploy`, where there is one."""
    expected = []
    if said:
        path, policy, line = said
        message = f"{path}: {policy!r} runs a job again each time it ends, so it never completes: use on-failure or no"
        expected = [("JobNeverCompletes", message, line)]
    assert told(loader, body) == expected
