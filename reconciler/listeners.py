"""Who hears what the loop does: nobody, or a person at a terminal, who also wants a failed container's last words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from reconciler.errors import EngineError
from reconciler.executor import Finished
from reconciler.model.memory import Failure, Memory
from reconciler.model.operation import Operation
from reconciler.model.project import Project
from reconciler.model.redaction import redact_text
from reconciler.model.report import Activity
from reconciler.model.step import ServiceStatus, Step
from reconciler.secrecy import Hide, hiding

if TYPE_CHECKING:
    from reconciler.engine.protocol import Engine

LOG_LINES = 50
OnActivity = Callable[[Activity], None]
State = Literal["started", "finished", "failed", "progress"]


class Silence:
    """Listens to nothing."""

    def planned(self, step: Step) -> None:
        """Ignore."""

    def started(self, operation: Operation) -> None:
        """Ignore."""

    def finished(self, result: Finished) -> None:
        """Ignore."""

    def failed(self, failure: Failure) -> None:
        """Ignore."""

    def remember(self, memory: Memory) -> None:
        """Ignore."""

    def progress(self, operation: Operation, text: str) -> None:
        """Ignore."""


class Several(Silence):
    """Passes everything on to several listeners, in order."""

    def __init__(self, *listeners: Silence) -> None:
        self._listeners = listeners

    def planned(self, step: Step) -> None:
        """Pass on."""
        for listener in self._listeners:
            listener.planned(step)

    def started(self, operation: Operation) -> None:
        """Pass on."""
        for listener in self._listeners:
            listener.started(operation)

    def finished(self, result: Finished) -> None:
        """Pass on."""
        for listener in self._listeners:
            listener.finished(result)

    def failed(self, failure: Failure) -> None:
        """Pass on."""
        for listener in self._listeners:
            listener.failed(failure)

    def remember(self, memory: Memory) -> None:
        """Pass on."""
        for listener in self._listeners:
            listener.remember(memory)


class Reporter(Silence):
    """Turns what the loop does into activities, and keeps the last log lines of containers that failed.

    `hide` takes out of these what is secret (default: what is so in the project).
    """

    def __init__(
        self,
        engine: Engine,
        project: Project,
        on_activity: OnActivity,
        clock: Callable[[], float],
        hide: Hide | None = None,
    ) -> None:
        self._engine = engine
        self._project = project
        self._on_activity = on_activity
        self._clock = clock
        self._began = clock()
        self._said: dict[str, str] = {}
        self._hide = hide or hiding(project.services)
        self.logs: dict[str, str] = {}

    def planned(self, step: Step) -> None:
        """Say what each service waits for, and when it has arrived, once each."""
        for service in step.services:
            text = f"waiting for {service.waiting}" if service.waiting else _arrived(service)
            before = self._said.get(service.name)
            if text and text != before and (service.waiting or before is not None):
                self._say(service.name, "progress", text)
            self._said[service.name] = text

    def started(self, operation: Operation) -> None:
        """An operation was submitted."""
        self._say(operation.service, "started", operation.kind, operation)

    def finished(self, result: Finished) -> None:
        """An operation ended."""
        state: State = "failed" if result.error else "finished"
        self._say(result.operation.service, state, str(result.error or ""), result.operation)

    def failed(self, failure: Failure) -> None:
        """Keep the container's last words before it is removed."""
        if not failure.container:
            return
        try:
            text = self._engine.container_logs(failure.container, LOG_LINES)
        except EngineError as error:
            text = f"(its log could not be read: {error.message})"
        self.logs[failure.container] = self._hide(text)

    def progress(self, operation: Operation, text: str) -> None:
        """A line of pull or build output."""
        self._say(operation.service, "progress", text, operation)

    def _say(self, service: str | None, state: State, text: str, operation: Operation | None = None) -> None:
        seconds = self._clock() - self._began
        self._on_activity(Activity(self._project.name, service, state, redact_text(text), seconds, operation))


def _arrived(service: ServiceStatus) -> str:
    """What is said once of a service that has nothing more to wait for; "" while it has."""
    if service.sync != "Synced":
        return ""
    return "completed" if service.health == "Completed" else f"up {service.healthy}/{service.desired}"
