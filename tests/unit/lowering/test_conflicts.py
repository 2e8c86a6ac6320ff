from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import SpecErrors
from reconciler.model.project import Project
from reconciler.spec.load import Loaded, Request, load
from reconciler.spec.lowering import lower


@pytest.fixture
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Loaded:
    """The services of the parameter, as loaded from compose.yaml."""
    monkeypatch.chdir(tmp_path)
    Path("compose.yaml").write_text(f"services:\n  {request.param}\n", encoding="utf-8")
    return load(Request(("compose.yaml",), project_name="shop"), {})


def refused(loaded: Loaded) -> list[str]:
    with pytest.raises(SpecErrors) as caught:
        lower(loaded)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("loaded", "errors"),
    [
        (
            "a:\n    image: x\n    scale: 3\n    ports:\n      - 8080:80",
            [
                (
                    "compose.yaml:6: services.a.ports: 3 replicas cannot share host port 8080 "
                    '(publish a range ("8080-8082:80") or no host port ("80"))'
                )
            ],
        ),
        (
            "a: {image: x, deploy: {replicas: 3}, ports: ['90:90', '8000-8001:80']}",
            [
                (
                    "compose.yaml:2: services.a.ports: 3 replicas cannot share host port 90 "
                    '(publish a range ("90-92:90") or no host port ("90"))'
                ),
                (
                    "compose.yaml:2: services.a.ports: 3 replicas cannot share host ports 8000-8001 "
                    '(publish a range ("8000-8002:80") or no host port ("80"))'
                ),
            ],
        ),
        *(
            (
                f"db: {{image: x{mode}}}\n  app:\n    image: x\n    ipc: service:db",
                [
                    (
                        "compose.yaml:5: services.app.ipc: service 'db' does not share its IPC namespace "
                        "(write ipc: shareable in services.db)"
                    )
                ],
            )
            for mode in ("", ", ipc: private", ", ipc: none")
        ),
    ],
    indirect=["loaded"],
)
def test_what_no_engine_can_start_is_refused(loaded: Loaded, errors: list[str]) -> None:
    """It loads, as with Compose, and is printed; whoever would run it is told what to write instead."""
    assert refused(loaded) == errors


@pytest.mark.parametrize(
    "loaded",
    [
        "a: {image: x, ports: ['8080:80']}",
        "a: {image: x, scale: 3, ports: ['80', '8000-8002:80', {target: 81, published: '0'}]}",
        "a: {image: x, ipc: 'service:b'}\n  b: {image: x, ipc: shareable}",
        "a: {image: x, ipc: 'service:b'}\n  b: {image: x, ipc: host}",
    ],
    indirect=True,
)
def test_what_can_be_shared_is_lowered(loaded: Loaded) -> None:
    """One replica, a range that is wide enough, ports that the engine chooses, a namespace that is shared."""
    assert isinstance(lower(loaded), Project)
