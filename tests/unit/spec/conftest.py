from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import SpecErrors
from reconciler.spec.load import Loaded, Request, load

Loader = Callable[..., Loaded]


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """Load a compose text, or several files by name, as project `shop` from a folder of its own."""
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(spec: str | Mapping[str, str], environment: Mapping[str, str] | None = None, **request: Any) -> Loaded:
        texts = {"compose.yaml": spec} if isinstance(spec, str) else spec
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        request.setdefault("files", tuple(name for name in texts if name.endswith((".yaml", ".yml"))))
        return load(Request(**request), {"HOME": "/home/me", **(environment or {})})

    return run


@pytest.fixture
def refusal(loader: Loader) -> Callable[..., list[str]]:
    """The errors, one line each, of something that must not load."""

    def run(spec: str | Mapping[str, str], environment: Mapping[str, str] | None = None, **request: Any) -> list[str]:
        with pytest.raises(SpecErrors) as caught:
            loader(spec, environment, **request)
        return str(caught.value).splitlines()

    return run


WEB = "services:\n  web:\n    image: x\n"


def web(body: str, rest: str = "") -> str:
    """A spec of one service with these lines, and what follows it."""
    return WEB + "".join(f"    {line}\n" for line in body.splitlines()) + rest


def notices(loaded: Loaded) -> list[tuple[str, str, str]]:
    """Code, message and source of what the load told."""
    return [(notice.code, notice.message, notice.source) for notice in loaded.notices]
