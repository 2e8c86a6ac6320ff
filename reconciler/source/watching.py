"""Tells of changes to files and folders, within a moment of the last write to them.

inotify only wakes: what changed is found by looking (`survey`), so nothing is missed while watches are put anew, and
nothing is reported that is as it was. Folders are watched, never files: a file that is saved is often another one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reconciler.logs import get_logger
from reconciler.source.survey import MOST, NOTHING, Survey, survey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from watchfiles._rust_notify import RustNotify

QUIET_MS = 50  # a change is told of when nothing was written for this long ...
LONGEST_MS = 500  # ... or at the latest after this
POLL = 2.0  # seconds between two looks where nothing can be watched


class Watcher:
    """Calls `on_change` with the paths that changed, in a thread of its own, from `start` to `stop`.

    `paths` gives what to watch (absolute; folders with all that is below them) and is asked again after every change
    and after `refresh`. What is new among them is told of as changed. Paths need not exist.
    """

    def __init__(self, paths: Callable[[], Iterable[str]], on_change: Callable[[frozenset[str]], None]) -> None:
        self._paths = paths
        self._on_change = on_change
        self._stopped = threading.Event()
        self._wake = threading.Event()
        self._warned: set[str] = set()
        self._seen = NOTHING
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin; what is there now is where changes are counted from."""
        self._seen = self._survey()
        self._thread.start()

    def refresh(self) -> None:
        """Ask for the paths at once: they may be others now."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread; nothing is told of after this returns. Not to be called by `on_change`."""
        self._stopped.set()
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        armed = self._seen
        while not self._stopped.is_set():
            try:
                with self._notifier(armed) as notify:
                    armed = self._follow(notify, armed)
            except Exception as error:  # noqa: BLE001 - a thread that died would be missed by nobody
                self._warn("watching", "files cannot be watched; trying again", error=str(error))
                self._stopped.wait(POLL)

    @contextmanager
    def _notifier(self, armed: Survey) -> Iterator[RustNotify | None]:
        """Watches on all folders, None where the machine has no more of them to give."""
        from watchfiles._rust_notify import (
            RustNotify,
        )  # `watchfiles.watch` puts its watches too late: at the first wait

        try:
            notify = RustNotify(sorted(armed.folders), False, False, 0, False, False)  # noqa: FBT003 - the API
        except FileNotFoundError:
            yield None  # a folder has just gone: the next look says which
            return
        except (OSError, RuntimeError) as error:
            hint = "raise fs.inotify.max_user_watches"
            self._warn("polling", "folders cannot be watched; looking every 2 s instead", error=str(error), hint=hint)
            yield None
            return
        try:
            yield notify
        finally:
            notify.close()

    def _follow(self, notify: RustNotify | None, armed: Survey) -> Survey:
        """Tell of changes until other folders have to be watched: then the survey that says which."""
        while not self._stopped.is_set():
            now = self._look()
            if now.folders.keys() != armed.folders.keys():
                return now
            armed = now
            lost = self._wait(notify, armed)
            self._wake.clear()
            if lost:
                return self._look()
        return armed

    def _wait(self, notify: RustNotify | None, armed: Survey) -> bool:
        """Wait for a change that concerns us or a reason to look; whether watches may be missing after it."""
        if notify is None:
            self._wake.wait(POLL)
            return True
        while True:
            found = notify.watch(LONGEST_MS, QUIET_MS, 0, self._wake)
            if isinstance(found, str):
                return False
            paths = [path for _, path in found]
            if any(armed.concerns(path) for path in paths):
                return any(path in armed.folders for path in paths)

    def _look(self) -> Survey:
        """What is there now; tells of what changed since the last look."""
        now = self._survey()
        changed, self._seen = now.since(self._seen), now
        if changed and not self._stopped.is_set():
            self._tell(changed)
        return now

    def _survey(self) -> Survey:
        now = survey(self._paths())
        if not now.complete:
            self._warn("many", "more files than can be watched", most=MOST)
        return now

    def _tell(self, changed: frozenset[str]) -> None:
        try:
            self._on_change(changed)
        except Exception:  # noqa: BLE001 - whatever it was, the next change has to be told of
            get_logger().exception("a change of files was told of in vain")

    def _warn(self, code: str, event: str, **more: Any) -> None:
        """Once for each code."""
        if code not in self._warned:
            self._warned.add(code)
            get_logger().warning(event, **more)
