"""What the service holds after hundreds of replaced containers: no more than after the first ones."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest

from reconciler.engine.simulated import outside
from reconciler.model.memory import Memory
from reconciler.model.settings import Settings
from tests.support.service import Served, spec

REPLICAS = 25
KEPT = 20


@pytest.fixture
def served(tmp_path: Path) -> Served:
    """A service with one project, whose history is short."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/shop.yaml").write_text(release(1))
    found = Served(tmp_path / "specs", state=tmp_path / "state", settings=Settings(history=KEPT))
    found.settle()
    return found


def release(number: int) -> str:
    """The project at a version; two take turns."""
    return (
        f"services:\n  web:\n    image: web:{1 + number % 2}\n"
        f"    deploy: {{replicas: {REPLICAS}, update_config: {{parallelism: 0, monitor: 0s}}}}\n"
    )


def replace_all(served: Served, times: int) -> None:
    """A version after the other, and after each somebody removes a container; then all is left to rest."""
    for number in range(times):
        served.write("shop.yaml", release(number))
        outside.remove(served.engine, served.engine.list_containers()[0]["Id"])
        served.run(0.1)
        served.settle()
    served.run(3600)
    served.settle()


def come_and_go(served: Served, until: int, began: int = 0) -> None:
    """One project after the other is there for a moment; at last superseded images are collected."""
    for number in range(began, until):
        served.write(f"preview-{number}.yaml", spec())
        served.remove(f"preview-{number}.yaml")
    served.run(3600)
    served.settle()


@contextmanager
def left_over() -> Iterator[list[object]]:
    """What of all that is made meanwhile only the garbage collector can free."""
    found: list[object] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def live() -> Counter[str]:
    """How many objects there are of each class of the program, but for those of the simulated engine."""
    gc.collect()
    kinds = Counter(type(item) for item in gc.get_objects())
    return Counter({kind.__name__: count for kind, count in kinds.items() if _is_ours(kind)})


def _is_ours(kind: type) -> bool:
    module = str(kind.__module__)
    return module.startswith("reconciler.") and not module.startswith("reconciler.engine.simulated")


def remembered(served: Served) -> dict[str, int]:
    """The entries of each field of the memory."""
    memory = served.store.project(served.engine.info().id, "default", "shop").load()
    return {field.name: len(getattr(memory, field.name)) for field in fields(Memory)}


def test_hundreds_of_replaced_containers_leave_nothing_behind(served: Served) -> None:
    """Neither in what is remembered nor in what lives."""
    replace_all(served, 4)
    entries, objects, made = remembered(served), live(), served.engine.world.made
    replace_all(served, 10)
    assert served.engine.world.made - made >= 250
    assert remembered(served) == entries
    assert live() == objects


def test_what_a_pass_has_made_goes_at_its_end(served: Served) -> None:
    """Without the garbage collector, which a busy service would need all the time for it."""
    replace_all(served, 2)
    with left_over() as found:
        replace_all(served, 2)
    assert found == []


def test_projects_that_came_and_went_leave_nothing_behind(served: Served) -> None:
    """But for what the state file knows of them for a while: in memory that is a name."""
    come_and_go(served, 2)
    before = live()
    come_and_go(served, 12, began=2)
    assert live() - before == Counter({"ProjectStore": 10})
