"""What of a project is secret, by value, so that nothing that a container prints or an engine repeats gives it away.

Secret are variables whose name looks so or that stood encrypted, the contents of secrets, and the lines of those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from reconciler.model.files import LARGEST_COPIED, Content
from reconciler.model.project import Service
from reconciler.model.redaction import MIN_SECRET_LENGTH, REDACTED, is_secret_name, redact_text, secret_entries

UNREADABLE = "(not shown: a secret of the service cannot be read, so it could not be taken out)"
Hide = Callable[[str], str]


def hiding(services: Iterable[Service], earlier: Iterable[Service] = ()) -> Hide:
    """What takes the secrets of these services, and passwords in URLs, out of a text.

    Secrets that are files are read when the first text comes; where one cannot be, the whole text is left out. Of
    `earlier` definitions, whose files are others by now, what they gave to the container is taken out.
    """
    known, before = tuple(services), tuple(earlier)

    @cache
    def values() -> tuple[str, ...]:
        found = {value for service in (*known, *before) for value in _given(service)}
        found |= {value for service in known for value in _mounted(service)}
        return tuple(sorted(found, key=len, reverse=True))

    def hide(text: str) -> str:
        try:
            secrets = values() if text else ()
        except OSError:
            return UNREADABLE
        for value in secrets:
            text = text.replace(value, REDACTED)
        return redact_text(text)

    return hide


def _given(service: Service) -> Iterator[str]:
    for entry in secret_entries(service.container.get("Env") or (), service.hidden):
        name, _, value = entry.partition("=")
        yield from _parts(value) if is_secret_name(name) else ()
    secrets = {content.target for content in _secrets(service)}
    for file in service.copied_files:
        yield from _parts(_text(file.data)) if file.encrypted or file.path in secrets else ()


def _mounted(service: Service) -> Iterator[str]:
    for content in _secrets(service):
        yield from _parts(_file(content)) if content.path else ()


def _secrets(service: Service) -> Iterator[Content]:
    return (content for content in service.contents if content.field.startswith("secrets."))


def _parts(text: str) -> Iterator[str]:
    """The value as a whole, and each line of it: a log shows them one by one."""
    for part in (text, *text.splitlines()):
        if len(part.strip()) >= MIN_SECRET_LENGTH:
            yield part.strip()


def _file(content: Content) -> str:
    path = Path(content.path)
    if content.copy and not path.exists():
        return ""  # not written yet, so nobody has read it
    with path.open("rb") as file:
        return _text(file.read(LARGEST_COPIED))


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
