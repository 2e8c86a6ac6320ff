"""Lists that registries give in pages: tags, and what refers to a manifest (OCI distribution specification)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from reconciler.images.registry.digests import is_digest
from reconciler.images.registry.documents import bad_answer
from reconciler.images.registry.names import is_tag
from reconciler.images.registry.wire import web_address

PAGE = 1000
_EMPTY = "application/vnd.oci.empty.v1+json"
_LINK = re.compile(r"<([^<>]*)>([^<]*)")
_NEXT = re.compile(r';\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?![^\s,;]))', re.IGNORECASE)


@dataclass(frozen=True)
class Descriptor:
    """What an index says of a manifest: its digest, its types ("" where none is said) and its size in bytes.

    The type of an artifact's empty configuration is not the artifact's, though some take it for that.
    """

    digest: str
    media_type: str
    artifact_type: str
    size: int


def next_page(link: str, url: str, source: str) -> str:
    """The URL of the page after the one at `url`, which had that Link header; "" after the last (RFC 8288).

    It is at the same host and asked for by the same scheme. RegistryError where a registry names another host.
    """
    found = next((target for target, rest in _LINK.findall(link) if _NEXT.search(rest)), "")
    if not found:
        return ""
    here, there = urlsplit(url), urlsplit(web_address(url, found, source))
    if there.netloc != here.netloc:
        raise bad_answer("the registry's list goes on at another host", source)
    return there._replace(scheme=here.scheme).geturl()


def tags_in(content: bytes, source: str) -> tuple[str, ...]:
    """The tags of one page, in its order. RegistryError where one cannot be a tag."""
    tags = _object(content, source).get("tags")
    if tags is None:  # so says docker-registry of a repository whose tags are all gone
        return ()
    if not isinstance(tags, list) or not all(isinstance(tag, str) and is_tag(tag) for tag in tags):
        raise bad_answer("the registry lists tags that are none", source)
    return tuple(tags)


def descriptors_in(content: bytes, source: str) -> tuple[Descriptor, ...]:
    """The descriptors of an OCI index, in its order. RegistryError where one has no usable digest, type or size."""
    entries = _object(content, source).get("manifests")
    if not isinstance(entries, list):
        raise bad_answer("the registry's index lists no manifests", source)
    return tuple(descriptor(entry, source) for entry in entries)


def descriptor(entry: object, source: str) -> Descriptor:
    """The descriptor that a JSON value is (OCI image specification). RegistryError where it is none."""
    said = entry if isinstance(entry, dict) else {}
    found = Descriptor(
        said.get("digest", ""), said.get("mediaType", ""), said.get("artifactType", ""), said.get("size", -1)
    )
    texts = (found.digest, found.media_type, found.artifact_type)
    if not all(isinstance(text, str) for text in texts) or type(found.size) is not int:
        raise bad_answer("the registry names something by what is no descriptor", source)
    if not is_digest(found.digest) or not found.media_type or found.size < 0:
        raise bad_answer("the registry names something without digest, type or size", source)
    return replace(found, artifact_type="") if found.artifact_type == _EMPTY else found


def referrers_tag(digest: str) -> str:
    """The tag under which registries without the referrers API have an index of what refers to that digest."""
    algorithm, _, value = digest.partition(":")
    return f"{algorithm[:32]}-{value[:64]}"


def _object(content: bytes, source: str) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise bad_answer("the registry's list is not JSON", source) from error
    if not isinstance(document, dict):
        raise bad_answer("the registry's list is not a JSON object", source)
    return document
