"""Files on the engine's machine that a service's own replicas write: following them would replace these for ever.

A mounted file's content belongs to the definition, so a replica that writes to its own configuration changes what it
is to be made of. Who changed a file does not show; that nothing else changed, again and again, each time soon after
the replicas came up, does.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.model.files import Content
from reconciler.model.memory import Stable
from reconciler.model.project import Service
from reconciler.planner.contents import changed_contents

MOST = 2
SOON = 600.0


def written_by_itself(service: Service, stable: Stable, outline: str, up_since: float, key: str) -> tuple[Content, ...]:
    """The files by whose content alone the service differs from its last good definition, if its replicas changed them.

    () where something else differs too (`outline` is the hash of the rest), or where a file changed later than `SOON`
    seconds after `up_since` (engine time): that is somebody else's doing. `key` is that of remembered digests.
    """
    changed = changed_contents(stable.service, service, key)
    own = all(item.writable and 0.0 < item.changed_at <= up_since + SOON for item in changed)
    return tuple(changed) if own and outline == stable.outline else ()


def without_contents(service: Service) -> Service:
    """The service, whatever its files contain."""
    return replace(service, contents=tuple(replace(item, digest="") for item in service.contents))


def told(service: str, written: tuple[Content, ...]) -> str:
    """That the files' changes are not followed any more, and the ways out."""
    files = ", ".join(dict.fromkeys(item.origin for item in written))
    targets = ", ".join(dict.fromkeys(item.target for item in written))
    return (
        f"{service} was replaced {MOST} times in a row for nothing but {files}, which changed each time soon after it"
        f" came up: its containers write it, so it is left as it runs; mount it read-only, or say"
        f" `x-reconcile.mutation.allow: [{targets}]`; `reconcile retry {service}` if somebody else changed it"
    )
