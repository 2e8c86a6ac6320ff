"""A registry of small images in this process, on 127.0.0.1: as much of the distribution API as a pull needs.

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
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.refusal = 0
        self._tags: dict[str, Image] = {}
        self._images: dict[str, Image] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
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
        blobs = {key: blob for image in self._images.values() for key, blob in image.blobs.items()}
        return ("application/octet-stream", blobs[digest]) if digest in blobs else None


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def log_message(self, *_arguments: Any) -> None:
            """Requests are nobody's business."""

        def _answer(self, *, with_body: bool) -> None:
            registry.asked.append((self.command, self.path))
            if registry.refusal and "/manifests/" in self.path:
                self.send_response(registry.refusal)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            found = ("application/json", b"{}") if self.path == "/v2/" else registry.find(self.path)
            missing = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
            kind, body = found or ("application/json", json.dumps(missing).encode())
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", _digest(body))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    return Handler


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
