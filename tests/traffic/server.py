"""The server that the traffic suite replaces. Runs in a container, as process 1; standard library only.

    python -m tests.traffic.server BEHAVIOUR PORT

BEHAVIOUR says what SIGTERM does: `dies` at once; `stops` accepting, finishes what it has, exits; `serves` everything
for GRACE seconds more, then as `stops`. Whatever it is, SIGUSR1 or a file /tmp/draining makes /healthz fail.

    GET  /            the version                POST /           the body, as it came
    GET  /slow        the same after 0.3 s       POST /slow       the same after 0.3 s, chunked
    GET  /healthz     503 while draining         GET  /livez      200 as long as it runs
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

GRACE = 3.0
SLOW = 0.3
DRAINING = Path("/tmp/draining")


class Server:
    """What the connections of one process share."""

    def __init__(self, behaviour: str) -> None:
        self.behaviour = behaviour
        self.version = os.environ.get("VERSION", "?")
        self.draining = False
        self.stopping = asyncio.Event()
        self.connections: dict[asyncio.Task[None], bool] = {}  # whether it is in the middle of a request

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the requests of one connection until its client leaves or the server stops."""
        task = asyncio.current_task()
        assert task is not None
        self.connections[task] = False
        try:
            while not self.stopping.is_set():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.connections[task] = True
                await self._answer(head, reader, writer)
                self.connections[task] = False
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # the client has left, or the connection was idle when the server stopped
        finally:
            del self.connections[task]
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, path, _ = head.split(" ", 2)
        body = await reader.readexactly(content_length(head))
        if path == "/slow":
            await asyncio.sleep(SLOW)
        status = "503 Draining" if path == "/healthz" and self._drains() else "200 OK"
        chunked = method == "POST" and path == "/slow"
        content = body if method == "POST" else self.version.encode()
        connection = "close" if self.stopping.is_set() else "keep-alive"
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(content)}"
        start = f"HTTP/1.1 {status}\r\nX-Version: {self.version}\r\nConnection: {connection}\r\n{length}\r\n\r\n"
        writer.write(start.encode() + (in_chunks(content) if chunked else content))
        await writer.drain()

    async def run(self, port: int) -> None:
        """Listens until SIGTERM has been dealt with."""
        terminated = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._terminate, terminated)
        loop.add_signal_handler(signal.SIGUSR1, lambda: setattr(self, "draining", True))
        listener = await asyncio.start_server(self.serve, "0.0.0.0", port, backlog=512)
        await terminated.wait()
        if self.behaviour == "serves":
            await asyncio.sleep(GRACE)
        listener.close()
        self.stopping.set()
        for task, busy in self.connections.items():
            if not busy:
                task.cancel()
        await asyncio.gather(*self.connections, return_exceptions=True)

    def _drains(self) -> bool:
        return self.draining or DRAINING.exists()

    def _terminate(self, terminated: asyncio.Event) -> None:
        if self.behaviour == "dies":
            os._exit(0)
        terminated.set()


def content_length(head: str) -> int:
    """Bytes of the body that a request's head announces; 0 without."""
    for line in head.split("\r\n")[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return int(value)
    return 0


def in_chunks(content: bytes, size: int = 400) -> bytes:
    """The content as a chunked body (RFC 9112, section 7.1)."""
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


if __name__ == "__main__":
    asyncio.run(Server(sys.argv[1]).run(int(sys.argv[2])))
