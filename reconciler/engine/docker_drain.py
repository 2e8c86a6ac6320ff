"""How a running container is told to finish what it has: a command inside it, or a request to it. Called by `docker`.

Both are opt-ins of the spec (`drain`). A container that is gone or does not run has nothing to finish.
"""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from time import sleep
from typing import Any
from urllib.parse import quote

from reconciler.engine.docker_errors import clean
from reconciler.engine.docker_logs import decode_logs
from reconciler.engine.docker_transport import Transport
from reconciler.engine.protocol import JSON
from reconciler.errors import EngineError
from reconciler.model.observed import json_value

POST_TIMEOUT = 5.0
OUTPUT_LIMIT = 4096
_NOT_RUNNING = frozenset({404, 409})
_FIRST_OK, _FIRST_BAD = 200, 400
_KILLED = 137
_LOOKS = 10
_BETWEEN_LOOKS = 0.1
_SHARED = "container:"
_NO_TIME_LIMIT_INSIDE = "nothing ended the command: it may go on in the container until that is stopped"
_ELSEWHERE = "drain with exec or signal instead, which the engine itself carries out"


def exec_in_container(
    transport: Transport, container: str, command: Sequence[str], timeout_seconds: float
) -> tuple[int, str]:
    """Exit code and last output of the command; (0, "") where the container does not run. EngineError in time-out.

    A command that makes the container end is killed with it, which is no failure.
    """
    body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True}
    path = f"/containers/{quote(container, safe='')}/exec"
    created = transport.call("POST", path, body=body, accept=_NOT_RUNNING, what=container)
    if created.status_code in _NOT_RUNNING:
        return 0, ""
    exec_id = transport.decode(created.content, container)["Id"]
    output = _output(transport, container, exec_id, timeout_seconds)
    if output is None:
        message = f"{command[0]} did not end within {timeout_seconds:g} s"
        raise EngineError(message, source=clean(container), hint=_NO_TIME_LIMIT_INSIDE, code="DrainTimedOut")
    ended = transport.call("GET", f"/exec/{exec_id}/json", accept=_NOT_RUNNING, what=container)
    if ended.status_code in _NOT_RUNNING:
        return 0, output
    code = int(transport.decode(ended.content, container)["ExitCode"] or 0)
    return (code if code and _outlives(transport, container, code) else 0), output


def http_post(transport: Transport, container: str, port: int, path: str) -> None:
    """POST to the container's own address. EngineError unless it answers with 2xx or 3xx within 5 s."""
    if transport.target.scheme != "unix":
        message = f"the engine is on another machine ({transport.target.host}): its containers cannot be reached"
        raise EngineError(message, source=clean(container), hint=_ELSEWHERE, code="DrainUnreachable")
    address = _address(transport, container)
    if address:
        _post(address, port, path, clean(container))


def _output(transport: Transport, container: str, exec_id: str, timeout_seconds: float) -> str | None:
    """What the command printed until it ended, None where it did not end in time."""
    start = {"Detach": False, "Tty": False}
    content, ended = transport.read_for(
        timeout_seconds, f"/exec/{exec_id}/start", body=start, accept=_NOT_RUNNING, what=container
    )
    return decode_logs(content, terminal=False)[-OUTPUT_LIMIT:] if ended else None


def _outlives(transport: Transport, container: str, code: int) -> bool:
    """Whether the container still runs. The engine notices its end a moment after that of a command killed with it."""
    looks = _LOOKS if code == _KILLED else 1
    for look in range(looks):
        sleep(_BETWEEN_LOOKS if look else 0.0)
        if _running(transport, container) is None:
            return False
    return True


def _address(transport: Transport, container: str) -> str:
    """The address of a running container's own network, of the container whose network it shares, or nothing."""
    document = _running(transport, container)
    if document is None:
        return ""
    mode = str(json_value(document, "HostConfig", "NetworkMode") or "")
    if mode.startswith(_SHARED):
        return _address(transport, mode.removeprefix(_SHARED))
    if mode == "host":
        return "127.0.0.1"
    found = [one for one in map(_first_address, _own_first(document, mode)) if one]
    if not found:
        hint = "put it on a network, or drain with exec or signal"
        raise EngineError("it has no address to send a request to", source=clean(container), hint=hint)
    return found[0]


def _running(transport: Transport, container: str) -> JSON | None:
    """The inspect document of a container that runs and is not frozen."""
    answer = transport.call("GET", f"/containers/{quote(container, safe='')}/json", accept=_NOT_RUNNING, what=container)
    document = {} if answer.status_code in _NOT_RUNNING else transport.decode(answer.content, container)
    return document if json_value(document, "State", "Status") == "running" else None


def _own_first(document: JSON, mode: str) -> list[dict[str, Any]]:
    attached = json_value(document, "NetworkSettings", "Networks") or {}
    return [attached[name] for name in sorted(attached, key=lambda name: (name != mode, name))]


def _first_address(endpoint: JSON) -> str:
    return str(endpoint.get("IPAddress") or endpoint.get("GlobalIPv6Address") or "")


def _post(address: str, port: int, path: str, what: str) -> None:
    connection = http.client.HTTPConnection(address, port, timeout=POST_TIMEOUT)
    try:
        connection.request("POST", path)
        status = connection.getresponse().status
    except ConnectionRefusedError as error:
        raise _failed(address, port, path, what, "nothing listens there", retryable=True) from error
    except TimeoutError as error:
        raise _failed(address, port, path, what, f"no answer within {POST_TIMEOUT:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise _failed(address, port, path, what, clean(str(error)) or type(error).__name__) from error
    finally:
        connection.close()
    if not _FIRST_OK <= status < _FIRST_BAD:
        raise _failed(address, port, path, what, f"it answered {status}")


def _failed(address: str, port: int, path: str, what: str, reason: str, *, retryable: bool = False) -> EngineError:
    """The request was not accepted. Only one that nobody received may be sent again."""
    host = f"[{address}]" if ":" in address else address
    message = f"POST http://{host}:{port}{path} failed: {reason}"
    return EngineError(
        message, source=what, retryable=retryable, hint="check port and path of drain", code="DrainFailed"
    )
