"""From settings to a policy: levels, single rules, and what is wrong with either."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.settings import PolicyException, PolicySettings
from reconciler.policy.resolve import check_settings, resolve
from reconciler.policy.table import RULES
from tests.support.planning import project, service

KEY = "sha256:" + "a" * 64


def resolved(settings: PolicySettings, *, from_git: bool = True, **changes: Any) -> dict[str, Any]:
    """The rules that hold for a project, with their parameters."""
    return dict(resolve(settings, project(service(), from_git=from_git, **changes)).rules)


def test_what_comes_from_git_is_held_to_standard_and_the_rest_to_nothing() -> None:
    """Unless the settings name a level for all."""
    assert resolved(PolicySettings(), from_git=False) == {}
    assert resolved(PolicySettings())["privileged"] is True
    assert "health-check" not in resolved(PolicySettings())
    assert "health-check" in resolved(PolicySettings("strict"), from_git=False)
    assert resolved(PolicySettings("open")) == {}


def test_a_level_that_nobody_knows_is_the_strictest() -> None:
    """`check_settings` refuses it; where nobody asked, nothing is let through by it."""
    assert resolved(PolicySettings("wild")) == resolved(PolicySettings("strict"))  # type: ignore[arg-type]


def test_single_rules_are_changed_by_name() -> None:
    """False is off, true is on with the level's parameter, a list or number is the parameter."""
    rules = {
        "privileged": False,
        "health-check": True,
        "limits": True,
        "cap-add": ["net_admin"],
        "host-ports": ["1-1023", 8080],
        "subnets": ["10.1.0.0/16"],
        "host-paths": ["/srv/../srv/media/"],
        "signature": [KEY],
        "max-replicas": 9,
        "registries": ("ghcr.io",),
    }
    found = resolved(PolicySettings(rules=rules))
    assert "privileged" not in found
    assert found["health-check"] is True
    assert found["limits"] == ("memory", "pids")
    assert found["cap-add"] == ("net_admin",)
    assert found["host-ports"] == ((1, 1023), (8080, 8080))
    assert found["subnets"] == ("10.1.0.0/16",)
    assert found["host-paths"] == ("/srv/media",)
    assert found["signature"] == (KEY,)
    assert found["max-replicas"] == 9
    assert found["registries"] == ("ghcr.io",)
    assert resolved(PolicySettings(rules={"signature": True}))["signature"] is True
    assert check_settings(PolicySettings(rules=rules)) == []


def test_a_project_may_mount_its_own_folder_unless_it_is_from_git() -> None:
    """What is from Git is mounted from where it was materialised; the checkout is the program's."""
    local = resolve(PolicySettings("standard"), project(working_dir="/home/me/shop"), ["/data/shop"])
    assert local.ground.roots == ("/data/shop", "/home/me/shop")
    from_git = resolve(PolicySettings(), project(working_dir="/data/checkouts/a", from_git=True), ["/data/shop"])
    assert from_git.ground.roots == ("/data/shop",)
    assert resolve(PolicySettings("standard"), project()).ground.roots == ()


def test_exceptions_are_those_of_the_project() -> None:
    """Another project's are not its business."""
    ours, others = PolicyException("privileged", "shop", "", "x"), PolicyException("privileged", "bank", "", "x")
    assert resolve(PolicySettings(exceptions=(ours, others)), project()).exceptions == (ours,)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("privileged", "yes", "privileged takes true or false"),
        ("privileged", None, "privileged takes true or false"),
        ("cap-add", "NET_ADMIN", "cap-add takes true, false or a list: capabilities that may be added"),
        ("cap-add", [1.5], "cap-add takes a list of texts"),
        ("cap-add", [True], "cap-add takes a list of texts"),
        ("cap-add", [""], "cap-add takes a list of texts"),
        ("registries", True, "registries takes a list: hosts as references name them"),
        ("max-replicas", True, "max-replicas takes a number: how many"),
        ("max-replicas", 0, "max-replicas takes a number above 0"),
        ("max-replicas", "3", "max-replicas takes a number above 0"),
        ("limits", ["disk"], "limits knows memory, cpus, pids, not 'disk'"),
        ("host-paths", ["srv"], "'srv' is not an absolute path"),
        ("host-ports", ["http"], "'http' is no port, and no range such as 1-1023"),
        ("host-ports", ["9-8"], "'9-8' is no port"),
        ("host-ports", [0], "'0' is no port"),
        ("host-ports", [65536], "'65536' is no port"),
        ("subnets", ["10.0.0.1/8"], "'10.0.0.1/8' is no subnet"),
        ("signature", ["cosign.pub"], "'cosign.pub' is no fingerprint"),
    ],
)
def test_a_malformed_parameter_is_an_error_with_its_place(name: str, value: Any, said: str) -> None:
    """And resolving it is no way around the check."""
    settings = PolicySettings(rules={name: value}, rule_places={name: "settings.yaml:7"})
    (error,) = check_settings(settings)
    assert error.source == "settings.yaml:7"
    assert error.message.startswith(f"policy.rules.{name}: {said}")
    with pytest.raises(ValueError, match=r"takes|is n|knows"):
        resolve(settings, project())


def test_what_there_is_not_is_an_error() -> None:
    """Levels, rules, rules of exceptions."""
    exceptions = (
        PolicyException("priviledged", "shop", "", "x", "settings.yaml:9"),
        PolicyException("privileged", "shop", "", " ", "settings.yaml:10"),
        PolicyException("privileged", "", "", ""),
        PolicyException("privileged", "shop", "web", "agreed"),
    )
    written = "write {rule: ..., project: ..., service: ..., reason: ...}"
    settings = PolicySettings("lax", {"qqq": True}, {}, exceptions)  # type: ignore[arg-type]
    assert [str(error) for error in check_settings(settings)] == [
        "policy.level 'lax' is unknown (it is one of open, standard, strict)",
        "there is no policy rule 'qqq' (docs/policy.md lists the rules)",
        "settings.yaml:9: there is no policy rule 'priviledged' (did you mean privileged?)",
        f"settings.yaml:10: the exception from privileged has no reason ({written})",
        f"the exception from privileged has no project and no reason ({written})",
    ]


def test_no_rule_is_weaker_at_strict_than_at_standard() -> None:
    """What holds at standard holds at strict, with a list that allows no more."""
    for rule in RULES.values():
        if isinstance(rule.standard, tuple):
            assert set(rule.strict) <= set(rule.standard)
        elif rule.standard:
            assert rule.strict is True
        assert rule.default("open") is False
