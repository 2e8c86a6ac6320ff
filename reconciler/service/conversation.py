"""One answer over the control socket: news while it is worked on, then its end. No asker can hold up the work."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress

from reconciler.errors import ReconcilerError, SettingsErrors, SpecErrors
from reconciler.model.report import Activity
from reconciler.service.messages import Command, ServiceError, activity_line, error_line, result_line

SEND_SECONDS = 10.0


class Conversation:
    """The answer's side of a connection. Callable from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._lock = threading.Lock()
        self._over = False
        connection.settimeout(SEND_SECONDS)

    def tell(self, activity: Activity) -> None:
        """Send an activity, unless the asker has not read what was sent before."""
        line = activity_line(activity)
        with self._lock:
            if not self._over and self._is_read():
                self._send(line)

    def end_with_result(self, command: Command, result: object) -> None:
        """Send the result and hang up."""
        self._end(result_line(command, result))

    def end_with_error(self, error: ReconcilerError) -> None:
        """Send the error and hang up."""
        if isinstance(error, SpecErrors | SettingsErrors):  # each already names its own place
            error = ServiceError(error.message, code=error.code, exit_code=error.exit_code)
        self._end(error_line(error))

    def cut(self) -> None:
        """Hang up, whatever is left to say; what is being sent at this moment fails."""
        with suppress(OSError):  # it has hung up already
            self.connection.shutdown(socket.SHUT_RDWR)

    def _end(self, line: bytes) -> None:
        with self._lock:
            if not self._over:
                self._send(line)
                self._hang_up()

    def _is_read(self) -> bool:
        """Whether there is room for more: of what was sent, most has been read."""
        room = select.poll()
        room.register(self.connection, select.POLLOUT)
        return bool(room.poll(0))

    def _send(self, line: bytes) -> None:
        try:
            self.connection.sendall(line)
        except OSError:  # the asker is gone, or does not read: the work goes on without it
            self._hang_up()

    def _hang_up(self) -> None:
        self._over = True
        self.connection.close()
