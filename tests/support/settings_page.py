"""The page about every setting, out of the code: `python -m tests.support.settings_page`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, get_args

from reconciler.settings.kinds import Seconds, Share, Size
from reconciler.settings.overlay import CONFIG, ELSEWHERE
from reconciler.settings.shape import Directory, Exemption, Key, git_keys, keys
from reconciler.spec.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_INTRO = """\
# Settings

How an installation wants the program to behave, for `reconcile serve` and for every other command. Generated from the
code that reads them:

```sh
.venv/bin/python -m tests.support.settings_page > docs/settings.md
```

Settings come from a file, from the environment and from flags: a flag counts before a variable, a variable before the
file, the file before the default. The file is the one that `--config` or `RECONCILER_CONFIG` names, else
`/etc/reconciler/config.yaml` where there is one (`--config /dev/null`: none). All of it is checked at the start: every
mistake is said at once, each with its line, and nothing is started (exit 3). A variable that begins with `RECONCILER_`
and is not listed here is a mistake too; an empty one counts as not set.

```yaml
# /etc/reconciler/config.yaml
sources:
  - name: shop
    git: https://git.example.com/ops/shop.git
    branch: main
    subdir: specs
    interval: 60s
    token_file: token            # beside this file
    signed_by: {gpg: keys.asc}   # a commit that none of these keys has signed is not deployed
    variables: {DOMAIN: shop.example.com}
  - directory: /srv/specs

policy:
  level: standard
  exceptions:
    - {rule: host-namespaces, project: monitoring, service: agent, reason: it reads /proc of the host}

state_dir: /var/lib/reconciler
resync: 30s
log: {format: json}
```

- Durations are written as in a spec (`30s`, `1m30s`), sizes too (`256m`), shares as `30%` or `0.3`.
- Relative paths begin at the folder of the file; those of variables and flags at the current folder.
- Files that are named must be there. Secrets stand in files of their own, never in the settings.
- `host` and `context` count as one: whoever says one of them replaces both.
- Keys that begin with `x-` are yours.
"""
_SOURCES = """\
`sources` is a list; each entry is a repository (`git`) or a folder (`directory`). `-f` replaces the list by what it
names, and `RECONCILER_GIT_URL` by the one repository that the variables describe. The other commands do not read the
sources: they take `-f`, or what is in the current folder.
"""
_HEAD = ("| file | variable | flag | default | |", "| --- | --- | --- | --- | --- |")


def page() -> str:
    """The whole page in Markdown."""
    plain = [key for key in keys() if key.path[0] not in {"sources", "policy"}]
    policy = [key for key in keys() if key.path[0] == "policy"]
    others = (CONFIG, *ELSEWHERE)
    return "\n".join(
        [
            _INTRO,
            _section("All settings but sources and policy", plain),
            _section("Policy", policy),
            "[policy.md](policy.md) lists the rules and what each level has.\n",
            _section("An exception of the policy", keys(Exemption, "")),
            f"## Sources\n\n{_SOURCES}",
            _section("A repository", git_keys()),
            _section("A folder", keys(Directory, "")),
            f"Other variables: {', '.join(f'`{name}`' for name in others)} (the last two are about registries).\n",
        ]
    )


def _section(title: str, chosen: Iterable[Key]) -> str:
    return "\n".join([f"## {title}", "", *_HEAD, *(_row(key) for key in chosen), ""])


def _row(key: Key) -> str:
    variable, flag = (f"`{text}`" if text else "" for text in (key.variable, key.flag))
    return f"| `{key.dotted}` | {variable} | {flag} | {_default(key)} | {key.field.description} |"


def _default(key: Key) -> str:
    if key.field.is_required():
        return "required"
    return key.shown or _value(key)


def _value(key: Key) -> str:
    value: Any = key.field.default
    write = next((write for kind, write in _WRITTEN if get_args(kind)[1] in key.field.metadata), str)
    return f"`{write(value)}`" if value not in ("", None, [], {}) else ""


def _seconds(value: float) -> str:
    """`1m30s`, without the zeros at the end that Go prints."""
    text = format_duration(round(value * 1e9))
    return text.removesuffix("0s") if text.endswith("m0s") else text


def _size(value: int) -> str:
    return f"{value // 1024**2}m"


def _share(value: float) -> str:
    return f"{value:.0%}"


_WRITTEN: tuple[tuple[Any, Callable[[Any], str]], ...] = ((Seconds, _seconds), (Size, _size), (Share, _share))


if __name__ == "__main__":
    sys.stdout.write(page())
