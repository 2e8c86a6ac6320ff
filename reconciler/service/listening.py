"""The control socket as a file: made so that nobody else can ever connect, taken over from the dead only."""

from __future__ import annotations

import fcntl
import os
import pwd
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.logs import get_logger
from reconciler.service.messages import ServiceError

MODE = 0o600
LONGEST_PATH = 107  # bytes of sun_path in unix(7), without the NUL that ends it
_BACKLOG = 64
_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


def listen(path: str) -> socket.socket:
    """A listening socket at that path, of mode 0600 from its first moment; what a dead process left there goes.

    ServiceError where somebody listens there, where something else is in the way, or it cannot be made.
    """
    if len(os.fsencode(path)) > LONGEST_PATH:
        hint = "name a shorter one: --socket, RECONCILER_SOCKET or socket: in the settings"
        raise ServiceError(
            f"the path is longer than the {LONGEST_PATH} bytes that a socket may have", source=path, hint=hint
        )
    try:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(Path(path).parent):
            _clear(path)
            return _bound(path)
    except OSError as error:
        hint = "make its folder writable, or name another one with --socket"
        raise ServiceError(f"the socket cannot be made: {error.strerror}", source=path, hint=hint) from error


def remove(listener: socket.socket, path: str, inode: int) -> None:
    """Close the socket, and remove its file unless another one lies there by now."""
    try:
        with _alone(Path(path).parent):
            if inode_of(path) == inode:
                Path(path).unlink()
    except FileNotFoundError:
        get_logger(socket=path).warning("the folder of the control socket is gone")
    finally:
        listener.close()


def inode_of(path: str) -> int:
    """Which file lies there; 0 where none does."""
    try:
        return os.lstat(path).st_ino
    except FileNotFoundError:
        return 0


def answers(path: str) -> bool:
    """Whether a process listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except BlockingIOError:
            return True  # it has more askers than it has taken in so far
        except (ConnectionRefusedError, FileNotFoundError):
            return False
    return True


def user_of(connection: socket.socket) -> str:
    """The name of the user at the other end (SO_PEERCRED in unix(7)), or `uid N` of one without a name."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    uid = _CREDENTIALS.unpack(found)[1]
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _clear(path: str) -> None:
    """Remove a socket that nobody listens at."""
    if not inode_of(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise ServiceError("what lies there is no socket", source=path, hint="name another one with --socket")
    if answers(path):
        hint = "stop it first, or give this one a socket of its own with --socket"
        raise ServiceError("a running service listens there already", source=path, hint=hint, code="SocketInUse")
    Path(path).unlink()


def _bound(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    before = os.umask(0o777 & ~MODE)
    try:
        listener.bind(path)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else looks at the folder's socket meanwhile, so that no two take over the same one."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
