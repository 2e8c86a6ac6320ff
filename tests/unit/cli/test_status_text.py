from __future__ import annotations

from dataclasses import replace

from inline_snapshot import snapshot

from reconciler.cli.status_text import render
from reconciler.model.project import Notice
from reconciler.model.report import Report
from tests.unit.cli.reports import EDGE, HELLO, SHOP, service


def test_a_table_per_project_with_the_reason_beneath_what_is_off() -> None:
    """Counts, image, digest, health and sync; a service that is fine takes one line."""
    assert render(Report("status", (SHOP, HELLO))) == snapshot("""\
shop on lab-1 (engine 28.3.1, API 1.51): OutOfSync, Degraded

  SERVICE  DESIRED  RUNNING  HEALTHY  UP-TO-DATE  IMAGE           DIGEST        HEALTH    SYNC
  api            2        1        1           1  shop/api:1.3    a1a1a1a1a1a1  Degraded  OutOfSync
      Exited: api/2 exited (137)
  cache          1        1        1           1  shop/cache:1.3  a1a1a1a1a1a1  Healthy   Synced
  db             1        1        1           0  shop/db:1.3     a1a1a1a1a1a1  Healthy   OutOfSync
  web            3        3        3           0  shop/web:1.3    a1a1a1a1a1a1  Healthy   OutOfSync

hello on lab-1 (engine 28.3.1, API 1.51): Synced, Healthy

  SERVICE  DESIRED  RUNNING  HEALTHY  UP-TO-DATE  IMAGE           DIGEST        HEALTH   SYNC
  hello          2        2        2           2  shop/hello:1.3  a1a1a1a1a1a1  Healthy  Synced
""")


def test_what_blocks_a_service_stands_beneath_the_table() -> None:
    """A condition that no row's reason tells already is told."""
    assert "! proxy: PortInUse  specs/edge.yaml:9" in render(Report("status", (EDGE,)))


def test_a_narrow_terminal_shortens_images_only() -> None:
    """Names, numbers and words stay whole; the end of an image's name says most."""
    long = service("web", (1, 1, 1, 1), image="registry.example.com/very/long/path/shop/web:1.4")
    project = replace(HELLO, services=(long,))
    lines = render(Report("status", (project,)), width=110).splitlines()
    assert max(map(len, lines)) <= 110
    assert "shop/web:1.4" in lines[3]
    assert "…" in lines[3]
    assert "registry.example.com/very/long/path" in render(Report("status", (project,)))


def test_what_a_service_waits_for_is_a_reason() -> None:
    """A rollout in progress says what it waits for."""
    waiting = service("web", (3, 2, 1, 1), health="Progressing", waiting="web/2 to become healthy")
    assert "      waiting for web/2 to become healthy" in render(
        Report("status", (replace(HELLO, services=(waiting,)),))
    )


def test_files_changed_inside_containers_stand_beneath_their_service() -> None:
    """The first few by name; they change neither health nor sync."""
    paths = tuple(f"web/1: /etc/{number}.conf" for number in range(8))
    changed = service("web", (3, 3, 3, 3), mutated=paths)
    text = render(Report("status", (replace(HELLO, services=(changed,)),)), width=100)
    assert text.splitlines()[0].endswith(": Synced, Healthy")
    assert "      changed by hand: web/1: /etc/0.conf, web/1: /etc/1.conf," in text
    assert "/etc/5.conf and 2 more" in text
    assert "/etc/6.conf" not in text


def test_a_container_with_copied_labels_stands_beneath_the_service_that_it_makes_modified() -> None:
    """With the way to remove it; a service with a reason of its own, or in sync, is not told."""
    modified = service("web", (1, 1, 1, 1), sync="Modified")
    stopped = service("db", (1, 0, 0, 0), sync="Modified", message="db/1 exited (137)")
    notice = Notice("CopiedLabels", "container copy carries this project's labels", "copy")
    project = replace(HELLO, services=(stopped, modified), notices=(notice, Notice("Order", "no matter", "c.yaml:1")))
    lines = render(Report("status", (project,)), width=120).splitlines()
    told = "      second container copy: not ours, so it is never removed; `docker rm -f copy` if nobody needs it"
    assert [line for line in lines if "copy" in line] == [told]
    assert lines[lines.index(told) - 1].startswith("  web ")
