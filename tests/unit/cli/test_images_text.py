"""How `reconcile images` and `reconcile images lock` print what was found, as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

from reconciler.app_images import ImagesReport, LockReport
from reconciler.cli import images_json, images_text
from reconciler.model.desired import Held
from reconciler.model.project import Notice, Pin
from reconciler.model.report import ImageRow
from reconciler.pinning import PinRow

A, B = (f"sha256:{letter * 64}" for letter in "ab")
ROW = ImageRow(
    project="shop",
    service="web",
    written="team/app:1",
    policy="digest",
    resolved=f"team/app:1@{A}",
    running=(f"team/app:1@{A}",),
    available=f"team/app:1@{B}",
    held=(),
    error="",
    source="c.yaml:3",
)
COOLING = Held(f"team/app:1@{B}", "cooldown", "new: its cooldown ends tomorrow", 60.0)
UNSIGNED = Held(f"team/app:1@{B}", "signature", "team/app:1: nobody signed it", reason="SignatureMissing")
PIN = Pin("team/app:1", A, 60.0, "digest", "reconcile.lock:6")
MOVED = PinRow("shop", "web", "team/app:1", "moved", PIN, replace(PIN, digest=B), source="c.yaml:3")
ADDED = PinRow("shop", "api", "team/app:1", "added", None, PIN)
REMOVED = PinRow("shop", "gone", "team/app:1", "removed", PIN)
FAILED = PinRow("shop", "db", "db:1", "failed", message="at https://u:secret@host: gone")


def test_a_table_for_each_project() -> None:
    """Tags and digests below the repository that is written; another repository in full; nothing as a dash."""
    other = replace(ROW, service="api", running=("else/app:2", f"team/app:1@{B}"), available="", resolved="")
    edge = replace(ROW, project="edge")
    assert images_text.render_images(ImagesReport((ROW, other, edge))) == (
        "shop\n"
        "\n"
        "  SERVICE  WRITTEN     RESOLVED        RUNNING                     AVAILABLE\n"
        "  web      team/app:1  1@aaaaaaaaaaaa  1@aaaaaaaaaaaa              1@bbbbbbbbbbbb\n"
        "  api      team/app:1  -               else/app:2, 1@bbbbbbbbbbbb  -\n"
        "\n"
        "edge\n"
        "\n"
        "  SERVICE  WRITTEN     RESOLVED        RUNNING         AVAILABLE\n"
        "  web      team/app:1  1@aaaaaaaaaaaa  1@aaaaaaaaaaaa  1@bbbbbbbbbbbb\n"
    )


def test_what_holds_back_stands_beneath_its_service() -> None:
    """With what it holds back, where the message does not say so; and why nothing more is known."""
    row = replace(ROW, held=(COOLING, UNSIGNED), error="slow down at https://u:secret@host")
    lines = images_text.render_images(ImagesReport((row,))).splitlines()
    assert lines[4:] == [
        "      1@bbbbbbbbbbbb: new: its cooldown ends tomorrow",
        "      team/app:1: nobody signed it",
        "      slow down at https://u:***@host",
    ]


def test_a_narrow_table_shortens_what_is_written() -> None:
    """What is resolved is what people look for."""
    row = replace(ROW, written="registry.example.com/a/very/long/path/app:1")
    lines = images_text.render_images(ImagesReport((row,)), width=80).splitlines()
    assert len(lines[2]) <= 80 + 100
    assert "registry.example.com/a/very/long/path/app:1" not in lines[3]


def test_what_changed_in_a_lock_is_listed_and_summed_up() -> None:
    """What is kept is not listed."""
    kept = PinRow("shop", "kept", "team/app:1", "kept", PIN, PIN)
    report = LockReport((MOVED, ADDED, REMOVED, kept))
    assert images_text.render_lock(report, check=False, width=120) == (
        "~ shop/web: team/app:1@aaaaaaaaaaaa -> team/app:1@bbbbbbbbbbbb\n"
        "+ shop/api: team/app:1@aaaaaaaaaaaa\n"
        "- shop/gone: team/app:1@aaaaaaaaaaaa -> removed\n"
        "reconcile.lock: 3 changed\n"
    )
    said = images_text.render_lock(report, check=True, width=120)
    assert said.endswith("\nreconcile.lock is stale: 3 to change\n")
    assert images_text.render_lock(LockReport((kept,)), check=True, width=120) == "reconcile.lock is up to date\n"


def test_what_could_not_be_looked_up_is_told() -> None:
    """Without what nobody should read."""
    assert images_text.render_lock(LockReport((FAILED,)), check=False, width=120) == (
        "! shop/db: db:1: at https://u:***@host: gone\nnot all could be looked up: their entries stay as they are\n"
    )


def test_images_as_json() -> None:
    """Times in UTC; what there is not is null."""
    row = replace(ROW, held=(COOLING, UNSIGNED), available="", error="gone")
    report = ImagesReport((row,), (Notice("LockStale", "stale", "c.yaml:3"),), (Notice("SpecInvalid", "bad", "d:1"),))
    document = json.loads(images_json.render_images(report))
    assert document == {
        "schema_version": 1,
        "command": "images",
        "images": [
            {
                "project": "shop",
                "service": "web",
                "written": "team/app:1",
                "policy": "digest",
                "resolved": f"team/app:1@{A}",
                "running": [f"team/app:1@{A}"],
                "available": None,
                "held": [
                    {
                        "reference": f"team/app:1@{B}",
                        "by": "cooldown",
                        "reason": None,
                        "until": "1970-01-01T00:01:00.000Z",
                        "message": "new: its cooldown ends tomorrow",
                    },
                    {
                        "reference": f"team/app:1@{B}",
                        "by": "signature",
                        "reason": "SignatureMissing",
                        "until": None,
                        "message": "team/app:1: nobody signed it",
                    },
                ],
                "error": "gone",
                "source": "c.yaml:3",
            }
        ],
        "warnings": [{"code": "LockStale", "message": "stale", "source": "c.yaml:3"}],
        "errors": [{"code": "SpecInvalid", "message": "bad", "source": "d:1"}],
    }


def test_a_lock_as_json() -> None:
    """Each entry with its pin before and after."""
    document = json.loads(images_json.render_lock(LockReport((MOVED, FAILED))))
    assert (document["command"], document["stale"]) == ("images lock", True)
    moved, failed = document["pins"]
    assert moved == {
        "project": "shop",
        "service": "web",
        "reference": "team/app:1",
        "verdict": "moved",
        "before": {"reference": "team/app:1", "digest": A, "at": "1970-01-01T00:01:00.000Z", "policy": "digest"},
        "after": {"reference": "team/app:1", "digest": B, "at": "1970-01-01T00:01:00.000Z", "policy": "digest"},
        "message": None,
        "source": "c.yaml:3",
    }
    assert (failed["before"], failed["after"], failed["message"]) == (None, None, "at https://u:***@host: gone")
