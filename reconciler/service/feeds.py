"""Asks the sources: each in a thread of its own and never twice at once, so that one that hangs delays nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.errors import ReconcilerError, SourceError, SpecError
from reconciler.model.settings import GitSource
from reconciler.service.mail import SourceRead
from reconciler.service.reading import Reader
from reconciler.service.surroundings import Surroundings
from reconciler.source.checkout import Checkout, Source
from reconciler.source.polling import Poll, next_poll


@dataclass
class Feed:
    """One source: `reader` makes projects of a checkout, `settings` say when a repository is to be asked again.

    `error` is why the newest state is not in force, `answers` how often it has answered.
    """

    source: Source
    reader: Reader
    settings: GitSource | None = None
    poll: Poll = field(default_factory=lambda: Poll(0.0))
    asking: bool = False
    again: bool = False
    error: ReconcilerError | None = None
    answers: int = 0
    due_at: float | None = None
    checkout: Checkout | None = None


class Feeds:
    """All sources, by name. For the dispatcher's thread."""

    def __init__(self, feeds: Mapping[str, Feed], surroundings: Surroundings, log: Any) -> None:
        self._feeds = dict(feeds)
        self._surroundings = surroundings
        self._log = log

    @property
    def all(self) -> Mapping[str, Feed]:
        """By name."""
        return self._feeds

    @property
    def busy(self) -> bool:
        """Whether some source is being asked."""
        return any(feed.asking for feed in self._feeds.values())

    def begin(self) -> None:
        """Put in force what is kept of each source, at once, and ask them all."""
        for name, feed in self._feeds.items():
            feed.asking = feed.again = True
            self._surroundings.start("source", name, lambda feed=feed: _kept(feed))  # type: ignore[misc]

    def stop(self) -> None:
        """Ask nobody any more, and wait for no answer."""
        for feed in self._feeds.values():
            feed.again, feed.due_at = False, None
            feed.source.stop()

    def ask(self, name: str) -> None:
        """Ask a source now, or once more when the present question is answered."""
        feed = self._feeds.get(name)
        if feed is None:
            return
        if feed.asking:
            feed.again = True
            return
        feed.asking, feed.again, feed.due_at = True, False, None
        self._surroundings.start("source", name, lambda: _asked(feed))

    def ask_due(self, now: float) -> None:
        """Ask those whose time has come."""
        for name, feed in self._feeds.items():
            if feed.due_at is not None and feed.due_at <= now:
                self.ask(name)

    def next_at(self) -> float | None:
        """When the next one is to be asked."""
        return min((feed.due_at for feed in self._feeds.values() if feed.due_at is not None), default=None)

    def heard(self, answer: SourceRead, now: float) -> None:
        """A source has answered, or has not; a trouble is told once, and that it is over."""
        feed = self._feeds[answer.source]
        feed.asking = False
        if answer.asked:
            self._note(feed, answer)
        if feed.again:
            self.ask(answer.source)
        elif feed.settings is not None:
            outcome = feed.error if isinstance(feed.error, SourceError) else None
            feed.poll = next_poll(feed.settings, feed.poll, outcome, now, self._surroundings.random)
            feed.due_at = feed.poll.at

    def _note(self, feed: Feed, answer: SourceRead) -> None:
        before = feed.error
        feed.answers += 1
        feed.error = _told(answer.error)
        log = self._log.bind(source=answer.source)
        if feed.error and str(feed.error) != str(before or ""):
            log.warning("source cannot be read", code=feed.error.code, error=str(feed.error), in_force=_shown(feed))
        elif before and not feed.error:
            log.info("source can be read again", in_force=_shown(feed))


def _kept(feed: Feed) -> SourceRead:
    """What was good when it was read last, before anybody is asked; where that holds no spec, what came up last."""
    name = feed.source.name
    try:
        checkout = feed.source.kept()
        if checkout is None:
            return SourceRead(name, asked=False)
        try:
            reading = feed.reader.read(checkout)
        except SpecError as error:
            return SourceRead(name, feed.reader.instead(checkout, error), asked=False)
        feed.checkout = checkout
        return SourceRead(name, reading, asked=False)
    except Exception as error:  # noqa: BLE001 - the edge of a thread: the dispatcher tells it
        return SourceRead(name, error=error, asked=False)


def _asked(feed: Feed) -> SourceRead:
    name = feed.source.name
    try:
        checkout = feed.source.fetch()
        if checkout is feed.checkout and checkout.revision.commit:
            return SourceRead(name)
        reading = feed.reader.read(checkout)
        feed.checkout = checkout
    except Exception as error:  # noqa: BLE001 - as above
        return SourceRead(name, error=error)
    return SourceRead(name, reading)


def _told(error: Exception | None) -> ReconcilerError | None:
    """The error as it is shown; one that nobody foresaw by its kind alone, for its text may hold anything."""
    if error is None or isinstance(error, ReconcilerError):
        return error
    return ReconcilerError(f"internal error: {type(error).__name__}", code="Internal")


def _shown(feed: Feed) -> str:
    if feed.checkout is None:
        return "nothing yet"
    return feed.checkout.revision.short or "what was read last"
