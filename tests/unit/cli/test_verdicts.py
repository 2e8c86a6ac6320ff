from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.cli.verdicts import exit_code, is_held, paused, quarantined, troubles, worst_health, worst_sync
from reconciler.model.report import Report
from reconciler.model.step import Condition
from tests.unit.cli.reports import EDGE, HELD, HELLO, INVALID, SHOP, service


@pytest.mark.parametrize(
    ("report", "flag", "code"),
    [
        (Report("plan", (HELLO,)), True, 0),
        (Report("plan", (SHOP,)), False, 0),
        (Report("plan", (SHOP, HELLO)), True, 2),
        (Report("plan", (SHOP, EDGE)), True, 1),
        (Report("plan", (SHOP,), failed=True), True, 1),
        (Report("plan", (SHOP, EDGE), errors=(INVALID,), refused=True, failed=True), True, 3),
        (Report("plan", (), errors=(INVALID,)), True, 1),
        (Report("converge", (SHOP,)), True, 0),
        (Report("converge", (SHOP, replace(SHOP, succeeded=False))), False, 1),
        (Report("converge", (HELLO,), errors=(INVALID,), refused=True), False, 3),
        (Report("plan", (HELD,)), True, 1),
        (Report("converge", (HELD,)), False, 1),
        (Report("status", (HELD,)), False, 0),
        (Report("status", (EDGE,)), False, 0),
        (Report("status", (), errors=(INVALID,), refused=True), False, 3),
    ],
)
def test_the_exit_code_is_the_worst_of_what_happened(report: Report, flag: bool, code: int) -> None:
    """3 (refused) before 1 (failed) before 2 (pending, and only if asked for)."""
    assert exit_code(report, exit_code_flag=flag) == code


def test_a_project_is_as_bad_as_its_worst_service() -> None:
    """Sync and health are two separate scales."""
    services = (
        service("a", (1, 1, 1, 1), sync="Modified"),
        service("b", (1, 0, 0, 0), health="Missing", sync="OutOfSync"),
    )
    assert worst_sync(services) == "Modified"
    assert worst_health(services) == "Missing"
    assert (worst_sync(()), worst_health(())) == ("Synced", "Healthy")


def test_a_word_nobody_knows_is_the_worst() -> None:
    """An unknown state is never taken for a good one."""
    services = (service("a", (1, 1, 1, 1), health="Unheard-of"), service("b", (1, 1, 1, 1), health="Unknown"))
    assert worst_health(services) == "Unheard-of"


def test_what_is_not_ready_is_no_trouble_while_the_plan_succeeds() -> None:
    """Before a converge everything is not Ready: only what stalls needs a person."""
    ready = Condition("Ready", "False", "Progressing", "rolling out")
    stalled = Condition("Stalled", "True", "PortInUse", "port taken")
    assert troubles(replace(SHOP, conditions=(ready,))) == ()
    assert troubles(replace(SHOP, conditions=(ready,), succeeded=False)) == (ready,)
    assert troubles(replace(SHOP, conditions=(ready, stalled), succeeded=False)) == (stalled,)


@pytest.mark.parametrize("reason", ["Paused", "ImageGone"])
def test_what_is_paused_is_held_and_fails(reason: str) -> None:
    """As with what was rolled back: the definition is not tried again."""
    held = Condition("Stalled", "True", reason, "web/1 exited (9)", "web")
    project = replace(HELD, conditions=(held,))
    assert (is_held(held), quarantined(project), paused(project)) == (True, ("web",), ("web",))
    assert exit_code(Report("converge", (project,)), exit_code_flag=False) == 1
    assert paused(HELD) == ()
