"""How one container with the desired definition is judged."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.memory import Memory
from reconciler.model.project import Rollout
from reconciler.planner.gates import Gate, State, judge
from reconciler.planner.slots import slot_number
from tests.support.planning import NOW, container, service

GATED = Rollout(min_running=5.0, progress_deadline=60.0)


@pytest.mark.parametrize(
    ("changes", "first", "tried"),
    [
        ({"status": "created"}, State.CREATED, State.CREATED),
        ({"status": "created", "error": "port"}, State.EMPTY, State.FAILED),
        ({"status": "exited", "exit_code": 1}, State.EMPTY, State.FAILED),
        ({"status": "dead"}, State.EMPTY, State.FAILED),
        ({"status": "removing"}, State.EMPTY, State.FAILED),
        ({"status": "paused"}, State.EMPTY, State.FAILED),
        ({"status": "restarting"}, State.EMPTY, State.FAILED),
        ({"restart_count": 1}, State.READY, State.FAILED),
        ({"health": "unhealthy"}, State.EMPTY, State.FAILED),
        ({"health": "healthy", "started_at": NOW}, State.READY, State.READY),
        ({"health": "starting", "started_at": NOW - 59}, State.WAITING, State.WAITING),
        ({"health": "starting", "started_at": NOW - 60}, State.EMPTY, State.FAILED),
        ({"started_at": NOW - 4}, State.WAITING, State.WAITING),
        ({"started_at": NOW - 5}, State.READY, State.READY),
        ({"started_at": NOW - 5, "seen_at": NOW - 1}, State.WAITING, State.WAITING),
    ],
)
def test_a_service_is_judged_by_what_was_seen(changes: dict[str, Any], first: State, tried: State) -> None:
    """What this run brought up and lost is a failed try; what it found lost is replaced by its equal."""
    one = container(**changes)
    wanted = service(rollout=GATED)
    assert judge(Gate(wanted, "old", Memory(), NOW), one).state is first
    assert judge(Gate(wanted, "old", Memory(attempted=frozenset({one.name})), NOW), one).state is tried


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"status": "created"}, State.CREATED),
        ({"status": "exited", "exit_code": 0}, State.READY),
        ({"status": "exited", "exit_code": 3}, State.EMPTY),
        ({"started_at": NOW - 59}, State.WAITING),
        ({"started_at": NOW - 60}, State.EMPTY),
        ({"status": "paused"}, State.EMPTY),
    ],
)
def test_a_job_is_ready_when_it_ended_well(changes: dict[str, Any], state: State) -> None:
    """Exit 0 is success; anything else, or too long, is not."""
    assert judge(Gate(service(rollout=GATED, job=True), "old", Memory(), NOW), container(**changes)).state is state


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "exited", "exit_code": 3}, "exited (3)"),
        ({"status": "exited", "exit_code": 137, "oom_killed": True}, "exited (137, out of memory)"),
        ({"status": "created", "error": "no such file"}, "could not start: no such file"),
        ({"status": "restarting", "restart_count": 2, "exit_code": 1}, "keeps restarting (2 times, last exited (1))"),
        ({"health": "unhealthy"}, "unhealthy"),
        ({"health": "unhealthy", "health_output": "refused"}, "unhealthy: refused"),
        ({"health": "starting", "started_at": 0.0}, "not healthy within 60 s"),
        ({"status": "removing"}, "is being removed"),
    ],
)
def test_the_reason_is_told_in_words(changes: dict[str, Any], reason: str) -> None:
    """A person reads why without looking at the engine."""
    assert judge(Gate(service(rollout=GATED), "old", Memory(), NOW), container(**changes)).reason == reason


def test_a_slot_that_is_no_number_is_none_of_the_wanted() -> None:
    """A label somebody broke does not stop the plan."""
    assert slot_number(container(labels={"io.reconciler.slot": "x"})) == 0
