"""Whether the service answers at its control socket: the image's HEALTHCHECK. Exits 0 or 1, and says why in a line.

It asks for the newest entry of the history, which needs the service and its state file, not the engine: an engine that
is away is no reason to call the service ill. Only the standard library: it costs a few milliseconds each time.
"""

import os
import socket
import sys

DEFAULT = "/run/reconciler/reconciler.sock"
ASKED = b'{"version": 1, "command": "history", "arguments": {"limit": 1}}\n'
ANSWERED = b'{"result"'
SECONDS = 4


def failure(path: str) -> str:
    """Why the service is not well; empty where it is."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(SECONDS)
            connection.connect(path)
            connection.sendall(ASKED)
            with connection.makefile("rb") as answer:
                line = answer.readline()
    except OSError as error:
        return f"{path}: {error}"
    return "" if line.startswith(ANSWERED) else f"{path}: {line[:200].decode(errors='replace').strip() or 'no answer'}"


if __name__ == "__main__":
    said = failure(os.environ.get("RECONCILER_SOCKET") or DEFAULT)
    sys.exit(said or 0)
