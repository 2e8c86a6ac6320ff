"""Health checks: none, starting, healthy, unhealthy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.engine.times import seconds
from tests.support import programs

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.lab import Lab

SECOND = 1_000_000_000


def health_is(status: str) -> Callable[[dict[str, Any]], bool]:
    """Whether an inspect document says that health."""
    return lambda document: document["State"]["Health"]["Status"] == status


def test_without_a_check_there_is_no_health(lab: Lab) -> None:
    """State has no Health, and the list's text no remark."""
    container = lab.run("one")
    assert lab.state(container).get("Health") is None
    assert "(" not in lab.row(container)["Status"]


def test_health_starts_as_starting(lab: Lab) -> None:
    """Before the first probe: no failure, no log."""
    container = lab.run("one", Healthcheck={**programs.PASSING, "Interval": 30 * SECOND})
    assert lab.state(container)["Health"] == {"Status": "starting", "FailingStreak": 0, "Log": []}
    assert lab.row(container)["Status"].endswith("(health: starting)")


def test_the_first_success_is_healthy(lab: Lab) -> None:
    """After one interval, not before, and even inside the start period."""
    container = lab.run("one", Healthcheck={**programs.PASSING, "StartPeriod": 60 * SECOND, "StartInterval": SECOND})
    document = lab.until(container, 5, health_is("healthy"))
    health = document["State"]["Health"]
    assert health["FailingStreak"] == 0
    assert health["Log"][0]["ExitCode"] == 0
    assert seconds(health["Log"][0]["Start"]) - seconds(document["State"]["StartedAt"]) >= 0.19
    assert lab.row(container)["Status"].endswith("(healthy)")


def test_as_many_failures_as_retries_are_unhealthy(lab: Lab) -> None:
    """FailingStreak counts up to Retries first, and the log keeps what the probe printed."""
    container = lab.run("one", Healthcheck={**programs.FAILING, "Retries": 3})
    document = lab.until(container, 5, lambda found: found["State"]["Health"]["FailingStreak"] == 1)
    assert health_is("starting")(document)
    health = lab.until(container, 5, health_is("unhealthy"))["State"]["Health"]
    assert health["FailingStreak"] >= 3
    assert (health["Log"][-1]["ExitCode"], health["Log"][-1]["Output"]) == (1, "broken\n")
    assert lab.row(container)["Status"].endswith("(unhealthy)")


def test_failures_in_the_start_period_do_not_count(lab: Lab) -> None:
    """Still starting with probes failed; unhealthy only after the period."""
    check = {**programs.FAILING, "Retries": 1, "StartPeriod": SECOND, "StartInterval": 200_000_000}
    container = lab.run("one", Healthcheck=check)
    document = lab.until(container, 5, lambda found: len(found["State"]["Health"]["Log"]) >= 2)
    assert document["State"]["Health"]["Status"] == "starting"
    assert document["State"]["Health"]["FailingStreak"] == 0
    document = lab.until(container, 5, health_is("unhealthy"))
    last = document["State"]["Health"]["Log"][-1]["Start"]
    assert seconds(last) - seconds(document["State"]["StartedAt"]) >= 0.9


def test_a_stopped_or_paused_container_is_unhealthy(lab: Lab) -> None:
    """A check that does not run counts as failed; a new start begins with `starting` again."""
    container = lab.run("one", Healthcheck=programs.PASSING)
    lab.until(container, 5, health_is("healthy"))
    lab.engine.stop_container(container)
    assert health_is("unhealthy")(lab.inspect(container))
    lab.engine.start_container(container)
    lab.until(container, 5, health_is("healthy"))
    lab.hands.pause(container)
    lab.until(container, 5, health_is("unhealthy"))


def test_a_restart_is_starting_again(lab: Lab) -> None:
    """Health from before the restart does not carry over, though its log does."""
    check = {**programs.PASSING, "Interval": 30 * SECOND}
    container = lab.run("one", Healthcheck=check)
    lab.engine.stop_container(container)
    lab.engine.start_container(container)
    assert lab.state(container)["Health"]["Status"] == "starting"
