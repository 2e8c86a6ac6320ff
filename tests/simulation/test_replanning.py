"""Planning again while operations are under way asks for nothing more: what is begun is not begun a second time.

On a real engine an event of another container makes the loop plan at any moment, also before an operation has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import reconciler.session
from reconciler.controller import Loop, Outcome
from reconciler.planner.plan import plan
from tests.simulation.crash_scenarios import SCENARIOS, behave
from tests.support.world import World

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_begun_twice(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every pass of every scenario, planning once more after the operations were sent off adds none."""
    added: list[str] = []

    class Replanning(Loop):
        """Plans again each time that it has sent operations off."""

        def _submit(self, outcome: Outcome) -> None:
            super()._submit(outcome)
            observed = self._observer.with_inflight(self._inflight)
            step = plan(self._desired, observed, outcome.memory, self._executor.now())
            added.extend(item.id for item in step.operations if item.id not in self._inflight)

    scenario = SCENARIOS[name]
    world = World(tmp_path, behaviours=behave)
    before, after = scenario.texts()
    for text in before:
        world.converge(world.project(text))
    if scenario.act:
        scenario.act(world)
    project = world.project(after)
    if scenario.retry:
        world.retry(project, scenario.retry)
    monkeypatch.setattr(reconciler.session, "Loop", Replanning)
    assert world.converge(project).succeeded is scenario.succeeds
    assert added == []
