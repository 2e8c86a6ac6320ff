# ruff: noqa: E501 - names of volumes are as long as digests
"""`reconcile down` and `reconcile volumes` as text, as JSON, and as command lines."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from reconciler.app_removal import Downed, VolumesReport
from reconciler.cli.removal_json import render_down, render_volumes
from reconciler.cli.removal_text import end, going, plan, removed, volumes
from reconciler.model.project import Notice
from reconciler.model.report import ProjectReport
from reconciler.model.volumes import VolumeRow
from tests.support.inprocess import Done, reconcile
from tests.unit.cli.reports import ENGINE, GONE, operation

ROOT = Path(__file__).parents[3]
NIGHT = 1795230727.0
DATA = VolumeRow("shop_data", "local", True, False, "shop", ("db",), 1_234_567, NIGHT, True, ("shop-db-1",))
HIDDEN = VolumeRow("ab" * 32, "local", True, True, "shop", ("web/1",), None, NIGHT, last_used=NIGHT)
THEIRS = VolumeRow("theirs", "nfs")
LEFT = "volume shop_more is mounted by stranger: `reconcile down shop` first, or take it out of the spec"
REPORT = ProjectReport(
    "shop",
    ENGINE,
    operations=(
        operation("container.stop", "shop-web-1", "web", 1, GONE),
        operation("container.remove", "shop-web-1", "web", 1, GONE),
        operation("network.remove", "shop_default", None, None, GONE),
    ),
    converges=True,
    succeeded=True,
    notices=(Notice("NetworkInUse", "network shop_back: stranger is attached to it: left alone", "shop_back"),),
)
DOWN = Downed(REPORT, (DATA, HIDDEN), (LEFT,), dry_run=True)


def test_what_would_go_is_shown_with_its_volumes() -> None:
    """How large they are, whose, when they were used last; what stays and why."""
    assert plan(DOWN, zone=UTC) == snapshot("""\
warning: shop_back: network shop_back: stranger is attached to it: left alone
shop on lab-1 (engine 28.3.1, API 1.51)

  - network  shop_default  remove  not in the spec any more

  - web/1  remove  not in the spec any more

Plan: 2 to remove; converges after 3 operations (forecast on a simulated engine).

2 volumes to delete, with all that is in them:
  - shop_data  1.2 MB, shop/db, last used: now
  - abababababababababababababababababababababababababababababababab  unknown, shop/web/1, last used: 2026-11-21 03:12:07 UTC
  volume shop_more is mounted by stranger: `reconcile down shop` first, or take it out of the spec
""")


def test_where_nothing_is_left_there_is_nothing_to_do() -> None:
    """Be it that it never was."""
    assert plan(Downed(replace(REPORT, operations=()))) == "shop: nothing of it is here.\n"


def test_the_end_says_what_went_and_what_stays_down() -> None:
    """A service that has the project in force will not bring it back."""
    assert end(Downed(REPORT)) == ""
    assert end(replace(DOWN, suspended=True)) == snapshot("""\
2 volumes deleted.
volume shop_more is mounted by stranger: `reconcile down shop` first, or take it out of the spec
shop is suspended, as a service has it in force: `reconcile resume -p shop` brings it back.
""")


def test_volumes_are_a_table_of_ours() -> None:
    """Names in full, for they are typed; others are counted."""
    assert volumes((DATA, HIDDEN, THEIRS), zone=UTC) == snapshot("""\
VOLUME                                                            PROJECT  SERVICE     SIZE  LAST USE                 MOUNTED BY
shop_data                                                         shop     db        1.2 MB  now                      shop-db-1
abababababababababababababababababababababababababababababababab  shop     web/1    unknown  2026-11-21 03:12:07 UTC  -
1 volume not made by this instance: -o json lists them too
""")
    assert volumes(()) == "no volume is this instance's\n"
    assert "last used: unknown" in going((replace(HIDDEN, last_used=None),))
    assert removed((DATA, HIDDEN)) == "2 volumes deleted: 1.2 MB.\n"


def test_documents_have_every_key_of_the_contract() -> None:
    """Times as RFC 3339, what is not known as null."""
    document = json.loads(render_down(DOWN, (Notice("Declined", "no"),)))
    assert document["project"]["name"] == "shop"
    assert {key: value for key, value in document.items() if key != "project"} == snapshot(
        {
            "schema_version": 1,
            "command": "down",
            "dry_run": True,
            "volumes": [
                {
                    "name": "shop_data",
                    "driver": "local",
                    "ours": True,
                    "anonymous": False,
                    "project": "shop",
                    "services": ["db"],
                    "bytes": 1234567,
                    "created_at": "2026-11-21T03:12:07.000Z",
                    "in_use": True,
                    "used_by": ["shop-db-1"],
                    "last_used": None,
                },
                {
                    "name": "abababababababababababababababababababababababababababababababab",
                    "driver": "local",
                    "ours": True,
                    "anonymous": True,
                    "project": "shop",
                    "services": ["web/1"],
                    "bytes": None,
                    "created_at": "2026-11-21T03:12:07.000Z",
                    "in_use": False,
                    "used_by": [],
                    "last_used": "2026-11-21T03:12:07.000Z",
                },
            ],
            "volumes_left": [
                "volume shop_more is mounted by stranger: `reconcile down shop` first, or take it out of the spec"
            ],
            "suspended": False,
            "warnings": [],
            "errors": [{"code": "Declined", "message": "no", "source": ""}],
        }
    )
    listed = json.loads(render_volumes(VolumesReport((THEIRS,)), removed=True))
    assert (listed["command"], listed["volumes"][0]["project"], listed["volumes"][0]["ours"]) == (
        "volumes rm",
        None,
        False,
    )
    assert json.loads(render_volumes(None, (Notice("X", "y"),)))["errors"] == [
        {"code": "X", "message": "y", "source": ""}
    ]
    assert "project" not in json.loads(render_down(None))


def run(folder: Path, *arguments: str) -> Done:
    """A command line on an empty engine."""
    return reconcile(folder, "-H", "simulated://", *arguments)


def test_taking_down_what_is_not_here_is_success(tmp_path: Path) -> None:
    """As removing a missing thing is."""
    done = run(tmp_path, "down", "shop", "--volumes")
    assert (done.returncode, done.stdout) == (0, "shop: nothing of it is here.\n")
    document = json.loads(run(tmp_path, "down", "shop", "-o", "json").stdout)
    assert (document["project"]["operations"], document["volumes"]) == ([], [])


def test_volumes_without_any(tmp_path: Path) -> None:
    """A list may be empty; a name that is not on it is refused, in JSON too."""
    assert run(tmp_path, "volumes").stdout == "no volume is this instance's\n"
    done = run(tmp_path, "volumes", "rm", "data", "-o", "json", "--yes")
    assert done.returncode == 1
    assert json.loads(done.stdout)["errors"][0]["code"] == "VolumeRefused"
    assert "there is no volume data" in done.stderr
    assert run(tmp_path, "volumes", "rm").returncode == 64


ASK = """
import sys
from reconciler.cli.confirming import confirm
from reconciler.errors import ReconcilerError
try:
    confirm("shop", "taking down shop", yes=False)
except ReconcilerError as error:
    sys.exit(f"{error.code}: {error}")
print("gone on")
"""


@pytest.mark.parametrize(("typed", "code", "said"), [("shop\n", 0, "gone on"), ("shpo\n", 1, "was not confirmed")])
def test_on_a_terminal_the_name_has_to_be_typed(typed: str, code: int, said: str) -> None:
    """Anything else is a no."""
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(
        command, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False
    )
    shown = os.read(ours, 4096).decode()
    os.close(theirs)
    os.close(ours)
    assert done.returncode == code
    assert said in done.stdout + shown
    assert "Type shop to go on" in shown


def test_without_a_terminal_yes_is_needed() -> None:
    """A usage error, and nothing is done."""
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, input="shop\n")
    assert done.returncode == 1
    assert done.stderr == (
        "Usage: taking down shop has to be confirmed, and there is no terminal to ask at (pass --yes)\n"
    )
