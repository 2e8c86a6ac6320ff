"""Raw HTTP calls to one Docker Engine through the docker SDK's low-level client.

Called by `docker` and `docker_build`. Raw, because the SDK's typed wrappers drop fields; through one pool of
connections, because its own socket adapter keeps a pool for every URL and so connects anew for almost every call.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from docker import APIClient
from docker.tls import TLSConfig
from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from reconciler.engine.docker_connect import FLOOR, Target, read_config
from reconciler.engine.docker_credentials import require_readable
from reconciler.engine.docker_errors import CONNECTION_FAILURES, clean, refusal, unreachable
from reconciler.errors import EngineError, EngineUnreachableError

if TYPE_CHECKING:
    from requests import Response

CONNECT_TIMEOUT = 10.0
READ_TIMEOUT = 60.0
SLOW_TIMEOUT = 600.0
_POOL_SIZE = 4
_KEEPALIVE = (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
_FIRST_ERROR = 400

Dial = Callable[[float | None], socket.socket]
Query = Mapping[str, str | list[str]]
Stream = Generator[dict[str, Any], None, None]


@dataclass(frozen=True)
class _Request:
    method: str
    path: str
    query: Query | None
    body: Any
    headers: Mapping[str, str]
    timeout: float | None
    accept: frozenset[int]
    what: str


class Transport:
    """One connection to one engine. Not thread-safe, except for `close`, which ends streams being read elsewhere."""

    def __init__(self, target: Target, api: str | None) -> None:
        self.target = target
        self.api = api
        self._dialer = _Dialer(target)
        self._client: APIClient | None = None
        self._streams: dict[Response, Stream] = {}

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = READ_TIMEOUT,
        accept: frozenset[int] = frozenset(),
        what: str = "",
    ) -> Response:
        """The complete answer of one call; `body` is sent as JSON, or as it is where it yields bytes.

        Raises EngineError for a status of 400 and above that is not in `accept`; its source is `what`.
        """
        request = _Request(method, path, query, body, headers or {}, timeout, accept, what)
        return self._send(request, stream=False)

    def json(self, path: str, *, query: Query | None = None, what: str = "") -> Any:
        """The decoded JSON of GET `path`."""
        return self.decode(self.call("GET", path, query=query, what=what).content, what)

    def stream(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        what: str = "",
    ) -> Stream:
        """The JSON objects of an endless or long answer. The call is made now; only reading it is lazy.

        The generator raises EngineUnreachableError when the connection is lost in the middle. Close it where it may
        not be read to its end.
        """
        request = _Request(method, path, query, body, headers or {}, None, frozenset(), what)
        response = self._send(request, stream=True)
        self._streams[response] = self._objects(response, what)
        return self._streams[response]

    def read_for(
        self, seconds: float, path: str, *, body: Any, accept: frozenset[int] = frozenset(), what: str = ""
    ) -> tuple[bytes, bool]:
        """What POST `path` answers until it ends, and whether that was within so many seconds.

        Nothing of an answer whose status is in `accept` is kept: it is an error's.
        """
        request = _Request("POST", path, None, body, {}, seconds + CONNECT_TIMEOUT, accept, what)
        response = self._send(request, stream=True)
        late = threading.Event()
        timer = threading.Timer(seconds, _cut_short, (response, late))
        timer.start()
        try:
            content = response.content
        except CONNECTION_FAILURES as error:
            if not late.is_set():
                raise self._unreachable(error) from error
            content = b""
        finally:
            timer.cancel()
            response.close()
        return b"" if response.status_code >= _FIRST_ERROR else content, not late.is_set()

    def close(self) -> None:
        """Give all connections back; streams that another thread reads end."""
        for response, objects in tuple(self._streams.items()):
            with contextlib.suppress(ValueError, RuntimeError, OSError):  # the reader is at it, or has closed it
                response.raw.shutdown()
                objects.close()
                response.close()
        if self._client is not None:
            self._client.close()
        self._dialer.close()

    def _send(self, request: _Request, *, stream: bool) -> Response:
        try:
            client = self._connected()
            response = _exchange(client, _prepare(client, request, self.api), request.timeout, stream=stream)
            refused = response.status_code >= _FIRST_ERROR and response.status_code not in request.accept
            content = response.content if refused or not stream else b""
            if refused:
                raise refusal(response.status_code, content, request.what)
        except CONNECTION_FAILURES as error:
            raise self._unreachable(error) from error
        return response

    def _objects(self, response: Response, what: str) -> Stream:
        try:
            for line in _lines(response):
                yield self.decode(line, what)
        except CONNECTION_FAILURES as error:
            raise self._unreachable(error) from error
        finally:
            self._streams.pop(response, None)
            response.close()

    def _connected(self) -> APIClient:
        if self._client is None:
            self._client = _open(self.target, self._dialer)
        return self._client

    def _unreachable(self, error: BaseException) -> EngineUnreachableError:
        return unreachable(error, self.target, self._dialer.said())

    def decode(self, content: bytes, what: str) -> Any:
        """The JSON of an answer. EngineError where it is none, so that no engine can have sent it."""
        try:
            return json.loads(content)
        except ValueError as error:
            message = f"what answered is no Docker Engine: {clean(content[:80].decode(errors='replace'))}"
            raise EngineError(message, source=what or self.target.host, hint="check -H, -c and DOCKER_HOST") from error


class _Dialer:
    """Opens connections: a unix socket, or an ssh process whose words are kept for the error message."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._processes: list[subprocess.Popen[bytes]] = []
        self._words: IO[bytes] | None = None

    def dial(self, timeout: float | None) -> socket.socket:
        """A connected socket. OSError where there is no connection."""
        return self._ssh() if self._target.scheme == "ssh" else _connect_unix(self._target.path, timeout)

    def said(self) -> str:
        """The last line that ssh wrote to its standard error, empty where it wrote none."""
        if self._words is None:
            return ""
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def close(self) -> None:
        """End every ssh process."""
        for process in self._processes:
            process.terminate()
            process.wait()
        self._processes.clear()
        if self._words is not None:
            self._words.close()
            self._words = None

    def _ssh(self) -> socket.socket:
        self._processes = [process for process in self._processes if process.poll() is None]
        if self._words is None:
            self._words = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close(): it is read after a call failed
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._processes.append(_start_ssh(self._target, theirs, self._words))
            except OSError:
                ours.close()
                raise
        return ours


class _DialedConnection(HTTPConnection):
    """An HTTP connection over whatever `dial` opens."""

    def __init__(self, *args: Any, dial: Dial, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._dial = dial

    def connect(self) -> None:
        self.sock = self._dial(self.timeout)


class _OnePoolAdapter(HTTPAdapter):
    """Sends every request through one pool, whatever its URL."""

    def __init__(self, dial: Dial) -> None:
        super().__init__()
        self._pool = HTTPConnectionPool("localhost", maxsize=_POOL_SIZE, dial=dial)
        self._pool.ConnectionCls = _DialedConnection

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> HTTPConnectionPool:
        return self._pool

    def request_url(self, request: PreparedRequest, proxies: Mapping[str, str] | None) -> str:  # noqa: ARG002 - the signature is requests'
        return request.path_url

    def close(self) -> None:
        super().close()
        self._pool.close()


class _KeepAliveAdapter(HTTPAdapter):
    """Notices that a remote engine is gone although nothing is being sent."""

    def init_poolmanager(self, *args: Any, **keywords: Any) -> None:
        options = [*HTTPConnection.default_socket_options, _KEEPALIVE]
        super().init_poolmanager(*args, **keywords, socket_options=options)


def _cut_short(response: Response, late: threading.Event) -> None:
    """End the reading of a response in another thread."""
    late.set()
    with contextlib.suppress(ValueError, RuntimeError, OSError):  # it ended just now
        response.raw.shutdown()


def _open(target: Target, dialer: _Dialer) -> APIClient:
    """The SDK's client for a target, talking through our adapters. The SDK itself must not ask for the version."""
    require_readable(target)
    dialed = target.scheme in {"unix", "ssh"}
    url = "unix:///dialed" if dialed else target.url
    client = APIClient(base_url=url, version=FLOOR, tls=_tls_config(target), timeout=int(READ_TIMEOUT))
    client.trust_env = False
    client.headers.update(read_config(target.config_dir).get("HttpHeaders") or {})
    adapter = _OnePoolAdapter(dialer.dial) if dialed else _KeepAliveAdapter()
    client.mount(str(client.base_url), adapter)
    return client


def _tls_config(target: Target) -> TLSConfig | bool:
    if target.tls is None:
        return False
    cert = (target.tls.cert, target.tls.key) if target.tls.cert and target.tls.key else None
    return TLSConfig(client_cert=cert, ca_cert=target.tls.ca, verify=target.tls.verify)


def _start_ssh(target: Target, connection: socket.socket, words: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - a list, and the host stands after --
        target.ssh_command,
        env=dict(target.environment),
        stdin=connection.fileno(),
        stdout=connection.fileno(),
        stderr=words,
        start_new_session=True,
    )


def _connect_unix(path: str, timeout: float | None) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _exchange(client: APIClient, prepared: PreparedRequest, timeout: float | None, *, stream: bool) -> Response:
    limits = (CONNECT_TIMEOUT, timeout) if timeout else (CONNECT_TIMEOUT, None)
    adapter = client.get_adapter(str(prepared.url))
    return adapter.send(prepared, stream, limits, verify=client.verify or False, cert=client.cert)


def _prepare(client: APIClient, request: _Request, api: str | None) -> PreparedRequest:
    """The request as requests' adapters take it. Made here, because going through its session costs as much again."""
    query = f"?{urlencode(request.query, doseq=True)}" if request.query else ""
    prepared = PreparedRequest()
    prepared.method = request.method
    prepared.url = f"{client.base_url}{f'/v{api}' if api else ''}{request.path}{query}"
    prepared.headers = CaseInsensitiveDict({**cast("Mapping[str, str]", client.headers), **request.headers})
    prepared.body = request.body
    if isinstance(request.body, Mapping):
        prepared.body = json.dumps(request.body, default=dict).encode()
        prepared.headers.update({"Content-Type": "application/json", "Content-Length": str(len(prepared.body))})
    return prepared


def _lines(response: Response) -> Iterator[bytes]:
    rest = b""
    for chunk in response.iter_content(chunk_size=None):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())
    if rest.strip():
        yield rest
