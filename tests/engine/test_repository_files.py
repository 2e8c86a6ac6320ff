"""Files of a repository in containers of a real engine: copies that outlive the checkout that they came with."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.command import until

if TYPE_CHECKING:
    from pathlib import Path

    from reconciler.model.report import ProjectReport
    from tests.support.command import Site

pytestmark = pytest.mark.engine


def converge(site: Site, checkout: Path, data: Path, page: str) -> ProjectReport:
    """What the service does with a commit that has this page, in a checkout of its own."""
    from reconciler.loading import Selection, load_specs
    from reconciler.model.settings import Settings
    from reconciler.opening import open_session
    from reconciler.store import Store

    (checkout / "pages").mkdir(parents=True)
    (checkout / "pages/index").write_text(page)
    (checkout / "pages/run").write_text("#!/bin/sh\necho ran\n")
    (checkout / "pages/run").chmod(0o755)
    (checkout / "pages/link").symlink_to("index")
    shutil.copy(site.spec, checkout)
    (project,) = load_specs(Selection(str(checkout), confined_to=str(checkout)), os.environ).projects
    project = replace(project, from_git=True, checkout=str(checkout))
    with (
        Store.open(site.state) as store,
        open_session(
            None, None, "default", (project,), store, Settings(data_dir=str(data), host_data_dir=str(data))
        ) as session,
    ):
        return session.converge(project, lambda _: None, lambda _: None, lambda: False, 60)


def test_copies_outlive_their_checkout(site: Site, tmp_path: Path) -> None:
    """Read-only, links and programs in place; a commit without a change leaves the container alone."""
    data = tmp_path / "data"
    quiet = {"mutation": {"filesystem": "ignore"}, "rollout": {"min_running": "100ms"}}
    site.write(web=site.service(volumes=["./pages:/pages:ro"], **{"x-reconcile": quiet}))
    assert converge(site, tmp_path / "one", data, "first").succeeded
    container = site.only("web")["Id"]
    shutil.rmtree(tmp_path / "one")
    assert site.execute(container, "cat", "/pages/link") == "first"
    assert site.execute(container, "/pages/run") == "ran"
    assert "Read-only" in site.execute(container, "sh", "-c", "echo x > /pages/index 2>&1; true")
    site.api.restart(container)
    until(lambda: site.running("web"))
    assert site.execute(container, "cat", "/pages/index") == "first"
    assert converge(site, tmp_path / "two", data, "first").operations == ()
    assert site.only("web")["Id"] == container
    report = converge(site, tmp_path / "three", data, "second")
    assert {item.reason for item in report.operations[0].cause} == {"the content of ./pages changed"}
    assert site.execute(site.only("web")["Id"], "cat", "/pages/index") == "second"
    assert len(list((data / site.name).iterdir())) == 2
