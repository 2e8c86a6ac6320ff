"""`reconcile serve` as a process of its own beside a test's site, and the commands that ask it over its socket."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.service.client import RunningService
from tests.support.command import ROOT, Ran, finish, until

if TYPE_CHECKING:
    from tests.support.command import Site

_FROM_THE_FILE = {"RECONCILER_STATE_DIR", "RECONCILER_SOCKET", "RECONCILER_CONFIG"}
QUICK = {"resync": "2s", "backoff": {"first": "200ms", "most": "2s"}, "log": {"format": "json", "level": "debug"}}


@dataclass
class Daemon:
    """One installation: its settings file, its state, its socket. The test starts and ends the service in it."""

    site: Site
    folder: Path
    sources: list[dict[str, Any]]
    more: Mapping[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "config.yaml"

    @property
    def socket(self) -> Path:
        """Where the service listens."""
        return self.folder / "s.sock"

    def start(self) -> None:
        """Have the service run; it listens when this returns."""
        places = {"state_dir": str(self.folder / "state"), "socket": str(self.socket)}
        self.config.write_text(json.dumps({"sources": self.sources, **places, **QUICK, **self.more}, indent=1))
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "reconciler", "serve", "--config", str(self.config)],
                cwd=self.folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.until(self.socket.exists)

    def stop(self) -> None:
        """SIGTERM; it is to end with 0, and without a word of an error that nobody foresaw."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it did not end\n{self.said}") from None
        self.process = None
        assert code == 0, f"exit {code}\n{self.said}"
        assert "internal error" not in self.said, self.said
        assert "Traceback" not in self.said, self.said

    def run(self, command: str, *arguments: str) -> Ran:
        """A command that asks the service, to its end."""
        asked = (command, *arguments, "--socket", str(self.socket))
        process = subprocess.Popen(
            [sys.executable, "-m", "reconciler", *asked],
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return finish(process, asked)

    @property
    def commit(self) -> str:
        """The commit that the project is of, as the service answers at its socket: quicker than by the command."""
        (found,) = RunningService(str(self.socket)).status((self.site.name,), (), deep=False).projects
        return found.revision.commit if found.revision else ""

    @property
    def errors(self) -> dict[str, str]:
        """What the service answers there that is wrong: where and what, by code."""
        found = RunningService(str(self.socket)).status((), (), deep=False).errors
        return {error.code: f"{error.source}: {error.message}" for error in found}

    def until(self, condition: Any) -> None:
        """Wait until this is true; fails with what the service has said where it does not become true, or it ended."""

        def holds() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, "the service ended"
            return bool(condition())

        try:
            until(holds, 30)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said}") from None

    @property
    def said(self) -> str:
        """Its log so far, of all its lives."""
        return self._log.read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines of it."""
        return [json.loads(line) for line in self.said.splitlines()]

    @property
    def settled(self) -> bool:
        """Whether the project of the site was found in sync by the last pass that the log tells of."""
        passes = [line for line in self.log if line.get("project") == self.site.name and "pass" in line]
        return bool(passes) and passes[-1].get("decided") == "in sync"

    @property
    def _log(self) -> Path:
        return self.folder / "log"


@contextmanager
def daemon(site: Site, *sources: dict[str, Any], **more: Any) -> Iterator[Daemon]:
    """One that runs and follows these sources; ended, and the containers removed, afterwards."""
    with tempfile.TemporaryDirectory(prefix="rct-") as folder:
        found = Daemon(site, Path(folder), list(sources), more)
        try:
            found.start()
            yield found
            if found.process:
                found.stop()
        finally:
            if found.process:
                found.process.kill()
                found.process.wait()
            site.sweep()


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _FROM_THE_FILE}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
