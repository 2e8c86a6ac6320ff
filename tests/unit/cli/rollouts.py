"""Rollouts and explanations made by hand: one that went well, one that was rolled back, one of many batches."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model.history import Explanation, ReplicaRecord, RolloutRecord
from reconciler.model.memory import Failure, Stable
from reconciler.model.observed import Probe
from reconciler.model.project import Image, Service
from reconciler.model.revision import Revision
from reconciler.model.step import Condition
from tests.unit.cli.reports import BACK, DIGEST_A, DIGEST_B, IMAGE, LEVEL, PASSWORD, service

NIGHT = 1795230727.0  # 2026-11-21 03:12:07 UTC
GATE = "healthy, then watched for 30 s"
FAILURE = Failure(
    "web",
    "hash",
    "Unhealthy",
    "web/2 was not healthy within 90 s: connection refused",
    "shop-web-2-bbbbbbbb",
    2,
    1,
    (
        Probe(NIGHT + 60, 1, "connection refused\n"),
        Probe(NIGHT + 70, 1, "connection refused\n"),
        Probe(NIGHT + 80, 7, "\x1b[31mtimeout"),
    ),
    NIGHT + 90,
    rolled_back=True,
)
LOG = "listening on 80\nreading postgres://me:secret@db/x\npanic: no config\n"


def replica(slot: int, at: float, **more: object) -> ReplicaRecord:
    """A replica of web that came up that many seconds after the rollout began."""
    up = ReplicaRecord(
        slot, f"shop-web-{slot}-bbbbbbbb", GATE, NIGHT + at - 9, NIGHT + at - 8, NIGHT + at, NIGHT + at + 2.5, "up"
    )
    return replace(up, **more)  # type: ignore[arg-type]


WELL = RolloutRecord(
    11,
    "shop",
    "web",
    "spec",
    (LEVEL,),
    "start-first",
    NIGHT - 7200,
    NIGHT - 7155,
    "completed",
    revision=7,
    source_revision=Revision(
        "shop", "a1b2c3d4e5f60718293a" * 2, "Ada <ada@example.com>", "Serve 1.4", 1795230000.0, "main"
    ),
    image="shop/web:1.3",
    digest=DIGEST_A,
    batches=(
        (
            replica(1, 12 - 7200, old_stopped_at=NIGHT - 7185),
            replica(2, 13 - 7200, old_stopped_at=NIGHT - 7184.5),
        ),
    ),
)
BAD = RolloutRecord(
    12,
    "shop",
    "web",
    "spec",
    (IMAGE, PASSWORD),
    "start-first",
    NIGHT,
    NIGHT + 93,
    "rolled back",
    message=FAILURE.message,
    source_revision=Revision("shop", "b2c3d4e5f60718293a4b" * 2),
    image="shop/web:1.4",
    digest=DIGEST_B,
    batches=((replica(1, 12),), (replica(2, 0, up_at=0.0, old_stopped_at=0.0, verdict="not healthy within 90 s"),)),
    failure=FAILURE,
    logs=LOG,
)
STABLE = Stable(
    Service("web", Image("shop/web:1.3"), {"Env": ["DB_PASSWORD=hunter2"]}),
    "good",
    "sha256:1",
    "shop/web:1.3",
    DIGEST_A,
    "shop/web:1.3",
    7,
    "a1b2c3d4e5f60718293a",
    NIGHT - 7155,
)
QUARANTINED = Explanation(
    "shop",
    service(
        "web",
        (3, 3, 3, 0),
        health="Degraded",
        sync="OutOfSync",
        reason="RolledBack",
        message=f"{FAILURE.message}; {BACK}",
    ),
    (Condition("Stalled", "True", "RolledBack", f"{FAILURE.message}; {BACK}", "web", "specs/shop/compose.yaml:12"),),
    BAD,
    FAILURE,
    STABLE,
    (IMAGE, PASSWORD),
    None,
    ("correct the spec (specs/shop/compose.yaml:12) or the image", "reconcile retry web"),
)
