"""Remove images that were superseded, one by one, each decided upon again right before. Called by `session`.

`images.collection` says which; nothing is removed by force, and no prune endpoint of the engine is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reconciler.errors import EngineError, EngineUnreachableError
from reconciler.images.bases import bases_of
from reconciler.images.collection import Facts, Past, Verdict, decide
from reconciler.model import labels
from reconciler.model.ledger import unused
from reconciler.model.observed import EngineInfo, ImageState, json_value
from reconciler.model.project import Notice
from reconciler.observation import image_from_row, image_user_from_row
from reconciler.observer import Gather, inspect_image_or_none

if TYPE_CHECKING:
    from reconciler.engine.protocol import Engine
    from reconciler.store import ProjectStore

AT_ONCE = 100
CONFLICT = 409


@dataclass(frozen=True)
class Collected:
    """What a pass found. In a dry-run `goes` of a verdict means that the image would go, else that it is gone.

    `errors` are removals that failed, besides those that the engine refused because the image is needed, and the
    specs that could not be read, for which it is `refused`.
    """

    engine: EngineInfo
    dry_run: bool
    verdicts: tuple[Verdict, ...]
    errors: tuple[Notice, ...] = ()
    warnings: tuple[Notice, ...] = ()
    refused: bool = False

    @property
    def size(self) -> int:
        """How many bytes that gives back at most."""
        return sum(verdict.size for verdict in self.verdicts if verdict.goes)


class Collector:
    """One pass over the images of an instance on an engine; the locks of its open projects are held by the caller.

    `kept` are the stores of its projects by name; of a project in `closed` nothing goes, for the reason given there;
    `wanted` are the names of images that specs in force want, each with who wants it; `others` are the stores of other
    instances' projects, by name: what those can go back to stays, and nothing is theirs to lose.
    """

    def __init__(
        self,
        engine: Engine,
        gather: Gather,
        now: Callable[[], float],
        kept: Mapping[str, ProjectStore],
        closed: Mapping[str, str],
        wanted: Mapping[str, str],
        others: Iterable[tuple[str, ProjectStore]] = (),
    ) -> None:
        self._engine = engine
        self._gather = gather
        self._now = now
        self._kept = kept
        self._closed = closed
        self._wanted = wanted
        ours = (_past(name, store, closed.get(name, "")) for name, store in kept.items())
        self._pasts = (*ours, *(replace(_past(name, store, ""), ledger={}) for name, store in others))
        self._inspected: dict[str, dict[str, Any]] = {}

    def forecast(self) -> Collected:
        """What `run` would do. Writes nothing. EngineError where the engine cannot be read."""
        verdicts = decide(self._read())
        return Collected(self._engine.info(), dry_run=True, verdicts=_at_most(verdicts))

    def run(self) -> Collected:
        """Remove what may go, at most 100 images, and forget it in the ledgers.

        EngineError where the engine cannot be read; a removal that it refuses or fails is part of what is returned.
        """
        verdicts, errors = [], []
        for verdict in self.forecast().verdicts:
            found, error = self._carry_out(verdict) if verdict.goes else (verdict, None)
            verdicts.append(found)
            errors += [error] if error else []
        self._write()
        return Collected(self._engine.info(), dry_run=False, verdicts=tuple(verdicts), errors=tuple(errors))

    def _read(self) -> Facts:
        """Everything on the engine, in this order: a container made after its row was read has an image that is 409."""
        rows = self._engine.list_images()
        users = tuple(image_user_from_row(row) for row in self._engine.list_containers())
        new = sorted({row["Id"] for row in rows} - self._inspected.keys())
        found = self._gather(inspect_image_or_none, new)
        self._inspected |= {key: raw or {} for key, raw in zip(new, found, strict=True)}
        images = tuple(image_from_row(row, self._inspected[row["Id"]]) for row in rows)
        return Facts(images, users, self._pasts, self._wanted, self._now())

    def _carry_out(self, verdict: Verdict) -> tuple[Verdict, Notice | None]:
        """Decide again on what is there now, and remove what goes still."""
        current = {one.image.id: one for one in decide(self._read())}.get(verdict.image.id)
        if current is None or not current.goes:
            return current or replace(verdict, goes=False, reason="somebody else removed it"), None
        steps = self._steps(current.image)
        if moved := self._moved(current):
            return replace(current, goes=False, reason=f"somebody else took its name {moved}"), None
        refused = self._remove(current.names)
        if refused:
            return replace(current, goes=False, reason=refused.message), _notice(refused, current)
        left = self._remove(steps)
        return replace(current, size=verdict.size), _notice(left, current) if left else None

    def _moved(self, verdict: Verdict) -> str:
        """A name that is no longer this image's, "" where all are: removing it would remove another image."""
        found = ((name, inspect_image_or_none(self._engine, name)) for name in verdict.names)
        return next((name for name, raw in found if not raw or raw["Id"] != verdict.image.id), "")

    def _remove(self, names: Iterable[str]) -> EngineError | None:
        """Remove names one after the other, until the engine refuses; its refusal."""
        try:
            for name in names:
                self._engine.remove_image(name)
        except EngineUnreachableError:
            raise
        except EngineError as error:
            return error
        return None

    def _steps(self, image: ImageState) -> list[str]:
        """The ids of the nameless images that the classic builder left of each step of a build, the last one first.

        They end where something begins that is an image of its own: what the build started from, what a service can go
        back to. The engine refuses to remove one that another image was built on, or that a container uses.
        """
        found: list[str] = []
        others = {*bases_of(image).values(), *(key for past in self._pasts for key in (*past.kept, *past.ledger))}
        raw: dict[str, Any] | None = self._inspected[image.id]
        while raw and labels.BUILD_KEY in image.labels and (parent := raw.get("Parent")):
            raw = inspect_image_or_none(self._engine, parent)
            if not raw or raw.get("RepoTags") or raw.get("RepoDigests") or _is_kept(raw) or parent in others:
                break
            found.append(parent)
        return found

    def _write(self) -> None:
        """Forget in the ledgers what is gone, and note from when on an image is no longer used."""
        facts = self._read()
        present = {image.id for image in facts.images}
        used = {name for user in facts.users for name in user.images}
        for name, store in self._kept.items():
            if name not in self._closed:
                memory = store.load()
                left = {key: entry for key, entry in memory.images.items() if key in present}
                store.save(replace(memory, images=unused(left, left.keys() - used, facts.now)))


def _past(name: str, store: ProjectStore, closed: str) -> Past:
    memory = store.load()
    revisions = tuple(store.revisions(service) for service in store.services())
    return Past(name, memory.images, tuple(memory.stable.values()), revisions, closed)


def _at_most(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """The verdicts in which no more go than one pass may remove."""
    later = f"one pass removes at most {AT_ONCE} images"
    return tuple(
        replace(verdict, goes=False, reason=later) if verdict.goes and number >= AT_ONCE else verdict
        for number, verdict in enumerate(verdicts)
    )


def _notice(error: EngineError, verdict: Verdict) -> Notice | None:
    """What failed; None where the engine only refused to remove what is needed."""
    return None if error.status == CONFLICT else Notice(error.code, error.message, verdict.names[0])


def _is_kept(raw: Mapping[str, Any]) -> bool:
    return labels.KEEP in (json_value(raw, "Config", "Labels") or {})
