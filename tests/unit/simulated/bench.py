"""A simulated engine to play with: behaviour set by the test, calls that take no time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.engine.simulated import FREE, Behaviour, SimulatedEngine, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Mapping

SECOND = 1_000_000_000
START = 1_000_000.0


class Bench:
    """A simulated engine whose images do what the test says, and whose calls take no time."""

    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.engine = SimulatedEngine(VirtualClock(START), costs=FREE, behaviours=self._behave)
        self.engine.pull_image("app:1", None, lambda _line: None)

    @property
    def time(self) -> float:
        """Virtual seconds since the bench was made."""
        return self.engine.clock.now() - START

    def run(self, name: str = "one", **body: Any) -> str:
        """A new container of app:1, started."""
        container = self.engine.create_container(name, {"Image": "app:1", **body})
        self.engine.start_container(container)
        return container

    def at(self, seconds: float) -> None:
        """Make it so many virtual seconds since the bench was made."""
        self.engine.advance_to(START + seconds)

    def state(self, name: str = "one") -> dict[str, Any]:
        """State of that container."""
        state: dict[str, Any] = self.engine.inspect_container(name)["State"]
        return state

    def log(self) -> list[tuple[float, str]]:
        """The event log: virtual seconds, to a tenth of a millisecond, and action."""
        return [(round(at - START, 4), action) for at, action, _ in self.engine.event_log]

    def _behave(self, _image: str, _config: Mapping[str, Any]) -> Behaviour:
        return self.behaviour


def probe(**fields: int) -> dict[str, Any]:
    """A create body's health check every second, changed by `fields`."""
    return {"Healthcheck": {"Test": ["CMD", "true"], "Interval": SECOND, **fields}}
