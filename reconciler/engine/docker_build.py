"""Builds an image on the engine, through buildx where the docker CLI has it, else through the classic builder API.

Called by `docker.DockerEngine.build_image`. The context is packed once: what is sent is what the build's key was made
of, or the build is refused.
"""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import IO

from reconciler.engine import docker_buildx
from reconciler.engine.docker_credentials import all_registries
from reconciler.engine.docker_progress import readable
from reconciler.engine.docker_transport import Transport
from reconciler.engine.protocol import Progress
from reconciler.errors import EngineError
from reconciler.images.build_key import content_key
from reconciler.images.context import Context, read_context, write_archive
from reconciler.model.labels import BUILD_KEY
from reconciler.model.project import Build
from reconciler.model.redaction import REDACTED, is_secret_name, redact_text

_MEMORY = 8 << 20
_CHUNK = 1 << 18
_TAIL = 12
_IGNORE_FILE = ".dockerignore"

Added = tuple[tuple[str, bytes], ...]
Query = dict[str, str | list[str]]


def build_image(
    transport: Transport, build: Build, tags: tuple[str, ...], platform: str | None, progress: Progress
) -> None:
    """Build and tag.

    EngineError `BuildFailed` with the last lines of the output (secrets taken out), `BuildContextChanged` where the
    context is not the one that the build's key was computed from.
    """
    context = read_context(build)
    output = _Output(build, progress)
    tool = docker_buildx.find(transport.target)
    with tempfile.SpooledTemporaryFile(max_size=_MEMORY) as archive:
        _pack(context, build, platform, archive, () if tool else _hidden_files(context))
        if tool is None:
            _build_classic(transport, archive, _query(build, tags, platform, context), output)
            return
        options = docker_buildx.options(build, _labels(build), tags, platform)
        if code := docker_buildx.run(tool, transport.target, context, archive, options, output.line):
            raise output.failed(f"docker buildx build ended with exit code {code}")


class _Output:
    """Passes lines on with the values of secret build arguments taken out, and remembers the last ones."""

    def __init__(self, build: Build, progress: Progress) -> None:
        values = {value for name, value in build.args if is_secret_name(name)}
        lines = {line.strip() for value in values for line in value.splitlines()}
        self._secrets = sorted((values | lines) - {""}, key=len, reverse=True)
        self._progress = progress
        self._tail: deque[str] = deque(maxlen=_TAIL)
        self.name = build.tag or build.context

    def line(self, text: str) -> None:
        """One line of output."""
        shown = self.redact(text)
        self._tail.append(shown)
        self._progress(shown)

    def redact(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return redact_text(text)

    def failed(self, reason: str, status: int | None = None) -> EngineError:
        """The error that says `reason` and what was printed last."""
        tail = "".join(f"\n  {line}" for line in self._tail)
        message = f"the build failed: {self.redact(reason)}{tail}"
        return EngineError(message, status=status, source=self.name, code="BuildFailed")


def _pack(context: Context, build: Build, platform: str | None, archive: IO[bytes], added: Added) -> None:
    try:
        digest = write_archive(context, archive, added)
    except OSError as error:
        raise _changed(build) from error
    if build.key and content_key(build, digest, context.dockerfile, platform) != build.key:
        raise _changed(build)
    archive.seek(0)


def _changed(build: Build) -> EngineError:
    message = f"the build context {build.context} changed after the build was planned"
    return EngineError(message, source=build.tag, hint="run again", code="BuildContextChanged")


def _labels(build: Build) -> dict[str, str]:
    return dict(build.labels) | ({BUILD_KEY: build.key} if build.key else {})


def _query(build: Build, tags: tuple[str, ...], platform: str | None, context: Context) -> Query:
    """Query parameters of POST /build (Engine API, ImageBuild)."""
    query: Query = {
        "t": list(tags),
        "dockerfile": context.dockerfile_path or _hidden_name(context),
        "buildargs": json.dumps(dict(build.args)),
        "labels": json.dumps(_labels(build)),
        "rm": "1",
        "forcerm": "1",
    }
    query |= {"target": build.target} if build.target else {}
    query |= {"platform": platform} if platform else {}
    return query


def _build_classic(
    transport: Transport, archive: IO[bytes], query: Mapping[str, str | list[str]], output: _Output
) -> None:
    headers = all_registries(transport.target) | {"Content-Type": "application/x-tar"}
    body = iter(functools.partial(archive.read, _CHUNK), b"")
    try:
        answer = transport.stream("POST", "/build", query=query, body=body, headers=headers, what=output.name)
        with closing(answer) as stream:
            for line in readable(stream, output.name, "BuildFailed"):
                output.line(line)
    except EngineError as error:
        if error.code != "BuildFailed" and error.status is None:
            raise
        raise output.failed(error.message, error.status) from None


def _hidden_files(context: Context) -> Added:
    """A Dockerfile that COPY must not see, and the ignore file that makes the classic builder hide it."""
    if context.dockerfile_path:
        return ()
    name = _hidden_name(context)
    own = next((Path(entry.file).read_bytes() for entry in context.entries if entry.path == _IGNORE_FILE), None)
    ignore = (own or _IGNORE_FILE.encode()) + f"\n{name}\n".encode()
    return (name, context.dockerfile), (_IGNORE_FILE, ignore)


def _hidden_name(context: Context) -> str:
    return f".dockerfile.{hashlib.sha256(context.dockerfile).hexdigest()[:16]}"
