"""The control socket's server: takes requests in, has them done in a bounded number of threads, sends the answers.

One thread accepts and reads for everybody, so an asker who never finishes a line holds nothing but a descriptor, and
that for a while only. `service` starts it, `client` is the other end.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from selectors import EVENT_READ, DefaultSelector
from time import monotonic, sleep
from typing import Self

from reconciler.encoding import UnreadableError, decode
from reconciler.errors import USAGE, ReconcilerError
from reconciler.logs import get_logger
from reconciler.service.conversation import Conversation
from reconciler.service.listening import inode_of, listen, remove, user_of
from reconciler.service.messages import COMMANDS, MAX_REQUEST, VERSION, Command, Request, ServiceError
from reconciler.service.operations import Operations

AT_ONCE = 4  # of those that look, and of those that act
WAITING = 32
READ_SECONDS = 10.0
ACCEPT_SECONDS = 0.1
CLOSE_SECONDS = 5.0
_CHUNK = 16 * 1024


@dataclass
class _Asker:
    """Somebody who has not finished asking."""

    text: bytes
    until: float


class Control:
    """Listens at a path from its construction until it is closed; a context manager. ServiceError as `listen`."""

    def __init__(self, path: str, operations: Operations, *, clock: Callable[[], float] = monotonic) -> None:
        self._path = path
        self._operations = operations
        self._clock = clock
        self._listener = listen(path)
        self._inode = inode_of(path)
        self._askers: dict[socket.socket, _Asker] = {}
        self._free = {acts: threading.Semaphore(AT_ONCE) for acts in (False, True)}
        self._talks: dict[threading.Thread, Conversation] = {}
        self._lock = threading.Lock()
        self._waker, self._woken = socket.socketpair()
        self._selector = DefaultSelector()
        self._selector.register(self._listener, EVENT_READ)
        self._selector.register(self._woken, EVENT_READ)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self, patience: float = CLOSE_SECONDS) -> None:
        """Take nothing in any more; answers under way have this many seconds, then their connections are cut."""
        if not self._thread.is_alive():
            return
        remove(self._listener, self._path, self._inode)
        self._waker.send(b".")
        self._thread.join()
        ends = self._clock() + patience
        with self._lock:
            talks = dict(self._talks)
        for thread, talk in talks.items():
            thread.join(max(ends - self._clock(), 0.0))
            talk.cut()
        for item in (self._waker, self._woken, self._selector):
            item.close()

    def _serve(self) -> None:
        while True:
            ready = {key.fileobj for key, _ in self._selector.select(self._patience())}
            if self._woken in ready:
                break
            for source in ready:
                self._accept() if source is self._listener else self._read(source)  # type: ignore[arg-type]
            for late in [one for one, asker in self._askers.items() if asker.until <= self._clock()]:
                self._drop(late)
        for asker in list(self._askers):
            self._drop(asker)

    def _patience(self) -> float | None:
        """Seconds until the next asker has taken too long; None where there is none."""
        ends = min((asker.until for asker in self._askers.values()), default=None)
        return None if ends is None else max(ends - self._clock(), 0.0)

    def _accept(self) -> None:
        """Take an asker in; where there are too many the one that came first goes."""
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it went away again, or there is no descriptor left: that does not end by asking at once
            sleep(ACCEPT_SECONDS)
            return
        if len(self._askers) >= WAITING:
            self._drop(next(iter(self._askers)))
        connection.settimeout(0)
        self._askers[connection] = _Asker(b"", self._clock() + READ_SECONDS)
        self._selector.register(connection, EVENT_READ)

    def _read(self, connection: socket.socket) -> None:
        asker = self._askers.get(connection)
        if asker is None:
            return
        try:
            text = connection.recv(_CHUNK)
        except OSError:
            text = b""
        asker.text += text
        line, ended, _ = asker.text.partition(b"\n")
        if ended or len(asker.text) > MAX_REQUEST:
            self._release(connection)
            self._begin(Conversation(connection), line)
        elif not text:
            self._drop(connection)

    def _release(self, connection: socket.socket) -> None:
        self._selector.unregister(connection)
        del self._askers[connection]

    def _drop(self, connection: socket.socket) -> None:
        self._release(connection)
        connection.close()

    def _begin(self, talk: Conversation, line: bytes) -> None:
        """Have the request done in a thread of its own, unless it is none or there are too many."""
        try:
            command, arguments = _understood(line)
            if not self._free[command.acts].acquire(blocking=False):
                raise ServiceError("the service is busy with other commands", hint="ask again in a moment", code="Busy")
        except ReconcilerError as error:
            talk.end_with_error(error)
            return
        asked = (talk, command, arguments, user_of(talk.connection))
        thread = threading.Thread(target=self._answer, args=asked, name="control", daemon=True)
        with self._lock:
            self._talks[thread] = talk
        thread.start()

    def _answer(self, talk: Conversation, command: Command, arguments: object, user: str) -> None:
        try:
            result = command.call(self._operations, arguments, user, talk.tell)
            talk.end_with_result(command, result)
        except ReconcilerError as error:
            talk.end_with_error(error)
        except Exception as error:  # noqa: BLE001 - the service outlives whatever goes wrong with one request
            get_logger().exception("a control request failed")
            talk.end_with_error(ServiceError(f"internal error: {type(error).__name__}", code="Internal"))
        finally:
            with self._lock:
                self._talks.pop(threading.current_thread(), None)
            self._free[command.acts].release()


def _understood(line: bytes) -> tuple[Command, object]:
    """The command and its arguments. ServiceError where the line says none that is known."""
    if len(line) > MAX_REQUEST:
        raise _refused(f"the request is longer than {MAX_REQUEST} bytes")
    try:
        request: Request = decode(Request, line.decode())
    except ValueError:
        raise _refused("the request is no line of JSON with version, command and arguments") from None
    if request.version != VERSION:
        hint = "use the client that came with the running service, or restart it with this one"
        raise _refused(f"the request is of version {request.version}; this service knows version {VERSION}", hint)
    command = COMMANDS.get(request.command)
    if command is None:
        raise _refused("the request asks for a command that is not known")
    try:
        return command, decode(command.asks, json.dumps(request.arguments))
    except UnreadableError:
        raise _refused(f"the arguments are not those of {request.command}") from None


def _refused(message: str, hint: str | None = None) -> ServiceError:
    return ServiceError(message, hint=hint, code="BadRequest", exit_code=USAGE)
