"""The heart of the service: one thread that hears of everything and decides whose turn it is. It never waits for work.

It decides nothing about containers: passes do (`passes`), elsewhere, and tell it how they ended. Whatever happened, a
project is compared whole; what happened only says that it is time to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from reconciler.errors import EngineUnreachableError, LockedError, PolicyError, ReconcilerError, SpecError
from reconciler.hub.inventory import NOBODYS
from reconciler.model.project import Notice
from reconciler.model.report import ProjectReport
from reconciler.service import telling
from reconciler.service.agenda import Agenda, Due, Urgency
from reconciler.service.backoff import Backoff
from reconciler.service.engine_health import EngineHealth
from reconciler.service.feeds import Feeds
from reconciler.service.fleet import Fleet
from reconciler.service.keeper import Keeper, is_removed
from reconciler.service.mail import (
    Apart,
    Asked,
    Collected,
    EngineLooked,
    Happened,
    Looked,
    Message,
    Reload,
    Rolled,
    SourceChanged,
    SourceRead,
    Stop,
)
from reconciler.service.surroundings import LOOKERS, SLOW, Surroundings
from reconciler.service.work import Work

LOCKED_SECONDS = 2.0
ENGINE = "engine"


class Dispatcher:
    """See the module. `ids` gives each pass its name; `on_reading` hears that other files may count now."""

    def __init__(
        self,
        feeds: Feeds,
        work: Work,
        surroundings: Surroundings,
        backoff: Backoff,
        log: Any,
        ids: Callable[[], str],
        on_reading: Callable[[], None] = lambda: None,
        *,
        resync: float,
        full: float,
        collect: float,
    ) -> None:
        self.fleet = Fleet()
        self.keepers: dict[str, Keeper] = {}
        self.engine = EngineHealth(resync, backoff, surroundings.random, log)
        self.agenda = Agenda()
        self._feeds = feeds
        self._work = work
        self._surroundings = surroundings
        self._backoff = backoff
        self._log = log
        self._ids = ids
        self._on_reading = on_reading
        self._full = full
        self._collect = collect
        self._full_due = 0.0
        self._collect_due: float | None = None
        self._collecting = False
        self._stopping = False

    @property
    def feeds(self) -> Feeds:
        """The sources."""
        return self._feeds

    @property
    def settled(self) -> bool:
        """Whether nothing is under way or about to be: only timers are left."""
        return self.agenda.idle and not (self._feeds.busy or self.engine.looking or self._collecting)

    def run(self) -> None:
        """Serve until told to stop, and until what was under way then has ended."""
        self._feeds.begin()
        self._full_due = self._surroundings.now() + self._full
        while not (self._stopping and self._at_rest()):
            self.turn()
        self._surroundings.close()
        stopped = ReconcilerError("the service is stopping", code="Stopped", hint="ask again once it runs")
        for keeper in self.keepers.values():
            keeper.served += keeper.waiting
            keeper.tell(None, stopped)

    def turn(self) -> None:
        """Begin what is due, wait for something to happen, take it in."""
        if not self._stopping:
            self._begin_due(self._surroundings.now())
        for message in self._surroundings.wait(self._until()):
            self.hear(message)

    def hear(self, message: Message) -> None:  # noqa: C901 - a table of who hears what
        """Take in one message."""
        match message:
            case SourceChanged():
                self._feeds.ask(message.source)
            case SourceRead():
                self._source_read(message)
            case Happened():
                self._happened(message)
            case Apart():
                if keeper := self.keepers.get(message.project):
                    keeper.counts_until = 0.0
            case Looked():
                self._looked(message)
            case Rolled():
                self._rolled(message)
            case EngineLooked():
                self._engine_looked(message)
            case Collected():
                self._collected(message)
            case Asked():
                message.call()
            case Reload():
                self.reload()
            case Stop():
                self._stop()

    def reload(self) -> None:
        """Ask all sources and compare everything."""
        self._log.info("asked to look at everything again")
        for name in self._feeds.all:
            self._feeds.ask(name)
        self._everybody(Urgency.ASKED, "asked to", full=True)

    def ask_for(self, project: str, reason: str) -> None:
        """Have a project looked at because a person wants it; a rollout of it that waits is taken over."""
        self.agenda.release(project)
        self.agenda.add(project, Urgency.ASKED, reason)
        self._take_over(project)

    def ask_for_all(self, projects: Iterable[str], reason: str) -> None:
        """The same of several."""
        for project in projects:
            self.ask_for(project, reason)

    def keeper(self, project: str) -> Keeper:
        """What is known of a project; a new one is entered."""
        return self.keepers.setdefault(project, Keeper(project))

    def _until(self) -> float | None:
        if self._stopping:
            return None
        times = [self._full_due, self._feeds.next_at()]
        times += [] if self.engine.looking else [self.engine.due]
        times += [self._collect_due] if self.settled else []
        counting = self._counting(self._surroundings.now())
        if len(counting) >= LOOKERS:
            times.append(min(counting))
        elif not self.engine.error:
            times.append(self.agenda.next_at())
        return min(time for time in times if time is not None)

    def _at_rest(self) -> bool:
        return not any(keeper.state in {"looking", "rolling"} for keeper in self.keepers.values())

    def _counting(self, now: float) -> list[float]:
        """The looks that others wait for, by the time from which they do not: one that takes long delays nobody."""
        looks = (keeper.counts_until for keeper in self.keepers.values() if keeper.state == "looking")
        return [until for until in looks if until > now]

    def _begin_due(self, now: float) -> None:
        self._feeds.ask_due(now)
        if self.engine.begins(now):
            self._surroundings.start("look", ENGINE, self._work.look_at_engine)
        if self._full_due <= now:
            self._full_due = now + self._full
            self._everybody(Urgency.ROUTINE, "full look", full=True)
        if self.engine.error:
            return  # nothing is decided while nothing is known
        for due in self.agenda.take(now, max(0, LOOKERS - len(self._counting(now)))):
            self._begin(due, now)
        self._begin_collecting(now)

    def _begin(self, due: Due, now: float) -> None:
        keeper, member = self.keeper(due.project), self.fleet.members.get(due.project)
        if member is None and not keeper.leaving:
            self.agenda.done(due.project)
            keeper.tell(keeper.report, None)
            return
        keeper.begin(self._ids(), now + SLOW)
        work = self._work
        self._surroundings.start("look", due.project, lambda: work.look(keeper, member, due.reasons))

    def _begin_collecting(self, now: float) -> None:
        if self._collect_due is None or self._collect_due > now or not self.settled or self.engine.failures:
            return
        self._collect_due, self._collecting = None, True
        members, unread = tuple(self.fleet.members.values()), self._unread()
        self._surroundings.start("source", "collect", lambda: self._work.collect(members, unread=unread))

    def _unread(self) -> bool:
        return self.fleet.unread or any(feed.checkout is None for feed in self._feeds.all.values())

    def _everybody(self, urgency: Urgency, reason: str, *, full: bool = False) -> None:
        for name, keeper in self.keepers.items():
            keeper.full = keeper.full or full
            self.agenda.add(name, urgency, reason)

    def _happened(self, message: Happened) -> None:
        if message.lost:
            self.engine.due = 0.0
            self._everybody(Urgency.ROUTINE, "events were lost")
        self._concern(message.projects, Urgency.HAPPENED, "engine event")

    def _concern(self, projects: frozenset[str], urgency: Urgency, reason: str) -> None:
        """Compare these; what is nobody's ("") may have been in the way of those that are not in sync."""
        off = {name for name, keeper in self.keepers.items() if not (keeper.report and keeper.report.in_sync)}
        for name in (projects & self.keepers.keys()) | (off if NOBODYS in projects else set()):
            if self.keepers[name].state != "rolling":
                self.agenda.add(name, urgency, reason)

    def _engine_looked(self, message: EngineLooked) -> None:
        now, self.engine.looking = self._surroundings.now(), False
        if message.error is not None:
            self.engine.failed(message.error, now)
            return
        self.engine.due = now + self.engine.resync
        self._engine_answers()
        self._concern(message.projects, Urgency.ROUTINE, "found changed")

    def _engine_answers(self) -> None:
        if self.engine.answered():
            self._everybody(Urgency.HAPPENED, "engine answers again", full=True)

    def _source_read(self, message: SourceRead) -> None:
        now = self._surroundings.now()
        self._feeds.heard(message, now)
        if message.reading is None:
            return
        name, before = message.source, self.fleet.revision(message.source)
        errors = self.fleet.errors
        had = dict(self.fleet.members)
        known = self._work.known(name)
        leaving = {project for project, keeper in self.keepers.items() if keeper.leaving}
        change = self.fleet.take(message.reading, {key: known[key] for key in known.keys() - leaving})
        self._on_reading()
        telling.tell_reading(self._log, message, change, new=before != message.reading.revision)
        for error in [error for error in self.fleet.errors if error not in errors]:
            self._log.warning("spec refused", source=error.source, code=error.code, error=error.message)
        for project in sorted(change.changed):
            self._changed(project, "spec changed")
        for project in sorted(change.gone):
            if project in had and not had[project].project.prune:
                self._let_go(project)
            else:
                self._changed(project, "left its source", leaving=True)
                self.keeper(project).source = had[project].project.source if project in had else known[project][0]
        for project in sorted(change.moved):
            self.agenda.add(project, Urgency.ROUTINE, "another revision")

    def _changed(self, project: str, reason: str, *, leaving: bool = False) -> None:
        keeper = self.keeper(project)
        keeper.leaving = leaving
        keeper.forget_work()
        self.agenda.release(project)
        self.agenda.add(project, Urgency.CHANGED, reason)
        self._take_over(project)

    def _let_go(self, project: str) -> None:
        """A project that left its source and must not be pruned is left as it runs, and nobody's from now on."""
        self._log.warning("project left its source and is left running", project=project, because="prune: false")
        self._forget(project)

    def _forget(self, project: str) -> None:
        self._take_over(project)
        self.agenda.forget(project)
        if keeper := self.keepers.pop(project, None):
            keeper.ask_again()
            keeper.served, keeper.waiting = keeper.waiting, []
            keeper.tell(None, ReconcilerError(f"project {project} left its source", code="LeftSource"))
        self._work.drop(project)

    def _take_over(self, project: str) -> None:
        """What is under way for the project is not what is wanted of it any more."""
        keeper = self.keepers.get(project)
        if keeper and keeper.state in {"looking", "rolling"}:
            keeper.stop.set()
            if keeper.state == "rolling":
                self._work.wake(project)

    def _looked(self, message: Looked) -> None:
        keeper, now = self.keepers.get(message.project), self._surroundings.now()
        if keeper is None or keeper.pass_id != message.pass_id or keeper.stop.is_set():
            self._outdated(keeper, message)
            return
        if message.error is not None:
            self._failed(keeper, message.error, now, message.seconds)
            return
        self._engine_answers()
        keeper.report, keeper.error, keeper.errors, keeper.full = message.report, "", (), False
        report = message.report
        self.agenda.at(keeper.name, "time has come", message.wake_at)
        if message.forecast is None or report is None or self._stopping:
            if message.forecast:
                message.forecast.release()
            self._rest(keeper, report, message, failed=False)
        elif keeper.note_work(report):
            message.forecast.release()
            self._in_vain(keeper, message)
        else:
            keeper.state = "rolling"
            telling.tell_work(self._log, keeper, report, message.seconds)
            self._surroundings.start("roll", keeper.name, lambda: self._work.roll(keeper, message))

    def _outdated(self, keeper: Keeper | None, message: Looked) -> None:
        """While it was looked at, something else came to be wanted of the project: nothing follows from that look."""
        if message.forecast:
            message.forecast.release()
        self.agenda.done(message.project)
        if keeper and keeper.pass_id == message.pass_id:
            keeper.state = "idle"
            keeper.ask_again()

    def _in_vain(self, keeper: Keeper, message: Looked) -> None:
        """The same again and again: it is done once more, but later and later."""
        times = keeper.repeats - 1
        keeper.error = f"the same work was done {times} times in a row and does not last"
        keeper.errors = (Notice("DoesNotLast", keeper.error, keeper.name),)
        self._rest(keeper, message.report, message, failed=True)

    def _rolled(self, message: Rolled) -> None:
        keeper, now = self.keepers.get(message.project), self._surroundings.now()
        if keeper is None or keeper.pass_id != message.pass_id:
            self.agenda.done(message.project)
            return
        if message.error is not None:
            self._failed(keeper, message.error, now, message.seconds)
            return
        keeper.report, keeper.live = message.report or keeper.report, ()
        taken_over = keeper.stop.is_set()
        succeeded = message.report is None or message.report.succeeded
        self._collect_due = now + self._collect
        telling.tell_rolled(self._log, keeper, message, taken_over=taken_over)
        if succeeded or taken_over:
            keeper.failures, keeper.error, keeper.errors = 0, "", ()
            keeper.state = "idle"
            self.agenda.done(keeper.name)
            keeper.tell(keeper.report, None)
            if not self._stopping:
                self.agenda.add(keeper.name, Urgency.CHANGED, "its work has ended")
        else:
            self._hold(keeper, now)
            keeper.tell(keeper.report, None)

    def _rest(self, keeper: Keeper, report: ProjectReport | None, message: Looked, *, failed: bool) -> None:
        """Nothing is done now: all is well, or a person has to act, or it is to be tried later."""
        now = self._surroundings.now()
        telling.tell_pass(self._log, keeper, report, message.seconds)
        keeper.tell(report, None)
        if keeper.leaving and report and is_removed(report):
            self._left(keeper)
        elif failed:
            self._hold(keeper, now)
        else:
            keeper.failures, keeper.state = 0, "idle"
            self.agenda.done(keeper.name)

    def _left(self, keeper: Keeper) -> None:
        keeper.leaving = False
        self.agenda.done(keeper.name)
        if keeper.name not in self.fleet.members:
            self._forget(keeper.name)

    def _hold(self, keeper: Keeper, now: float) -> None:
        keeper.failures += 1
        keeper.state = "held"
        until = now + self._backoff.delay(keeper.failures, self._surroundings.random)
        self.agenda.done(keeper.name)
        self.agenda.hold(keeper.name, until)
        self.agenda.at(keeper.name, "tried again", until)

    def _failed(self, keeper: Keeper, error: Exception, now: float, seconds: float) -> None:
        if isinstance(error, EngineUnreachableError):
            self.agenda.done(keeper.name)
            keeper.state = "idle"
            self.agenda.add(keeper.name, Urgency.ROUTINE, "engine did not answer")
            self.engine.failed(error, now)
        elif isinstance(error, LockedError):
            self.agenda.done(keeper.name)
            keeper.state = "held"
            self.agenda.hold(keeper.name, now + LOCKED_SECONDS)
            self.agenda.at(keeper.name, "lock is free", now + LOCKED_SECONDS)
        elif isinstance(error, PolicyError | SpecError):
            self.agenda.done(keeper.name)
            keeper.state, keeper.failures = "refused", 0
        else:
            self._hold(keeper, now)
        keeper.error, keeper.errors, keeper.live = (
            telling.error_text(error),
            telling.error_notices(error, keeper.name),
            (),
        )
        telling.tell_failed(self._log, keeper, error, seconds)
        keeper.tell(None, error)

    def _collected(self, message: Collected) -> None:
        self._collecting = False
        if message.error is not None:
            self._log.warning("superseded images cannot be collected", error=telling.error_text(message.error))
        elif message.removed:
            self._log.info("superseded images collected", removed=message.removed)

    def _stop(self) -> None:
        self._stopping = True
        rolling = [name for name, keeper in self.keepers.items() if keeper.state == "rolling"]
        self._log.info("stopping", under_way=len(rolling))
        self._feeds.stop()
        for name in rolling:
            self._take_over(name)
