"""What happened to a service's containers while the program ran, from the engine's own event stream."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self

from tests.support.command import PROJECT, SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.command import Site

_CHANGES = {"start": 1, "die": -1}


class Watch:
    """Records the events of one service's containers for the length of a `with` block."""

    def __init__(self, site: Site, service: str) -> None:
        labels = [f"{PROJECT}={site.name}", f"{SERVICE}={service}"]
        self._events: list[dict[str, Any]] = []
        self._stream = site.api.events(decode=True, filters={"type": "container", "label": labels})
        self._reader = threading.Thread(target=self._read)
        self._before = len(site.api.containers(filters={"label": labels}))

    def __enter__(self) -> Self:
        """Begin to record."""
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, a moment after the last event has had the time to arrive."""
        time.sleep(0.1)
        self._stream.close()
        self._reader.join()

    @property
    def actions(self) -> list[str]:
        """`create`, `start`, `die`, `destroy` and so on, in the order of the engine's clock."""
        ordered = sorted(self._events, key=lambda event: event["timeNano"])
        return [event["Action"] for event in ordered if not event["Action"].startswith("exec_")]

    @property
    def running(self) -> list[int]:
        """How many ran before and after each start and death."""
        return list(self._counts())

    def _counts(self) -> Iterator[int]:
        count = self._before
        yield count
        for action in self.actions:
            if action in _CHANGES:
                count += _CHANGES[action]
                yield count

    def _read(self) -> None:
        self._events.extend(self._stream)
