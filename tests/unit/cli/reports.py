"""Reports made by hand: one project in the middle of everything, one in sync, one that cannot converge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.model.observed import EngineInfo
from reconciler.model.operation import Difference, Operation
from reconciler.model.project import Notice
from reconciler.model.report import ProjectReport, Report
from reconciler.model.step import Condition, ServiceStatus

if TYPE_CHECKING:
    from reconciler.model.operation import Impact, Kind

ENGINE = EngineInfo("lab-1", "ENGINE-ID", "28.3.1", "1.51")
SPEC = "specs/shop/compose.yaml"
DIGEST_A = "sha256:" + "a1" * 32
DIGEST_B = "sha256:" + "b2" * 32

IMAGE = Difference("image", f"shop/web:1.3@{DIGEST_A}", f"shop/web:1.4@{DIGEST_B}", f"{SPEC}:12")
LEVEL = Difference("environment.LOG_LEVEL", "info", "debug", f"{SPEC}:17")
PASSWORD = Difference("environment.DB_PASSWORD", "hunter2", "hunter3", f"{SPEC}:18")
GONE = Difference("", reason="not in the spec any more")


def operation(
    kind: Kind,
    resource: str,
    service: str | None = None,
    slot: int | None = None,
    *causes: Difference,
    impact: Impact = "none",
    after: tuple[str, ...] = (),
) -> Operation:
    """An operation of project shop whose id is its kind and resource."""
    return Operation(
        f"{kind}:{resource}", kind, resource, "shop", service, slot, after=after, impact=impact, cause=causes
    )


def replacement(service: str, slot: int, *causes: Difference, impact: Impact = "rolling") -> tuple[Operation, ...]:
    """The four operations that replace one replica start-first."""
    new, old = f"shop-{service}-{slot}-bbbbbbbb", f"shop-{service}-{slot}-aaaaaaaa"
    return (
        operation("container.create", new, service, slot, *causes, impact=impact),
        operation("container.start", new, service, slot, *causes, impact=impact, after=(f"container.create:{new}",)),
        operation("container.stop", old, service, slot, *causes, impact=impact, after=(f"container.start:{new}",)),
        operation("container.remove", old, service, slot, *causes, impact=impact, after=(f"container.stop:{old}",)),
    )


def service(name: str, counts: tuple[int, int, int, int], **more: Any) -> ServiceStatus:
    """A service's line: desired, running, healthy, up to date."""
    row: dict[str, Any] = {"image": f"shop/{name}:1.3", "digest": DIGEST_A, "health": "Healthy", "sync": "Synced"}
    return ServiceStatus(name, *counts, **{**row, **more})


SHOP = ProjectReport(
    "shop",
    ENGINE,
    operations=(
        operation(
            "network.create",
            "shop_backend",
            None,
            None,
            Difference("networks.backend", None, "defined", f"{SPEC}:40", "not on this engine"),
        ),
        operation("volume.create", "shop_data"),
        operation(
            "image.pull",
            f"shop/web:1.4@{DIGEST_B}",
            "web",
            None,
            Difference("image", None, "shop/web:1.4", f"{SPEC}:12", "not on this engine"),
        ),
        *replacement("web", 1, IMAGE, LEVEL, PASSWORD),
        *replacement("web", 2, IMAGE, LEVEL, PASSWORD),
        *replacement("web", 3, IMAGE, LEVEL, PASSWORD),
        operation(
            "container.create",
            "shop-web-4-bbbbbbbb",
            "web",
            4,
            Difference("deploy.replicas", 3, 4, f"{SPEC}:10", "web/4 does not exist"),
        ),
        operation("container.start", "shop-web-4-bbbbbbbb", "web", 4),
        *replacement("db", 1, Difference("volumes[0]", "db:/data", "db:/var/lib/data", f"{SPEC}:31"), impact="gap"),
        *replacement("api", 2, Difference("", reason="api/2 exited (137)"), impact="none"),
        operation("container.stop", "shop-old-1-aaaaaaaa", "old", 1, GONE),
        operation("container.remove", "shop-old-1-aaaaaaaa", "old", 1, GONE),
    ),
    services=(
        service(
            "api", (2, 1, 1, 1), health="Degraded", sync="OutOfSync", reason="Exited", message="api/2 exited (137)"
        ),
        service("cache", (1, 1, 1, 1)),
        service(
            "db", (1, 1, 1, 0), sync="OutOfSync", order="stop-first", order_reason="one replica writes to volume db"
        ),
        service("web", (3, 3, 3, 0), sync="OutOfSync", order="start-first", order_reason="nothing forbids two at once"),
    ),
    conditions=(Condition("Ready", "False", "Progressing", "changes are pending"),),
    converges=True,
    succeeded=True,
    unknown=(("web", "known after pull"),),
    source=SPEC,
    fingerprint="f00d",
)
HELLO = ProjectReport(
    "hello", ENGINE, services=(service("hello", (2, 2, 2, 2)),), in_sync=True, converges=True, succeeded=True
)
EDGE = ProjectReport(
    "edge",
    ENGINE,
    operations=(operation("container.create", "edge-proxy-1-bbbbbbbb", "proxy", 1),),
    services=(service("proxy", (1, 0, 0, 0), health="Missing", sync="OutOfSync"),),
    conditions=(
        Condition(
            "Stalled",
            "True",
            "PortInUse",
            'port 8080/tcp is published by container "nginx", which is not ours: stop that container, or choose '
            "another host port in the spec",
            "proxy",
            "specs/edge.yaml:9",
        ),
    ),
    source="specs/edge.yaml",
)
BACK = "went back to shop/web:1.3; not tried again until its spec or image changes, or `reconcile retry web`"
HELD = ProjectReport(
    "shop",
    ENGINE,
    services=(
        service(
            "web",
            (3, 3, 3, 0),
            health="Degraded",
            sync="OutOfSync",
            reason="RolledBack",
            message="web/1 was not healthy within 30 s",
        ),
    ),
    conditions=(
        Condition("Stalled", "True", "RolledBack", f"web/1 was not healthy within 30 s; {BACK}", "web", f"{SPEC}:12"),
    ),
    converges=True,
    succeeded=True,
    source=SPEC,
)
SKIPPED = Notice("NoServices", "skipped: neither services nor include in it", "specs/notes.yaml")
INVALID = Notice("SpecInvalid", "services.web.imge: unknown key, did you mean image?", "specs/bad.yaml:4")
PLAN = Report("plan", (SHOP, HELLO, EDGE), warnings=(SKIPPED,), errors=(INVALID,), refused=True, failed=True)
