"""A socket between the program and the engine: writes down every request, and answers some of them with an error."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 65536
_VERSION = re.compile(r"^/v\d+\.\d+")
_NO = b'{"message":"the test says no"}'
_REFUSAL = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_NO), _NO)
)


@dataclass
class Tap:
    """What was asked (`POST /containers/create`, without API version and query), and which of it is refused."""

    host: str
    asked: list[str] = field(default_factory=list)
    refuse: re.Pattern[str] | None = None

    @property
    def writes(self) -> list[str]:
        """The requests that may change something."""
        return [line for line in self.asked if not line.startswith(("GET ", "HEAD "))]


@contextlib.contextmanager
def tapped(engine: str, path: Path) -> Iterator[Tap]:
    """Listen on `path` for the length of the block, in front of the engine's socket."""
    tap = Tap(f"unix://{path}")

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            _serve(self.request, engine, tap)

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    with Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield tap
        finally:
            server.shutdown()
            thread.join()


def _serve(client: socket.socket, engine: str, tap: Tap) -> None:
    """One request: every connection is closed after its first answer, so that no request goes by unseen."""
    head, rest = _read_head(client)
    if not head:
        return
    method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
    line = f"{method} {_VERSION.sub('', target).partition('?')[0]}"
    tap.asked.append(line)
    if tap.refuse and tap.refuse.search(line):
        client.sendall(_REFUSAL)
        return
    lines = [part for part in head.split(b"\r\n") if not part.lower().startswith(b"connection:")]
    with socket.socket(socket.AF_UNIX) as upstream:
        upstream.connect(engine)
        upstream.sendall(b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + rest)
        threading.Thread(target=_pump, args=(client, upstream), daemon=True).start()
        _pump(upstream, client)


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(_CHUNK)
        if not more:
            return b"", b""
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):  # either side may go away at any time
        while data := source.recv(_CHUNK):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
