"""`reconcile images prune` as text, as JSON, and as a command line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from reconciler.app import Options
from reconciler.app_images import _in_force
from reconciler.cli.prune_json import render as render_json
from reconciler.cli.prune_text import render, size_text
from reconciler.collecting import Collected
from reconciler.images.collection import Verdict
from reconciler.model.ledger import Deployed
from reconciler.model.observed import EngineInfo, ImageState
from reconciler.model.project import Notice
from tests.support.inprocess import Done, reconcile

ENGINE = EngineInfo("host", "id", "28.5.2", "1.51")
OLD = ImageState("sha256:" + "a" * 64, ("shop/web:1",), ("shop/web@sha256:" + "1" * 64,), size=98_000_000)
NEW = ImageState("sha256:" + "b" * 64, ("shop/web:2",), size=99_000_000)
NAMELESS = ImageState("sha256:" + "c" * 64, size=5)
PAST = (("shop", Deployed(("db", "web"), first_seen=1_795_000_000.0, last_used=1_795_200_000.0)),)
VERDICTS = (
    Verdict(OLD, PAST, goes=True, reason="superseded", size=12_300_000),
    Verdict(NAMELESS, PAST, goes=True, reason="superseded", size=5),
    Verdict(NEW, (("shop", Deployed(("web",))),), goes=False, reason="container shop-web-1 uses it (running)"),
)
DRY = Collected(ENGINE, dry_run=True, verdicts=VERDICTS)
WARNED = replace(DRY, dry_run=False, warnings=(Notice("NoSpec", "there is no spec"),))


def test_a_dry_run_says_what_would_go_and_why_the_rest_stays() -> None:
    """With what that gives back at most, and whose image it was until when."""
    assert render(DRY, width=100, zone=UTC) == snapshot("""\
Would remove 2 images on host (engine 28.5.2, API 1.51): up to 12.3 MB.
  - shop/web:1
        up to 12.3 MB, used until 2026-11-20 18:40:00 UTC by db, web (shop)
  - cccccccccccc
        up to 5 B, used until 2026-11-20 18:40:00 UTC by db, web (shop)

Kept: 1 image.
    shop/web:2
        container shop-web-1 uses it (running)
""")


def test_a_pass_says_what_went() -> None:
    """And its warnings at the end."""
    text = render(WARNED, width=100, zone=UTC)
    assert text.startswith("Removed 2 images on host (engine 28.5.2, API 1.51): up to 12.3 MB.\n")
    assert "there is no spec" in text.splitlines()[-1]


def test_nothing_to_remove_is_said() -> None:
    """Also where the ledgers know no image at all."""
    kept = replace(DRY, verdicts=VERDICTS[2:])
    assert render(kept, width=100).startswith(
        "Nothing to remove on host (engine 28.5.2, API 1.51).\n\nKept: 1 image.\n"
    )
    assert render(replace(DRY, verdicts=()), width=100) == "Nothing to remove on host (engine 28.5.2, API 1.51).\n"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_340_000, "12.3 MB"), (2_000_000_000, "2 GB"), (3e15, "3000 TB")],
)
def test_sizes_are_decimal_as_the_docker_cli_has_them(size: int, text: str) -> None:
    """One digit after the point, where it says something."""
    assert size_text(size) == text


def test_the_document_has_every_image_of_the_ledgers() -> None:
    """Every key of docs/json.md, times as RFC 3339."""
    assert json.loads(render_json(DRY)) == snapshot(
        {
            "schema_version": 1,
            "command": "images prune",
            "dry_run": True,
            "engine": {"name": "host", "version": "28.5.2", "api": "1.51"},
            "images": [
                {
                    "id": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                    "names": [
                        "shop/web:1",
                        "shop/web@sha256:1111111111111111111111111111111111111111111111111111111111111111",
                    ],
                    "verdict": "remove",
                    "reason": "superseded",
                    "bytes": 98000000,
                    "bytes_at_most": 12300000,
                    "last_used": "2026-11-20T18:40:00.000Z",
                    "deployed": [
                        {"project": "shop", "services": ["db", "web"], "first_seen": "2026-11-18T11:06:40.000Z"}
                    ],
                },
                {
                    "id": "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
                    "names": [],
                    "verdict": "remove",
                    "reason": "superseded",
                    "bytes": 5,
                    "bytes_at_most": 5,
                    "last_used": "2026-11-20T18:40:00.000Z",
                    "deployed": [
                        {"project": "shop", "services": ["db", "web"], "first_seen": "2026-11-18T11:06:40.000Z"}
                    ],
                },
                {
                    "id": "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
                    "names": ["shop/web:2"],
                    "verdict": "kept",
                    "reason": "container shop-web-1 uses it (running)",
                    "bytes": 99000000,
                    "bytes_at_most": 0,
                    "last_used": None,
                    "deployed": [{"project": "shop", "services": ["web"], "first_seen": None}],
                },
            ],
            "bytes_at_most": 12300005,
            "warnings": [],
            "errors": [],
        }
    )


def test_the_document_of_a_pass_says_removed() -> None:
    """And has its warnings and errors."""
    document = json.loads(render_json(WARNED, (Notice("EngineError", "no", "shop/web:1"),)))
    assert [row["verdict"] for row in document["images"]] == ["removed", "removed", "kept"]
    assert document["warnings"] == [{"code": "NoSpec", "message": "there is no spec", "source": ""}]
    assert document["errors"] == [{"code": "EngineError", "message": "no", "source": "shop/web:1"}]


def test_a_pass_that_failed_as_a_whole_has_only_its_errors() -> None:
    """As every command's document."""
    assert set(json.loads(render_json(None))) == {"schema_version", "command", "warnings", "errors"}


def run(folder: Path, *arguments: str) -> Done:
    """`reconcile images prune` in that folder, on a simulated engine."""
    return reconcile(folder, "-H", "simulated://", "images", "prune", *arguments)


def test_without_a_spec_the_ledgers_alone_decide(tmp_path: Path) -> None:
    """That is said; a spec that is named has to be there."""
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Nothing to remove")
    assert "there is no spec" in done.stdout
    assert run(tmp_path, "-f", "missing.yaml").returncode == 3


@pytest.mark.parametrize("arguments", [(), ("--dry-run",), ("-o", "json")])
def test_a_spec_that_cannot_be_read_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """Exit 3, after the other projects' images were seen to."""
    (tmp_path / "compose.yaml").write_text("services:\n  web: {imge: 'shop/web:1.4'}\n")
    done = run(tmp_path, *arguments)
    assert done.returncode == 3
    assert "compose.yaml:2" in done.stderr
    if arguments[:1] == ("-o",):
        assert json.loads(done.stdout)["errors"][0]["source"].endswith("compose.yaml:2")


def test_a_service_chosen_before_the_command_does_not_hide_the_others(tmp_path: Path) -> None:
    """What the others want stays wanted: --service is no part of this command."""
    (tmp_path / "compose.yaml").write_text("services:\n  web: {image: 'shop/web:1.4'}\n  db: {image: 'postgres:16'}\n")
    found = _in_force(Options(files=(str(tmp_path / "compose.yaml"),), services=("web",)))
    assert [service.name for service in found.projects[0].services] == ["db", "web"]
