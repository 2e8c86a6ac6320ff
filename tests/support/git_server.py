"""A forge for tests: git's own http-backend behind a small server, with or without TLS, and repositories to serve."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import ipaddress
import os
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AT = 1_700_000_000
_SMALL = 64 * 1024
_REGULAR, _EXECUTABLE, _LINK, _SUBMODULE = "100644", "100755", "120000", "160000"
_ENVIRONMENT = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "LC_ALL": "C", "HOME": "/nonexistent"}


@dataclass(frozen=True)
class Link:
    """A symbolic link in a commit."""

    target: str


@dataclass(frozen=True)
class Program:
    """An executable file in a commit."""

    content: bytes


@dataclass(frozen=True)
class Submodule:
    """A submodule in a commit."""

    commit: str


@dataclass
class Repository:
    """A bare repository that a test writes to."""

    path: Path
    made: int = 0

    @classmethod
    def new(cls, path: Path, *options: str) -> Repository:
        """An empty one."""
        subprocess.run(
            ["git", "init", "-q", "--bare", "-b", "main", *options, str(path)], check=True, env=_environment()
        )
        return cls(path)

    def git(self, *arguments: str, stdin: bytes | None = None, variables: Mapping[str, str] | None = None) -> str:
        """What that git command prints."""
        command = ["git", f"--git-dir={self.path}", *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, check=False, env={**_environment(), **(variables or {})}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def tag(self, name: str, commit: str) -> str:
        """An annotated tag; its object name."""
        text = f"object {commit}\ntype commit\ntag {name}\ntagger Ada Example <ada@example.com> {AT} +0000\n\n{name}\n"
        made = self.git("mktag", stdin=text.encode())
        self.git("update-ref", f"refs/tags/{name}", made)
        return made

    def commit(
        self,
        files: Mapping[str, bytes | Link | Program | Submodule],
        subject: str = "Change",
        branch: str = "main",
        *,
        author: str = "Ada Example <ada@example.com>",
        at: int | None = None,
    ) -> str:
        """A commit with exactly these files on that branch; its object name."""
        self.made += 1
        when = f"{AT + self.made if at is None else at} +0000"
        head = (
            f"commit refs/heads/{branch}\nmark :1\nauthor {author} {when}\ncommitter Forge <forge@example.com> {when}\n"
        )
        body = b"".join(_change(path, content) for path, content in files.items())
        parent = b"" if self.made == 1 else b"deleteall\n"
        stream = head.encode() + _data(subject.encode()) + parent + body + b"\nget-mark :1\n"
        return self.git(
            "fast-import", "--quiet", "--force", "--date-format=raw", stdin=b"feature done\n" + stream + b"done\n"
        )


def _environment() -> dict[str, str]:
    return {**_ENVIRONMENT, "PATH": os.environ["PATH"]}


def _change(path: str, content: bytes | Link | Program | Submodule) -> bytes:
    quoted = path.encode()
    if isinstance(content, Submodule):
        return b"M %s %s %s\n" % (_SUBMODULE.encode(), content.commit.encode(), quoted)
    mode, data = _REGULAR, content
    if isinstance(content, Link):
        mode, data = _LINK, content.target.encode()
    if isinstance(content, Program):
        mode, data = _EXECUTABLE, content.content
    assert isinstance(data, bytes)
    return b"M %s inline %s\n" % (mode.encode(), quoted) + _data(data)


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


@dataclass
class Forge:
    """A running server. `token` (for any user) is wanted where it is set; `answer` is given instead of the repository.

    While `hold` is not set, requests wait for it. Of a pack only the first half is sent where there is `half`, which is
    set then. `asked` are the request lines and `credentials` what came with them.
    """

    root: Path
    url: str = ""
    token: str = ""
    answer: tuple[int, dict[str, str], bytes] | None = None
    hold: threading.Event | None = None
    half: threading.Event | None = None
    closing: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    credentials: list[str] = field(default_factory=list)

    def fetches(self) -> int:
        """How often objects were asked for."""
        return sum("POST" in line and "git-upload-pack" in line for line in self.asked)


@contextlib.contextmanager
def serving(root: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[Forge]:
    """A forge on a port of this machine whose repositories are the folders of `root`."""
    forge = Forge(root)

    class Handler(_Handler):
        pass

    Handler.forge = forge
    server = _Server(("127.0.0.1", 0), Handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    forge.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield forge
    finally:
        if forge.hold:
            forge.hold.set()
        forge.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    forge: Forge
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
        """Say nothing."""

    def do_GET(self) -> None:
        self._handle(b"")

    def do_POST(self) -> None:
        self._handle(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _handle(self, body: bytes) -> None:
        forge = self.forge
        forge.asked.append(self.requestline)
        given = self.headers.get("Authorization") or ""
        forge.credentials.append(base64.b64decode(given.partition(" ")[2]).decode())
        if forge.hold:
            forge.hold.wait(30)
        if forge.answer:
            self._send(*forge.answer)
        elif forge.token and forge.credentials[-1].partition(":")[2] != forge.token:
            refused = f"no entry with {forge.credentials[-1]}".encode()
            self._send(401, {"WWW-Authenticate": 'Basic realm="forge"', "Content-Type": "text/plain"}, refused)
        else:
            self._backend(body)

    def _backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(self.forge.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type") or "",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding") or "",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol") or "",
        }
        environment = {**_environment(), **variables}
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, check=False, env=environment)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self._send(int(headers.pop("Status", "200").split()[0]), headers, content)

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.forge.half and len(content) > _SMALL:
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.forge.half.set()
            self.forge.closing.wait(30)
            return
        self.wfile.write(content)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority, private = folder / "authority.pem", folder / "key.pem"
    authority.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return authority, private
