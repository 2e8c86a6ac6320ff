"""A build's context as one canonical archive: the same files give the same bytes and digest on every machine.

Called by `build_key` (digest only) and by `engine.docker_build` (which sends what is hashed). Order, owner and times
are fixed (sorted, 0, 0); names, contents, mode bits and link targets are kept; links are not followed.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from reconciler.errors import SpecError
from reconciler.images.dockerignore import Ignore, Verdict, parse_ignore
from reconciler.model.project import Build

MAX_TEXT = 1024 * 1024
_MODE_BITS = 0o7777
_SMALL = 1024 * 1024
_IGNORE_FILE = ".dockerignore"
_TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
}


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


@dataclass(frozen=True)
class Entry:
    """One file, folder, link or device of the context; `path` is relative to it, with `/`."""

    path: str
    file: str
    status: os.stat_result


@dataclass(frozen=True)
class Context:
    """What the builder gets to see.

    `dockerfile` are the Dockerfile's bytes. `dockerfile_path` is where it lies among `entries`, or None where COPY must
    not see it: outside of the context, inline in the spec, or left out by the ignore file.
    """

    entries: tuple[Entry, ...]
    dockerfile: bytes
    dockerfile_path: str | None


def read_context(build: Build) -> Context:
    """List the context of a build. SpecError where the context, the Dockerfile or the ignore file cannot be used."""
    root = _root(build.context, "build.context names the folder that holds what the Dockerfile copies")
    dockerfile = _dockerfile(build)
    entries = tuple(_with_parents(_scan(root, _ignore(build, root))))
    return Context(entries, dockerfile, _visible_dockerfile(build, entries))


def read_additional(name: str, folder: str) -> Context:
    """List an additional context, as its own `.dockerignore` leaves it. SpecError where it cannot be used."""
    root = _root(folder, f"build.additional_contexts.{name} names a folder or an address")
    ignore = _ignore_of((root / _IGNORE_FILE,))
    return Context(tuple(_with_parents(_scan(root, ignore))), b"", None)


def local_contexts(build: Build) -> dict[str, Context]:
    """The additional contexts that are folders, by name. SpecError where one cannot be used."""
    return {name: read_additional(name, place) for name, place in build.contexts if place.startswith("/")}


def context_digest(context: Context) -> str:
    """SHA-256, 64 hex digits, over every entry's name, kind, mode, link target and content."""
    digest = hashlib.sha256()
    for entry in context.entries:
        _describe(entry, digest)
        if stat.S_ISREG(entry.status.st_mode):
            digest.update(_content_digest(entry))
    return digest.hexdigest()


def write_archive(context: Context, sink: IO[bytes], added: tuple[tuple[str, bytes], ...] = ()) -> str:
    """Write the context as a tar archive; return the `context_digest` of the very bytes written.

    `added` are (path, content) of files that the builder needs beside the context; the digest leaves them out.
    """
    digest = hashlib.sha256()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in context.entries:
            _describe(entry, digest)
            _archive(entry, archive, digest)
        for path, content in added:
            header = tarfile.TarInfo(path)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return digest.hexdigest()


def _root(folder: str, hint: str) -> Path:
    root = Path(folder)
    try:
        if stat.S_ISDIR(root.stat().st_mode):
            return root
        reason = "is not a folder"
    except (FileNotFoundError, NotADirectoryError):
        reason = "does not exist"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    raise SpecError(
        f"the build context {root} {reason}",
        hint=hint,
        code="BuildContextMissing",
    )


def _dockerfile(build: Build) -> bytes:
    if build.dockerfile_inline is not None:
        return build.dockerfile_inline.encode()
    try:
        return text_file(build.dockerfile)
    except FileNotFoundError as error:
        message = f"there is no Dockerfile {build.dockerfile}"
        raise SpecError(
            message, hint="build.dockerfile names it, relative to build.context", code="DockerfileMissing"
        ) from error
    except OSError as error:
        message = f"the Dockerfile {build.dockerfile} cannot be read: {error.strerror}"
        raise SpecError(message, hint="it must be a readable file", code="DockerfileMissing") from error


def text_file(path: str) -> bytes:
    """The content of instructions or of a secret; OSError where it is a pipe, a device, a folder or far too large."""
    status = Path(path).stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    with Path(path).open("rb") as file:
        content = file.read(MAX_TEXT + 1)
    if len(content) > MAX_TEXT:
        raise OSError(errno.EFBIG, f"it is larger than {MAX_TEXT // 1024 // 1024} MB")
    return content


def _ignore(build: Build, root: Path) -> Ignore:
    candidates = [root / _IGNORE_FILE]
    if build.dockerfile_inline is None:
        candidates.insert(0, Path(f"{build.dockerfile}{_IGNORE_FILE}"))
    return _ignore_of(candidates)


def _ignore_of(candidates: Iterable[Path]) -> Ignore:
    for path in candidates:
        try:
            return parse_ignore(text_file(str(path)), str(path))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
        except OSError as error:
            raise _unreadable(str(path), error) from error
    return Ignore()


def _scan(root: Path, ignore: Ignore) -> Iterator[tuple[Entry, bool]]:
    """Everything below `root` in order, folders before what they hold, each with whether it is kept."""
    stack: list[tuple[Entry, Verdict | None]] = [*reversed([(entry, None) for entry in _children(str(root), "")])]
    while stack:
        entry, above = stack.pop()
        verdict = ignore.verdict(entry.path, above)
        yield entry, not verdict.ignored
        if stat.S_ISDIR(entry.status.st_mode) and not (verdict.ignored and ignore.prunes(entry.path)):
            stack += reversed([(child, verdict) for child in _children(entry.file, f"{entry.path}/")])


def _children(folder: str, prefix: str) -> list[Entry]:
    try:
        with os.scandir(folder) as found:
            ordered = sorted(found, key=lambda item: os.fsencode(item.name))
            entries = [Entry(prefix + item.name, item.path, item.stat(follow_symlinks=False)) for item in ordered]
    except OSError as error:
        raise _unreadable(folder, error) from error
    return [entry for entry in entries if stat.S_IFMT(entry.status.st_mode) in _TYPES]


def _with_parents(found: Iterator[tuple[Entry, bool]]) -> Iterator[Entry]:
    """What is kept, and each folder that was left out but holds something kept."""
    waiting: list[Entry] = []
    for entry, kept in found:
        waiting = [folder for folder in waiting if entry.path.startswith(f"{folder.path}/")]
        if kept:
            yield from waiting
            waiting = []
            yield entry
        elif stat.S_ISDIR(entry.status.st_mode):
            waiting.append(entry)


def _visible_dockerfile(build: Build, entries: tuple[Entry, ...]) -> str | None:
    if build.dockerfile_inline is not None:
        return None
    path = os.path.relpath(build.dockerfile, build.context)
    regular = (entry.path for entry in entries if stat.S_ISREG(entry.status.st_mode))
    return path if path in regular else None


def _describe(entry: Entry, digest: _Hash) -> None:
    kind, bits = stat.S_IFMT(entry.status.st_mode), entry.status.st_mode & _MODE_BITS
    target = _link_target(entry) if stat.S_ISLNK(entry.status.st_mode) else ""
    fields = (os.fsencode(entry.path), b"%o" % kind, b"%o" % bits, os.fsencode(target))
    digest.update(b"\0".join((*fields, b"")))


def _archive(entry: Entry, archive: tarfile.TarFile, digest: _Hash) -> None:
    header = _header(entry)
    if not header.isreg():
        archive.addfile(header)
        return
    content = hashlib.sha256()
    with _opened(entry) as file:
        archive.addfile(header, _HashingReader(file, content))
    digest.update(content.digest())


def _header(entry: Entry) -> tarfile.TarInfo:
    """The entry's tar header; owner and time stay 0, and a hard link is a file of its own."""
    header, mode = tarfile.TarInfo(entry.path), entry.status.st_mode
    header.type = _TYPES[stat.S_IFMT(mode)]
    header.mode = mode & _MODE_BITS
    if header.isreg():
        header.size = entry.status.st_size
    elif header.issym():
        header.linkname = _link_target(entry)
    elif header.isdev() and not header.isfifo():
        header.devmajor, header.devminor = os.major(entry.status.st_rdev), os.minor(entry.status.st_rdev)
    return header


def _link_target(entry: Entry) -> str:
    return os.readlink(entry.file)  # noqa: PTH115 - Path.readlink tidies the target; the builder gets it as it is


class _HashingReader:
    """Reads a file for the archive and hashes what passes."""

    def __init__(self, file: IO[bytes], digest: _Hash) -> None:
        self._file = file
        self._digest = digest

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        return data


def _content_digest(entry: Entry) -> bytes:
    """SHA-256 of a file. A small one is read at once: a buffer for each would cost more than its hash."""
    with _opened(entry) as file:
        if entry.status.st_size <= _SMALL:
            return hashlib.sha256(file.read()).digest()
        return hashlib.file_digest(file, "sha256").digest()


def _opened(entry: Entry) -> io.FileIO:
    try:
        return open(entry.file, "rb", buffering=0)  # noqa: PTH123 - Path takes as long as opening a file does
    except OSError as error:
        raise _unreadable(entry.file, error) from error


def _unreadable(path: str, error: OSError) -> SpecError:
    message = f"{path} in the build context cannot be read: {error.strerror}"
    return SpecError(message, hint="make it readable or list it in .dockerignore", code="BuildContextUnreadable")
