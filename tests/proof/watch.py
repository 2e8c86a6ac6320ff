"""How many replicas were healthy at every moment, and what was made and removed, by the engine's own events."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from tests.support.command import PROJECT, SERVICE, SLOT

if TYPE_CHECKING:
    from tests.support.command import Site

HASH = "io.reconciler.spec-hash"
_LEAVES = {"die", "pause", "destroy", "health_status: unhealthy"}


class Healthy:
    """Follows one service for the length of a `with` block."""

    def __init__(self, site: Site, service: str) -> None:
        self._events: list[dict[str, Any]] = []
        labels = [f"{PROJECT}={site.name}", f"{SERVICE}={service}"]
        self._stream = site.api.events(decode=True, filters={"type": "container", "label": labels})
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._before = {key for key, row in site.containers(service).items() if is_healthy(row)}

    def __enter__(self) -> Self:
        """Begin to record."""
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, a moment after the last event has had the time to arrive."""
        time.sleep(0.2)
        self._stream.close()
        self._reader.join()

    @property
    def lowest(self) -> int:
        """The fewest that were healthy at once."""
        healthy = set(self._before)
        counts = [len(healthy)]
        for event in self._ordered():
            if event["Action"] == "health_status: healthy":
                healthy.add(event["id"])
            elif event["Action"] in _LEAVES:
                healthy.discard(event["id"])
            counts.append(len(healthy))
        return min(counts)

    @property
    def created(self) -> Counter[tuple[str, str]]:
        """How often a container was made of each slot and definition."""
        made = [event["Actor"]["Attributes"] for event in self._ordered() if event["Action"] == "create"]
        return Counter((one[SLOT], one[HASH]) for one in made)

    def executed(self, mark: str) -> Counter[str]:
        """How often a command with that word ran, by container."""
        return Counter(
            event["id"]
            for event in self._ordered()
            if event["Action"].startswith("exec_start") and mark in event["Action"]
        )

    def _ordered(self) -> list[dict[str, Any]]:
        return sorted(self._events, key=lambda event: event["timeNano"])

    def _read(self) -> None:
        self._events.extend(self._stream)


def is_healthy(row: dict[str, Any]) -> bool:
    """Whether an inspected container runs and its health check passes."""
    state = row["State"]
    health: str = (state.get("Health") or {}).get("Status", "")
    return (state["Status"], health) == ("running", "healthy")
