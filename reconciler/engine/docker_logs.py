"""Takes the engine's log stream apart (Engine API, ContainerAttach: stream format). Called by `docker`."""

from __future__ import annotations

from collections.abc import Iterator

_HEADER = 8


def decode_logs(content: bytes, *, terminal: bool) -> str:
    """The text of a log answer; without a terminal it comes in frames of stdout and stderr, in order."""
    text = content if terminal else b"".join(_frames(content))
    return text.decode(errors="replace").replace("\r\n", "\n")


def _frames(content: bytes) -> Iterator[bytes]:
    position = 0
    while position + _HEADER <= len(content):
        size = int.from_bytes(content[position + 4 : position + _HEADER], "big")
        yield content[position + _HEADER : position + _HEADER + size]
        position += _HEADER + size
