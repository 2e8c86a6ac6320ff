"""One way to write JSON and one way to hash it: the same meaning gives the same bytes on every machine."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys and no spaces; keys whose value is None are dropped: the engine treats them alike."""
    return json.dumps(_strip(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def keyed_hash(key: str, value: Any) -> str:
    """HMAC-SHA256, 64 hex digits, of the canonical JSON. Keyed because the hashed value may hold secrets."""
    return hmac.new(key.encode(), canonical_json(value), hashlib.sha256).hexdigest()


def _strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strip(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_strip(item) for item in value]
    return value
