"""A source that follows a test's forge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import SourceError
from reconciler.model.settings import GitRef, GitSource
from reconciler.source.git.repository import GitRepository

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.git_server import Forge

SPEC = b"services: {web: {image: web:1}}\n"
PLACE = "settings.yaml:3"


def settings(forge: Forge, kind: Any = "branch", value: str = "main", **more: Any) -> GitSource:
    """Settings that follow the forge's repository `shop`."""
    url = more.pop("url", f"{forge.url}/shop.git")
    return GitSource("shop", url, GitRef(kind, value), place=PLACE, **more)


def source(forge: Forge, folder: Path, kind: Any = "branch", value: str = "main", **more: Any) -> GitRepository:
    """A source that follows it, with its data below that folder."""
    return GitRepository(settings(forge, kind, value, **more), folder / "data")


def refusal(repository: GitRepository) -> SourceError:
    """The error that its fetch ends with."""
    with pytest.raises(SourceError) as caught:
        repository.fetch()
    assert caught.value.source == PLACE
    return caught.value
