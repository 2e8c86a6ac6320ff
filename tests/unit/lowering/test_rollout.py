"""What lowering makes of `deploy.update_config`, `restart_policy` and `x-reconcile`: times in seconds, no defaults."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.project import Drain, Mutation, RestartPolicy, Rollout, Service, UpdateConfig
from reconciler.spec.lower_rollout import lower_rollout
from reconciler.spec.lowering import lower
from tests.unit.lowering.recorded import load, lower_service


def web(**spec: Any) -> Service:
    """The lowered service `web` with these keys."""
    return lower_service(**spec).services[0]


def test_update_and_rollback_are_lowered_in_full() -> None:
    """Each field of both sections reaches the planner, zeros included."""
    update = {
        "order": "start-first",
        "parallelism": 0,
        "delay": "1m30s",
        "monitor": "0s",
        "max_failure_ratio": 0.25,
        "failure_action": "continue",
    }
    back = {
        "order": "stop-first",
        "parallelism": 3,
        "delay": "500ms",
        "monitor": "10s",
        "max_failure_ratio": 1,
        "failure_action": "continue",
    }
    assert web(deploy={"update_config": update, "rollback_config": back}).rollout == Rollout(
        "start-first",
        0,
        90.0,
        0.0,
        0.25,
        "continue",
        UpdateConfig("stop-first", 3, 0.5, 10.0, 1.0, "continue"),
    )


def test_what_is_not_said_is_the_models_default() -> None:
    """Unset sections and keys; a failed update goes back, and a failed rollback pauses."""
    service = web(deploy={"update_config": {}, "rollback_config": {"parallelism": 2}})
    assert service.rollout == Rollout(rollback=UpdateConfig(parallelism=2))
    assert (service.rollout.failure_action, service.rollout.rollback.failure_action) == ("rollback", "pause")
    assert (service.restart, service.mutation) == (RestartPolicy(), Mutation())


@pytest.mark.parametrize(
    ("drain", "expected"),
    [
        ({"method": "none", "delay": "5s"}, Drain(delay=5.0)),
        ({"method": "signal", "signal": "SIGUSR1"}, Drain("signal", signal="SIGUSR1")),
        (
            {"method": "exec", "command": ["touch", "/tmp/x"], "delay": "2s"},
            Drain("exec", 2.0, "", ("touch", "/tmp/x")),
        ),
        ({"method": "http", "port": 8080}, Drain("http", port=8080, path="/")),
        ({"method": "http", "port": 8080, "path": "/drain"}, Drain("http", port=8080, path="/drain")),
    ],
)
def test_drains(drain: dict[str, Any], expected: Drain) -> None:
    """Each method with its own fields."""
    assert web(**{"x-reconcile": {"rollout": {"drain": drain}}}).rollout.drain == expected


def test_a_name_given_late_leaves_the_proxy_time_to_find_it() -> None:
    """`publish: healthy` settles for 2 s where the spec does not say how long."""
    late = {"x-reconcile": {"rollout": {"publish": "healthy"}}}
    assert lower_rollout(late).settle == 2.0
    assert lower_rollout({"x-reconcile": {"rollout": {"publish": "healthy", "settle": "0s"}}}).settle == 0.0
    assert lower_rollout({}).settle == 0.0


def test_our_own_rollout_settings_are_lowered() -> None:
    """`settle` and `publish` beside the gates."""
    own = {"settle": "2s", "publish": "healthy", "min_running": "0s", "progress_deadline": "1m0s"}
    expected = Rollout(min_running=0.0, progress_deadline=60.0, settle=2.0, publish="healthy")
    assert web(**{"x-reconcile": {"rollout": own}}).rollout == expected


def test_mutations_are_lowered() -> None:
    """What the spec says, and an empty list of allowed paths is one."""
    rules = {"config": "ignore", "filesystem": "replace", "allow": []}
    assert web(**{"x-reconcile": {"mutation": rules}}).mutation == Mutation("ignore", "replace", ())
    assert web(**{"x-reconcile": {"mutation": {"allow": ["/var/cache"]}}}).mutation == Mutation(allow=("/var/cache",))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, RestartPolicy("any")),
        ({"restart": ""}, RestartPolicy("any")),
        ({"restart": "no"}, RestartPolicy("none")),
        ({"restart": "always"}, RestartPolicy("any")),
        ({"restart": "unless-stopped"}, RestartPolicy("any")),
        ({"restart": "on-failure"}, RestartPolicy("on-failure")),
        ({"restart": "on-failure:3"}, RestartPolicy("on-failure", max_attempts=3)),
        ({"restart": "on-failure:0"}, RestartPolicy("on-failure")),
        ({"restart": "no", "deploy": {"restart_policy": {}}}, RestartPolicy("any")),
        ({"restart": "no", "deploy": {"restart_policy": {"condition": "on-failure"}}}, RestartPolicy("on-failure")),
        ({"deploy": {"restart_policy": {"condition": "none"}}}, RestartPolicy("none")),
        ({"deploy": {"restart_policy": {"condition": "any", "delay": "0s"}}}, RestartPolicy("any", 0.0)),
        (
            {
                "deploy": {
                    "restart_policy": {"condition": "on-failure", "delay": "5s", "max_attempts": 2, "window": "2m"}
                }
            },
            RestartPolicy("on-failure", 5.0, 2, 120.0),
        ),
        ({"deploy": {"restart_policy": {"max_attempts": 0, "window": "0s"}}}, RestartPolicy("any")),
    ],
)
def test_when_a_lost_replica_is_replaced(spec: dict[str, Any], expected: RestartPolicy) -> None:
    """`deploy.restart_policy` replaces `restart` as a whole; zero attempts and a zero window set no limit."""
    assert web(**spec).restart == expected


@pytest.mark.parametrize(
    ("policy", "engines"),
    [
        ({"condition": "on-failure", "max_attempts": 3}, {"Name": "on-failure", "MaximumRetryCount": 3}),
        ({"max_attempts": 3}, {"MaximumRetryCount": 3}),
        ({"condition": "any"}, {"Name": "always"}),
        ({"condition": "any", "max_attempts": 0}, {"Name": "always"}),
        ({"condition": "none"}, {"Name": "no"}),
        ({"condition": "any", "max_attempts": 3}, None),
        ({"condition": "always", "max_attempts": 3}, None),
        ({"condition": "unless-stopped", "max_attempts": 3}, None),
        ({"condition": "none", "max_attempts": 3}, None),
    ],
)
def test_a_count_that_engines_refuse_is_kept_by_the_loop(policy: dict[str, Any], engines: dict[str, Any]) -> None:
    """Then the engine restarts nothing by itself: it would restart without end, uncounted."""
    service = web(restart="always", deploy={"restart_policy": policy})
    assert (service.container.get("HostConfig") or {}).get("RestartPolicy") == engines
    assert service.restart.max_attempts == (policy.get("max_attempts") or None)


@pytest.mark.parametrize(
    ("network", "kept"),
    [
        ({}, True),
        ({"driver": "bridge"}, True),
        ({"ipam": {"config": [{"gateway": "10.9.0.1"}]}}, True),
        ({"ipam": {"config": [{"subnet": "fd00:9::/64"}]}}, True),
        ({"ipam": {"config": [{"subnet": "fd00:9::/64"}, {"subnet": "10.9.0.0/24"}]}}, False),
        ({"ipam": {"config": [{"subnet": "10.9.0.0/24"}]}}, False),
        ({"enable_ipv6": True, "ipam": {"config": [{"subnet": "10.9.0.0/24"}]}}, True),
        ({"enable_ipv6": True, "ipam": {"config": [{"subnet": "10.9.0.0/24"}, {"subnet": "fd00:9::/64"}]}}, False),
        ({"enable_ipv6": True, "enable_ipv4": False, "ipam": {"config": [{"subnet": "fd00:9::/64"}]}}, False),
        ({"enable_ipv6": True, "enable_ipv4": False}, True),
        ({"driver": "macvlan"}, False),
        ({"external": True}, False),
    ],
)
def test_networks_that_must_keep_addresses(network: dict[str, Any], kept: bool) -> None:
    """A bridge of ours that lacks a subnet for IPv4 or IPv6: replicas could not come back with their addresses."""
    rules = {"rollout": {"publish": "healthy"}}
    document = {
        "services": {
            "web": {"image": "a", "networks": {"front": None}, "x-reconcile": rules},
            "db": {"image": "a", "networks": {"back": None}},
        },
        "networks": {"front": {"name": "shop_front", **network}, "back": {"name": "shop_back"}},
    }
    found = {item.key: item.keeps_addresses for item in lower(load(document)).networks}
    assert found == {"back": False, "front": kept}


def test_a_published_range_stays_a_range() -> None:
    """Which port of it a replica gets is the planner's choice."""
    service = web(ports=[{"target": 80, "published": "8000-8002", "protocol": "tcp"}], deploy={"replicas": 3})
    assert service.container["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": "8000-8002"}]}
