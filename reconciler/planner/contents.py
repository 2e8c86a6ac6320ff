"""What the files of a definition contain, compared and remembered: never by a digest that anybody could guess with.

In a pass, digests are plain and enter the desired hash alone, which is keyed. What is remembered is an HMAC of them,
but for files that the replica itself may write (`own_writes`): their definition has to be told again from what is
remembered.
"""

from __future__ import annotations

import re
from dataclasses import replace

from reconciler.model.canonical import keyed_hash
from reconciler.model.files import KEYED, Content
from reconciler.model.project import Service

_COPY = re.compile(r".*/(?P<digest>[0-9a-f]{64})(?P<how>| \(.*\))")


def remembered(service: Service, key: str) -> Service:
    """The definition as it may outlive the pass: with digests that tell nothing to who has no key."""
    if not service.contents:
        return service
    return replace(service, contents=tuple(_keyed(content, key) for content in service.contents))


def changed_contents(old: Service, new: Service, key: str) -> list[Content]:
    """What the files contain that both definitions have, and that changed: as it is in the new one."""
    before = {item.field: item for item in old.contents}
    return [item for item in new.contents if item.field in before and _differ(before[item.field], item, key)]


def is_other_copy(before: object, after: object) -> bool:
    """Whether two mounts, as `volumes` shows them, differ only in which of our copies of a file they are of."""
    old, new = _COPY.fullmatch(str(before)), _COPY.fullmatch(str(after))
    return old is not None and new is not None and old["digest"] != new["digest"] and old["how"] == new["how"]


def _keyed(content: Content, key: str) -> Content:
    if not content.digest or content.digest.startswith(KEYED) or content.writable:
        return content
    return replace(content, digest=f"{KEYED}{keyed_hash(key, content.digest)}")


def _differ(before: Content, now: Content, key: str) -> bool:
    """Also where the older one was remembered by a program that did not key it."""
    return before.digest not in {now.digest, _keyed(now, key).digest}
