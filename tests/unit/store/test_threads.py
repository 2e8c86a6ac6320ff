"""One store for all threads of a program, and what other programs write meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.model.history import RolloutRecord
from reconciler.model.memory import Memory
from reconciler.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.store import ProjectStore

THREADS, ROUNDS = 8, 30


def work(store: Store, number: int) -> Memory:
    """What a project's thread does: save, look back, begin and end rollouts; what it remembers then."""
    project = store.project("engine", "default", f"p{number}")
    memory = project.load()
    for turn in range(ROUNDS):
        memory = replace(memory, up={**memory.up, f"c{turn}": float(number)})
        project.save(memory)
        begun = project.begin(RolloutRecord(0, f"p{number}", "web", "spec", (), "start-first", 1.0))
        project.update(replace(begun, verdict="completed"))
        assert project.load() == memory
        assert project.history(limit=1)[0].number == turn + 1
        assert f"p{number}" in store.projects("engine", "default")
    return memory


def test_threads_take_turns(tmp_path: Path) -> None:
    """Eight at once: nobody's transaction is in the middle of another's, and nothing is lost."""
    with Store.open(tmp_path) as store, ThreadPoolExecutor(THREADS) as pool:
        saved = list(pool.map(lambda number: work(store, number), range(THREADS)))
    with Store.open(tmp_path) as store:
        for number, memory in enumerate(saved):
            project = store.project("engine", "default", f"p{number}")
            assert project.load() == memory
            assert [record.verdict for record in project.history(limit=ROUNDS + 1)] == ["completed"] * ROUNDS


def test_threads_share_one_project(tmp_path: Path) -> None:
    """Numbers are given once each, whoever asks."""
    with Store.open(tmp_path) as store, ThreadPoolExecutor(THREADS) as pool:
        blank = RolloutRecord(0, "shop", "web", "spec", (), "start-first", 1.0)

        def begin(_: int) -> int:
            return store.project("engine", "default", "shop").begin(blank).number

        assert sorted(pool.map(begin, range(100))) == list(range(1, 101))


def reads(project: ProjectStore) -> int:
    """How many rows of the memory a load asks the file for."""
    seen: list[str] = []
    project._connection.set_trace_callback(seen.append)
    project.load()
    project._connection.set_trace_callback(None)
    return sum("FROM memory" in text for text in seen)


def test_what_is_known_is_not_read_again(tmp_path: Path) -> None:
    """Only what another program has written is: it may be another project's."""
    with Store.open(tmp_path) as ours, Store.open(tmp_path) as theirs:
        project = ours.project("engine", "default", "shop")
        project.save(Memory(up={"c1": 1.0}))
        assert reads(project) == 0
        project.save(Memory(up={"c2": 1.0}))
        assert reads(project) == 0
        theirs.project("engine", "default", "shop").save(Memory(up={"c3": 1.0}))
        assert project.load() == Memory(up={"c3": 1.0})
        assert reads(project) == 0
