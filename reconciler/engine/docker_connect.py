"""Which Docker Engine is meant, and which API version to speak with it. Called by `docker.connect`.

Follows the docker CLI: `-H`, else `-c`, else DOCKER_HOST, else DOCKER_CONTEXT, else the current context of the CLI's
config.json, else the default socket. A context's endpoint and TLS files are read from the CLI's own store.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from reconciler.errors import EngineError, UsageError

DEFAULT_HOST = "unix:///var/run/docker.sock"
TESTED_MAX = "1.51"
FLOOR = "1.41"
_SCHEMES = {"unix", "tcp", "http", "https", "ssh"}


@dataclass(frozen=True)
class Tls:
    """TLS of one endpoint: files that exist, or None; `verify` false accepts any server certificate."""

    ca: str | None
    cert: str | None
    key: str | None
    verify: bool


@dataclass(frozen=True)
class Target:
    """One engine's endpoint, who chose it, and the CLI's settings that go with it.

    `name` is the docker context's name, `default` without one. `environment` is what sub-processes (docker, ssh,
    credential helpers) get.
    """

    host: str
    chosen_by: str
    config_dir: Path
    name: str = "default"
    tls: Tls | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def scheme(self) -> str:
        """`unix`, `tcp`, `http`, `https` or `ssh`."""
        return self.host.partition("://")[0]

    @property
    def path(self) -> str:
        """The socket's path of a unix host; of others what follows the scheme."""
        rest = self.host.partition("://")[2]
        return "/" + rest.lstrip("/") if self.scheme == "unix" else rest

    @property
    def url(self) -> str:
        """The base URL of a tcp, http or https host, with Docker's default port where none is named."""
        parts = urlsplit(self.host)
        scheme = "https" if self.tls or parts.scheme == "https" else "http"
        default = 2376 if scheme == "https" else 2375
        port = "" if parts.port else f":{default}"
        return f"{scheme}://{parts.netloc}{port}{parts.path}".rstrip("/")

    @property
    def ssh_destination(self) -> str:
        """`user@host` of an ssh host."""
        return urlsplit(self.host).netloc

    @property
    def ssh_command(self) -> list[str]:
        """The command whose standard input and output are a connection to the engine, as the docker CLI makes it."""
        parts = urlsplit(self.host)
        user = ["-l", parts.username] if parts.username else []
        port = ["-p", str(parts.port)] if parts.port else []
        socket = f"--host unix://{parts.path} " if parts.path.strip("/") else ""
        remote = f"docker {socket}system dial-stdio"
        return ["ssh", "-o", "ConnectTimeout=30", "-T", *user, *port, "--", parts.hostname or "", remote]

    def cli_environment(self) -> dict[str, str]:
        """The environment in which the docker CLI talks to this same engine."""
        taken = {"DOCKER_HOST", "DOCKER_CONTEXT"}
        rest = {name: value for name, value in self.environment.items() if name not in taken}
        return rest | ({"DOCKER_CONTEXT": self.name} if self.name != "default" else {"DOCKER_HOST": self.host})


def resolve_target(host: str | None, context: str | None, environment: Mapping[str, str]) -> Target:
    """The engine that these options and this environment mean. UsageError where they name none that can exist."""
    if host and context:
        message = "-H/--host and -c/--context name an engine each"
        raise UsageError(message, hint="give only one of them")
    directory = config_directory(environment)
    for value, chosen_by in (
        (host, "chosen by -H"),
        (None if context else environment.get("DOCKER_HOST"), "chosen by DOCKER_HOST"),
    ):
        if value:
            return _by_host(value, chosen_by, directory, environment)
    name, chosen_by = _context_name(context, directory, environment)
    if name == "default":
        inherited = environment.get("DOCKER_HOST") or DEFAULT_HOST
        return _by_host(inherited, chosen_by, directory, environment)
    return _by_context(name, chosen_by, directory, environment)


def config_directory(environment: Mapping[str, str]) -> Path:
    """The docker CLI's folder: DOCKER_CONFIG, else `.docker` in the home directory."""
    if named := environment.get("DOCKER_CONFIG"):
        return Path(named)
    return Path(environment.get("HOME") or Path.home()) / ".docker"


def read_config(directory: Path) -> dict[str, Any]:
    """The CLI's config.json, {} where there is none. UsageError where it is not JSON."""
    return _read_json(directory / "config.json", "repair or remove that file") or {}


def negotiate(server: str, minimum: str | None) -> str:
    """The API version to speak with a server that speaks `minimum` to `server`. EngineError where none fits."""
    if not server or _numbers(server) < _numbers(FLOOR):
        message = f"the engine speaks API {server or 'of no known version'}; {FLOOR} or later is needed"
        raise EngineError(message, code="EngineTooOld", hint="upgrade to Docker Engine 20.10 or later")
    chosen = min(server, TESTED_MAX, key=_numbers)
    if minimum and _numbers(minimum) > _numbers(chosen):
        message = f"the engine speaks API {minimum} and later; {chosen} is the latest this program was tested with"
        raise EngineError(message, code="EngineTooNew", hint="upgrade this program")
    return chosen


def newer_than_tested(server: str) -> bool:
    """Whether the server speaks versions beyond ours, so that it may have dropped ours."""
    return bool(server) and _numbers(server) > _numbers(TESTED_MAX)


def _numbers(version: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError:
        return (0,)


def _context_name(context: str | None, directory: Path, environment: Mapping[str, str]) -> tuple[str, str]:
    if context:
        return context, "chosen by -c"
    if named := environment.get("DOCKER_CONTEXT"):
        return named, "chosen by DOCKER_CONTEXT"
    if current := read_config(directory).get("currentContext"):
        return str(current), f"current context of {directory / 'config.json'}"
    return "default", "the default socket"


def _by_host(host: str, chosen_by: str, directory: Path, environment: Mapping[str, str]) -> Target:
    address = _checked(host if "://" in host else f"tcp://{host}", chosen_by)
    tls = _environment_tls(address, directory, environment)
    return Target(address, chosen_by, directory, tls=tls, environment=environment)


def _by_context(name: str, chosen_by: str, directory: Path, environment: Mapping[str, str]) -> Target:
    identity = hashlib.sha256(name.encode()).hexdigest()
    meta = _read_json(
        directory / "contexts" / "meta" / identity / "meta.json", "docker context ls lists the usable ones"
    )
    if meta is None:
        message = f"docker context '{name}' does not exist ({chosen_by})"
        raise UsageError(message, source=str(directory / "contexts"), hint="docker context ls lists those that do")
    endpoint = (meta.get("Endpoints") or {}).get("docker") or {}
    host = _checked(endpoint.get("Host") or DEFAULT_HOST, chosen_by)
    files = directory / "contexts" / "tls" / identity / "docker"
    tls = _tls(files, verify=not endpoint.get("SkipTLSVerify"), always=bool(endpoint.get("SkipTLSVerify")))
    return Target(host, f"context '{name}', {chosen_by}", directory, name, _for_tcp(host, tls), environment)


def _checked(host: str, chosen_by: str) -> str:
    scheme, _, rest = host.partition("://")
    if scheme not in _SCHEMES or not rest:
        message = f"'{host}' is no engine that can be reached from here ({chosen_by})"
        raise UsageError(message, hint="use unix:///path, tcp://host:port, https://host:port or ssh://user@host")
    return host


def _environment_tls(host: str, directory: Path, environment: Mapping[str, str]) -> Tls | None:
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    if not (verify or environment.get("DOCKER_TLS")):
        return _for_tcp(host, Tls(None, None, None, verify=True)) if host.startswith("https://") else None
    files = Path(environment.get("DOCKER_CERT_PATH") or directory)
    return _for_tcp(host, _tls(files, verify=verify, always=True))


def _tls(directory: Path, *, verify: bool, always: bool) -> Tls | None:
    ca, cert, key = (
        str(path) if path.is_file() else None for path in (directory / f"{name}.pem" for name in ("ca", "cert", "key"))
    )
    if bool(cert) != bool(key):
        message = "a TLS client needs both cert.pem and key.pem"
        raise UsageError(message, source=str(directory), hint="add the missing file, or remove the other")
    return Tls(ca, cert, key, verify) if always or ca or cert else None


def _for_tcp(host: str, tls: Tls | None) -> Tls | None:
    return None if host.startswith(("unix://", "ssh://", "http://")) else tls


def _read_json(path: Path, hint: str) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        message = f"cannot be read as JSON: {error}"
        raise UsageError(message, source=str(path), hint=hint) from error
    if not isinstance(content, dict):
        message = "is not a JSON object"
        raise UsageError(message, source=str(path), hint=hint)
    return content
