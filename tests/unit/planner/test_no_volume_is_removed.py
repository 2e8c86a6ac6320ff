"""Data is sacred: what decides and loops has no word for the removal of a volume."""

from __future__ import annotations

from pathlib import Path

import reconciler

ROOT = Path(reconciler.__file__).parent
ASKED_FOR = {"volumes.py", "app_removal.py", "cli/history_text.py"}
CARRIED_OUT = {"executor.py", "policy/judge.py", "model/operation.py", "model/history.py"}
CALLED = {"executor.py", "engine/protocol.py", "engine/docker.py", "engine/shared.py"}


def naming(*words: str) -> set[str]:
    """The modules in which one of these words stands."""
    texts = {path.relative_to(ROOT).as_posix(): path.read_text() for path in ROOT.rglob("*.py")}
    return {name for name, text in texts.items() if any(word in text for word in words)}


def test_only_the_two_commands_of_a_person_make_the_operation() -> None:
    """`volume.remove` stands where it is defined, carried out and asked for by name, in no planner and no loop."""
    assert naming("volume.remove") == ASKED_FOR | CARRIED_OUT


def test_the_engine_is_asked_by_the_executor_alone() -> None:
    """As every other operation is."""
    found = naming("remove_volume(")
    assert {name for name in found if not name.startswith("engine/simulated/")} == CALLED
