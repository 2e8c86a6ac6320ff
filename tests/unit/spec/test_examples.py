"""The YAML in the documentation, as it stands there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from reconciler.spec.load import Loaded
from reconciler.spec.lowering import lower

ROOT = Path(__file__).parents[3]
PAGES = ("README.md", "docs/zero-downtime.md")
KEY = "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n"
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """One block of YAML, and the line of its page that it begins at."""

    page: str
    line: int
    text: str


def examples() -> list[Example]:
    """The specs among the YAML blocks: a proxy's own settings have no `services` at the top."""
    return [example for page in PAGES for example in _blocks(page) if "services" in yaml.safe_load(example.text)]


def _blocks(page: str) -> Iterator[Example]:
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        yield Example(page, text.count("\n", 0, block.start()) + 1, block[1])


@pytest.mark.parametrize("example", [pytest.param(one, id=f"{one.page}:{one.line}") for one in examples()])
def test_every_example_is_a_spec(loader: Callable[..., Loaded], example: Example) -> None:
    """It loads and can be planned, and there is nothing to warn of."""
    loaded = loader({"compose.yaml": example.text, "cosign.pub": KEY})
    assert loaded.notices == ()
    assert lower(loaded).services


def test_both_pages_have_examples() -> None:
    """So that the test above cannot pass by finding none."""
    assert {one.page for one in examples()} == set(PAGES)
