from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reconciler.spec import extends
from reconciler.spec.load import Loaded

Loader = Callable[..., Loaded]
Refusal = Callable[..., list[str]]
BASE = "services: {a: {extends: {file: sub/base.yaml, service: base}}}\n"


def extended(base: str, **others: str) -> dict[str, str]:
    """A spec whose service `a` extends `base` of sub/base.yaml."""
    return {"compose.yaml": BASE, "sub/base.yaml": base, **others}


def only(files: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {"files": (next(iter(files)),)}


def test_a_service_overrides_what_it_extends(loader: Loader) -> None:
    """Mappings merge, scalars replace, lists append, over a chain; each service along it stays what it is."""
    document = loader(
        "services:\n  a: {extends: b, image: x}\n  b: {extends: {service: c}, labels: {l: b}, cap_add: [B]}\n"
        "  c: {image: c, labels: {l: c, m: c}, cap_add: [C], depends_on: [d]}\n  d: {image: d}\n"
    ).document["services"]
    assert document["a"]["image"] == "x"
    assert document["b"]["image"] == "c"
    assert document["a"]["labels"] == document["b"]["labels"] == {"l": "b", "m": "c"}
    assert document["a"]["cap_add"] == ["C", "B"]
    assert document["c"]["labels"] == {"l": "c", "m": "c"}
    assert list(document["a"]["depends_on"]) == ["d"]


def test_reset_and_override_drop_what_is_extended(loader: Loader) -> None:
    """`!reset` and `!override` in a service forget the base's value, of a key in any depth."""
    spec = (
        "services:\n  b: {image: x, ports: ['80:80'], labels: {l: b, m: b}, cap_add: [B]}\n"
        "  a:\n    extends: b\n    ports: !reset []\n    cap_add: !override [A]\n    labels: {m: !reset null}\n"
    )
    service = loader(spec).document["services"]["a"]
    assert "ports" not in service
    assert service["cap_add"] == ["A"]
    assert service["labels"] == {"l": "b"}


def test_paths_and_places_of_a_base_are_those_of_its_file(loader: Loader, tmp_path: Path) -> None:
    """What a base says is relative to its own folder, and traced to its own line; over a chain of files."""
    files = extended(
        "services:\n  base:\n    extends: {file: deep/c.yaml, service: c}\n"
        "    volumes: [./x:/x]\n    env_file: e.env\n",
        **{"sub/e.env": "E=1\n", "sub/deep/c.yaml": "services:\n  c:\n    image: c\n    volumes: [./y:/y]\n"},
    )
    loaded = loader(files, **only(files))
    service = loaded.document["services"]["a"]
    folder = tmp_path / "shop" / "sub"
    assert [mount["source"] for mount in service["volumes"]] == [f"{folder}/deep/y", f"{folder}/x"]
    assert service["environment"] == {"E": "1"}
    assert loaded.sources["services.a.image"] == "sub/deep/c.yaml:3"
    assert loaded.sources["services.a.volumes[1]"] == "sub/base.yaml:4"
    assert loaded.sources["services.a"] == "compose.yaml:1"


def test_only_the_service_is_taken_from_another_file(refusal: Refusal) -> None:
    """Networks and volumes of the base's file are not imported: who uses them must declare them."""
    files = extended("services: {base: {image: x, volumes: ['data:/d']}}\nvolumes: {data: }\n")
    (error,) = refusal(files, **only(files))
    assert error.startswith("sub/base.yaml:1: services.a.volumes: there is no volume 'data' (declare it")


def test_a_base_is_read_with_the_same_variables_and_all_its_documents(loader: Loader) -> None:
    """A base file is interpolated and merged like any other, and is read once however many extend it."""
    files = extended(
        "services: {base: {image: 'x:${T}'}}\n---\nservices: {base: {labels: {l: two}}}\n",
        **{"more.yaml": "services: {b: {extends: {file: sub/base.yaml, service: base}}}\n"},
    )
    services = loader(files, {"T": "1"}, files=("compose.yaml", "more.yaml")).document["services"]
    assert {services[name]["image"] for name in "ab"} == {"x:1"}
    assert {services[name]["labels"]["l"] for name in "ab"} == {"two"}


def test_a_base_with_nothing_in_it_adds_nothing(loader: Loader) -> None:
    """A null service of another file can be extended, to no effect."""
    files = {
        "compose.yaml": "services: {a: {image: x, extends: {file: b.yaml, service: b}}}\n",
        "b.yaml": "services: {b: }\n",
    }
    assert loader(files, **only(files)).document["services"]["a"]["image"] == "x"


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ("{a: {extends: zz}}", "services.a.extends: there is no service 'zz' in compose.yaml"),
        ("{a: {extends: a}}", "services.a.extends: extends cycle: a (compose.yaml) -> a (compose.yaml)"),
        (
            "{a: {extends: b}, b: {extends: a}}",
            "services.a.extends: extends cycle: a (compose.yaml) -> b (compose.yaml) -> a (compose.yaml)",
        ),
        ("{a: {extends: [b]}}", "services.a.extends: must be a service's name or a mapping, not a list"),
        ("{a: {extends: {file: b.yaml}}}", "services.a.extends: service must be the name of a service"),
        ("{a: {extends: {service: b, file: 1}}}", "services.a.extends: file must be a path, not a number"),
        ("{a: {extends: {service: b, file: ''}}}", "services.a.extends: names no file"),
        ("{a: {extends: {service: b, files: x}}}", "services.a.extends: 'files' is not a key of extends"),
        ("{a: {extends: {service: b, file: zz.yaml}}}", "the file zz.yaml does not exist"),
        (
            "{a: {extends: {service: b, file: 'oci://x/y'}}}",
            "services.a.extends: 'oci://x/y' is not on this disk, and is not fetched",
        ),
    ],
)
def test_what_cannot_be_extended_is_named(refusal: Refusal, services: str, said: str) -> None:
    """A cycle, a missing service or file, and a malformed reference each give one error at the line of `extends`."""
    errors = refusal(f"services: {services}\n")
    assert len([error for error in errors if error.startswith(f"compose.yaml:1: {said}")]) == 1, errors


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("", "compose.yaml:1: the file sub/base.yaml is empty"),
        ("[a]\n", "sub/base.yaml:1: a spec is a mapping, not a list"),
        ("networks: {}\n", "compose.yaml:1: services.a.extends: there is no service 'base' in sub/base.yaml"),
        ("services: {base: {ports: [x:y]}}\n", "sub/base.yaml:1: services.base.ports[0]: "),
        ("services: {base: {image: x, qqq: 1}}\n", "sub/base.yaml:1: services.a.qqq: "),
        ("services: {base: {image: '${Q:?no}'}}\n", "sub/base.yaml:1: services.base.image: required variable Q"),
        (
            "services: {base: {extends: {file: ../compose.yaml, service: a}}}\n",
            "compose.yaml:1: services.a.extends: extends cycle: a (compose.yaml) -> base (sub/base.yaml) -> a",
        ),
    ],
)
def test_a_mistake_in_a_base_is_told_where_it_was_made(refusal: Refusal, base: str, said: str) -> None:
    """Errors of a base file name that file and its line."""
    files = extended(base)
    errors = refusal(files, **only(files))
    assert [error for error in errors if error.startswith(said)], errors


def test_forms_that_do_not_fit_are_an_error_of_the_service(refusal: Refusal) -> None:
    """A service may not say in another form what its base says."""
    errors = refusal("services:\n  b: {image: x, x-k: {l: 1}}\n  a: {extends: b, x-k: text}\n")
    assert errors[0].startswith("compose.yaml:3: services.a.x-k: a string cannot override a mapping")


def test_long_chains_and_many_copies_are_refused(refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Extends may not multiply a small file into a large project."""
    chain = "".join(f"  s{number}: {{extends: s{number + 1}}}\n" for number in range(60))
    errors = refusal(f"services:\n{chain}  s60: {{image: x}}\n")
    assert "services extend each other over more than 50 steps" in errors[0]
    monkeypatch.setattr(extends, "MAX_COPIED", 3)
    spec = "services:\n  b: {image: x, cap_add: [A, B, C]}\n  a: {extends: b}\n"
    assert refusal(spec)[0].startswith("compose.yaml:3: services.a.extends: extends copies more than 3 values")
