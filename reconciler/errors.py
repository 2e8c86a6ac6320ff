"""The error tree: every failure a user can meet says what happened, where, and what to do.

Raised everywhere, rendered only by `cli`. Exit codes are those of the command line contract.
"""

from __future__ import annotations

from typing import Literal

FAILED = 1
PENDING = 2
REFUSED = 3
USAGE = 64


class ReconcilerError(Exception):
    """Root of the tree; `source` is `file:line` or a resource name, `hint` is what to do about it."""

    exit_code = FAILED
    code = "Failed"

    def __init__(
        self, message: str, *, source: str | None = None, hint: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.hint = hint
        if code:
            self.code = code

    def __str__(self) -> str:
        """`source: message` and, where one is known, the hint on the same line."""
        where = f"{self.source}: " if self.source else ""
        todo = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.message}{todo}"


class SpecError(ReconcilerError):
    """A spec is invalid: that project is refused and left as it runs (exit 3)."""

    exit_code = REFUSED
    code = "SpecInvalid"


class SpecErrors(SpecError):  # noqa: N818 - several of them, not one
    """All errors found in one project's files at once, in file order."""

    def __init__(self, errors: list[SpecError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors

    def __str__(self) -> str:
        """One error a line; each already names its own place."""
        return self.message


class PolicyError(ReconcilerError):
    """What a spec asks for is not allowed here: that project is refused and left as it runs (exit 3).

    The message names the rule, `source` the line that breaks it, the hint what would allow it.
    """

    exit_code = REFUSED
    code = "PolicyDenied"
    retryable = False  # as for an EngineError: only a change of the spec or of the policy helps


class PolicyErrors(PolicyError):  # noqa: N818 - several of them, not one
    """All that a policy denies of one project, in the order of its services."""

    def __init__(self, errors: list[PolicyError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors

    def __str__(self) -> str:
        """One error a line; each already names its own place."""
        return self.message


class SettingsError(ReconcilerError):
    """The settings cannot be used: nothing is started (exit 3). `source` is `file:line`, a variable or a flag."""

    exit_code = REFUSED
    code = "SettingsInvalid"


class SettingsErrors(SettingsError):  # noqa: N818 - several of them, not one
    """All that is wrong with the settings at once: of the file in its order, then of variables and flags."""

    def __init__(self, errors: list[SettingsError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = errors

    def __str__(self) -> str:
        """One error a line; each already names its own place."""
        return self.message


SourceReason = Literal["SourceUnreachable", "SourceUnauthorized", "SourceInvalid", "SourceTooLarge", "SourceUnsigned"]


class SourceError(ReconcilerError):
    """A source cannot be read, or what it has may not be used: what was read last stays in force; `reason` is its code.

    Unreachable: asking again may help. The others need somebody to change something.
    """

    def __init__(
        self, message: str, *, reason: SourceReason, source: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, source=source, hint=hint, code=reason)
        self.reason: SourceReason = reason


class UsageError(ReconcilerError):
    """The command line is wrong (exit 64)."""

    exit_code = USAGE
    code = "Usage"


class LockedError(ReconcilerError):
    """Another controller holds this project on this engine."""

    code = "Locked"


class EngineError(ReconcilerError):
    """The engine refused or failed a call.

    `status` is the Engine API's HTTP status (None where no answer came); `retryable` says whether the same call may
    succeed later without anybody changing anything.
    """

    code = "EngineError"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retryable: bool = False,
        source: str | None = None,
        hint: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, source=source, hint=hint, code=code)
        self.status = status
        self.retryable = retryable


class EngineUnreachableError(EngineError):
    """No answer from the engine: nothing is known, so nothing may be removed."""

    code = "EngineUnreachable"


RegistryReason = Literal[
    "ReferenceInvalid",
    "CredentialsUnusable",
    "RegistryUnreachable",
    "RegistryUntrusted",
    "RegistryUnauthorized",
    "ImageNotFound",
    "RegistryRateLimited",
    "RegistryBadAnswer",
]


class RegistryError(ReconcilerError):
    """A registry was not reached, or refused, or answered what it should not; `reason` is its code.

    `retry_at` is when to ask again, in seconds since the epoch; None where only a change by somebody helps.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: RegistryReason,
        source: str | None = None,
        hint: str | None = None,
        retry_at: float | None = None,
    ) -> None:
        super().__init__(message, source=source, hint=hint, code=reason)
        self.reason: RegistryReason = reason
        self.retry_at = retry_at


SignatureReason = Literal[
    "SignatureMissing",
    "SignatureInvalid",
    "SignatureMismatch",
    "SignatureUnreadable",
    "KeyUnusable",
    "VerifierMissing",
]


class SignatureError(ReconcilerError):
    """An image is not signed as its spec demands, or that cannot be found out; `reason` is its code.

    Missing: nobody signed it. Invalid: none of the keys did. Mismatch: one signed something else. Unreadable: what is
    there is no signature that can be read.
    """

    def __init__(
        self, message: str, *, reason: SignatureReason, source: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, source=source, hint=hint, code=reason)
        self.reason: SignatureReason = reason
