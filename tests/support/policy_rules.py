"""The page about policies, out of the table of rules: `python -m tests.support.policy_rules`."""

from __future__ import annotations

import sys
from typing import Any

from reconciler.policy.rule import Rule
from reconciler.policy.table import RULES

_INTRO = """\
# Policy

Whoever may write a spec is root on the host, unless something says what a spec may ask for. That is the policy. The
table is generated from the rules themselves:

```sh
.venv/bin/python -m tests.support.policy_rules > docs/policy.md
```

## Levels

| level | holds for | |
| --- | --- | --- |
| `open` | specs in a local directory | nothing is denied: whoever writes there has the machine anyway |
| `standard` | specs from Git | a commit does not become root: what leads out of a container to the host is denied |
| `strict` | where you say so | what the CIS benchmark recommends besides, and projects kept from each other |

`policy.level` in the settings (or `RECONCILER_POLICY_LEVEL`) sets one level for all. In CI,
`RECONCILER_POLICY_LEVEL=standard reconcile validate` (no engine needed) and `--dry-run` check as the service will.

```yaml
policy:
  level: standard
  rules:
    max-replicas: 20                       # a number, where the rule takes one
    registries: [ghcr.io, docker.io]       # a list, where it takes one: it replaces the level's own
    cap-add: [NET_BIND_SERVICE, NET_ADMIN]
    health-check: true                     # on, with the level's parameter
    subnets: false                         # off
  exceptions:
    - {rule: host-paths, project: backup, service: restic, reason: "reads /srv, agreed on 2026-05-02"}
    - {rule: other-networks, project: shop, reason: the proxy is shared}
```

An exception lifts one rule for a project, or for one of its services. It has to give its reason. Plans and validation
name every exception that is used, and every one that nothing needs any more.

## What happens

A project that breaks a rule is refused as a whole (exit 3), before anything is touched: no pull, no build, no network.
What runs stays as it is, other projects go on. Every violation is named with its rule, its `file:line` and what would
allow it. The same rules see the final payload of every engine call once more, right before the engine does, in the
forecast and in the run: so nothing gets around them, whichever way it came. An operation that is denied there has
failed, though its definition is not to blame: nothing is tried again until the spec changes or the service starts with
another policy, and the running service looks after the project's other services meanwhile. A rollback to a definition
that the policy denies by now is refused, too.

## What it does not do

- What exists stays: a volume that was made when another policy held is mounted as it is.
- `standard` keeps a repository from the host, not projects from each other: they can share networks and volumes by
  name, and name what they build as another project's image. `strict` denies the first two, and builds.
- Files that the program itself reads for a spec (`env_file`, build contexts, `configs`) are kept inside of the
  repository by the Git source, whatever the policy.
- Symbolic links are followed where the engine's files are on this machine, not on a remote one.
- What images bring along (their user, their health check) is not looked up: a rule that asks for it wants it written.
- A rule on `registries` or `repositories` holds for what builds start from, copy from and are cached from, too.

## Rules

`-` is off. A list is what the rule allows, except for `limits` (required) and `host-ports` (forbidden).

"""


def page() -> str:
    """The whole page in Markdown."""
    head = "| rule | denies | standard | strict | why | |\n| --- | --- | --- | --- | --- | --- |\n"
    rows = "".join(f"{_row(rule)}\n" for rule in RULES.values())
    return f"{_INTRO}{head}{rows}\n## Parameters\n\n{_parameters()}"


def _row(rule: Rule) -> str:
    cells = (f"`{rule.name}`", rule.title, _level(rule.standard), _level(rule.strict), rule.why, rule.reference)
    return f"| {' | '.join(cells)} |"


def _level(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "-"
    return ", ".join(f"`{_item(item)}`" for item in value) or "none"


def _item(item: Any) -> str:
    return f"{item[0]}-{item[1]}" if isinstance(item, tuple) else str(item)


def _parameters() -> str:
    taking = (rule for rule in RULES.values() if rule.takes != "nothing")
    rows = "".join(f"| `{rule.name}` | {rule.takes} | {rule.meaning} |\n" for rule in taking)
    return f"| rule | takes | |\n| --- | --- | --- |\n{rows}"


if __name__ == "__main__":
    sys.stdout.write(page())
