"""Goes through the signatures of an image, in both forms, until one passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from reconciler.errors import RegistryError
from reconciler.images.registry.client import RegistryClient
from reconciler.images.registry.digests import Platform
from reconciler.images.verify import bundles, simple_signing
from reconciler.images.verify.documents import Rejected, unreadable
from reconciler.images.verify.keys import Key, load
from reconciler.images.verify.outcome import Fault, Form, Verified, platform_only, refusal
from reconciler.images.verify.subject import Subject
from reconciler.model.project import PublicKey

MOST = 64
_MOST_PLATFORMS = 8


@dataclass(frozen=True)
class _Kind:
    """A form of signatures: how they are listed, and by which key one passes."""

    form: Form
    listed: Callable[[RegistryClient, Subject], tuple[Any, ...]]
    passed: Callable[[RegistryClient, Subject, Any, tuple[Key, ...]], str]


_KINDS = (
    _Kind("bundle", bundles.listed, bundles.passed),
    _Kind("signature", simple_signing.listed, simple_signing.passed),
)


def search(client: RegistryClient, subject: Subject, keys: tuple[PublicKey, ...]) -> Verified:
    """The first signature that passes. SignatureError or RegistryError where none does."""
    loaded, faults = load(keys), []
    for outcome in _outcomes(client, subject, loaded):
        if isinstance(outcome, Verified):
            return outcome
        faults.append(outcome)
    trouble = next((fault.trouble for fault in faults if fault.trouble), None)
    if trouble is not None:
        raise trouble
    if all(fault.reason == "SignatureMissing" for fault in faults):
        platform = _signed_platform(client, subject, loaded)
        raise platform_only(platform, subject) if platform else refusal(faults, keys, subject)
    raise refusal(faults, keys, subject)


def _outcomes(client: RegistryClient, subject: Subject, keys: tuple[Key, ...]) -> Iterator[Verified | Fault]:
    """What comes of each signature, bundles first; whoever asks for no more after one that passed fetches no more."""
    for kind in _KINDS:
        try:
            found = kind.listed(client, subject)
        except (RegistryError, Rejected) as error:
            yield Fault(f"{kind.form}s", error)
        else:
            yield from _each(client, subject, keys, kind, found)


def _each(
    client: RegistryClient, subject: Subject, keys: tuple[Key, ...], kind: _Kind, found: tuple[Any, ...]
) -> Iterator[Verified | Fault]:
    for number, item in enumerate(found[:MOST], start=1):
        try:
            yield Verified(kind.passed(client, subject, item, keys), kind.form)
        except (RegistryError, Rejected) as error:
            yield Fault(f"{kind.form} {number} of {len(found)}", error)
    if len(found) > MOST:
        yield Fault(f"{kind.form}s", unreadable(f"no more than {MOST} are looked at"))


def _signed_platform(client: RegistryClient, subject: Subject, keys: tuple[Key, ...]) -> Platform | None:
    """A platform whose manifest is signed though the image's index is not; None where none is known."""
    try:
        platforms = client.platforms(f"{subject.repository}@{subject.digest}")[:_MOST_PLATFORMS]
    except RegistryError:  # a remark in an error's message is all that is lost
        return None
    for item in platforms:
        alone = replace(subject, digest=item.digest.value)
        if item.platform and any(isinstance(outcome, Verified) for outcome in _outcomes(client, alone, keys)):
            return item.platform
    return None
