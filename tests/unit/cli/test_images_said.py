"""What `reconcile images` and `images lock` say of what is held back, refused or unreadable."""

from __future__ import annotations

from dataclasses import replace

from reconciler.app_images import ImagesReport, LockReport
from reconciler.cli.images_text import render_images, render_lock, short
from reconciler.cli.palette import PLAIN
from reconciler.images.resolution import Option
from reconciler.model.desired import Desired, Held, Target
from reconciler.model.memory import Failure, Memory
from reconciler.model.project import Notice
from reconciler.model.report import ImageRow
from reconciler.reports import image_rows
from reconciler.resolving import Resolution
from tests.support.planning import DIGEST, IMAGE, container, observed, project, service


def test_a_definition_in_quarantine_is_what_holds_an_image_back() -> None:
    """What it would run and what runs differ, and why is said, with the way out."""
    wanted = Desired(project(service()), targets={"web": Target("app:2", DIGEST)})
    resolution = Resolution(wanted.targets, Memory(), {"web": Option("app:2", DIGEST, 0.0)})
    failures = (Failure("web", "hash", "Exited", "web/1: exited (1)"), Failure("api", "hash", "Exited", "api/1"))
    (row,) = image_rows(wanted, observed(container()), resolution, failures)
    said = "in quarantine: web/1: exited (1); `reconcile retry web` tries it again"
    assert row.held == (Held(f"app:2@{DIGEST}", "quarantine", said, reason="Exited"),)
    (row,) = image_rows(wanted, observed(container()), resolution)
    assert row.held == ()


def test_a_refusal_is_said_once() -> None:
    """It is both what holds the image back and why the service has none."""
    refusal = "app:1@dddddddddddd: not signed"
    held = (Held(f"app:1@{DIGEST}", "signature", refusal, reason="SignatureMissing"),)
    row = ImageRow("shop", "web", "app:1", "pull_policy missing", "", held=held, error=refusal)
    assert render_images(ImagesReport((row,))).count(refusal) == 1


def test_a_lock_that_cannot_be_read_is_not_up_to_date() -> None:
    """The error alone is said, on stderr; without one nothing to change is good news."""
    broken = LockReport((), errors=(Notice("LockInvalid", "the lock is empty", "reconcile.lock"),))
    assert render_lock(broken, check=True, width=80, palette=PLAIN) == ""
    assert render_lock(LockReport(()), check=True, width=80, palette=PLAIN) == "reconcile.lock is up to date\n"


def test_what_the_next_run_takes_is_not_held_back() -> None:
    """A tag that was changed in the spec, and is local: it is what the registry has."""
    image = replace(IMAGE, digests=(f"app@{DIGEST}",))
    wanted = Desired(project(service()), targets={"web": Target("app:1")})
    resolution = Resolution(wanted.targets, Memory(), {"web": Option("app:1", DIGEST, 0.0)})
    (row,) = image_rows(wanted, observed(images=(image,)), resolution)
    assert (row.resolved, row.held) == (f"app:1@{DIGEST}", ())


def test_digests_are_shortened() -> None:
    """An image that was built here has no name by which it could be made from: its id stands alone."""
    assert short(f"app:1@{DIGEST}") == "app:1@dddddddddddd"
    assert short(DIGEST) == "dddddddddddd"
    assert short("app:1") == "app:1"
