"""Which state of its source a project is of: what plans, history and status say about where it came from."""

from __future__ import annotations

from dataclasses import dataclass

SHORT = 10


@dataclass(frozen=True)
class Revision:
    """One state of a source: a commit, or for a folder that is no checkout just the source's name.

    `commit` is the object name in full hex digits, `author` as `Name <address>`, `subject` the first line of the
    message, `at` the committer's time (seconds since the epoch), `ref` what was followed to it (`main`, `v1.4.2`).
    """

    source: str
    commit: str = ""
    author: str = ""
    subject: str = ""
    at: float = 0.0
    ref: str = ""

    @property
    def short(self) -> str:
        """The commit in ten digits, "" where there is none."""
        return self.commit[:SHORT]
