"""Where the proof runs: an engine, the guard in front of it, an image, and folders for specs."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.engine.docker import connect
from reconciler.engine.docker_connect import resolve_target
from tests.support.command import Site, api_client, build
from tests.support.guard import Guard
from tests.support.proxy import tapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.proxy import Moment, Request, Tap

# Serves its release on port 8080, as long as it lives.
SERVE = "mkdir -p /www && echo $$RELEASE > /www/index.html && httpd -p 8080 -h /www"
CHECK = {"test": ["CMD", "wget", "-q", "-O-", "http://127.0.0.1:8080/"], "interval": "300ms", "retries": 2}


@dataclass
class Lab:
    """One engine. What the program asks of it is counted by `tap` and judged by `guard`."""

    api: Any
    image: str
    tap: Tap
    guard: Guard
    folder: Path
    on_request: Callable[[Request, Moment], None] | None = None

    @contextlib.contextmanager
    def site(self) -> Iterator[Site]:
        """A project of its own, removed afterwards."""
        name = f"rcp-{uuid.uuid4().hex[:8]}"
        folder = self.folder / name
        folder.mkdir()
        site = Site(name, folder, self.api, self.image, {"DOCKER_HOST": self.tap.host})
        try:
            yield site
        finally:
            site.sweep()

    def listen(self, request: Request, moment: Moment) -> None:
        """What the tap calls: the guard first, then whoever listens for the length of a run."""
        self.guard.on_request(request, moment)
        if self.on_request:
            self.on_request(request, moment)

    def writes_since(self, count: int) -> list[str]:
        """The requests since then that may change something."""
        return [line for line in self.tap.asked[count:] if not line.startswith(("GET ", "HEAD "))]


@contextlib.contextmanager
def lab() -> Iterator[Lab]:
    """The default engine, which has to listen on a socket of this machine."""
    host = resolve_target(None, None, os.environ).host
    engine = connect()
    api: Any = api_client(engine.info())
    engine.close()
    image = f"rcp-image-{uuid.uuid4().hex[:8]}:1"
    build(api, image)
    with (
        tempfile.TemporaryDirectory(prefix="rcp-") as folder,
        tapped(host.partition("://")[2], Path(folder) / "tap.sock") as tap,
    ):
        found = Lab(api, image, tap, Guard(), Path(folder))
        tap.on_request = found.listen
        try:
            yield found
        finally:
            api.remove_image(image)
            api.close()


def serving(site: Site, release: int, **fields: Any) -> dict[str, Any]:
    """A service that answers with its release, healthy within a second, and watched for as long."""
    rollout = {"publish": "healthy", "progress_deadline": "20s", **fields.pop("rollout", {})}
    update = {"order": "start-first", "monitor": "1s", **fields.pop("update", {})}
    return {
        "image": site.image,
        "command": ["sh", "-c", f"{SERVE}; sleep 600"],
        "environment": {"RELEASE": str(release)},
        "healthcheck": CHECK,
        "deploy": {"update_config": update, "rollback_config": {"monitor": "500ms"}},
        "x-reconcile": {"rollout": rollout},
        **fields,
    }
