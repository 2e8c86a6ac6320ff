# ruff: noqa: E501 - a golden document has lines as long as its tables
from __future__ import annotations

from dataclasses import replace

from inline_snapshot import snapshot

from reconciler.cli.plan_markdown import LIMIT, render
from reconciler.model.memory import Failure
from reconciler.model.operation import Difference
from reconciler.model.project import Notice
from reconciler.model.report import Report
from tests.unit.cli.reports import HELD, HELLO, PLAN, SHOP, replacement, service


def test_a_plan_is_a_table_per_project() -> None:
    """Headline, refusals, warnings, one collapsible table per project, what blocks it."""
    assert render(PLAN) == snapshot("""\
## reconcile plan: changes to `shop`, `edge`, 1 error

**Refused or failed**

- `specs/bad.yaml:4` services.web.imge: unknown key, did you mean image?

**Warnings**

- `specs/notes.yaml` skipped: neither services nor include in it

<details>
<summary><b>shop</b>: 3 to create, 5 to replace, 1 to remove, 1 to pull</summary>

on lab-1 (engine 28.3.1, API 1.51)

| | what | change | cause |
| --- | --- | --- | --- |
| `+` | network `shop_backend` | create | `networks.backend`: *none* → `defined` (not on this engine) <sub>specs/shop/compose.yaml:40</sub> |
| `+` | volume `shop_data` | create |  |
| `+` | image `shop/web:1.4@b2b2b2b2b2b2` | pull | `image`: *none* → `shop/web:1.4` (not on this engine) <sub>specs/shop/compose.yaml:12</sub> |
| `~` | `web/1, web/2, web/3` | replace, rolling | `image`: `shop/web:1.3@a1a1a1a1a1a1` → `shop/web:1.4@b2b2b2b2b2b2` <sub>specs/shop/compose.yaml:12</sub><br>`environment.LOG_LEVEL`: `info` → `debug` <sub>specs/shop/compose.yaml:17</sub><br>`environment.DB_PASSWORD`: `***` (changed, not shown) <sub>specs/shop/compose.yaml:18</sub> |
| `+` | `web/4` | create | `deploy.replicas`: `3` → `4` (web/4 does not exist) <sub>specs/shop/compose.yaml:10</sub> |
| `~` | `db/1` | replace, gap | `volumes[0]`: `db:/data` → `db:/var/lib/data` <sub>specs/shop/compose.yaml:31</sub> |
| `~` | `api/2` | replace | api/2 exited (137) |
| `-` | `old/1` | remove | not in the spec any more |

</details>

hello: in sync, nothing to do (1 service, 2 replicas).

<details open>
<summary><b>edge</b>: 1 to create</summary>

on lab-1 (engine 28.3.1, API 1.51)

| | what | change | cause |
| --- | --- | --- | --- |
| `+` | `proxy/1` | create |  |

- **proxy: PortInUse** port 8080/tcp is published by container "nginx", which is not ours: stop that container, or choose another host port in the spec <sub>specs/edge.yaml:9</sub>

</details>
""")


def test_nothing_to_do_says_so_in_the_headline() -> None:
    """The first line is all that most people read."""
    assert render(Report("plan", (HELLO,))).startswith("## reconcile plan: nothing to do\n")


def test_a_converge_says_what_was_done() -> None:
    """After a converge a project in sync still lists what was carried out."""
    text = render(Report("converge", (replace(SHOP, in_sync=True),)))
    assert text.startswith("## reconcile converge: converged\n")
    assert "4 replaced" not in text.splitlines()[0]
    assert "5 replaced" in text


def test_a_rollout_says_its_gate_protection_and_duration_beneath_the_table() -> None:
    """Reviewers read how a change is rolled out before they approve it."""
    rolls = service("web", (1, 1, 1, 0), order="start-first", gate="healthy", protection="publish healthy")
    project = replace(
        SHOP,
        operations=replacement("web", 1, Difference("image", "a:1", "a:2")),
        services=(rolls,),
        expected_seconds=45.0,
    )
    text = render(Report("plan", (project,)))
    assert "\n- **web**: start-first; gate: healthy; protection: publish healthy\n- takes at least 45 s\n" in text
    assert "gate" not in render(Report("converge", (project,)))


def test_what_is_not_tried_again_is_open_and_names_the_way_out() -> None:
    """A quarantined service is not hidden in a collapsed section."""
    text = render(Report("plan", (HELD,)))
    assert "<details open>" in text
    assert (
        "- **web: not tried again (RolledBack)** web/1 was not healthy within 30 s; went back to shop/web:1.3" in text
    )
    silent = replace(HELD.conditions[0], reason="Quarantined", message="web/1 exited (1)")
    text = render(Report("plan", (replace(HELD, conditions=(silent,)),)))
    assert "- **web: not tried again (Quarantined)** web/1 exited (1) (to go on: correct the spec or the image" in text


def test_a_rolled_back_service_is_told_once() -> None:
    """The failure says it; the condition that follows from it does not repeat it."""
    failure = Failure("web", "hash", "Unhealthy", "web/1 was not healthy within 30 s", rolled_back=True)
    text = render(Report("converge", (replace(HELD, failures=(failure,), succeeded=False),)))
    assert "- **web: Unhealthy, rolled back** web/1 was not healthy within 30 s\n" in text
    assert text.count("not healthy within") == 1


def test_a_huge_plan_is_cut_with_a_count() -> None:
    """A comment on a pull request takes 65,536 bytes: what does not fit is counted."""
    operations = tuple(
        item
        for number in range(900)
        for item in replacement(
            f"service-{number}", 1, Difference("image", f"a:{number}", "b" * 200, f"c.yaml:{number}")
        )
    )
    text = render(Report("plan", (replace(SHOP, operations=operations), SHOP), warnings=PLAN.warnings * 500))
    assert len(text.encode()) <= LIMIT
    assert "of 900 changes not shown" in text
    assert "… and 490 more" in text
    assert text.count("<details") == text.count("</details>")


def test_very_many_projects_are_cut_with_a_count() -> None:
    """The limit holds however many projects there are."""
    text = render(Report("plan", (SHOP,) * 300))
    assert len(text.encode()) <= LIMIT
    assert "more projects not shown" in text


def test_markup_from_a_spec_has_no_effect() -> None:
    """Names, values and messages cannot break the table, add HTML or mention people."""
    cause = Difference("environment.X", "a|b`c", "<img src=x>|`", "f|:1", "see @team <b>now</b> | [x](y)")
    project = replace(SHOP, operations=replacement("web", 1, cause), unknown=())
    text = render(Report("plan", (project,), warnings=(Notice("X", "<script>\n# head", ""),)))
    row = next(line for line in text.splitlines() if "environment.X" in line)
    assert row.replace("\\|", "").count("|") == 5
    assert "<img" not in text
    assert "<script" not in text
    assert "@team" not in text
    assert "\n# head" not in text


def test_what_is_adopted_is_no_warning() -> None:
    """It stands under a title of its own."""
    text = render(
        Report("plan", (HELLO,), warnings=(Notice("Adopted", "web/1: shop-web-1 is kept", "compose.yaml:2"),))
    )
    assert "**Adopted**\n\n- `compose.yaml:2` web/1: shop-web-1 is kept" in text
    assert "Warnings" not in text
