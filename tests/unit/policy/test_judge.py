"""What is said of a project: which rule, in which line, and what would allow it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.model.operation import Difference, Operation
from reconciler.model.settings import PolicyException, PolicySettings
from reconciler.policy.judge import denied, used_exceptions, violations
from reconciler.policy.resolve import resolve
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.project import Project

SPEC = """\
services:
  web:
    image: example/web:1.0
    cap_add: [NET_BIND_SERVICE, SYS_ADMIN]
    privileged: true
    networks: {front: {}, outer: {}}
    volumes:
      - data:/data
      - /etc/passwd:/p
    sysctls:
      net.core.somaxconn: 1024
      net.ipv4.tcp_syncookies: 0
    logging: {driver: splunk, options: {splunk-token: hunter2}}
  db:
    image: example/db:1.0
    pid: service:web
    network_mode: host
networks:
  front: {driver: macvlan, driver_opts: {parent: eth0}}
  outer: {external: true, name: proxy}
volumes:
  data: {driver_opts: {type: none, o: "bind,password=hunter2", device: /}}
"""
EXPECTED = """\
compose.yaml:17 services.db host-namespaces: the network_mode
compose.yaml:5 services.web privileged: a privileged
compose.yaml:4 services.web cap-add: the capability 'SYS_ADMIN'
compose.yaml:9 services.web host-paths: the host path '/etc/passwd'
compose.yaml:11 services.web sysctls: the kernel parameter 'net.core.somaxconn'
compose.yaml:12 services.web sysctls: the kernel parameter 'net.ipv4.tcp_syncookies'
compose.yaml:13 services.web log-drivers: the log driver 'splunk'
compose.yaml:19 networks.front network-drivers: the network driver 'macvlan'
compose.yaml:19 networks.front network-options: the network option 'parent'
compose.yaml:22 volumes.data engine-socket: '/' gives
compose.yaml:22 volumes.data host-paths: the host path '/'
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The project of the spec."""
    return World(tmp_path).project(SPEC)


def excepted(*exceptions: PolicyException) -> PolicySettings:
    return PolicySettings("standard", exceptions=exceptions)


def test_every_violation_is_said_at_once_with_its_line(project: Project) -> None:
    """Services, then networks and volumes; an external network is nothing that is made."""
    found = violations(project, resolve(PolicySettings("standard"), project))
    said = [f"{item.source.rpartition('/')[2]} {item.place} {item.rule}: {item.message}" for item in found]
    expected = EXPECTED.replace("the network_mode", "the network namespace 'host'").splitlines()
    assert [line[: len(start)] for line, start in zip(said, expected, strict=True)] == expected
    assert "hunter2" not in "".join(str(item.error) for item in found)


def test_a_violation_says_what_would_allow_it(project: Project) -> None:
    """A change of the rule, by the value that its list lacks; or an exception, ready to be written."""
    found = violations(project, resolve(PolicySettings("standard"), project))
    hints = {item.rule: item.hint for item in found}
    assert hints["privileged"] == (
        "`privileged: false` in policy.rules of the settings would allow it,"
        " or an exception: {rule: privileged, project: shop, service: web, reason: ...}"
    )
    assert hints["cap-add"].startswith("'SYS_ADMIN' in policy.rules.cap-add of the settings would allow it")
    assert hints["network-drivers"].endswith("exception: {rule: network-drivers, project: shop, reason: ...}")
    error = next(item for item in found if item.rule == "privileged").error
    assert error.message == "services.web: a privileged container is not allowed here (policy rule privileged)"
    assert (error.source or "").endswith("compose.yaml:5")
    assert error.exit_code == 3


def test_exceptions_lift_one_rule_for_a_project_or_a_service(project: Project) -> None:
    """And no other rule, service or project."""
    settings = excepted(
        PolicyException("privileged", "shop", "web", "old"),
        PolicyException("host-paths", "shop", "", "backup"),
        PolicyException("host-namespaces", "shop", "web", "is of db"),
        PolicyException("cap-add", "bank", "", "is not ours"),
    )
    policy = resolve(settings, project)
    left = [(item.rule, item.service) for item in violations(project, policy)]
    assert ("privileged", "web") not in left
    assert "host-paths" not in {rule for rule, _ in left}
    assert ("host-namespaces", "db") in left
    assert ("cap-add", "web") in left


def test_exceptions_are_not_forgotten(project: Project) -> None:
    """Those that are used are said with their reasons, and those that nothing needs."""
    settings = excepted(
        PolicyException("privileged", "shop", "web", "old", "settings.yaml:3"),
        PolicyException("cgroup-parent", "shop", "", "was needed", "settings.yaml:4"),
    )
    notices = used_exceptions(project, resolve(settings, project))
    assert [(item.code, item.message, item.source) for item in notices] == [
        ("PolicyException", "shop/web is excepted from the policy rule privileged: old", "settings.yaml:3"),
        (
            "PolicyExceptionUnused",
            "shop does not need its exception from the policy rule cgroup-parent: remove it",
            "settings.yaml:4",
        ),
    ]


def test_an_operation_is_judged_by_its_payload_and_excepted_like_the_project(project: Project) -> None:
    """Its source is the service's line, else that of what caused it."""
    policy = resolve(excepted(PolicyException("privileged", "shop", "web", "old")), project)
    body = {"HostConfig": {"Privileged": True, "CgroupParent": "/x"}}
    create = Operation("id", "container.create", "web", "shop", "web", payload={"body": body})
    (violation,) = denied(create, policy)
    assert (violation.rule, violation.place) == ("cgroup-parent", "services.web")
    assert violation.source.endswith("compose.yaml:2")
    causes = (Difference("a"), Difference("b", source="compose.yaml:20"))
    network = Operation("id", "network.create", "shop_x", "shop", cause=causes, payload={"body": {"Driver": "ipvlan"}})
    (violation,) = denied(network, policy)
    assert (violation.place, violation.source) == ("network.create shop_x", "compose.yaml:20")


def test_nothing_is_said_twice(project: Project) -> None:
    """A capability by both of its names is one."""
    body = {"HostConfig": {"CapAdd": ["SYS_TIME", "CAP_SYS_TIME"]}}
    create = Operation("id", "container.create", "web", "shop", payload={"body": body})
    assert len(denied(create, resolve(PolicySettings("standard"), project))) == 1


def test_a_service_of_its_own_namespace_is_let_in(project: Project) -> None:
    """`pid: service:web` is no foreign container, whatever the payload calls it."""
    found = violations(project, resolve(PolicySettings("standard"), project))
    assert "foreign-namespaces" not in {item.rule for item in found}
