"""What git's complaints mean: which kind of failure, in plain words, and what to do about it. Rules are data."""

from __future__ import annotations

import re
from dataclasses import dataclass

from reconciler.errors import SourceError, SourceReason
from reconciler.model.settings import MEBIBYTE, GitSource
from reconciler.source.git.process import Ended

_SHOWN = 300
_FIRST = re.compile(r"^(fatal|error): ", re.IGNORECASE)


@dataclass(frozen=True)
class Failed:
    """A git command that failed: `command` its name, `words` what it said, `remote` whether it spoke to the forge."""

    command: str
    words: str
    ended: Ended
    settings: GitSource
    place: str
    remote: bool


@dataclass(frozen=True)
class _Rule:
    """If git's words match `sign`, that is what happened."""

    sign: str
    reason: SourceReason
    message: str
    hint: str


_TOKEN_HINT = "see that the token is valid, may read this repository, and fits the username"  # noqa: S105 - words
_KEY_HINT = "see that the key is a deploy key of this repository, and that only its owner may read its file (0600)"
_HOST_KEY_HINT = "compare the host's key with what its operator publishes, and put it into known_hosts_file"
_CA_HINT = "name the authority that signed the host's certificate as ca_file"
_LATER = "what was read last stays in force; it is asked again"
_RULES = (
    _Rule(
        "[Oo]ut of memory|mmap failed|File too large|unable to allocate|bad_alloc|signal 25",
        "SourceTooLarge",
        "the repository needs more memory or space than a source may have",
        "raise max_bytes, or keep what is large elsewhere",
    ),
    _Rule(
        "No space left|Disk quota|Read-only file|unable to (create|write)|insufficient permission",
        "SourceUnreachable",
        "the source's folder cannot be written",
        "make room in data_dir, and let this program's user write there",
    ),
    _Rule(
        "Host key verification failed|HOST IDENTIFICATION HAS CHANGED",
        "SourceUnauthorized",
        "the host's ssh key is not the one in known_hosts_file",
        _HOST_KEY_HINT,
    ),
    _Rule(
        "UNPROTECTED PRIVATE KEY|bad permissions|Load key|invalid format",
        "SourceUnauthorized",
        "ssh does not take the key in ssh_key_file",
        _KEY_HINT,
    ),
    _Rule(r"Permission denied \(", "SourceUnauthorized", "the host refuses the ssh key", _KEY_HINT),
    _Rule(
        "certificate|SSL_ERROR|SSL routines|gnutls_handshake|CAfile|CApath",
        "SourceUnauthorized",
        "the host's certificate is not trusted",
        _CA_HINT,
    ),
    _Rule(
        "Authentication failed|could not read (Username|Password)|returned error: (401|403|407)|HTTP 40[13]",
        "SourceUnauthorized",
        "the forge wants credentials, or refuses those it gets",
        _TOKEN_HINT,
    ),
    _Rule(
        "returned error: 404|[Rr]epository .*not found|does not appear to be a git repository|[Nn]ot a git repository",
        "SourceInvalid",
        "there is no repository at this address, or it may not be seen with these credentials",
        "check the url; many forges answer the same where a token or key lacks the right",
    ),
    _Rule(
        "[Cc]ould not resolve|Temporary failure in name|Name or service not known",
        "SourceUnreachable",
        "the forge's name cannot be resolved",
        _LATER,
    ),
    _Rule(
        "refused|timed out|Operation too slow|Failed to connect|Couldn't connect|reset by peer|unreachable|No route"
        "|returned error: (429|5\\d\\d)|early EOF|hung up|RPC failed|Connection (closed|to)|curl \\d+|SSL_read",
        "SourceUnreachable",
        "the forge does not answer as it should",
        _LATER,
    ),
    _Rule(
        "not our ref|unadvertised object|couldn't find remote ref|no such remote ref",
        "SourceInvalid",
        "the repository does not have this commit, or does not give it",
        "check the commit; it may have been removed from every branch",
    ),
    _Rule(
        "dumb http transport|unsupported protocol|transport '.*' not allowed|redirect",
        "SourceInvalid",
        "the address leads to where this program does not go",
        "name the repository's own https:// or ssh:// address",
    ),
    _Rule(
        "fsck|bad object|unable to (parse|read tree)|missing (blob|tree|commit)|invalid index-pack|corrupt|invalid path"
        "|malformed|badly formed",
        "SourceInvalid",
        "the repository's content is damaged, or made to do harm",
        "look at the commit with git fsck, and write it anew",
    ),
)
_COMPILED = tuple((re.compile(rule.sign), rule) for rule in _RULES)


def failure(failed: Failed) -> SourceError:
    """The error that a user sees."""
    if failed.ended == "time":
        message = f"git {failed.command} did not end within {failed.settings.timeout:g} s"
        return unanswered(message, failed.place, "see whether the forge answers; timeout can be raised")
    if failed.ended == "output":
        message, hint = f"git {failed.command} lists more than can be read", "keep specs in a repository of their own"
        return SourceError(message, reason="SourceTooLarge", source=failed.place, hint=hint)
    if failed.ended:
        return too_large(failed.settings, failed.place)
    rule = next((rule for sign, rule in _COMPILED if sign.search(failed.words)), None)
    shown = shortened(failed.words)
    if rule is None:
        reason: SourceReason = "SourceUnreachable" if failed.remote else "SourceInvalid"
        return SourceError(f"git {failed.command} failed: {shown}", reason=reason, source=failed.place)
    return SourceError(f"{rule.message}: {shown}", reason=rule.reason, source=failed.place, hint=rule.hint)


def too_large(settings: GitSource, place: str) -> SourceError:
    """The error for a repository that is larger than its settings allow."""
    message = f"the repository is larger than {settings.max_bytes // MEBIBYTE} MiB, which is the most it may be"
    hint = "raise max_bytes, or keep what is large elsewhere"
    return SourceError(message, reason="SourceTooLarge", source=place, hint=hint)


def unanswered(message: str, place: str, hint: str) -> SourceError:
    """An error that may pass by itself."""
    return SourceError(message, reason="SourceUnreachable", source=place, hint=hint)


def shortened(words: str) -> str:
    """The line that says most: the last one that git calls an error, else the last one; at most 300 characters."""
    lines = [line for line in words.splitlines() if not line.startswith("hint:")]
    told = [line for line in lines if _FIRST.match(line)]
    chosen = (told or lines or ["it said nothing"])[0]
    return _FIRST.sub("", chosen)[:_SHOWN]
