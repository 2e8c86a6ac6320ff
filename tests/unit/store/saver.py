"""Saves without end, for the test that kills it: `python saver.py DIRECTORY` prints the number of each save done."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from reconciler.model.memory import Memory, Restarts
from reconciler.store import Store

SIZE = 40


def memory(number: int) -> Memory:
    """A memory of which every entry says which save it is of."""
    slots = range(number, number + SIZE)
    return Memory(
        attempted=frozenset({f"c{number}"}),
        up={f"c{slot}": float(number) for slot in slots},
        restarts={("web", slot): Restarts(number, 1.0) for slot in slots},
        subnets={"default": {"Subnet": "10.0.0.0/24", "Filler": [str(number)] * 400}},
    )


if __name__ == "__main__":
    with Store.open(Path(sys.argv[1])) as store:
        project = store.project("engine", "default", "shop")
        for number in count(max(project.load().up.values(), default=0) // 1 + 1):
            project.save(memory(int(number)))
            print(int(number), flush=True)  # noqa: T201 - what the test reads
