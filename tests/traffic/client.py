"""The load of the traffic suite. Runs in a container on the project's network; standard library only.

    python -m tests.traffic.client HOST PORT REQUESTS RATE

50 clients send RATE requests a second between them until REQUESTS have been sent and standard input is closed, or
LIMIT has passed. Half of the requests are POST and a quarter take 0.3 s; half of the clients keep their connection, the
others open one for each request. Nothing is ever sent twice. Prints `ready` once everybody is answered, in the end the
result as one line of JSON.
"""

# ruff: noqa: T201, S311  (its result goes to standard output; its bodies are no secrets)
from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter

from tests.traffic.server import SLOW, content_length

CLIENTS = 50
TIMEOUT = 10.0  # seconds a request may take
LIMIT = 600.0  # seconds a run may take
OK = 200
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Wrong(Exception):  # noqa: N818 - its text is what the table counts
    """An answer that is not the one asked for."""


class Load:
    """Clients of one proxy and what became of their requests."""

    def __init__(self, host: str, port: int, requests: int, rate: float) -> None:
        self.host, self.port, self.requests = host, port, requests
        self.pause = CLIENTS / rate
        self.total = 0
        self.failures: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        self.failed_at: list[float] = []
        self.waits: list[float] = []
        self.released = False
        self.began = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether enough has been sent and nothing more is waited for."""
        return (self.released and self.total >= self.requests) or time.monotonic() - self.began > LIMIT

    async def client(self, number: int) -> None:
        """One client: a request every `pause` seconds, or as soon after as the last one is answered."""
        connection: Connection | None = None
        due = time.monotonic() + self.pause * number / CLIENTS
        count = 0
        while not self.over:
            await asyncio.sleep(due - time.monotonic())
            due = max(due + self.pause, time.monotonic())
            self.total += 1
            count += 1
            connection = await self._measured(number, count, connection)

    async def _measured(self, number: int, count: int, connection: Connection | None) -> Connection | None:
        """One request, counted; the connection where it goes on being used."""
        slow = (number + count // 2) % 4 == 0
        began = time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT):
                connection = await self._request(count, connection, slow=slow)
        except (Wrong, OSError, EOFError, TimeoutError) as error:
            what = str(error) if isinstance(error, Wrong) else type(error).__name__
            self.failures[what] += 1
            self.failed_at.append(round(began - self.began, 2))
            connection = None
        self.waits.append(time.monotonic() - began - (SLOW if slow else 0))
        if connection and number % 2:
            connection[1].close()
            connection = None
        return connection

    async def _request(self, count: int, connection: Connection | None, *, slow: bool) -> Connection | None:
        if connection is None or connection[0].at_eof():
            connection = await asyncio.open_connection(self.host, self.port)
        reader, writer = connection
        body = random.randbytes(random.randint(1, 2000)) if count % 2 else b""
        method, path = "POST" if body else "GET", "/slow" if slow else "/"
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer, content = await receive(reader)
        status = int(answer.split(" ", 2)[1])
        if status != OK:
            raise Wrong(str(status))
        if body and content != body:
            raise Wrong("body")
        self.versions[header(answer, "x-version")] += 1
        if header(answer, "connection") == "close":
            writer.close()
            return None
        return connection

    def result(self) -> dict[str, object]:
        """What is printed: counts, and in seconds the p99 and the longest of what requests took beyond their work."""
        waits = sorted(self.waits)
        return {
            "total": self.total,
            "failed": sum(self.failures.values()),
            "failures": self.failures,
            "versions": self.versions,
            "failed_at": self.failed_at[:50],
            "p99": round(waits[len(waits) * 99 // 100], 3),
            "longest": round(waits[-1], 3),
            "seconds": round(time.monotonic() - self.began, 1),
        }


def header(answer: str, name: str) -> str:
    """The value of a header in the head of an answer, in lower case; empty where it has none."""
    for line in answer.lower().split("\r\n")[1:]:
        if line.startswith(name + ":"):
            return line.partition(":")[2].strip()
    return ""


async def receive(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """The head and the whole body of one answer. Raises EOFError where it ends early."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    if header(head, "transfer-encoding") != "chunked":
        return head, await reader.readexactly(content_length(head))
    content = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        content += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return head, content


async def answered(host: str, port: int) -> None:
    """Returns once the proxy passes on what it is asked."""
    while not await _answers(host, port):  # noqa: ASYNC110 - another process has to answer
        await asyncio.sleep(0.2)


async def _answers(host: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head, _ = await receive(reader)
        writer.close()
    except (OSError, EOFError):
        return False  # not yet
    return head.split(" ", 2)[1] == str(OK)


async def run(host: str, port: int, requests: int, rate: float) -> None:
    """The whole load; the result goes to standard output."""
    try:
        await asyncio.wait_for(answered(host, port), 30)
    except TimeoutError:
        sys.exit(f"{host}:{port} did not answer a request within 30 s: docker logs of its container may say why")
    load = Load(host, port, requests, rate)
    clients = [asyncio.create_task(load.client(number)) for number in range(CLIENTS)]
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    load.released = True
    await asyncio.gather(*clients)
    print(json.dumps(load.result()), flush=True)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
