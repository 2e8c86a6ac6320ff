"""Files on the engine's machine that a service's own replicas write: following them would replace these for ever.

A mounted file's content belongs to the definition, so a replica that writes to its own configuration changes what it
is to be made of. Who changed a file does not show; that nothing else changed, again and again, each time soon after
the replicas came up, does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from reconciler.model.files import Content
from reconciler.model.memory import Stable
from reconciler.model.project import Service

MOST = 2
SOON = 600.0


def written_by_itself(
    service: Service, stable: Stable, up_since: float, hash_of: Callable[[Service], str]
) -> tuple[Content, ...]:
    """The files by whose content alone the service differs from its last good definition, if its replicas changed them.

    () where something else differs too, or where a file changed later than `SOON` seconds after `up_since` (engine
    time): that is somebody else's doing. `hash_of` is the desired hash of a definition of the service.
    """
    before = {item.field: item.digest for item in stable.service.contents}
    changed = tuple(item for item in service.contents if before.get(item.field, item.digest) != item.digest)
    own = all(item.writable and 0.0 < item.changed_at <= up_since + SOON for item in changed)
    if not changed or not own or hash_of(as_it_was(service, stable.service)) != stable.spec_hash:
        return ()
    return changed


def as_it_was(service: Service, before: Service) -> Service:
    """The service with the content that its files had."""
    known = {item.field: item.digest for item in before.contents}
    contents = (replace(item, digest=known.get(item.field, item.digest)) for item in service.contents)
    return replace(service, contents=tuple(contents))


def told(service: str, written: tuple[Content, ...]) -> str:
    """That the files' changes are not followed any more, and the ways out."""
    files = ", ".join(dict.fromkeys(item.origin for item in written))
    targets = ", ".join(dict.fromkeys(item.field.removeprefix("volumes.") for item in written))
    return (
        f"{service} was replaced {MOST} times in a row for nothing but {files}, which changed each time soon after it"
        f" came up: its containers write it, so it is left as it runs; mount it read-only, or say"
        f" `x-reconcile.mutation.allow: [{targets}]`; `reconcile retry {service}` if somebody else changed it"
    )
