"""What goes over the control socket: one line of JSON asks, lines of JSON answer.

    {"version": 1, "command": "why", "arguments": {"service": "web", "project": null}}

    {"activity": {...}}                                                     any number of them
    {"result": ...} or {"error": {code, message, source, hint, exit_code}}  the last line

Values are the model's dataclasses as `encoding` writes them, without what may hold secrets.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.encoding import encode
from reconciler.errors import FAILED, ReconcilerError
from reconciler.model.operation import Operation
from reconciler.model.project import Image, Service
from reconciler.model.report import Activity, Answer, History, Report
from reconciler.service.operations import Names, OnActivity, Operations

VERSION = 1
MAX_REQUEST = 64 * 1024


class ServiceError(ReconcilerError):
    """The running service cannot be asked, or it refused; its own errors keep their code and exit code."""

    code = "ServiceError"

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        hint: str | None = None,
        code: str | None = None,
        exit_code: int = FAILED,
    ) -> None:
        super().__init__(message, source=source, hint=hint, code=code)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Request:
    """A line that asks."""

    version: int
    command: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """How an error is told."""

    code: str
    message: str
    source: str | None = None
    hint: str | None = None
    exit_code: int = FAILED


@dataclass(frozen=True)
class AskStatus:
    """The arguments of `status`."""

    projects: Names = ()
    services: Names = ()
    deep: bool = False


@dataclass(frozen=True)
class AskHistory:
    """The arguments of `history`."""

    projects: Names = ()
    services: Names = ()
    limit: int = 10


@dataclass(frozen=True)
class AskService:
    """The arguments of `why` and `retry`."""

    service: str
    project: str | None = None


@dataclass(frozen=True)
class AskRollback:
    """The arguments of `rollback`."""

    service: str
    project: str | None = None
    revision: int | None = None


@dataclass(frozen=True)
class AskSuspend:
    """The arguments of `suspend`."""

    reason: str
    project: str | None = None
    service: str | None = None


@dataclass(frozen=True)
class AskResume:
    """The arguments of `resume`."""

    project: str | None = None
    service: str | None = None


@dataclass(frozen=True)
class AskSync:
    """The arguments of `sync`."""

    projects: Names = ()


@dataclass(frozen=True)
class Command:
    """One thing that can be asked: the types of its arguments and its result, and who does it.

    `acts` says that it may take as long as a rollout. `call` is given the arguments and the asker's user name.
    """

    asks: Any
    gives: Any
    call: Callable[[Operations, Any, str, OnActivity], Any]
    acts: bool = False


COMMANDS = {
    "status": Command(
        AskStatus, Report, lambda to, ask, _by, _on: to.status(ask.projects, ask.services, deep=ask.deep)
    ),
    "history": Command(
        AskHistory, History, lambda to, ask, _by, _on: to.history(ask.projects, ask.services, ask.limit)
    ),
    "why": Command(AskService, Answer, lambda to, ask, _by, _on: to.why(ask.service, ask.project)),
    "suspend": Command(
        AskSuspend, Names, lambda to, ask, by, _on: to.suspend(ask.project, ask.service, ask.reason, by)
    ),
    "resume": Command(AskResume, Names, lambda to, ask, by, _on: to.resume(ask.project, ask.service, by)),
    "sync": Command(AskSync, Report, lambda to, ask, by, on: to.sync(ask.projects, by, on), acts=True),
    "retry": Command(AskService, Report, lambda to, ask, by, on: to.retry(ask.service, ask.project, by, on), acts=True),
    "rollback": Command(
        AskRollback,
        Report,
        lambda to, ask, by, on: to.rollback(ask.service, ask.project, ask.revision, by, on),
        acts=True,
    ),
}


def request_line(command: str, arguments: Any) -> bytes:
    """The line that asks for a command with the arguments of its kind."""
    asked = json.loads(encode(COMMANDS[command].asks, arguments))
    return f"{encode(Request, Request(VERSION, command, asked))}\n".encode()


def activity_line(activity: Activity) -> bytes:
    """The line that tells of an activity."""
    operation = _without_payload(activity.operation) if activity.operation else None
    return _line("activity", Activity, replace(activity, operation=operation))


def result_line(command: Command, result: Any) -> bytes:
    """The line that ends an answer."""
    return _line("result", command.gives, _without_secrets(result))


def error_line(error: ReconcilerError) -> bytes:
    """The line that ends a refusal."""
    failed = Failed(error.code, error.message, error.source, error.hint, error.exit_code)
    return _line("error", Failed, failed)


def _line(key: str, kind: Any, value: Any) -> bytes:
    return f'{{"{key}":{encode(kind, value)}}}\n'.encode()


def _without_secrets(result: Any) -> Any:
    """The result without payloads of the engine and whole definitions: nobody who asks is to see those."""
    if isinstance(result, Report):
        return replace(result, projects=tuple(_slim(project) for project in result.projects))
    if isinstance(result, Answer) and result.explanation.stable:
        stable = result.explanation.stable
        named = Service(stable.service.name, Image(stable.reference), {})
        return replace(result, explanation=replace(result.explanation, stable=replace(stable, service=named)))
    return result


def _slim(project: Any) -> Any:
    return replace(project, operations=tuple(_without_payload(item) for item in project.operations))


def _without_payload(operation: Operation) -> Operation:
    return replace(operation, payload={})
