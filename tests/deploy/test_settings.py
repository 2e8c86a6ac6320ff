"""deploy/config.yaml says what the unit and the image expect of it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.model.settings import GitRef, GitSource

if TYPE_CHECKING:
    from reconciler.model.settings import Settings

loading = pytest.importorskip("reconciler.settings.load")
ROOT = Path(__file__).parents[2]


def loaded(folder: Path, **variables: str) -> Settings:
    """The example, in a folder with the token that it names."""
    (folder / "git-token").write_text("secret\n")
    shutil.copy(ROOT / "deploy/config.yaml", folder)
    found: Settings = loading.load_settings({"config": str(folder / "config.yaml")}, variables)
    return found


def test_the_example_is_valid(tmp_path: Path) -> None:
    """It follows one repository under the policy for Git, and keeps things where both installations have them."""
    settings = loaded(tmp_path)
    (source,) = settings.sources
    assert isinstance(source, GitSource)
    assert (source.ref, source.interval) == (GitRef("branch", "main"), 60.0)
    assert source.token_file == str(tmp_path / "git-token")
    assert settings.policy.level == "standard"
    assert (settings.state_dir, settings.data_dir) == ("/var/lib/reconciler", "/var/lib/reconciler/data")
    assert settings.socket == "/run/reconciler/reconciler.sock"
    assert settings.log_format == "json"


def test_a_container_overrides_what_is_different_there(tmp_path: Path) -> None:
    """By variables that the program knows; the engine finds files for containers under the same path."""
    settings = loaded(tmp_path, RECONCILER_DATA_DIR="/srv/reconciler", RECONCILER_STATE_DIR="/var/lib/reconciler")
    assert (settings.data_dir, settings.host_data_dir) == ("/srv/reconciler", "/srv/reconciler")
