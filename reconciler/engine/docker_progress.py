"""Reads the streams of a pull, a push or a classic build: readable lines out, failures raised.

Called by `docker` and `docker_build`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.engine.docker_errors import clean, failure

_QUIET = {"Pulling fs layer", "Waiting", "Verifying Checksum", "Download complete", "Extracting", "Preparing"}
_NOISE = (" ---> ", "Removing intermediate container ")
_UNIT = 1000.0


def readable(stream: Iterable[Mapping[str, Any]], what: str, code: str) -> Iterator[str]:
    """The lines worth showing; EngineError with `code` for an `error` in the stream.

    Per layer one line when it begins to come or go, with its size, and one when it is there.
    """
    shown: dict[str, str] = {}
    text = ""
    for event in stream:
        _raise_error(event, what, code)
        *lines, text = (text + str(event.get("stream") or "")).split("\n")
        yield from (line.rstrip() for line in lines if line.strip() and not line.startswith(_NOISE))
        if line := _status_line(event, shown):
            yield line
    if text.strip():
        yield text.rstrip()


def _raise_error(event: Mapping[str, Any], what: str, code: str) -> None:
    detail = event.get("errorDetail") or {}
    if message := event.get("error") or detail.get("message"):
        raise failure(clean(str(message)), what, code=code)


def _status_line(event: Mapping[str, Any], shown: dict[str, str]) -> str:
    status, layer = str(event.get("status") or ""), str(event.get("id") or "")
    if not status or status in _QUIET or shown.get(layer or status) == status:
        return ""
    shown[layer or status] = status
    total = (event.get("progressDetail") or {}).get("total")
    size = f" {_size(total)}" if total and status in {"Downloading", "Pushing"} else ""
    return f"{layer}: {status}{size}" if layer else f"{status}{size}"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < _UNIT:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _UNIT
    return f"{count:.1f} GB"
