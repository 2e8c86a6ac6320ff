"""`reconcile images push` as a command: exit codes and documents where there is nothing to push."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.inprocess import Done, reconcile


def run(folder: Path, spec: str, *arguments: str) -> Done:
    """The command on a simulated engine, which has nothing."""
    (folder / "compose.yaml").write_text(spec)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return reconcile(folder, "images", "push", "-H", "simulated://", "-p", "shop", *arguments)


@pytest.mark.parametrize(
    ("spec", "code", "said"),
    [
        ("services: {web: {image: 'x:1'}}", 0, "shop: nothing is built here\n"),
        ("services: {web: {build: .}}", 0, "shop: 1 skipped\n  skipped  web\n"),
        ("services: {web: {build: ., image: 'reg.test/x:1'}}", 1, "shop: 1 failed\n  failed   web  reg.test/x:bk-"),
        ("services: {web: {biuld: .}}", 3, ""),
    ],
)
def test_the_exit_code_is_the_verdict(tmp_path: Path, spec: str, code: int, said: str) -> None:
    """0 also where all was skipped, 1 where something is not built yet, 3 for an invalid spec."""
    done = run(tmp_path, spec)
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith(said)


def test_a_document_is_printed_with_every_verdict(tmp_path: Path) -> None:
    """Also where the spec is refused."""
    failed = json.loads(run(tmp_path, "services: {web: {build: ., image: 'reg.test/x:1'}}", "-o", "json").stdout)
    assert failed["projects"][0]["images"][0]["reason"] == "NotBuilt"
    refused = json.loads(run(tmp_path, "services: {web: {biuld: .}}", "-o", "json").stdout)
    assert (refused["projects"], len(refused["errors"])) == ([], 1)


def test_only_the_service_asked_for_is_pushed(tmp_path: Path) -> None:
    """Not what it depends on."""
    spec = "services: {web: {build: ., depends_on: [db]}, db: {build: .}}"
    document = json.loads(run(tmp_path, spec, "-o", "json", "--service", "web").stdout)
    assert [item["service"] for item in document["projects"][0]["images"]] == ["web"]
