"""How git gets in: the token, key and authorities that a source names, as git's configuration and environment.

A token goes from its file to git through a pipe: no argument, no variable and no file of git's ever holds it.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.model.settings import GitSource
from reconciler.source.git.address import Address

_TOKEN_FILE, _USERNAME = "RECONCILER_GIT_TOKEN_FILE", "RECONCILER_GIT_USERNAME"
_HELPER = (
    f'!f() {{ test "$1" = get && printf "username=%s\\npassword=%s\\n" "${_USERNAME}" "$(cat "${_TOKEN_FILE}")"; }}; f'
)
_MOST = 16 * 1024
_PROXIES = ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY")
_SSH_OPTIONS = (
    "BatchMode=yes",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "PasswordAuthentication=no",
    "KbdInteractiveAuthentication=no",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "ControlMaster=no",
    "ControlPath=none",
    "ConnectTimeout=15",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=2",
    "LogLevel=ERROR",
)


@dataclass(frozen=True)
class Access:
    """What git is told so that it gets in; `secrets` are what must never be shown."""

    config: tuple[tuple[str, str], ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()


def access_to(settings: GitSource, address: Address) -> Access:
    """How to get in there. SourceError (SourceUnauthorized) where a file that is needed for it cannot be used."""
    allowed = ("GIT_ALLOW_PROTOCOL", address.scheme)
    if address.scheme == "ssh":
        return Access((), (allowed, ("GIT_SSH_VARIANT", "ssh"), ("GIT_SSH_COMMAND", _ssh_command(settings))))
    proxies = tuple((name, os.environ[name]) for name in _PROXIES if name in os.environ)
    config = (("http.sslCAInfo", _readable(settings, settings.ca_file, "ca_file")),) if settings.ca_file else ()
    if not settings.token_file:
        return Access(config, (allowed, *proxies))
    token = _token(settings)
    variables = ((_TOKEN_FILE, settings.token_file), (_USERNAME, settings.username))
    helper = (f"credential.{address.site}.helper", _HELPER)  # of this host alone: a redirect elsewhere gets no token
    return Access((*config, helper), (allowed, *proxies, *variables), (token,))


def _token(settings: GitSource) -> str:
    data = _content(settings, settings.token_file, "token_file")
    token = data.decode("latin-1").rstrip("\n")
    if not token or not token.isprintable() or len(data) > _MOST:
        message = f"token_file {settings.token_file} does not hold a token on one line"
        raise _error(settings, message, "write the token into it, and nothing else")
    return token


def _ssh_command(settings: GitSource) -> str:
    for name in ("ssh_key_file", "known_hosts_file"):
        if not getattr(settings, name):
            message, hint = f"{name} is not set", "a repository over ssh needs both ssh_key_file and known_hosts_file"
            raise _error(settings, message, hint)
        _readable(settings, getattr(settings, name), name)
    files = (
        f"IdentityFile={_quoted(settings.ssh_key_file)}",
        f"UserKnownHostsFile={_quoted(settings.known_hosts_file)}",
    )
    options = [part for option in (*_SSH_OPTIONS, *files) for part in ("-o", option)]
    return shlex.join(["ssh", "-F", "/dev/null", *options])


def _quoted(path: str) -> str:
    """The path as a value in ssh's configuration, where blanks part values and % begins a token."""
    return '"{}"'.format(path.replace("%", "%%"))


def _readable(settings: GitSource, path: str, name: str) -> str:
    _content(settings, path, name)
    return path


def _content(settings: GitSource, path: str, name: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(_MOST + 1)
    except OSError as error:
        message = f"{name} {path} cannot be read: {error.strerror}"
        raise _error(settings, message, "the user that this program runs as must be able to read it") from None


def _error(settings: GitSource, message: str, hint: str) -> SourceError:
    return SourceError(message, reason="SourceUnauthorized", source=settings.place or settings.name, hint=hint)
