"""Where a project came from: what decides, when its files are gone, whether its containers may go too."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """The source (its name in the settings) and the files that a project was read from last, at `commit` ("": none).

    `prune` is what the spec said of removals then, `at` since when all this is so, in
    seconds since the epoch. `left` says that the source has the project no more: it may be removed, and is never put in
    force from there again.
    """

    source: str
    files: tuple[str, ...]
    prune: bool
    commit: str = ""
    at: float = 0.0
    left: bool = False

    def may_go_with(self, source: str) -> bool:
        """Whether a project that this source does not have any more, read without fault, may be removed."""
        return self.prune and self.source == source
