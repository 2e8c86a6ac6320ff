"""A socket between the program and the engine: sees every request before the engine does, and may refuse it.

Connections are kept open and answers pass through as they come: only requests are read, heads and small bodies.
"""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_CHUNK = 65536
_KEPT = 1 << 18  # bytes of a body that are kept for whoever judges it: build contexts are longer
_VERSION = re.compile(r"^/v\d+\.\d+")
_MADE = re.compile(rb'"Id":"([0-9a-f]{64})"')
_NO = b'{"message":"the test says no"}'
_REFUSAL = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_NO), _NO)
)


@dataclass
class Request:
    """One request: `line` is `POST /containers/create`, without API version and query; `pid` is who asked.

    `made` is the id in the answer to a create, once that has come.
    """

    line: str
    query: dict[str, str]
    body: bytes = b""
    pid: int = 0
    made: str = ""


Moment = Literal["before", "after"]


@dataclass
class Tap:
    """What was asked, in order, and which of it is refused.

    `on_request`, where set, is called with each request before the engine has it, and after it was sent there.
    """

    host: str
    asked: list[str] = field(default_factory=list)
    refuse: re.Pattern[str] | None = None
    on_request: Callable[[Request, Moment], None] | None = None

    @property
    def writes(self) -> list[str]:
        """The requests that may change something."""
        return [line for line in self.asked if not line.startswith(("GET ", "HEAD "))]

    def tell(self, request: Request, moment: Moment) -> None:
        """Note a request, and call whoever wants to know."""
        if moment == "before":
            self.asked.append(request.line)
        if self.on_request:
            self.on_request(request, moment)


@contextlib.contextmanager
def tapped(engine: str, path: Path) -> Iterator[Tap]:
    """Listen on `path` for the length of the block, in front of the engine's socket."""
    tap = Tap(f"unix://{path}")

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as upstream:  # either side may go away
                upstream.connect(engine)
                _Connection(tap, self.request, upstream).serve()

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield tap
        finally:
            server.shutdown()
            thread.join()


class _Connection:
    """One client's connection: requests are read one by one, answers are passed on by a thread of their own."""

    def __init__(self, tap: Tap, client: socket.socket, engine: socket.socket) -> None:
        self._tap = tap
        self._client = client
        self._engine = engine
        self._data = b""
        self._creating: Request | None = None
        self._pid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def serve(self) -> None:
        """Until either side ends it."""
        answers = threading.Thread(target=self._pass_answers, daemon=True)
        answers.start()
        while head := self._until(b"\r\n\r\n"):
            if not self._forward(head):
                return
        with contextlib.suppress(OSError):
            self._engine.shutdown(socket.SHUT_WR)
        answers.join()

    def _forward(self, head: bytes) -> bool:
        """Pass one request on; whether the connection goes on."""
        fields = _fields(head)
        request = _request(head, self._pid)
        if fields.get("upgrade"):
            self._tap.tell(request, "before")
            self._engine.sendall(head)
            self._pass_rest()
            return True
        sent = [head]
        request.body = self._body(fields, sent)
        self._tap.tell(request, "before")
        if self._tap.refuse and self._tap.refuse.search(request.line):
            self._client.sendall(_REFUSAL)
            self._client.shutdown(socket.SHUT_RDWR)
            return False
        self._creating = request if request.line == "POST /containers/create" else None
        for part in sent:
            self._engine.sendall(part)
        self._tap.tell(request, "after")
        self._stream_rest(fields, sum(map(len, sent)) - len(head))
        return True

    def _body(self, fields: dict[str, str], sent: list[bytes]) -> bytes:
        """The body of a request whose length is known, as far as it is kept."""
        length = min(int(fields.get("content-length", "0")), _KEPT)
        body = self._exactly(length)
        sent.append(body)
        return body

    def _stream_rest(self, fields: dict[str, str], had: int) -> None:
        """What of a body was too long to be kept, or comes in chunks."""
        left = int(fields.get("content-length", "0")) - had
        while left > 0:
            left -= self._pass_some(left)
        if "chunked" in fields.get("transfer-encoding", ""):
            while (size := self._chunk_size()) > 0:
                self._copy(size + 2)
            self._engine.sendall(self._until(b"\r\n"))

    def _chunk_size(self) -> int:
        line = self._until(b"\r\n")
        self._engine.sendall(line)
        return int(line.split(b";")[0] or b"0", 16)

    def _copy(self, length: int) -> None:
        while length > 0:
            length -= self._pass_some(length)

    def _pass_some(self, at_most: int) -> int:
        if not self._data:
            self._more()
        part, self._data = self._data[:at_most], self._data[at_most:]
        self._engine.sendall(part)
        return len(part)

    def _pass_rest(self) -> None:
        """The connection speaks something else from here on."""
        self._engine.sendall(self._data)
        self._data = b""
        while data := self._client.recv(_CHUNK):
            self._engine.sendall(data)

    def _pass_answers(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._engine.recv(_CHUNK):
                if self._creating and (found := _MADE.search(data)):
                    self._creating.made = found[1].decode()
                self._client.sendall(data)
            self._client.shutdown(socket.SHUT_RDWR)

    def _until(self, mark: bytes) -> bytes:
        """Everything up to and with the mark; empty at the end of the connection."""
        while mark not in self._data:
            if not self._more(required=False):
                return b""
        found, _, self._data = self._data.partition(mark)
        return found + mark

    def _exactly(self, length: int) -> bytes:
        while len(self._data) < length:
            self._more()
        found, self._data = self._data[:length], self._data[length:]
        return found

    def _more(self, *, required: bool = True) -> bool:
        data = self._client.recv(_CHUNK)
        if required and not data:
            raise ConnectionAbortedError
        self._data += data
        return bool(data)


def _fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return {name.strip().lower(): value.strip().lower() for name, _, value in pairs}


def _request(head: bytes, pid: int) -> Request:
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    url = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
    return Request(f"{method} {unquote(_VERSION.sub('', url.path))}", query, pid=pid)
