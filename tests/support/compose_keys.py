"""The page about every key of the Compose Spec, out of the code: `python -m tests.support.compose_keys`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from reconciler.spec.schema.support import Support, Verdict, support_of
from reconciler.spec.schema.tree import ANY, Key, keys

_INTRO = """\
# Compose keys

What becomes of each key of the Compose Spec. Generated from the code that decides it:

```sh
.venv/bin/python -m tests.support.compose_keys > docs/compose-keys.md
```

- **works**: the container, network or volume is what `docker compose up` would make of it. With "from API" the engine
  must speak at least that version of the Engine API: with an older one the service is blocked, by name and line.
- **ignored, with a warning**: it means nothing to one engine on Linux. `reconcile validate`, the plan and the run name
  it, with its line and the reason.
- **accepted, nothing to do**: it changes nothing with `docker compose` on one engine either.
- **refused**: the project is not touched (exit 3); the error names the key, its line and the reason.

`*` stands for a name that you choose, `[]` for an item of a list. Keys that begin with `x-` are kept and mean nothing,
except `x-reconcile`.
"""
_SERVICES = ("services", ANY)


def page() -> str:
    """The whole page in Markdown."""
    shown = _shown()
    inside = [key for key in shown if key.path[:2] == _SERVICES and len(key.path) > len(_SERVICES)]
    services = [key for key in inside if len(key.path) == len(_SERVICES) + 1]
    parts = [
        _INTRO,
        _section("Top level", (key for key in shown if key not in inside), 0),
        _section("Services", services, 2),
        _section("Inside the keys of a service", (key for key in inside if key not in services), 2),
    ]
    return "\n".join(parts)


def _shown() -> list[Key]:
    """The keys without those inside of one that does nothing."""
    idle = {key.path for key in keys() if support_of(key.model, key.name).verdict is not Verdict.WORKS}
    return [key for key in keys() if not any(key.path[:depth] in idle for depth in range(len(key.path)))]


def _section(title: str, chosen: Iterable[Key], skipped: int) -> str:
    rows = [_row(key, skipped) for key in sorted(chosen, key=lambda key: key.path)]
    return "\n".join([f"## {title}", "", "| key | | |", "| --- | --- | --- |", *rows, ""])


def _row(key: Key, skipped: int) -> str:
    support = support_of(key.model, key.name)
    return f"| `{'.'.join(key.path[skipped:]).replace('.[]', '[]')}` | {_verdict(support)} | {support.reason} |"


def _verdict(support: Support) -> str:
    word = support.verdict.value
    return f"**{word}**" if support.verdict is Verdict.REFUSED else f"{word}{_api(support)}"


def _api(support: Support) -> str:
    return f" from API {support.api}" if support.api else ""


def refused() -> list[Key]:
    """The keys that no model takes."""
    return [key for key in keys() if key.name in key.model.not_yet]


if __name__ == "__main__":
    sys.stdout.write(page())
