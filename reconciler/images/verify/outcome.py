"""What came of looking for signatures: the one that passed, or why none did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reconciler.errors import RegistryError, SignatureError, SignatureReason
from reconciler.images.registry.digests import Platform
from reconciler.images.verify.documents import Rejected
from reconciler.images.verify.subject import Subject
from reconciler.model.project import PublicKey

Form = Literal["bundle", "signature"]
_SHOWN = 10
_WEIGHTIEST_FIRST: tuple[SignatureReason, ...] = (
    "SignatureInvalid",
    "SignatureMismatch",
    "SignatureUnreadable",
    "SignatureMissing",
)


@dataclass(frozen=True)
class Verified:
    """The image is signed: by which key (its file), and in which form."""

    key: str
    form: Form


@dataclass(frozen=True)
class Fault:
    """Why one signature does not pass, or could not be looked at; `name` says which."""

    name: str
    error: Rejected | RegistryError

    @property
    def trouble(self) -> RegistryError | None:
        """The registry's trouble, after which nothing is known; None where the signature itself is at fault."""
        error = self.error
        if not isinstance(error, RegistryError):
            return None
        its_own = error.retry_at is None and error.reason in {"RegistryBadAnswer", "ImageNotFound"}
        return None if its_own else error

    @property
    def reason(self) -> SignatureReason:
        """The code of the fault."""
        return self.error.reason if isinstance(self.error, Rejected) else "SignatureUnreadable"

    def __str__(self) -> str:
        """Which one, and why not."""
        return f"{self.name}: {self.error.message}"


def refusal(faults: list[Fault], keys: tuple[PublicKey, ...], subject: Subject) -> SignatureError:
    """The error that says of each signature why it does not count; its reason is the weightiest of theirs."""
    reasons = {fault.reason for fault in faults}
    reason = next((item for item in _WEIGHTIEST_FIRST if item in reasons), _WEIGHTIEST_FIRST[-1])
    said = [str(fault) for fault in faults[:_SHOWN]] or ["it has no signature at all"]
    if len(faults) > _SHOWN:
        said.append(f"and {len(faults) - _SHOWN} more")
    message = f"not signed by {' or '.join(key.path for key in keys)}: {'; '.join(said)}"
    hint = f"cosign sign --key KEY {subject.repository}@{subject.digest}, or correct x-reconcile.image.verify"
    return SignatureError(message, reason=reason, source=subject.source, hint=hint)


def platform_only(platform: Platform, subject: Subject) -> SignatureError:
    """The error where only a part of the image is signed."""
    name = f"{platform.os}/{platform.architecture}"
    return SignatureError(
        f"only its manifest for {name} is signed; the index, which says what belongs to the image, is not",
        reason="SignatureMissing",
        source=subject.source,
        hint=f"cosign sign --recursive --key KEY {subject.repository}@{subject.digest}",
    )
