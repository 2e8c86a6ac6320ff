from __future__ import annotations

import re
from pathlib import Path

from reconciler.model.settings import GitSource
from reconciler.settings.load import load_settings
from tests.support.settings_page import page

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_the_page_is_what_the_code_says() -> None:
    """Run `python -m tests.support.settings_page > docs/settings.md` after a change of the settings."""
    assert PAGE.read_text() == page()


def test_the_example_of_the_page_is_valid(tmp_path: Path) -> None:
    """Whoever copies it has settings, once the files that it names are there."""
    found = re.search("```yaml\n(.*?)```", page(), re.DOTALL)
    assert found
    (tmp_path / "config.yaml").write_text(found[1])
    for name in ("token", "keys.asc"):
        (tmp_path / name).write_text("")
    settings = load_settings({"config": str(tmp_path / "config.yaml")}, {})
    assert [source.name for source in settings.sources] == ["shop", "specs"]
    assert isinstance(settings.sources[0], GitSource)
    assert settings.policy.exceptions[0].reason == "it reads /proc of the host"
