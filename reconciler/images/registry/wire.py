"""HTTP to registries and their token services: pools, certificates, redirects, bounds. Knows nothing of images.

Credentials go where the caller says and stay there: a redirect to another host goes on without them.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import monotonic
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as TookTooLong

from reconciler.errors import RegistryError
from reconciler.images.registry.documents import bad_answer
from reconciler.images.registry.settings import DOCKER_CERTIFICATES, PLAIN, Settings

_OPENSSL_LINE = re.compile(r" \(_ssl\.c:\d+\)")
OK = 200
_AGENT = "reconciler"
_CHUNK = 65536
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class Request:
    """One request. `source` is what it is made for, as errors name it; `limit` bytes are read, or the usual number."""

    method: str
    url: str
    source: str
    headers: Mapping[str, str]
    body: str | None = None
    limit: int | None = None

    @property
    def host(self) -> str:
        """`name[:port]` of the URL."""
        return urlsplit(self.url).netloc.rpartition("@")[2]


@dataclass(frozen=True)
class Answer:
    """A complete answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class Wire:
    """Connections to any number of hosts, kept alive. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pools: dict[str, urllib3.HTTPConnectionPool] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def url(self, host: str, path: str) -> str:
        """The URL of a path at a host."""
        return f"{'http' if self._settings.is_plain(host) else 'https'}://{host}{path}"

    def send(self, request: Request) -> Answer:
        """The answer, redirects followed. RegistryError where none comes, or none that can be taken."""
        for _ in range(self._settings.redirects + 1):
            answer = self._once(request)
            target = answer.headers.get("Location", "")
            if answer.status not in _REDIRECTS or not target:
                return answer
            request = _redirected(request, target)
        raise bad_answer(f"more than {self._settings.redirects} redirects", request.source)

    def _once(self, request: Request) -> Answer:
        try:
            pool = self._pool(request)
            try:
                return self._exchange(pool, request)
            except ProtocolError:  # a kept connection may have been closed just now, and all requests can be repeated
                return self._exchange(pool, request)
        except SSLError as error:
            raise _untrusted(request, str(error.args[0] if error.args else error)) from error
        except (HTTPError, OSError) as error:
            raise _unreachable(request, error) from error

    def _exchange(self, pool: urllib3.HTTPConnectionPool, request: Request) -> Answer:
        parts = urlsplit(request.url)
        response = pool.urlopen(
            request.method,
            f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}",
            body=request.body,
            headers={"User-Agent": _AGENT, **request.headers},
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
        )
        answered = False
        try:
            answer = Answer(response.status, response.headers, self._content(response, request))
            answered = True
        finally:
            if not answered:
                response.close()
            response.release_conn()
        return answer

    def _content(self, response: urllib3.BaseHTTPResponse, request: Request) -> bytes:
        content, began = b"", monotonic()
        limit = self._settings.size_limit
        if request.limit is not None and response.status == OK:  # what a refusal says may be longer
            limit = request.limit
        while chunk := response.read1(_CHUNK):
            content += chunk
            if len(content) > limit:
                raise bad_answer(f"an answer of more than {limit} bytes", request.source)
            if monotonic() - began > self._settings.answer_timeout:
                raise TookTooLong
        return content

    def _pool(self, request: Request) -> urllib3.HTTPConnectionPool:
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            if origin not in self._pools:
                self._pools[origin] = self._new_pool(request, parts.scheme)
            return self._pools[origin]

    def _new_pool(self, request: Request, scheme: str) -> urllib3.HTTPConnectionPool:
        settings, address = self._settings, urllib3.util.parse_url(request.url)
        timeout = urllib3.Timeout(connect=settings.connect_timeout, read=settings.read_timeout)
        host = address.host or ""
        if scheme == "https":
            tls, wide = self._tls(request), settings.connections
            return urllib3.HTTPSConnectionPool(host, address.port, timeout, wide, block=True, ssl_context=tls)
        if not settings.is_plain(request.host):
            raise bad_answer(f"it sends us to {request.host} without TLS", request.source)
        return urllib3.HTTPConnectionPool(host, address.port, timeout, settings.connections, block=True)

    def _tls(self, request: Request) -> ssl.SSLContext:
        context = ssl.create_default_context()
        for path in self._settings.authorities(request.host):
            try:
                context.load_verify_locations(cafile=path)
            except OSError as error:  # ssl.SSLError is one
                raise _untrusted(request, f"its authority's certificate {path} cannot be used: {error}") from error
        return context


def web_address(base: str, named: str, source: str) -> str:
    """The URL that an answer named, which may be relative to `base`. RegistryError where nothing can be asked there."""
    try:
        parts = urllib3.util.parse_url(urljoin(base, named))
    except ValueError as error:
        raise bad_answer("the registry names an address that is none", source) from error
    if parts.scheme not in {"http", "https"} or not parts.host:
        raise bad_answer("the registry names an address that is none of the web", source)
    return parts.url


def _redirected(request: Request, target: str) -> Request:
    if request.body is not None:
        raise bad_answer("a request with credentials in it is redirected", request.source)
    url = web_address(request.url, target, request.source)
    if _origin(url) == _origin(request.url):
        return replace(request, url=url)
    headers = {name: value for name, value in request.headers.items() if name != "Authorization"}
    return replace(request, url=url, headers=headers)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _untrusted(request: Request, reason: str) -> RegistryError:
    said = _OPENSSL_LINE.sub("", " ".join(reason.split()))
    return RegistryError(
        f"no trusted connection to {request.host}: {said}",
        reason="RegistryUntrusted",
        source=request.source,
        hint=f"put its authority's certificate at {DOCKER_CERTIFICATES}/{request.host}/ca.crt, or list a registry"
        f" without TLS in {PLAIN}",
    )


def _unreachable(request: Request, error: Exception) -> RegistryError:
    return RegistryError(
        f"{request.host} cannot be reached: {_why(error)}",
        reason="RegistryUnreachable",
        source=request.source,
        hint="see whether the name, the port and the network are right",
    )


def _why(error: Exception) -> str:
    if isinstance(error, NameResolutionError):
        return "its name cannot be resolved"
    if isinstance(error, TookTooLong) and not isinstance(error, NewConnectionError):  # which is one, for no reason
        return "it did not answer in time"
    causes = (error, error.__cause__, error.__context__, *error.args)
    found = next((item.strerror for item in causes if isinstance(item, OSError) and item.strerror), None)
    return (found or "the connection was lost").lower()
