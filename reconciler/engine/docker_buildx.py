"""Drives `docker buildx build --load`: the docker SDK has no BuildKit session. Called by `docker_build`."""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import os
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from reconciler.engine.docker_connect import Target
from reconciler.images.bases import IMAGE_CONTEXT
from reconciler.images.build_key import is_id
from reconciler.images.context import Context, local_contexts, write_archive
from reconciler.model.project import Build
from reconciler.model.redaction import is_secret_name

_PLAIN = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "NO_COLOR": "1"}
_DAY = 24 * 60 * 60 * 10**9
_KNOWS_LIMITS = (1, 42)
_NO_PATTERNS = b"# everything that is here is wanted\n"


@dataclass(frozen=True)
class Options:
    """Arguments of `docker buildx build`; `secrets` go through the environment and so never onto a command line.

    `secrets` are values of arguments by their names, and contents of build secrets by names of our own.
    """

    arguments: tuple[str, ...]
    secrets: Mapping[str, str]


def find(target: Target) -> str | None:
    """The docker CLI that has buildx, or None."""
    tool = shutil.which("docker", path=target.environment.get("PATH"))
    settings = tuple((name, target.environment[name]) for name in ("HOME", "PATH") if name in target.environment)
    return tool if tool and _has_buildx(tool, (*settings, ("DOCKER_CONFIG", str(target.config_dir)))) else None


def left_out(build: Build, api: str | None) -> list[str]:
    """The options that BuildKit of this engine takes and ignores: those it knows since Docker 23 (API 1.42)."""
    used = [key for key, value in (("shm_size", build.shm_size), ("ulimits", build.ulimits)) if value]
    return used if api and tuple(map(int, api.split("."))) < _KNOWS_LIMITS else []


def options(build: Build, labels: Mapping[str, str], tags: tuple[str, ...], platform: str | None) -> Options:
    """The command line for a build, but for where its context and Dockerfile are."""
    secrets = {name: value for name, value in build.args if is_secret_name(name)}
    arguments = [f"--tag={tag}" for tag in tags]
    for name, value in build.args:
        arguments.append(f"--build-arg={name}" if name in secrets else f"--build-arg={name}={value}")
    arguments += [f"--label={name}={value}" for name, value in labels.items()]
    arguments += [f"--target={build.target}"] if build.target else []
    arguments += [f"--platform={platform}"] if platform else []
    arguments += [*_environment(build), *_cache(build)]
    for index, secret in enumerate(build.secrets):
        variable = f"RECONCILER_BUILD_SECRET_{index}"
        secrets |= {} if secret.file else {variable: secret.content}
        place = ("type=file", f"src={secret.file}") if secret.file else ("type=env", f"env={variable}")
        arguments.append(f"--secret={_fields(f'id={secret.id}', *place)}")
    return Options(tuple(arguments), secrets)


def run(
    tool: str,
    target: Target,
    context: Context,
    archive: IO[bytes],
    options: Options,
    folders: Mapping[str, str],
    line: Callable[[str], None],
) -> int:
    """The exit code of the build; its output goes to `line` as it comes. `folders` are the additional contexts."""
    named = [f"--build-context={name}={place}" for name, place in folders.items()]
    environment = {**target.cli_environment(), **options.secrets, **_PLAIN}
    with _sources(context, archive) as (sources, stdin):
        command = [tool, "buildx", "build", "--load", "--progress=plain", *options.arguments, *named, *sources]
        return _follow(command, environment, stdin, line)


def _environment(build: Build) -> list[str]:
    """What commands of the build see of the world around them."""
    allowed = dict.fromkeys((*build.entitlements, *(["security.insecure"] if build.privileged else [])))
    return [
        *(f"--allow={entitlement}" for entitlement in allowed),
        *(f"--add-host={host.replace('=', ':', 1)}" for host in build.extra_hosts),
        *([f"--network={build.network}"] if build.network else []),
        *([f"--shm-size={build.shm_size}"] if build.shm_size else []),
        *(f"--ulimit={limit.name}={limit.soft}:{limit.hard}" for limit in build.ulimits),
        *(f"--ssh={key}" for key in build.ssh),
    ]


def _cache(build: Build) -> list[str]:
    """What the builder may use of earlier builds."""
    return [
        *(f"--cache-from={place}" for place in build.cache_from),
        *(f"--cache-to={place}" for place in build.cache_to),
        *(["--no-cache"] if build.no_cache else []),
        *(["--pull"] if build.pull and not build.bases else []),
    ]


def _fields(*fields: str) -> str:
    """One line of comma-separated fields, as buildx reads --secret: a comma in a path is no separator."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue()


@functools.cache
def _has_buildx(tool: str, environment: tuple[tuple[str, str], ...]) -> bool:
    command = [tool, "buildx", "version"]
    asked = subprocess.run(command, env=dict(environment), capture_output=True, check=False)  # noqa: S603 - a fixed command
    return asked.returncode == 0


@contextmanager
def unpacked(build: Build) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """The additional contexts by name, and the digests of those that are folders: copies, which nobody changes."""
    with tempfile.TemporaryDirectory() as root:
        folders, digests = _pinned_contexts(build), {}
        for index, (name, context) in enumerate(local_contexts(build).items()):
            copy = Path(root, str(index))
            with tempfile.TemporaryFile() as archive:
                digests[name] = write_archive(context, archive)
                archive.seek(0)
                _unpack(archive, copy)
            folders[name] = str(copy)
        yield folders, digests


def _pinned_contexts(build: Build) -> dict[str, str]:
    """The additional contexts by name, images among them by digest where they have one."""
    known = {f"{IMAGE_CONTEXT}{name}": f"{IMAGE_CONTEXT}{found}" for name, found in build.bases if not is_id(found)}
    return {name: known.get(place, place) for name, place in build.contexts}


def _unpack(archive: IO[bytes], folder: Path) -> None:
    """Unpack, each file with a time made of its content.

    BuildKit keeps what it was sent, and takes a file of the same name, size and time for the same file.
    """
    folder.mkdir()
    with tarfile.open(fileobj=archive) as packed:
        packed.extractall(folder, filter="fully_trusted")  # noqa: S202 - our own archive; links and modes must stay
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names):
            if stat.S_ISREG(path.lstat().st_mode):
                with path.open("rb") as file:
                    moment = content_time(hashlib.file_digest(file, "sha256").digest())
                os.utime(path, ns=(moment, moment))


def content_time(digest: bytes) -> int:
    """Nanoseconds after 1970-01-01, within that day: the same for the same digest, another one for another."""
    return int.from_bytes(digest[:8]) % _DAY


@contextmanager
def _sources(context: Context, archive: IO[bytes]) -> Iterator[tuple[list[str], IO[bytes] | int]]:
    """The arguments that name Dockerfile and context, and the standard input.

    A Dockerfile that COPY may see comes with the archive. A hidden one cannot: the archive is unpacked, and an ignore
    file without patterns next to the Dockerfile keeps the builder from leaving out files for a second time.
    """
    if context.dockerfile_path:
        yield ["--file", context.dockerfile_path, "-"], archive
        return
    with tempfile.TemporaryDirectory() as folder:
        root, dockerfile = Path(folder, "context"), Path(folder, "Dockerfile")
        _unpack(archive, root)
        dockerfile.write_bytes(context.dockerfile)
        dockerfile.with_name("Dockerfile.dockerignore").write_bytes(_NO_PATTERNS)
        yield ["--file", str(dockerfile), str(root)], subprocess.DEVNULL


def _follow(
    command: list[str], environment: Mapping[str, str], stdin: IO[bytes] | int, line: Callable[[str], None]
) -> int:
    """Run to the end in a session of its own, so that Ctrl-C at the terminal lets the build in flight finish."""
    process = subprocess.Popen(  # noqa: S603 - arguments are passed as a list, each with its own option name
        command,
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    with process, _terminated_on_failure(process):
        for text in process.stdout or ():
            if shown := text.decode(errors="replace").strip():
                line(shown)
    return process.returncode


@contextmanager
def _terminated_on_failure(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    except BaseException:
        process.terminate()
        raise
