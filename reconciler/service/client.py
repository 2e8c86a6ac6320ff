"""The other end of the control socket: asks the running service what a person wants to know or have done."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reconciler.encoding import UnreadableError, decode
from reconciler.model.report import Activity, Answer, History, Report
from reconciler.service.listening import LONGEST_PATH
from reconciler.service.messages import (
    COMMANDS,
    AskHistory,
    AskResume,
    AskRollback,
    AskService,
    AskStatus,
    AskSuspend,
    AskSync,
    Failed,
    ServiceError,
    request_line,
)
from reconciler.service.operations import Names, OnActivity

CONNECT_SECONDS = 5.0


def find_service(path: str) -> RunningService | None:
    """The service that listens at the socket; None where none does. ServiceError where it may not be asked."""
    try:
        with _connected(path):
            return RunningService(path)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        return None


class RunningService:
    """A service behind a socket, asked as `Operations` is.

    ServiceError where it cannot be asked or refuses; what it says is wrong keeps its code and exit code.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def status(self, projects: Names, services: Names, *, deep: bool) -> Report:
        """As `Operations.status`."""
        report: Report = self._ask("status", AskStatus(projects, services, deep))
        return report

    def history(self, projects: Names, services: Names, limit: int) -> History:
        """As `Operations.history`."""
        history: History = self._ask("history", AskHistory(projects, services, limit))
        return history

    def why(self, service: str, project: str | None) -> Answer:
        """As `Operations.why`."""
        answer: Answer = self._ask("why", AskService(service, project))
        return answer

    def suspend(self, project: str | None, service: str | None, reason: str) -> Names:
        """As `Operations.suspend`; the service finds out who asks."""
        names: Names = self._ask("suspend", AskSuspend(reason, project, service))
        return names

    def resume(self, project: str | None, service: str | None) -> Names:
        """As `Operations.resume`; the service finds out who asks."""
        names: Names = self._ask("resume", AskResume(project, service))
        return names

    def sync(self, projects: Names, on_activity: OnActivity) -> Report:
        """As `Operations.sync`."""
        report: Report = self._ask("sync", AskSync(projects), on_activity)
        return report

    def retry(self, service: str, project: str | None, on_activity: OnActivity) -> Report:
        """As `Operations.retry`."""
        report: Report = self._ask("retry", AskService(service, project), on_activity)
        return report

    def rollback(self, service: str, project: str | None, revision: int | None, on_activity: OnActivity) -> Report:
        """As `Operations.rollback`."""
        report: Report = self._ask("rollback", AskRollback(service, project, revision), on_activity)
        return report

    def _ask(self, command: str, arguments: object, on_activity: OnActivity = lambda _: None) -> Any:
        try:
            with _connected(self.path) as connection:
                connection.settimeout(None)  # a rollout takes as long as it takes
                connection.sendall(request_line(command, arguments))
                return self._answer(connection, command, on_activity)
        except OSError as error:
            raise ServiceError(f"the running service does not answer: {error.strerror}", source=self.path) from error

    def _answer(self, connection: socket.socket, command: str, on_activity: OnActivity) -> Any:
        with connection.makefile("rb") as lines:
            for line in lines:
                key, text = self._parted(line)
                if key == "result":
                    return self._decoded(COMMANDS[command].gives, text)
                if key == "error":
                    raise self._error(self._decoded(Failed, text))
                if key == "activity":
                    on_activity(self._decoded(Activity, text))
        raise ServiceError("the running service ended before it had answered", source=self.path)

    def _parted(self, line: bytes) -> tuple[str, str]:
        """The one key of an answer's line, and its value as JSON."""
        try:
            ((key, value),) = json.loads(line).items()
        except (ValueError, AttributeError):
            raise self._garbled() from None
        return key, json.dumps(value)

    def _decoded(self, kind: Any, text: str) -> Any:
        try:
            return decode(kind, text)
        except UnreadableError:
            raise self._garbled() from None

    def _garbled(self) -> ServiceError:
        hint = "the service may be of another version than this program: restart it"
        return ServiceError("the running service gave an answer that cannot be read", source=self.path, hint=hint)

    @staticmethod
    def _error(failed: Failed) -> ServiceError:
        return ServiceError(
            failed.message, source=failed.source, hint=failed.hint, code=failed.code, exit_code=failed.exit_code
        )


@contextmanager
def _connected(path: str) -> Iterator[socket.socket]:
    if len(os.fsencode(path)) > LONGEST_PATH:  # nobody can listen there
        raise FileNotFoundError(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(CONNECT_SECONDS)
        try:
            connection.connect(path)
        except PermissionError as error:
            hint = "ask as the user whom the service runs as; -f FILE and -H URL work without it"
            raise ServiceError("this user may not ask the running service", source=path, hint=hint) from error
        yield connection
