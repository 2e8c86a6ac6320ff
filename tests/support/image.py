"""The test image: a static busybox from scratch, with something in every field that a container can inherit."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import uuid
from pathlib import Path
from typing import Any

REPOSITORY = "rct-busybox"
TAG = uuid.uuid4().hex[:8]  # one for each test run: it can be removed afterwards whoever else is testing
NAME = f"{REPOSITORY}:{TAG}"
LABEL = "io.reconciler.test"

DOCKERFILE = f"""FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV PATH=/bin A=1 B=2
LABEL one=1 two=2 {LABEL}=1
EXPOSE 80 90/udp
VOLUME /data
WORKDIR /srv
USER 0:0
STOPSIGNAL SIGKILL
HEALTHCHECK --interval=1s --timeout=2s --retries=2 CMD ["true"]
ENTRYPOINT ["sleep"]
CMD ["600"]
"""

CONFIG: dict[str, Any] = {
    "User": "0:0",
    "ExposedPorts": {"80/tcp": {}, "90/udp": {}},
    "Env": ["PATH=/bin", "A=1", "B=2"],
    "Cmd": ["600"],
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 1_000_000_000, "Timeout": 2_000_000_000, "Retries": 2},
    "Volumes": {"/data": {}},
    "WorkingDir": "/srv",
    "Entrypoint": ["sleep"],
    "OnBuild": None,
    "Labels": {"one": "1", "two": "2", LABEL: "1"},
    "StopSignal": "SIGKILL",
}
IMAGE_ID = "sha256:" + "b" * 64


def inspected() -> dict[str, Any]:
    """GET /images/{name}/json of the image, for a simulated engine."""
    return {
        "Id": IMAGE_ID,
        "RepoTags": [NAME],
        "RepoDigests": [],
        "Created": "2026-01-01T00:00:00Z",
        "Config": CONFIG,
        "Architecture": "amd64",
        "Os": "linux",
        "Size": 2_000_000,
    }


def listed() -> dict[str, Any]:
    """Its row in GET /images/json, for a simulated engine."""
    return {
        "Id": IMAGE_ID,
        "RepoTags": [NAME],
        "RepoDigests": None,
        "Created": 1_767_225_600,
        "Labels": CONFIG["Labels"],
        "ParentId": "",
        "Size": 2_000_000,
    }


def busybox() -> Path:
    """A static busybox: BUSYBOX, what `deploy/setup.sh` unpacked, or the machine's own."""
    unpacked = Path(__file__).parents[2] / ".cache/packages/busybox-static/bin/busybox"
    candidates = [os.environ.get("BUSYBOX"), str(unpacked), shutil.which("busybox")]
    found = next((Path(path) for path in candidates if path and Path(path).is_file()), None)
    if found is None:
        message = "no busybox: apt-get install busybox-static, or name a static one in BUSYBOX"
        raise FileNotFoundError(message)
    return found


def context(dockerfile: str = DOCKERFILE) -> bytes:
    """A build context as POST /build takes it: the Dockerfile and busybox, in a tar archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        _add(tar, "Dockerfile", dockerfile.encode(), 0o644)
        _add(tar, "busybox", busybox().read_bytes(), 0o755)
    return archive.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
