"""Which addresses of repositories are followed: by https or ssh, without a secret in them."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal
from urllib.parse import SplitResult, urlsplit

Transport = Literal["https", "ssh"]
_SCP = re.compile(r"(?:[\w.-]+@)?[A-Za-z0-9_.][\w.-]*:(?![:/]).+", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_.][\w.-]*|[0-9a-fA-F:]+", re.ASCII)
_WAYS = "write https://HOST/PATH, ssh://USER@HOST/PATH or USER@HOST:PATH"


def transport(url: str) -> Transport:
    """How the repository is reached. ValueError, which repeats nothing of it, where it is not to be followed.

    http:// is for a host that is this machine only.
    """
    if re.search(r"\s", url):
        raise ValueError(f"the address has blanks in it: {_WAYS}")
    if "://" not in url:
        if not _SCP.fullmatch(url):
            raise ValueError(f"a path or file is no address that is followed: {_WAYS}")
        return "ssh"
    parts = _split(url)
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        raise ValueError("the address has credentials in it: name a token_file (and username) instead")
    if not _HOST.fullmatch(parts.hostname or "") or not parts.path.strip("/"):
        raise ValueError(f"the address has no host or no path: {_WAYS}")
    if parts.query or parts.fragment:
        raise ValueError("the address has more than a host and a path in it")
    return _transport(parts)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(f"the address cannot be read: {_WAYS}") from None
    return parts


def _transport(parts: SplitResult) -> Transport:
    if parts.scheme == "ssh":
        return "ssh"
    if parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname or "")):
        return "https"
    if parts.scheme == "http":
        raise ValueError(
            "http:// is for this machine only: anybody on the way could change what is deployed; use https://"
        )
    raise ValueError(f"{parts.scheme}:// is not followed: {_WAYS}")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
