"""Where a repository is: the kinds of addresses that are followed, taken apart."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from reconciler.errors import SourceError
from reconciler.model.settings import GitSource

Scheme = Literal["https", "http", "ssh"]

_SCP = re.compile(
    r"(?:[A-Za-z0-9_.][A-Za-z0-9_.-]*@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.][A-Za-z0-9_.-]*):(?!//)(?![:-]).+"
)
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9a-fA-F:]+")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*")
_HINT = "write https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH"
_SECRET_HINT = "name a token_file instead: an address is shown in logs and in the list of processes"  # noqa: S105


@dataclass(frozen=True)
class Address:
    """A repository's address: `url` as git takes it, `site` its scheme, host and port (https and http only)."""

    scheme: Scheme
    url: str
    host: str
    site: str = ""


def address_of(settings: GitSource) -> Address:
    """The address in the settings. SourceError where none is followed there; it repeats no credentials."""
    url = settings.url
    if not url or not url.isprintable() or re.search(r"\s", url):
        raise _error(settings, "the repository's url is empty, or has blanks or control characters in it")
    if "://" not in url:
        found = _SCP.fullmatch(url)
        if found is None:
            raise _error(settings, "the repository's url is of no kind that is followed")
        return Address("ssh", url, found[1].strip("[]"))
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise _error(settings, "the repository's url cannot be read") from None
    return _of_url(settings, parts)


def _of_url(settings: GitSource, parts: SplitResult) -> Address:
    host = parts.hostname or ""
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        raise _error(settings, "the repository's url has credentials in it", _SECRET_HINT)
    if not _HOST.fullmatch(host) or (parts.username is not None and not _USER.fullmatch(parts.username)):
        raise _error(settings, "the repository's url has no usable host or user in it")
    if parts.query or parts.fragment or parts.path.strip("/") == "":
        raise _error(settings, "the repository's url has no path, or more than a path")
    if parts.scheme == "ssh":
        return Address("ssh", settings.url, host)
    if parts.scheme == "https":
        return Address("https", settings.url, host, f"https://{parts.netloc}")
    if parts.scheme == "http" and _is_loopback(host):
        return Address("http", settings.url, host, f"http://{parts.netloc}")
    hint = "http:// is for this machine only: use https://" if parts.scheme == "http" else _HINT
    raise _error(settings, f"{parts.scheme}:// is not followed", hint)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _error(settings: GitSource, message: str, hint: str = _HINT) -> SourceError:
    return SourceError(message, reason="SourceInvalid", source=settings.place or settings.name, hint=hint)
