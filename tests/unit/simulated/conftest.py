from __future__ import annotations

import pytest

from tests.unit.simulated.bench import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()
