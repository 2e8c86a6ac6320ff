"""What a user can set about registries, and where certificates are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.images.registry.names import is_loopback
from reconciler.model.references import HUB

DOCKER_CERTIFICATES = Path("/etc/docker/certs.d")
CERTIFICATES = "RECONCILER_REGISTRY_CERTS"
PLAIN = "RECONCILER_PLAIN_REGISTRIES"


@dataclass(frozen=True)
class Settings:
    """Bounds and exceptions of the client. Times in seconds, sizes in bytes.

    `certificates` are folders with a folder `HOST[:PORT]` for each registry that has an authority of its own
    (`*.crt`), as the engine's certs.d. `plain_hosts` are spoken to without TLS, as this machine is. A manifest is no
    more downloaded where a registry says that fewer than `downloads_left` are left. Of a list (tags, referrers) at most
    `pages` pages are read, and `entries` entries.
    """

    certificates: tuple[Path, ...] = (DOCKER_CERTIFICATES,)
    plain_hosts: frozenset[str] = field(default_factory=frozenset)
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    answer_timeout: float = 30.0
    size_limit: int = 4 * 1024 * 1024
    redirects: int = 5
    connections: int = 4
    hosts_at_once: int = 4
    downloads_left: int = 10
    pages: int = 500
    entries: int = 100_000

    def authorities(self, host: str) -> tuple[Path, ...]:
        """The certificate files of a host's own authorities; () where the system's are all there is."""
        name = HUB if host.endswith(f".{HUB}") else host
        folders = (folder / found for folder in self.certificates for found in {host, name})
        return tuple(sorted(path for folder in folders for path in folder.glob("*.crt")))

    def is_plain(self, host: str) -> bool:
        """Whether a host is spoken to without TLS: listed, or this machine and without an authority of its own."""
        return host in self.plain_hosts or (is_loopback(host) and not self.authorities(host))


def settings_from(environment: Mapping[str, str]) -> Settings:
    """The settings that the environment makes: RECONCILER_REGISTRY_CERTS, RECONCILER_PLAIN_REGISTRIES (commas)."""
    named = environment.get(CERTIFICATES)
    certificates = (Path(named), DOCKER_CERTIFICATES) if named else (DOCKER_CERTIFICATES,)
    hosts = (host.strip() for host in environment.get(PLAIN, "").split(","))
    return Settings(certificates, frozenset(host for host in hosts if host))
