"""What a reader notes of the projects that came from its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.loading import Selection
from reconciler.model.origin import Origin
from reconciler.model.settings import DirectorySource
from reconciler.service.reading import Reader
from reconciler.source.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path

HERE = Origin("ops", ("shop.yaml",), prune=True)
ELSEWHERE = Origin("other", ("their.yaml",), prune=True)
GOOD = "services: {web: {image: 'web:1'}}\n"


@pytest.mark.parametrize(
    ("text", "origins", "noted"),
    [
        (f"name: shop\n{GOOD}", {"shop": HERE}, {"shop": False}),
        (f"name: store\n{GOOD}", {"shop": HERE}, {"shop": True}),
        (f"name: store\n{GOOD}", {"shop": HERE, "store": ELSEWHERE}, {}),
        ("services: [\n", {"shop": HERE}, {}),
    ],
    ids=["here", "renamed", "renamed to what another source has", "cannot be read"],
)
def test_which_projects_left(tmp_path: Path, text: str, origins: dict[str, Origin], noted: dict[str, bool]) -> None:
    """Only such as no file hides that cannot be read, or that is refused: `Fleet` keeps those in force."""
    (tmp_path / "shop.yaml").write_text(text)
    found: dict[str, bool] = {}
    source = Folder(DirectorySource("ops", (str(tmp_path),)), str(tmp_path))
    reader = Reader(
        source,
        Selection(base=str(tmp_path)),
        {},
        lambda project, _: project,
        lambda: origins,
        lambda project, _, left: found.update({project: left}),
    )
    reader.read(source.fetch())
    assert found == noted
