"""A web server on 127.0.0.1 that answers as a test says: registries and token services that a real one never is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from pathlib import Path

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str

    @property
    def path(self) -> str:
        """The URL's path."""
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        """The URL's query."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}


@dataclass(frozen=True)
class Reply:
    """An answer. `cut` closes the connection instead; `hold` is waited for before the body, `drip` is byte by byte."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: bool = False
    hold: threading.Event | None = None
    drip: bool = False


class StandIn:
    """Serves until closed; `asked` is what was asked for so far, `connections` how many clients connected."""

    def __init__(self, answering: Callable[[Asked], Reply], tls: ssl.SSLContext | None = None) -> None:
        self.answering = answering
        self.asked: list[Asked] = []
        self.connections = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self._server.server_port}"

    def methods(self) -> list[str]:
        """The methods asked with, in order."""
        return [asked.method for asked in self.asked]

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(server: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        stand_in = server

    return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    stand_in: StandIn

    def setup(self) -> None:
        self.stand_in.connections += 1
        super().setup()

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # a client that trusts us not, or that waits no longer, leaves
            super().handle()

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_arguments: Any) -> None:
        """Requests are nobody's business."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        asked = Asked(self.command, self.path, dict(self.headers), body)
        self.stand_in.asked.append(asked)
        reply = self.stand_in.answering(asked)
        if reply.cut:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        if reply.hold:
            reply.hold.wait(30)
        size = 1 if reply.drip else max(1, len(reply.body))
        for start in range(0, len(reply.body), size):
            self.wfile.write(reply.body[start : start + size])


class Clock:
    """Seconds since the epoch, as a test sets them."""

    now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def digest_of(content: bytes) -> str:
    """The digest of a content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def manifest(content: bytes, media_type: str = INDEX, **headers: str) -> Reply:
    """A manifest as registries send it."""
    return Reply(200, {"Content-Type": media_type, "Docker-Content-Digest": digest_of(content), **headers}, content)


def as_json(document: object, **headers: str) -> Reply:
    """A JSON document."""
    return Reply(200, {"Content-Type": "application/json", **headers}, json.dumps(document).encode())


def index(*platforms: str) -> bytes:
    """An index of one manifest for each `os/architecture[/variant]`, whose digests are those of these texts."""
    entries = []
    for text in platforms:
        system, architecture, variant = (*text.split("/"), "")[:3]
        platform = {"os": system, "architecture": architecture, "variant": variant}
        entries.append({"mediaType": MANIFEST, "digest": digest_of(text.encode()), "size": 1, "platform": platform})
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    folder.mkdir(parents=True, exist_ok=True)
    pair = folder / "server.pem", folder / "key.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command = ["openssl", "req", "-x509", *curve, *names, "-out", str(pair[0]), "-keyout", str(pair[1])]
    subprocess.run(command, check=True, capture_output=True)
    return pair
