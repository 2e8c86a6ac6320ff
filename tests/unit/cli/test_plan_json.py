from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from inline_snapshot import snapshot

from reconciler.cli.plan_json import render, render_status
from reconciler.model.memory import Failure
from reconciler.model.report import Report
from tests.unit.cli.reports import PLAN, SHOP, operation


def _document(report: Report) -> Any:
    return json.loads(render(report))


def test_the_document_has_the_keys_of_the_contract() -> None:
    """Scripts rely on these names; every level has exactly them."""
    document = _document(PLAN)
    project = document["projects"][0]
    assert {
        "document": sorted(document),
        "project": sorted(project),
        "operation": sorted(project["operations"][0]),
        "cause": sorted(project["operations"][0]["cause"][0]),
        "service": sorted(project["services"][0]),
        "condition": sorted(project["conditions"][0]),
        "warning": sorted(document["warnings"][0]),
    } == snapshot(
        {
            "document": ["command", "errors", "projects", "revision", "schema_version", "summary", "warnings"],
            "project": [
                "conditions",
                "converges",
                "engine",
                "expected_seconds",
                "failures",
                "fingerprint",
                "in_sync",
                "name",
                "operations",
                "revision",
                "services",
            ],
            "operation": ["cause", "depends_on", "id", "impact", "kind", "project", "resource", "service", "slot"],
            "cause": ["after", "before", "field", "reason", "source"],
            "service": [
                "desired",
                "digest",
                "gate",
                "health",
                "healthy",
                "image",
                "message",
                "mutated",
                "name",
                "order",
                "order_reason",
                "protection",
                "reason",
                "running",
                "sync",
                "up_to_date",
            ],
            "condition": ["message", "reason", "service", "source", "status", "type"],
            "warning": ["code", "message", "source"],
        }
    )


def test_an_operation_carries_its_cause() -> None:
    """Field, before, after and file:line, as in the text."""
    operations = _document(PLAN)["projects"][0]["operations"]
    assert operations[4] == snapshot(
        {
            "id": "container.start:shop-web-1-bbbbbbbb",
            "kind": "container.start",
            "resource": "shop-web-1-bbbbbbbb",
            "project": "shop",
            "service": "web",
            "slot": 1,
            "depends_on": ["container.create:shop-web-1-bbbbbbbb"],
            "impact": "rolling",
            "cause": [
                {
                    "field": "image",
                    "before": "shop/web:1.3@sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
                    "after": "shop/web:1.4@sha256:b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2",
                    "source": "specs/shop/compose.yaml:12",
                    "reason": "",
                },
                {
                    "field": "environment.LOG_LEVEL",
                    "before": "info",
                    "after": "debug",
                    "source": "specs/shop/compose.yaml:17",
                    "reason": "",
                },
                {
                    "field": "environment.DB_PASSWORD",
                    "before": "***",
                    "after": "***",
                    "source": "specs/shop/compose.yaml:18",
                    "reason": "",
                },
            ],
        }
    )


def test_the_summary_counts_each_kind() -> None:
    """Sorted by kind, over all projects."""
    assert _document(PLAN)["summary"] == snapshot(
        {
            "container.create": 7,
            "container.remove": 6,
            "container.start": 6,
            "container.stop": 6,
            "image.pull": 1,
            "network.create": 1,
            "volume.create": 1,
        }
    )


def test_the_engine_is_null_where_none_was_asked() -> None:
    """`validate` knows no engine."""
    assert _document(Report("plan", (replace(SHOP, engine=None),)))["projects"][0]["engine"] is None


def test_payloads_and_secrets_never_appear() -> None:
    """What is sent to the engine may hold secrets, and so is not part of the document."""
    secret = replace(operation("container.create", "x", "web", 1), payload={"Env": ["TOKEN=tiger"]})
    text = render(Report("plan", (replace(SHOP, operations=(*SHOP.operations, secret)),)))
    assert "tiger" not in text
    assert "hunter" not in text


def test_the_same_report_gives_the_same_bytes_whatever_the_order_of_keys() -> None:
    """A value that is a mapping is written in one order."""
    texts = set()
    for value in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        cause = replace(SHOP.operations[0].cause[0], after=value)
        changed = replace(SHOP.operations[0], cause=(cause,))
        texts.add(render(Report("plan", (replace(SHOP, operations=(changed,)),))))
    assert len(texts) == 1


def test_failures_of_a_converge_are_errors() -> None:
    """What failed stands where scripts look for it, the operation or container named as source."""
    failure = Failure("web", "hash", "Unhealthy", "not healthy within 30 s", "shop-web-1-bbbbbbbb")
    project = replace(SHOP, failures=(failure,), failed_operations=(("container.start:x", "port taken"),))
    assert _document(Report("converge", (project,)))["errors"] == snapshot(
        [
            {"code": "OperationFailed", "message": "shop: port taken", "source": "container.start:x"},
            {"code": "Unhealthy", "message": "shop/web: not healthy within 30 s", "source": "shop-web-1-bbbbbbbb"},
        ]
    )


def test_one_document_ends_in_one_line_break() -> None:
    """`-o json` can be appended to a file."""
    assert render(PLAN).endswith("}\n")
    assert not render(PLAN).endswith("\n\n")


def test_status_has_its_own_document() -> None:
    """Per project sync, health, conditions and services."""
    document = json.loads(render_status(replace(PLAN, command="status")))
    project = document["projects"][0]
    assert (sorted(document), sorted(project)) == snapshot(
        (
            ["command", "errors", "projects", "revision", "schema_version", "warnings"],
            ["conditions", "engine", "health", "name", "revision", "services", "sync"],
        )
    )
    assert (project["sync"], project["health"]) == ("OutOfSync", "Degraded")
