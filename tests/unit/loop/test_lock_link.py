"""`reconcile.lock` as a link: several folders share one file."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING

from reconciler.engine.simulated import SimulatedEngine, VirtualClock
from reconciler.forecast import VirtualExecutor
from reconciler.model.observed import RegistryAnswer
from reconciler.pinning import lock_project
from reconciler.registries import Registries
from reconciler.resolving import Resolver
from reconciler.spec.lockfile import FILE_NAME, read_lock
from tests.support.planning import DIGEST, NOW, project, service

if TYPE_CHECKING:
    from pathlib import Path


def test_a_lock_is_written_where_its_link_leads(tmp_path: Path) -> None:
    """The link stays one, and whoever shares the file sees the change."""
    engine = SimulatedEngine(VirtualClock(0.0))
    engine.world.registry = {"app:1": RegistryAnswer(DIGEST)}
    resolver = Resolver(Registries(None), VirtualExecutor(engine), lambda: NOW, UTC)
    shared, folder = tmp_path / "shared.lock", tmp_path / "shop"
    folder.mkdir()
    shared.write_text("version: 1\n")
    (folder / FILE_NAME).symlink_to(shared)
    lock_project(replace(project(service()), working_dir=str(folder)), resolver, lambda _: True, NOW, write=True)
    assert (folder / FILE_NAME).is_symlink()
    assert DIGEST in shared.read_text()
    assert read_lock(str(folder), str(folder))["shop"]["web"].pin.digest == DIGEST
