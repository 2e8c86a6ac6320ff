"""Turns every failure of a call to a Docker Engine into `EngineError` or `EngineUnreachableError`.

Called by the other `docker*` modules only; nothing of docker, requests or urllib3 leaves them.
"""

from __future__ import annotations

import errno
import json
import re
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

from docker.errors import DockerException
from requests.exceptions import ConnectTimeout, ReadTimeout, RequestException
from urllib3.exceptions import HTTPError

from reconciler.errors import EngineError, EngineUnreachableError

if TYPE_CHECKING:
    from reconciler.engine.docker_connect import Target

CONNECTION_FAILURES = (RequestException, HTTPError, DockerException, OSError)
PORT_IN_USE = "PortInUse"

_PORT = re.compile(
    r"port is already allocated|bind: address already in use|failed to bind host port|ports are not available",
    re.IGNORECASE,
)
_FINAL = re.compile(
    r"oci runtime|executable file not found|no such (file|image|container|network|volume)|not a directory"
    r"|bind source path|address already in use|\binvalid [a-z]|unsupported|not supported|permission denied"
    r"|unauthorized|authentication required|access (is )?denied|denied:|no basic auth credentials|x509"
    r"|server gave http response|manifest unknown|not found|does not exist|no matching manifest",
    re.IGNORECASE,
)
_FULL_ID = re.compile(r"(?<![:\w])([0-9a-f]{12})[0-9a-f]{52}\b")
_REMOVING = re.compile(r"removal of container .* (is )?already in progress|marked for removal", re.IGNORECASE)
_NOT_CONNECTED = re.compile(r"is not connected to (the )?network", re.IGNORECASE)
_FIRST_SERVER_ERROR = 500
_CONFLICT = 409
_TOO_MANY = 429
_NOBODY_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ENOTSOCK, errno.ECONNREFUSED}


def refusal(status: int, body: bytes, what: str) -> EngineError:
    """The engine's answer of 4xx or 5xx as an error: its own message, and whether the same call may succeed later."""
    return failure(engine_message(body) or f"HTTP status {status}", what, status=status)


def failure(message: str, what: str, *, status: int | None = None, code: str | None = None) -> EngineError:
    """An error for a message of the engine, from an answer (`status`) or from inside a stream (no status).

    A port conflict has the code `PortInUse` and is final: somebody has to free the port.
    """
    if _PORT.search(message):
        hint = "free the port or publish another one"
        return EngineError(message, status=status, source=clean(what), hint=hint, code=PORT_IN_USE)
    return EngineError(message, status=status, retryable=_passes(status, message), source=clean(what), code=code)


def engine_message(body: bytes) -> str:
    """The `message` of the engine's error body (Engine API, ErrorResponse), or the text of it, on one line."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    text = answer.get("message", "") if isinstance(answer, dict) else body.decode(errors="replace")
    return clean(str(text))


def clean(message: str) -> str:
    """The message on one line, container and network ids as short as the docker CLI shows them; digests stay whole."""
    line = " ".join(message.split()).removeprefix("Error response from daemon: ")
    return _FULL_ID.sub(r"\1", line)


def removal_in_progress(error: EngineError) -> bool:
    """Whether a 409 says that the container is being removed already."""
    return error.status == _CONFLICT and bool(_REMOVING.search(error.message))


def not_connected(error: EngineError) -> bool:
    """Whether a disconnect was refused (with 500) because there is nothing to disconnect."""
    return bool(_NOT_CONNECTED.search(error.message))


def unreachable(error: BaseException, target: Target, ssh_said: str = "") -> EngineUnreachableError:
    """No answer came from `target`: which host was tried, how it was chosen, what failed and what to do."""
    reason, hint, retryable = _reason(error, target, ssh_said)
    message = f"no answer from the Docker Engine ({target.chosen_by}): {reason}"
    return EngineUnreachableError(message, source=target.host, hint=hint, retryable=retryable)


def _passes(status: int | None, message: str) -> bool:
    if status == _CONFLICT:
        return bool(_REMOVING.search(message))
    later = status is None or status == _TOO_MANY or status >= _FIRST_SERVER_ERROR
    return later and not _FINAL.search(message)


def _reason(error: BaseException, target: Target, ssh_said: str) -> tuple[str, str, bool]:
    if target.scheme == "ssh":
        return (
            f"ssh failed: {ssh_said or clean(str(error))}",
            f"try: ssh {target.ssh_destination} docker version",
            False,
        )
    if isinstance(error, ReadTimeout | ConnectTimeout | TimeoutError):
        return "it did not answer in time", "see whether the engine is overloaded or stuck: docker info", True
    causes = tuple(_causes(error))
    for cause in causes:
        if isinstance(cause, OSError) and (known := _os_reason(cause, target)):
            return known
    return (
        f"connection lost: {clean(str(causes[-1] if causes else error))}",
        "is the engine still running? docker info",
        True,
    )


def _os_reason(cause: OSError, target: Target) -> tuple[str, str, bool] | None:
    if isinstance(cause, ssl.SSLError):
        return f"TLS failed: {cause.reason or cause}", "check ca.pem, cert.pem, key.pem and DOCKER_TLS_VERIFY", False
    if isinstance(cause, socket.gaierror):
        return "its host name is unknown", "check the host name", False
    if cause.errno == errno.EACCES:
        hint = "join the docker group (usermod -aG docker USER, then log in again), use sudo, or set DOCKER_HOST"
        return f"permission denied on {target.path}", hint, False
    if cause.errno in _NOBODY_THERE:
        said = {errno.ECONNREFUSED: "connection refused"}.get(cause.errno, f"there is no socket {target.path}")
        return said, "start the engine, or name another with -H, -c or DOCKER_HOST", True
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything it wraps (requests hides the cause in `args`, urllib3 in `reason`), outermost first."""
    stack, seen = [error], set[int]()
    while stack:
        current = stack.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = (*current.args, getattr(current, "reason", None), current.__cause__, current.__context__)
        stack += [item for item in inner if isinstance(item, BaseException)]
