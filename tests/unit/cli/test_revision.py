"""Where what is shown came from: the commit, in every rendering."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.cli import plan_markdown, plan_text, report_text, status_text
from reconciler.cli.phrases import revision_text
from reconciler.model.report import Report
from reconciler.model.revision import Revision
from tests.unit.cli.reports import SHOP

REVISION = Revision("shop", "1a2b3c4d5e" * 4, "Ada <ada@example.com>", "Serve 1.4", 1795230000.0, "main")
PROJECT = replace(SHOP, revision=REVISION)
LINE = 'shop at 1a2b3c4d5e main "Serve 1.4" (Ada <ada@example.com>)'


def test_text_has_one_line_for_each_project() -> None:
    """In a plan, a status and a report; a project of no commit has none."""
    report = Report("plan", (PROJECT, replace(PROJECT, name="edge", revision=Revision("folder"))))
    for rendered in (plan_text.render(report), status_text.render(report), report_text.render(report)):
        assert rendered.splitlines().count(LINE) == 1
        assert "edge at" not in rendered


def test_a_project_in_sync_has_it_too() -> None:
    """That nothing is to be done is about a commit as well."""
    calm = replace(PROJECT, operations=(), conditions=(), failures=(), in_sync=True)
    assert plan_text.render_project(calm).splitlines()[1] == LINE


def test_markdown_has_it_as_text() -> None:
    """What somebody wrote into a commit is no markup."""
    hostile = replace(PROJECT, revision=replace(REVISION, subject="<b>*x*"))
    rendered = plan_markdown.render(Report("plan", (hostile,)))
    assert "1a2b3c4d5e main" in rendered
    assert "<b>*x*" not in rendered


@pytest.mark.parametrize(
    ("revision", "text"),
    [
        (None, ""),
        (Revision("folder"), ""),
        (Revision("shop", "ab" * 20), "ababababab"),
        (replace(REVISION, author="", ref="\x1b[31m"), '1a2b3c4d5e \\x1b[31m "Serve 1.4"'),
        (replace(REVISION, subject="x" * 100, author=""), f'1a2b3c4d5e main "{"x" * 71}…"'),
        (replace(REVISION, subject="see https://a:secret@b", author=""), '1a2b3c4d5e main "see https://a:***@b"'),
    ],
)
def test_a_revision_in_words(revision: Revision | None, text: str) -> None:
    """Short, safe, and without what there is not."""
    assert revision_text(revision) == text
