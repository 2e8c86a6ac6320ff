"""When the loop plans, waits, stops and gives up."""

from __future__ import annotations

import pytest

from reconciler.engine.simulated import Call, Moment
from reconciler.errors import EngineError, EngineUnreachableError
from tests.support.planning import NOW
from tests.unit.loop.slow import Stage


def test_it_waits_for_what_is_in_flight() -> None:
    """One operation after the other, each begun once, and no planning without a reason."""
    stage = Stage(seconds=60.0)
    outcome = stage.run()
    assert outcome.succeeded
    assert stage.diary.begun == ["container.create", "container.start"]
    assert stage.executor.waits < 80


def test_a_deadline_ends_after_what_is_in_flight() -> None:
    """The operation under way is waited for, at leisure; nothing new is begun."""
    stage = Stage(seconds=600.0)
    outcome = stage.run(deadline=NOW + 10)
    assert outcome.timed_out
    assert not outcome.succeeded
    assert not outcome.endless
    assert stage.diary.begun == ["container.create"]
    assert [operation.kind for operation in outcome.operations] == ["container.create"]
    assert stage.diary.passes < 400


def test_what_is_done_at_the_deadline_is_done() -> None:
    """A deadline that passes while the last operation ends is no failure."""
    outcome = Stage(seconds=5.0).run(deadline=NOW + 10)
    assert outcome.succeeded
    assert not outcome.timed_out


def test_a_stop_ends_after_what_is_in_flight() -> None:
    """Ctrl-C begins nothing new, and the next run carries on."""
    stage = Stage(seconds=5.0)
    outcome = stage.run(should_stop=lambda: bool(stage.diary.begun))
    assert outcome.stopped
    assert stage.diary.begun == ["container.create"]
    assert stage.run().succeeded
    assert stage.diary.begun == ["container.create", "container.start"]


@pytest.mark.parametrize(("fails", "succeeded"), [(2, True), (3, False)])
def test_a_passing_error_is_tried_again(fails: int, *, succeeded: bool) -> None:
    """Three tries in all, further apart each time; then it has failed for good."""
    stage = Stage()
    times: list[float] = []

    def fault(call: Call, moment: Moment) -> Exception | None:
        if call.name != "start_container" or moment != "before":
            return None
        times.append(stage.executor.now())
        return EngineError("busy", retryable=True) if len(times) <= fails else None

    stage.engine.fault = fault
    outcome = stage.run()
    assert outcome.succeeded is succeeded
    assert len(times) == 3
    assert times[2] - times[1] > times[1] - times[0] > 1.0


def test_an_error_that_stays_is_not_tried_again() -> None:
    """It fails the rollout at once."""
    stage = Stage()
    stage.engine.fault = lambda call, _moment: EngineError("no") if call.name == "start_container" else None
    outcome = stage.run()
    assert [name for name, _ in outcome.failed_operations] == [outcome.step.services[0].name and stage_operation(stage)]
    assert [failure.reason for failure in outcome.failures] == ["OperationFailed"]


def stage_operation(stage: Stage) -> str:
    row = stage.engine.list_containers()[0]
    return f"container.start:web/1/{row['Labels']['io.reconciler.rollout']}"


def test_an_engine_that_stops_answering_ends_the_run() -> None:
    """Nothing is decided on a failed read: not a single removal."""
    stage = Stage()
    assert stage.run().succeeded
    stage.engine.calls.clear()

    def fault(call: Call, _moment: Moment) -> Exception | None:
        return EngineUnreachableError("gone") if call.name == "list_networks" else None

    stage.engine.fault = fault
    with pytest.raises(EngineUnreachableError):
        stage.run()
    assert stage.engine.calls == []


def test_a_plan_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound on the passes is the last defence, and it is told."""
    monkeypatch.setattr("reconciler.controller.MAX_PASSES", 2)
    outcome = Stage().run()
    assert outcome.endless
    assert not outcome.succeeded
