"""A registry of small images in this process, on 127.0.0.1: as much of the distribution API as pulls and pushes need.

Engines take 127.0.0.0/8 as insecure registries, so plain HTTP works without configuration.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.support.image import busybox

if TYPE_CHECKING:
    from collections.abc import Mapping

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass(frozen=True)
class Image:
    """An image as a registry holds it: its manifest, and every blob by digest."""

    manifest: bytes
    blobs: Mapping[str, bytes]
    media_type: str = _MANIFEST

    @property
    def digest(self) -> str:
        """The digest that pulls name it by."""
        return _digest(self.manifest)


def tiny_image(content: str) -> Image:
    """An image with one file of that content; it can be pulled, not run."""
    return _image(_layer({"content": (content.encode(), 0o644)}), {"Cmd": ["/none"]})


def runnable_image(content: str) -> Image:
    """An image that sleeps, with a shell and one file of that content."""
    program = (busybox().read_bytes(), 0o755)
    layer = _layer({"content": (content.encode(), 0o644), "bin/busybox": program, "bin/sh": program})
    command = ["/bin/busybox", "sleep", "600"]
    return _image(layer, {"Cmd": command, "StopSignal": "SIGKILL"})


def _image(layer: bytes, config: Mapping[str, Any]) -> Image:
    packed = gzip.compress(layer, compresslevel=1, mtime=0)
    document = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {**config, "Labels": {"io.reconciler.test": "1"}},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _descriptor(_CONFIG, document),
        "layers": [_descriptor(_LAYER, packed)],
    }
    return Image(json.dumps(manifest).encode(), {_digest(document): document, _digest(packed): packed})


class Registry:
    """Serves images by tag and digest until closed. `push` moves a tag, as a push to a real registry does.

    `asked` is what was asked for, as (method, path). While `refusal` is a status, manifests are refused with it.
    A repository whose name holds what `refused` says takes no manifests.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.refusal = 0
        self._tags: dict[str, Image] = {}
        self._images: dict[str, Image] = {}
        self._uploads: dict[str, bytes] = {}
        self.refused = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """`127.0.0.1:PORT`."""
        return f"127.0.0.1:{self._server.server_port}"

    def push(self, name: str, tag: str, image: Image) -> None:
        """Let `HOST/name:tag` be that image."""
        self._tags[f"{name}:{tag}"] = image
        self._images[image.digest] = image

    def push_index(self, name: str, tag: str, **platforms: Image) -> str:
        """Let `HOST/name:tag` be an index of these images, by architecture; the index's digest."""
        entries = [
            {
                "mediaType": _MANIFEST,
                "digest": image.digest,
                "size": len(image.manifest),
                "platform": {"os": "linux", "architecture": architecture},
            }
            for architecture, image in platforms.items()
        ]
        content = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        blobs = {digest: blob for image in platforms.values() for digest, blob in image.blobs.items()}
        self._images |= {image.digest: image for image in platforms.values()}
        self.push(name, tag, Image(content, blobs, INDEX))
        return _digest(content)

    def lose(self, image: Image) -> None:
        """Serve the image's manifest, and none of its blobs any more."""
        self._images[image.digest] = replace(image, blobs={})

    def close(self) -> None:
        """Serve no more; closing twice is closing once."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def digest(self, name: str, tag: str) -> str | None:
        """What `HOST/name:tag` is, if there is such a thing."""
        found = self._tags.get(f"{name}:{tag}")
        return found.digest if found else None

    def keep(self, path: str, body: bytes) -> None:
        """Take a blob of an upload, or a manifest under its tag."""
        name, _, tag = path.removeprefix("/v2/").partition("/manifests/")
        if tag:
            self.push(name, tag, Image(body, dict(self._uploads)))
        else:
            self._uploads[_digest(body)] = body

    def find(self, path: str) -> tuple[str, bytes] | None:
        """Content type and body of a path below /v2/, if there is such a thing."""
        name, _, rest = path.removeprefix("/v2/").partition("/manifests/")
        if rest:
            image = self._images.get(rest) or self._tags.get(f"{name}:{rest}")
            return (image.media_type, image.manifest) if image else None
        if path.partition("?")[0].endswith("/tags/list"):
            repository = path.removeprefix("/v2/").partition("/tags/")[0]
            tags = [tag.rpartition(":")[2] for tag in self._tags if tag.rpartition(":")[0] == repository]
            return ("application/json", json.dumps({"name": repository, "tags": tags}).encode())
        digest = path.rpartition("/")[2]
        if digest in self._uploads:
            return "application/octet-stream", self._uploads[digest]
        blobs = {key: blob for image in self._images.values() for key, blob in image.blobs.items()}
        return ("application/octet-stream", blobs[digest]) if digest in blobs else None


class _Handler(BaseHTTPRequestHandler):
    registry: Registry

    def do_GET(self) -> None:
        """A manifest or a blob."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """The same without it."""
        self._answer(with_body=False)

    def do_POST(self) -> None:
        """Begin an upload."""
        self._done(202, Location=f"http://{self.registry.host}{self.path}upload")

    def do_PATCH(self) -> None:
        """Take all of a blob."""
        body = self._body()
        self.registry.keep("", body)
        self._done(202, Location=f"http://{self.registry.host}{self.path}", Range=f"0-{len(body) - 1}")

    def do_PUT(self) -> None:
        """End an upload, or take a manifest."""
        body = self._body()
        if "/manifests/" in self.path and self.registry.refused and self.registry.refused in self.path:
            self._done(403)
            return
        if "/manifests/" in self.path:
            self.registry.keep(self.path, body)
        self._done(201, **{"Docker-Content-Digest": _digest(body)})

    def log_message(self, *_arguments: Any) -> None:
        """Requests are nobody's business."""

    def _body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _done(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _answer(self, *, with_body: bool) -> None:
        self.registry.asked.append((self.command, self.path))
        if self.registry.refusal and "/manifests/" in self.path:
            self._done(self.registry.refusal)
            return
        found = ("application/json", b"{}") if self.path == "/v2/" else self.registry.find(self.path)
        missing = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
        kind, body = found or ("application/json", json.dumps(missing).encode())
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", _digest(body))
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def _layer(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, (content, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def _descriptor(kind: str, blob: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "size": len(blob), "digest": _digest(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"
