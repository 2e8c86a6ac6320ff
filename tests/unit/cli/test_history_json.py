# ruff: noqa: E501 - a golden document has values as long as digests
from __future__ import annotations

import json
from dataclasses import replace

from inline_snapshot import snapshot

from reconciler.cli.history_json import render_history, render_why
from reconciler.model.history import ActionRecord
from reconciler.model.project import Notice
from tests.unit.cli.rollouts import BAD, NIGHT, QUARANTINED, WELL


def test_a_history_is_a_list_of_rollouts_per_project_the_newest_last() -> None:
    """Every key of docs/json.md, with times as RFC 3339."""
    asked = {"shop": (ActionRecord(NIGHT, "alice", "suspend", "", "see postgres://me:secret@db/x"),)}
    document = json.loads(render_history((("shop", (BAD, WELL)),), (Notice("StateLost", "begun anew"),), (), asked))
    assert [rollout["number"] for rollout in document["projects"][0]["rollouts"]] == [11, 12]
    assert document == snapshot(
        {
            "schema_version": 1,
            "command": "history",
            "projects": [
                {
                    "name": "shop",
                    "rollouts": [
                        {
                            "number": 11,
                            "service": "web",
                            "trigger": "spec",
                            "verdict": "completed",
                            "message": "",
                            "began_at": "2026-11-21T01:12:07.000Z",
                            "ended_at": "2026-11-21T01:12:52.000Z",
                            "revision": 7,
                            "source_revision": "a1b2c3d4e5f60718293aa1b2c3d4e5f60718293a",
                            "source": {
                                "source": "shop",
                                "commit": "a1b2c3d4e5f60718293aa1b2c3d4e5f60718293a",
                                "author": "Ada <ada@example.com>",
                                "subject": "Serve 1.4",
                                "ref": "main",
                                "at": "2026-11-21T03:00:00.000Z",
                            },
                            "image": "shop/web:1.3",
                            "digest": "sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
                            "order": "start-first",
                            "cause": [
                                {
                                    "field": "environment.LOG_LEVEL",
                                    "before": "info",
                                    "after": "debug",
                                    "source": "specs/shop/compose.yaml:17",
                                    "reason": "",
                                }
                            ],
                            "batches": [
                                [
                                    {
                                        "slot": 1,
                                        "container": "shop-web-1-bbbbbbbb",
                                        "gate": "healthy, then watched for 30 s",
                                        "verdict": "up",
                                        "created_at": "2026-11-21T01:12:10.000Z",
                                        "started_at": "2026-11-21T01:12:11.000Z",
                                        "up_at": "2026-11-21T01:12:19.000Z",
                                        "old_stopped_at": "2026-11-21T01:12:22.000Z",
                                    },
                                    {
                                        "slot": 2,
                                        "container": "shop-web-2-bbbbbbbb",
                                        "gate": "healthy, then watched for 30 s",
                                        "verdict": "up",
                                        "created_at": "2026-11-21T01:12:11.000Z",
                                        "started_at": "2026-11-21T01:12:12.000Z",
                                        "up_at": "2026-11-21T01:12:20.000Z",
                                        "old_stopped_at": "2026-11-21T01:12:22.500Z",
                                    },
                                ]
                            ],
                            "taken_up": [],
                            "notes": [],
                            "failure": None,
                        },
                        {
                            "number": 12,
                            "service": "web",
                            "trigger": "spec",
                            "verdict": "rolled back",
                            "message": "web/2 was not healthy within 90 s: connection refused",
                            "began_at": "2026-11-21T03:12:07.000Z",
                            "ended_at": "2026-11-21T03:13:40.000Z",
                            "revision": None,
                            "source_revision": "b2c3d4e5f60718293a4bb2c3d4e5f60718293a4b",
                            "source": {
                                "source": "shop",
                                "commit": "b2c3d4e5f60718293a4bb2c3d4e5f60718293a4b",
                                "author": "",
                                "subject": "",
                                "ref": "",
                                "at": None,
                            },
                            "image": "shop/web:1.4",
                            "digest": "sha256:b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2",
                            "order": "start-first",
                            "cause": [
                                {
                                    "field": "image",
                                    "before": "shop/web:1.3@sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
                                    "after": "shop/web:1.4@sha256:b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2",
                                    "source": "specs/shop/compose.yaml:12",
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
                            "batches": [
                                [
                                    {
                                        "slot": 1,
                                        "container": "shop-web-1-bbbbbbbb",
                                        "gate": "healthy, then watched for 30 s",
                                        "verdict": "up",
                                        "created_at": "2026-11-21T03:12:10.000Z",
                                        "started_at": "2026-11-21T03:12:11.000Z",
                                        "up_at": "2026-11-21T03:12:19.000Z",
                                        "old_stopped_at": "2026-11-21T03:12:21.500Z",
                                    }
                                ],
                                [
                                    {
                                        "slot": 2,
                                        "container": "shop-web-2-bbbbbbbb",
                                        "gate": "healthy, then watched for 30 s",
                                        "verdict": "not healthy within 90 s",
                                        "created_at": "2026-11-21T03:11:58.000Z",
                                        "started_at": "2026-11-21T03:11:59.000Z",
                                        "up_at": None,
                                        "old_stopped_at": None,
                                    }
                                ],
                            ],
                            "taken_up": [],
                            "notes": [],
                            "failure": {
                                "service": "web",
                                "slot": 2,
                                "container": "shop-web-2-bbbbbbbb",
                                "reason": "Unhealthy",
                                "message": "web/2 was not healthy within 90 s: connection refused",
                                "exit_code": 1,
                                "health_log": [
                                    {
                                        "ended_at": "2026-11-21T03:13:07.000Z",
                                        "exit_code": 1,
                                        "output": "connection refused\n",
                                    },
                                    {
                                        "ended_at": "2026-11-21T03:13:17.000Z",
                                        "exit_code": 1,
                                        "output": "connection refused\n",
                                    },
                                    {
                                        "ended_at": "2026-11-21T03:13:27.000Z",
                                        "exit_code": 7,
                                        "output": "\x1b[31mtimeout",
                                    },
                                ],
                                "at": "2026-11-21T03:13:37.000Z",
                                "rolled_back": True,
                                "log": ["listening on 80", "reading postgres://me:***@db/x", "panic: no config"],
                            },
                        },
                    ],
                    "actions": [
                        {
                            "at": "2026-11-21T03:12:07.000Z",
                            "by": "alice",
                            "action": "suspend",
                            "service": None,
                            "detail": "see postgres://me:***@db/x",
                        }
                    ],
                }
            ],
            "warnings": [{"code": "StateLost", "message": "begun anew", "source": ""}],
            "errors": [],
        }
    )


def test_an_explanation_has_the_state_the_quarantine_and_the_way_on() -> None:
    """What a page or a bot shows of one service."""
    document = json.loads(render_why(QUARANTINED))
    document["last"] = document["last"]["number"]
    assert document == snapshot(
        {
            "schema_version": 1,
            "command": "why",
            "project": "shop",
            "service": {
                "name": "web",
                "desired": 3,
                "running": 3,
                "healthy": 3,
                "up_to_date": 0,
                "image": "shop/web:1.3",
                "digest": "sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
                "health": "Degraded",
                "sync": "OutOfSync",
                "reason": "RolledBack",
                "message": "web/2 was not healthy within 90 s: connection refused; went back to shop/web:1.3; not tried again until its spec or image changes, or `reconcile retry web`",
                "order": "",
                "order_reason": "",
                "gate": "",
                "protection": "",
                "mutated": [],
                "waiting": "",
            },
            "conditions": [
                {
                    "type": "Stalled",
                    "status": "True",
                    "reason": "RolledBack",
                    "message": "web/2 was not healthy within 90 s: connection refused; went back to shop/web:1.3; not tried again until its spec or image changes, or `reconcile retry web`",
                    "service": "web",
                    "source": "specs/shop/compose.yaml:12",
                }
            ],
            "waits_until": None,
            "quarantine": {
                "service": "web",
                "slot": 2,
                "container": "shop-web-2-bbbbbbbb",
                "reason": "Unhealthy",
                "message": "web/2 was not healthy within 90 s: connection refused",
                "exit_code": 1,
                "health_log": [
                    {"ended_at": "2026-11-21T03:13:07.000Z", "exit_code": 1, "output": "connection refused\n"},
                    {"ended_at": "2026-11-21T03:13:17.000Z", "exit_code": 1, "output": "connection refused\n"},
                    {"ended_at": "2026-11-21T03:13:27.000Z", "exit_code": 7, "output": "\x1b[31mtimeout"},
                ],
                "at": "2026-11-21T03:13:37.000Z",
                "rolled_back": True,
                "log": ["listening on 80", "reading postgres://me:***@db/x", "panic: no config"],
            },
            "pending": [
                {
                    "field": "image",
                    "before": "shop/web:1.3@sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
                    "after": "shop/web:1.4@sha256:b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2",
                    "source": "specs/shop/compose.yaml:12",
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
            "stable": {
                "revision": 7,
                "source_revision": "a1b2c3d4e5f60718293a",
                "image": "shop/web:1.3",
                "digest": "sha256:a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1",
                "at": "2026-11-21T01:12:52.000Z",
            },
            "last": 12,
            "next_steps": ["correct the spec (specs/shop/compose.yaml:12) or the image", "reconcile retry web"],
            "warnings": [],
            "errors": [],
        }
    )


def test_a_failed_run_is_still_a_document() -> None:
    """Scripts read why there is no answer where they read everything else."""
    error = (Notice("EngineUnreachable", "no answer"),)
    assert json.loads(render_why(None, errors=error)) == {
        "schema_version": 1,
        "command": "why",
        "warnings": [],
        "errors": [{"code": "EngineUnreachable", "message": "no answer", "source": ""}],
    }
    assert json.loads(render_history((), errors=error))["projects"] == []


def test_no_secret_is_part_of_a_document() -> None:
    """A remembered definition holds secrets; only its names are shown."""
    text = render_why(QUARANTINED) + render_history((("shop", (BAD,)),))
    assert "hunter" not in text
    assert "secret" not in text


def test_what_was_cut_off_and_what_went_wrong_on_the_way_is_told() -> None:
    """Times as everywhere, and no secrets."""
    record = replace(WELL, taken_up=(NIGHT,), notes=("web/2 (c): drain failed: http://me:secret@h/",))
    (shown,) = json.loads(render_history((("shop", (record,)),)))["projects"][0]["rollouts"]
    assert shown["taken_up"] == ["2026-11-21T03:12:07.000Z"]
    assert shown["notes"] == ["web/2 (c): drain failed: http://me:***@h/"]
