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
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import IO
from urllib.parse import quote

from reconciler.engine import docker_buildx
from reconciler.engine.docker_build_classic import Query, classic_options, refuse_buildkit_only
from reconciler.engine.docker_buildx import Options
from reconciler.engine.docker_credentials import all_registries
from reconciler.engine.docker_progress import readable
from reconciler.engine.docker_transport import Transport
from reconciler.engine.protocol import Progress
from reconciler.errors import EngineError
from reconciler.images.build_key import MAIN, content_key, is_id, pinned_instructions, platform_of
from reconciler.images.build_secrets import secret_content
from reconciler.images.context import Context, read_context, write_archive
from reconciler.model.canonical import canonical_json
from reconciler.model.labels import BUILD_BASES, BUILD_CONTENT, BUILD_KEY
from reconciler.model.project import Build
from reconciler.model.redaction import REDACTED, is_secret_name, redact_text
from reconciler.model.references import parse_reference

_MEMORY = 8 << 20
_CHUNK = 1 << 18
_TAIL = 12
_SHORTEST_LINE = 4  # a brace on a line of its own is nobody's secret
_SNAPSHOTTER = ["driver-type", "io.containerd.snapshotter.v1"]
_IGNORE_FILE = ".dockerignore"

Added = tuple[tuple[str, bytes], ...]


def build_image(
    transport: Transport, build: Build, tags: tuple[str, ...], platform: str | None, progress: Progress
) -> None:
    """Build and tag.

    EngineError `BuildFailed` with the last lines of the output (secrets taken out), `BuildContextChanged` where the
    context or a secret is not the one that the build's key was computed from, `BuildBaseChanged` where a base image is
    not, `BuildOptionUnsupported` where the engine or the builder that is here cannot do what is asked for.
    """
    original = read_context(build)
    output = _Output(build, progress)
    tool = docker_buildx.find(transport.target)
    built_for = platform_of(build, platform)
    _refuse_impossible(transport, build, built_for, tool)
    context = _pinned(original, build, by_id=tool is None)
    with docker_buildx.unpacked(build) as (folders, digests), tempfile.SpooledTemporaryFile(_MEMORY) as archive:
        digest = _packed(context, build, archive, () if tool else _hidden_files(context))
        _check_key(original, build, {MAIN: digest, **digests}, platform)
        if tool is None:
            _build_classic(transport, archive, _query(build, tags, built_for, context, output), output)
            return
        for key in docker_buildx.left_out(build, transport.api):
            output.line(f"without {key}: BuildKit of this engine does not know it")
        unnamed = any(is_id(stands_for) for _, stands_for in build.bases)
        options = docker_buildx.options(build, _labels(build), () if unnamed else tags, built_for)

        def run(more: Options) -> None:
            if code := docker_buildx.run(tool, transport.target, context, archive, more, folders, output.line):
                raise output.failed(f"docker buildx build ended with exit code {code}")

        if unnamed:
            _named_if_unmoved(transport, build, tags, options, run)
        else:
            run(options)


def _pinned(context: Context, build: Build, *, by_id: bool) -> Context:
    """The context with the bases that were planned written into its Dockerfile, which COPY must not see then."""
    instructions = pinned_instructions(build, by_id=by_id) if build.key else context.dockerfile
    same = instructions == context.dockerfile
    return context if same else replace(context, dockerfile=instructions, dockerfile_path=None)


def _named_if_unmoved(
    transport: Transport, build: Build, tags: tuple[str, ...], options: Options, run: Callable[[Options], None]
) -> None:
    """Build, and name what was built only if the images that BuildKit cannot be told by their ids are still those."""
    _check_bases(transport, build)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "id")
        run(replace(options, arguments=(*options.arguments, f"--iidfile={written}")))
        image = written.read_text(encoding="utf-8").strip()
    _check_bases(transport, build)
    for reference in map(parse_reference, tags):
        query = {"repo": reference.repository, "tag": reference.tag or "latest"}
        transport.call("POST", f"/images/{image}/tag", query=query, what=image)


def _check_bases(transport: Transport, build: Build) -> None:
    for name, stands_for in build.bases:
        if is_id(stands_for):
            found = transport.json(f"/images/{quote(parse_reference(name).tagged, safe='/:')}/json", what=name)["Id"]
            if found != stands_for:
                message = f"the base image {name} is another one than when the build was planned"
                raise EngineError(message, source=build.tag, hint="run again", code="BuildBaseChanged")


class _Output:
    """Passes lines on with the values of secrets and secret arguments taken out, and remembers the last ones."""

    def __init__(self, build: Build, progress: Progress) -> None:
        contents = (secret_content(secret).decode(errors="replace") for secret in build.secrets)
        values = {value for name, value in build.args if is_secret_name(name)} | {text.strip() for text in contents}
        lines = {line.strip() for value in values for line in value.splitlines()}
        shown = values | {line for line in lines if len(line) >= _SHORTEST_LINE}
        self._secrets = sorted(shown - {""}, key=len, reverse=True)
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


def _refuse_impossible(transport: Transport, build: Build, built_for: str | None, tool: str | None) -> None:
    if tool is None:
        refuse_buildkit_only(build)
    if "," in (built_for or "") and _SNAPSHOTTER not in (transport.json("/info").get("DriverStatus") or []):
        message = f"build.platforms names {built_for}, and this engine's image store keeps an image for one platform"
        hint = "write the service's platform, or let the engine use the containerd image store"
        raise EngineError(message, source=build.tag, hint=hint, code="BuildOptionUnsupported")


def _packed(context: Context, build: Build, archive: IO[bytes], added: Added) -> str:
    """The digest of what was packed."""
    try:
        digest = write_archive(context, archive, added)
    except OSError as error:
        raise _changed(build) from error
    archive.seek(0)
    return digest


def _check_key(context: Context, build: Build, digests: Mapping[str, str], platform: str | None) -> None:
    if build.content and content_key(build, digests, context.dockerfile, platform) != build.content:
        raise _changed(build)


def _changed(build: Build) -> EngineError:
    also = [*(["an additional context"] if build.contexts else []), *(["a secret"] if build.secrets else [])]
    message = f"{', or '.join([f'the build context {build.context}', *also])} changed after the build was planned"
    return EngineError(message, source=build.tag, hint="run again", code="BuildContextChanged")


def _labels(build: Build) -> dict[str, str]:
    """The build's own labels, what it is known by, and what its bases stood for (`images.bases` reads it again)."""
    known = {BUILD_KEY: build.key} if build.key else {}
    bases = {BUILD_CONTENT: build.content, BUILD_BASES: canonical_json(dict(build.bases)).decode()}
    return dict(build.labels) | known | (bases if build.bases else {})


def _query(build: Build, tags: tuple[str, ...], platform: str | None, context: Context, output: _Output) -> Query:
    """Query parameters of POST /build (Engine API, ImageBuild)."""
    query: Query = {
        "t": list(tags),
        "dockerfile": context.dockerfile_path or _hidden_name(context),
        "buildargs": json.dumps(dict(build.args)),
        "labels": json.dumps(_labels(build)),
        "rm": "1",
        "forcerm": "1",
        **classic_options(build, output.line),
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
