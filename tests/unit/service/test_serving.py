"""`reconcile serve` in this process, on a simulated engine: what it changes of the process itself."""

from __future__ import annotations

import gc
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from reconciler.app_service import COLLECTOR
from reconciler.service.client import find_service
from tests.support.command import until
from tests.support.inprocess import reconcile
from tests.support.service import spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def _rarely() -> Iterator[None]:
    """The garbage collector as it is set for a command."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    yield
    gc.set_threshold(*before)


@pytest.mark.usefixtures("_rarely")
def test_it_collects_garbage_like_a_process_that_lives_long(tmp_path: Path) -> None:
    """A command puts that off, as it lives for seconds."""
    (tmp_path / "shop.yaml").write_text(spec())
    socket = str(tmp_path / "s")
    found: list[tuple[int, ...]] = []

    def look_and_end() -> None:
        try:
            until(lambda: find_service(socket) is not None, 30)
            found.append(gc.get_threshold())
        finally:
            if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:  # it serves, and hears it
                os.kill(os.getpid(), signal.SIGTERM)

    looker = threading.Thread(target=look_and_end)
    looker.start()
    done = reconcile(tmp_path, "serve", "-H", "simulated://", "-f", "shop.yaml", "--socket", socket)
    looker.join()
    assert (done.returncode, found) == (0, [COLLECTOR]), done.stderr
