from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

from tests.support.fuzzing import OURS, check, clear, damaged, recorded

SEED, CASES = 4, 300


def test_damaged_projects_load_or_are_refused(tmp_path: Path) -> None:
    """Nothing but SpecError and UsageError leaves the loader, and what is printed loads again to the same document."""
    folder = tmp_path / "shop"
    folder.mkdir()
    loaded = 0
    for case in islice(damaged(Random(SEED), recorded()), CASES):  # noqa: S311  damage is no secret
        loaded += check(case, folder) is not None
        clear(folder)
    assert check(OURS, folder), "what is not damaged loads"
    assert CASES / 20 < loaded < CASES / 2, "the damage is neither so great nor so small that nothing is tried"
