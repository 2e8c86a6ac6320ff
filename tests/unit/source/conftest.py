from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.logs import configure
from tests.support.git_server import Forge, Repository, certificate, serving


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    root = tmp_path / "forge"
    root.mkdir()
    with serving(root) as running:
        yield running


@pytest.fixture
def repository(forge: Forge) -> Repository:
    return Repository.new(forge.root / "shop.git")


@pytest.fixture(autouse=True)
def logging() -> None:
    """Warnings are written, whatever tests before these wanted."""
    configure("console", "info")
