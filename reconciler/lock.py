"""One controller per project and engine: an exclusive file lock held for the whole converge, released by the kernel."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.errors import LockedError

SHARED = Path("/run/lock")


def lock_directory() -> Path:
    """`/run/lock`, where all users of an engine meet; else the user's runtime directory, else a private folder."""
    if os.access(SHARED, os.W_OK):
        return SHARED
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) if runtime and Path(runtime).is_dir() else Path(f"/tmp/reconciler-{os.geteuid()}")  # noqa: S108


@contextmanager
def project_lock(engine_id: str, project: str) -> Iterator[None]:
    """Hold the lock of a project on an engine.

    LockedError where somebody else has it, naming the holder's process, or where its file cannot be opened.
    """
    digest = hashlib.sha256(engine_id.encode()).hexdigest()[:12]
    path = lock_directory() / f"reconciler-{digest}-{project}.lock"
    descriptor = _open(path)
    try:
        _acquire(descriptor, project, path)
        _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def _sign(descriptor: int) -> None:
    """Name this process in the file, where it is ours to write."""
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())


@contextmanager
def unlocked(_engine_id: str, _project: str) -> Iterator[None]:
    """No lock, for an engine that lives in this process, where nobody else can reach it."""
    yield


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _open_or_make(path)
    except OSError as error:
        message = f"the lock file cannot be opened: {error.strerror}"
        raise LockedError(message, source=str(path), hint="make its folder writable, or set XDG_RUNTIME_DIR") from error


def _open_or_make(path: Path) -> int:
    """Another user's file is opened for reading: enough to lock it, though not to put our name in."""
    safely = os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | safely, 0o644)
    except FileExistsError:
        mode = os.O_RDWR if os.access(path, os.W_OK) else os.O_RDONLY
        return os.open(path, mode | safely)


def _acquire(descriptor: int, project: str, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
        message = f"project {project} is being converged by another process (pid {holder})"
        raise LockedError(message, source=str(path), hint="wait for it to end, or stop it") from error
