"""git, run so that nothing but what is asked for happens: no configuration of the machine's, no hooks, no prompts.

Whatever fails is a SourceError in plain words, without anything secret in it.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from reconciler.model.settings import MEBIBYTE, GitSource
from reconciler.source.git.access import Access
from reconciler.source.git.failures import Failed, failure, unanswered
from reconciler.source.git.process import Bounds, Finished, run

NEEDED = (2, 34)  # ssh signatures; GIT_CONFIG_COUNT, which an older one would ignore, is of 2.31
OUTPUT = 32 * MEBIBYTE
MEMORY = 1024 * MEBIBYTE
SLACK = 16 * MEBIBYTE
_CONFIG = (
    ("core.hooksPath", "/dev/null"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.symlinks", "true"),
    ("core.protectHFS", "true"),
    ("core.protectNTFS", "true"),
    ("core.bigFileThreshold", "16m"),
    ("core.fsync", "none"),
    ("transfer.fsckObjects", "true"),
    ("transfer.unpackLimit", "1"),
    ("pack.threads", "1"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("credential.helper", ""),
    ("http.followRedirects", "initial"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "30"),
    ("advice.detachedHead", "false"),
    ("log.showSignature", "false"),
)


class Git:
    """git for one source. `folder` is where it may keep what it needs; `access` is for commands that go elsewhere.

    Once `stopped` is set, what runs is ended, and nothing is begun any more.
    """

    def __init__(self, settings: GitSource, folder: Path) -> None:
        self._settings = settings
        self._home = folder / "home"
        self.place = settings.place or settings.name
        self.stopped = threading.Event()

    def run(
        self,
        *arguments: str,
        access: Access | None = None,
        config: tuple[tuple[str, str], ...] = (),
        variables: Mapping[str, str] | None = None,
        guard: Callable[[], bool] | None = None,
    ) -> bytes:
        """What the command prints. SourceError where it fails."""
        access = access or Access()
        done = self.attempt(*arguments, access=access, config=config, variables=variables, guard=guard)
        if done.good:
            return done.out
        if self.stopped.is_set():
            raise unanswered("it was stopped", self.place, "it is asked again at the next start")
        command = next(word for word in arguments if not word.startswith("-"))
        words = _shown(done.err, access.secrets)
        raise failure(Failed(command, words, done.ended, self._settings, self.place, remote=bool(access.variables)))

    def attempt(
        self,
        *arguments: str,
        access: Access,
        config: tuple[tuple[str, str], ...] = (),
        variables: Mapping[str, str] | None = None,
        guard: Callable[[], bool] | None = None,
    ) -> Finished:
        """How the command ended. SourceError where there is no git that can be used."""
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = self._settings
        bounds = Bounds(
            settings.timeout, OUTPUT, settings.max_bytes + SLACK, MEMORY + settings.max_bytes, self._guard(guard)
        )
        environment = {
            **_environment(self._home, (*_CONFIG, *access.config, *config)),
            **dict(access.variables),
            **(variables or {}),
        }
        return run((self._program(), *arguments), environment, self._home, bounds)

    def _guard(self, guard: Callable[[], bool] | None) -> Callable[[], bool]:
        return lambda: not self.stopped.is_set() and (guard is None or guard())

    def _program(self) -> str:
        program = shutil.which("git")
        if program is None or _version(program) < NEEDED:
            needed = ".".join(map(str, NEEDED))
            raise unanswered("git is not installed, or is too old", self.place, f"install git {needed} or later")
        return program


def _environment(home: Path, config: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """All that git sees of this machine; its configuration is in variables, so that no file can be left over."""
    named = [(f"GIT_CONFIG_KEY_{number}", key) for number, (key, _) in enumerate(config)]
    values = [(f"GIT_CONFIG_VALUE_{number}", value) for number, (_, value) in enumerate(config)]
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_COUNT": str(len(config)),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_CEILING_DIRECTORIES": "/",
        **dict(named),
        **dict(values),
    }


@lru_cache(maxsize=4)
def _version(program: str) -> tuple[int, ...]:
    said = run((program, "version"), {"LC_ALL": "C"}, Path("/"), Bounds(10.0, SLACK, SLACK, MEMORY))
    found = re.search(rb"(\d+)\.(\d+)", said.out)
    return (int(found[1]), int(found[2])) if found else ()


_USERINFO = re.compile(r"//[^/\s@]*@")


def _shown(err: bytes, secrets: tuple[str, ...]) -> str:
    """What git said, made harmless: nothing secret, no control characters."""
    text = err.decode("utf-8", "replace")
    for secret in secrets:
        text = text.replace(secret, "***")
    text = _USERINFO.sub("//***@", text)
    lines = ["".join(letter for letter in line if letter.isprintable()).strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line)
