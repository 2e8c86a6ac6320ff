"""A project as one engine can be asked for it: copies of a repository's files, or files that are put into containers.

Called by `session` before anything is planned. Writes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.files.materialising import Places, materialised
from reconciler.files.serving import for_engine
from reconciler.files.trees import Tree
from reconciler.model.observed import EngineInfo
from reconciler.model.project import Project
from reconciler.model.settings import Settings


def places_of(settings: Settings) -> Places:
    """Where copies are kept, as the settings say. What the engine calls that is known only where somebody said it."""
    said = "host_data_dir" in settings.places
    return Places(settings.data_dir, settings.host_data_dir if said else "")


@dataclass(frozen=True)
class Fitted:
    """The project, and what `keeping.write` has to copy before its first operation."""

    project: Project
    trees: tuple[Tree, ...] = ()


def fitted(project: Project, info: EngineInfo, places: Places) -> Fitted:
    """The project with mounts that the engine can serve. SpecErrors where it cannot be.

    Copies serve an engine that sees our files, and one for which somebody said what it calls our folder.
    """
    if project.from_git and (info.shares_files or places.host_data_dir):
        return Fitted(*materialised(project, project.checkout, places))
    return Fitted(for_engine(project, info))
