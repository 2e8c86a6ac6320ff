"""Logging: structlog to stderr, for a console or as JSON lines. `cli` says how; whoever logs asks for a logger here.

structlog is imported by the first logger only, as it costs a tenth of a second: ask where you log, not at import.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import Any, Literal

LogFormat = Literal["console", "json"]
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass
class _Settings:
    log_format: LogFormat = "console"
    level: str = "info"
    color: bool = False
    ready: bool = False


_settings = _Settings()


def configure(log_format: LogFormat, level: str, *, color: bool = False) -> None:
    """Log lines of at least `level` (a key of LEVELS) in this format, from the next logger on."""
    _settings.log_format, _settings.level, _settings.color, _settings.ready = log_format, level, color, False


def get_logger(**context: Any) -> Any:
    """A structlog logger whose lines all carry `context`. Tracebacks never show local variables: secrets live there."""
    import structlog

    if not _settings.ready:
        _set_up(structlog)
        _settings.ready = True
    return structlog.get_logger().bind(**context)


def _set_up(structlog: Any) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_renderers(structlog),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[_settings.level]),
        logger_factory=structlog.PrintLoggerFactory(_CurrentStderr()),
        cache_logger_on_first_use=False,
    )


def _renderers(structlog: Any) -> list[Any]:
    if _settings.log_format == "console":
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=_settings.color, exception_formatter=plain)]
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(tracebacks), structlog.processors.JSONRenderer(sort_keys=True)]


class _CurrentStderr:
    """Whatever stderr is at the time of writing: the live progress puts itself in its place."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()
