"""Who we are to a registry: what a lookup knows, kept for one pass."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credential:
    """A user name and password, or an identity token (Docker's config.json) that stands for both."""

    user: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The Authorization header's value (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    @property
    def fingerprint(self) -> str:
        """What tells it from others without holding it."""
        return hashlib.sha256(repr((self.user, self.password, self.identity_token)).encode()).hexdigest()


Lookup = Callable[[str], Credential | None]


class Credentials:
    """Credentials by registry host (`docker.io` for Docker Hub), looked up when first asked for in a pass."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._known: dict[str, Credential | None] = {}
        self._lock = threading.Lock()

    def forget(self) -> None:
        """A new pass begins: passwords change and tokens of helpers expire."""
        with self._lock:
            self._known.clear()

    def of(self, host: str) -> Credential | None:
        """The credential for a host, None where nothing is known. Raises what the lookup raises."""
        with self._lock:
            if host not in self._known:
                self._known[host] = self._lookup(host)
            return self._known[host]
