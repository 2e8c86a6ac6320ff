"""Input that means harm: a clear error with its place, early, whichever file it is in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from reconciler.errors import SpecError, SpecErrors
from reconciler.spec import load as loading
from reconciler.spec.consistency import MAX_REPLICAS
from reconciler.spec.files import Files, read_bytes
from reconciler.spec.load import Loaded, Request, load
from reconciler.spec.lower_security import MAX_OPTIONS, MAX_PROFILE
from reconciler.spec.lowering import lower
from reconciler.spec.merge import merge
from reconciler.spec.references import admit_references
from reconciler.spec.sources import MAX_TOTAL_NODES
from reconciler.spec.yaml_nodes import read_documents

Loader = Callable[..., Loaded]
Refusal = Callable[..., list[str]]
WEB = "services:\n  web:\n    image: x\n"
ONLY = ("compose.yaml",)


def included(name: str) -> str:
    return f"include: [{name}]\n{WEB}"


READERS: Mapping[str, tuple[str, str, str]] = {
    "the spec": ("", "compose.yaml", "compose.yaml: the file"),
    "include": (included("x"), "x", "compose.yaml:1: the file x"),
    "extends": (f"{WEB}    extends: {{file: x, service: s}}\n", "x", "compose.yaml:4: the file x"),
    ".env": (WEB, ".env", ".env: env file .env"),
    "include's env_file": (
        "include: [{path: compose.override.yaml, env_file: x}]\n",
        "x",
        "compose.yaml:1: env file x",
    ),
    "env_file": (f"{WEB}    env_file: x\n", "x", "compose.yaml:4: services.web.env_file: env file x"),
    "an optional env_file": (
        f"{WEB}    env_file: [{{path: x, required: false}}]\n",
        "x",
        "compose.yaml:4: services.web.env_file: env file x",
    ),
    "label_file": (f"{WEB}    label_file: x\n", "x", "compose.yaml:4: services.web.label_file: env file x"),
}


@pytest.mark.parametrize("reader", READERS)
def test_pipes_devices_and_loops_are_never_read(refusal: Refusal, reader: str) -> None:
    """A pipe would block for ever and a device never end; each is named by what names it."""
    Path("compose.override.yaml").touch()
    text, name, said = READERS[reader]
    files = {"compose.yaml": text} if text else {}
    os.mkfifo(name)
    assert refusal(files, files=ONLY)[0].startswith(f"{said} is not a regular file")
    Path(name).unlink()
    Path(name).symlink_to("/dev/zero")
    assert refusal(files, files=ONLY)[0].startswith(f"{said} is not a regular file")
    Path(name).unlink()
    Path(name).symlink_to(name)
    assert refusal(files, files=ONLY)[0].startswith(f"{said} cannot be read: Too many levels of symbolic links")


@pytest.mark.parametrize("reader", READERS)
def test_files_of_100_mb_are_refused_unread(refusal: Refusal, reader: str) -> None:
    """At most one byte beyond the limit is read."""
    text, name, _ = READERS[reader]
    Path("compose.override.yaml").touch()
    Path(name).touch()
    os.truncate(name, 100_000_000)
    assert "larger than" in refusal({"compose.yaml": text} if text else {}, files=ONLY)[0]


def test_the_null_device_is_an_empty_file(loader: Loader) -> None:
    """So that `--env-file /dev/null`, and a link to it, mean no variables, as with Compose."""
    Path(".env").symlink_to("/dev/null")
    assert loader(WEB).name == "shop"
    assert loader(f"{WEB}    env_file: /dev/null\n", env_files=("/dev/null",)).name == "shop"


@pytest.mark.parametrize("name", [".env", "x"])
def test_env_files_are_text(refusal: Refusal, name: str) -> None:
    """A NUL byte or other than UTF-8 is told with its line; no path and no variable can hold it."""
    text = WEB if name == ".env" else f"{WEB}    env_file: x\n"
    Path(name).write_bytes(b"A=1\nB=\0\n")
    assert refusal(text)[0].startswith(f"{name}:2: ")
    assert "NUL byte" in refusal(text)[0]
    Path(name).write_bytes(b"A=1\n\nB=\xff\n")
    assert refusal(text)[0].startswith(f"{name}:3: ")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f'{WEB}    hostname: "a\\0b"\n', 4),
        (f'include: ["a\\0b"]\n{WEB}', 1),
        (f'{WEB}    extends: {{file: "a\\0b", service: s}}\n', 4),
        (f'x-a: {{"a\\0": 1}}\n{WEB}', 1),
    ],
)
def test_no_value_holds_a_nul_character(refusal: Refusal, text: str, line: int) -> None:
    """YAML can write one, and neither a path nor a container can take it."""
    assert refusal(text) == [f"compose.yaml:{line}: a NUL character can be in no value (remove the \\0)"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"{WEB}    env_file: {'../' * 100_000}etc/passwd\n",
            "compose.yaml:4: services.web.env_file[0].path: the path '",
        ),
        (f"{WEB}    volumes: ['{'k:' * 1_000_000}']\n", "compose.yaml:4: services.web.volumes[0]: volume 'k:k:k:"),
        (f"{WEB}    hostname: '{'${A:-' * 100_000}'\n", "compose.yaml:4: services.web.hostname: invalid interpolation"),
        (
            f"{WEB}    hostname: '{'${A:-' * 1000}{'}' * 1000}'\n",
            "compose.yaml:4: services.web.hostname: ${...} is nested more than",
        ),
        (
            f"{WEB}    scale: 9223372036854775807\n",
            "compose.yaml:4: services.web.scale: 9223372036854775807 replicas on one engine cannot be meant",
        ),
        (
            f"{WEB}    deploy: {{replicas: {MAX_REPLICAS + 1}}}\n",
            f"compose.yaml:4: services.web.deploy: {MAX_REPLICAS + 1} replicas on one engine",
        ),
        (f"{WEB}    mem_limit: {'9' * 30}\n", "compose.yaml:4: services.web.mem_limit: "),
        (f"{WEB}    cpus: 1e400\n", "compose.yaml:4: services.web.cpus: must be a number"),
        (f"{WEB}    cpus: .inf\n", "compose.yaml:4: services.web.cpus: must be a number"),
        (f"{WEB}    ? {'k' * 1_000_000}\n    : 1\n", f"compose.yaml:4: services.web.{'k' * 60}...: unknown key"),
    ],
)
def test_long_deep_and_huge_values_are_refused(refusal: Refusal, text: str, said: str) -> None:
    """In a short message, at their line."""
    error = refusal(text)[0]
    assert error.startswith(said), error[:300]
    assert len(error) < 2000


def test_blank_lines_cost_no_memory(loader: Loader) -> None:
    """A place is kept for the lines that hold something."""
    assert loader("\n" * 1_000_000 + WEB).sources["services.web"] == "compose.yaml:1000002"


def test_extends_cycles_are_found_over_links(refusal: Refusal) -> None:
    """One file that is reached over ever longer paths is still one file."""
    Path("l").symlink_to(".")
    files = {"compose.yaml": f"{WEB}    extends: {{file: l/compose.yaml, service: web}}\n"}
    (error,) = refusal(files)
    assert error.startswith("l/compose.yaml:4: services.web.extends: extends cycle: ")
    assert "web (compose.yaml) -> web (l/compose.yaml)" in error


def test_include_cycles_are_found_over_links(refusal: Refusal) -> None:
    """So is one that includes itself through a linked folder."""
    Path("l").symlink_to(".")
    assert refusal(included("./l/../shop/l/compose.yaml"))[0].startswith("compose.yaml:1: ")
    assert "include cycle: compose.yaml -> compose.yaml" in refusal(included("l/compose.yaml"))[0]


def test_many_included_files_are_bounded(refusal: Refusal) -> None:
    """The first file or node too many ends the load with one error."""
    said = f"compose.yaml:1: the project reads more than 500 files, 16 MB or {MAX_TOTAL_NODES} nodes of spec"
    many = {"compose.yaml": f"include: [{','.join(['i.yaml'] * 20_000)}]\n", "i.yaml": "services: {b: {image: y}}\n"}
    assert refusal(many, files=ONLY) == [said]
    large = {"compose.yaml": f"include: [{','.join(['i.yaml'] * 20)}]\n", "i.yaml": "x-a:\n" + "- a\n" * 100_000}
    assert refusal(large, files=ONLY) == [said]


def test_interpolation_ends_with_the_first_value_too_many(refusal: Refusal) -> None:
    """What comes after is not even looked at."""
    text = "x-a:\n" + "- $A\n" * 100 + WEB
    (error,) = refusal({"compose.yaml": text, ".env": "A=" + "x" * 900_000})
    assert error == "compose.yaml:39: x-a[37]: interpolation produces more than 32 MB"


def test_notices_are_bounded(loader: Loader) -> None:
    """A thousand unset variables are told by the first ones and a number."""
    loaded = loader("x-a:\n" + "".join(f"- $V{n}\n" for n in range(1000)) + WEB)
    assert len(loaded.notices) == loading.MAX_NOTICES + 1
    assert loaded.notices[-1].message == "and 800 more of this kind"


def profile(loader: Loader, option: str = "seccomp:p.json") -> str:
    """The error of lowering a service with this security option."""
    with pytest.raises(SpecError) as caught:
        lower(loader(f"{WEB}    security_opt: [{option}]\n"))
    return str(caught.value)


def test_seccomp_profiles_are_bounded(loader: Loader) -> None:
    """Pipes, devices, sizes, depths, digits and other text are told at the option's line."""
    place = "compose.yaml:4: services.web: the seccomp profile"
    assert profile(loader, "'seccomp:/dev/zero'").startswith(f"{place} /dev/zero is not a regular file")
    contents = {b"[" * 200_000: "is not JSON", b"1" * 5000: "is not JSON", b"\xff": "is not JSON"}
    for content, said in {**contents, b" " * (MAX_PROFILE + 1): "is larger than 256 KB"}.items():
        Path("p.json").write_bytes(content)
        assert profile(loader).startswith(f"{place} p.json {said}")
    many = ", ".join(f"label:l{n}" for n in range(MAX_OPTIONS + 1))
    assert profile(loader, many) == f"compose.yaml:4: services.web: security_opt has more than {MAX_OPTIONS} options"


# A spec confined to its tree: everything below stands in `tree`, beside it lies what it must not read.

OUTSIDE = {
    "include": "include: [X]\n",
    "include's env_file": "include: [{path: inside.yaml, env_file: X}]\n",
    "extends": "services: {web: {extends: {file: X, service: web}}}\n",
    "env_file": "services: {web: {image: x, env_file: X}}\n",
    "optional env_file": "services: {web: {image: x, env_file: [{path: X, required: false}]}}\n",
    "label_file": "services: {web: {image: x, label_file: X}}\n",
    "seccomp": "services: {web: {image: x, security_opt: ['seccomp:X']}}\n",
    "context": "services: {web: {build: X}}\n",
    "dockerfile": "services: {web: {build: {context: ., dockerfile: X}}}\n",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (tmp_path / "secret").write_text("A=hidden\n", encoding="utf-8")
    (folder / "inside.yaml").write_text(WEB, encoding="utf-8")
    (folder / "link").symlink_to("../secret")
    (folder / "up").symlink_to("..")
    return folder


def confined(tree: Path, text: str, **request: str) -> Loaded:
    (tree / "compose.yaml").write_text(text, encoding="utf-8")
    return load(Request(ONLY, confined_to=str(tree), **request), {"HOME": str(tree.parent)})  # type: ignore[arg-type]


@pytest.mark.parametrize("way", ["../secret", "./a/../../secret", "link", "up/secret", "~/secret", "/etc/hostname"])
@pytest.mark.parametrize("key", OUTSIDE)
def test_a_confined_spec_reads_nothing_outside_of_its_tree(tree: Path, key: str, way: str) -> None:
    """Neither by `..`, nor by an absolute path, nor through a symbolic link; and nothing of the content is shown."""
    if key in ("seccomp", "dockerfile") and way == "~/secret":
        assert f"{tree}/~/secret" in confined(tree, OUTSIDE[key].replace("X", way)).read
        return
    with pytest.raises(SpecErrors) as caught:
        confined(tree, OUTSIDE[key].replace("X", way))
    error = str(caught.value)
    assert error.startswith("compose.yaml:1: ")
    assert f"lies outside of {tree} (such a spec reads nothing outside of its own tree: keep a copy in there)" in error
    assert "hidden" not in error


@pytest.mark.parametrize("name", ["compose.yaml", ".env", "Dockerfile", ".dockerignore"])
def test_the_files_of_a_confined_tree_are_no_links_out_of_it(tree: Path, name: str) -> None:
    """Names that the user did not write are no way out either."""
    (tree / name).symlink_to("../secret")
    if name != "compose.yaml":
        (tree / "compose.yaml").write_text("services: {web: {build: .}}\n", encoding="utf-8")
    with pytest.raises(SpecErrors, match="lies outside of"):
        load(Request(ONLY, confined_to=str(tree)), {})


def test_a_confined_spec_reads_all_of_its_own_tree(tree: Path) -> None:
    """Links and `..` that stay inside are fine; so are bind mounts, and what the command line names."""
    (tree / "e.env").write_text("A=1\n", encoding="utf-8")
    (tree / "p.json").write_text("{}", encoding="utf-8")
    (tree / "l").symlink_to(".")
    text = (
        "include: [l/inside.yaml]\n"
        "services:\n  b:\n    image: x\n    env_file: ./up/tree/e.env\n    volumes: ['/etc:/e']\n"
        "    security_opt: ['seccomp:p.json', 'seccomp:unconfined']\n"
        "  c: {build: {dockerfile_inline: FROM x}}\n"
    )
    loaded = confined(tree, text, env_files=("../secret",))  # type: ignore[arg-type]
    assert loaded.document["services"]["b"]["environment"] == {"A": "1"}


def test_a_link_to_the_tree_itself_confines_to_where_it_leads(tree: Path) -> None:
    """The folder may be given by a symbolic link."""
    (tree.parent / "alias").symlink_to("tree")
    (tree / "compose.yaml").write_text(WEB, encoding="utf-8")
    request = Request((f"{tree.parent}/alias/compose.yaml",), confined_to=f"{tree.parent}/alias")
    assert load(request, {}).name == "alias"


def test_everything_the_result_depends_on_is_named(tree: Path) -> None:
    """`files` are those of the label that Compose sets; `read` are all, optional ones that are not there too."""
    text = (
        "include: [inside.yaml]\n"
        "services:\n  b: {build: {context: app, dockerfile: D}, env_file: [{path: gone, required: false}]}\n"
        "  c: {extends: {file: base.yaml, service: web}, security_opt: ['seccomp=p.json']}\n"
    )
    (tree / "base.yaml").write_text(WEB, encoding="utf-8")
    loaded = confined(tree, text)
    assert loaded.files == (f"{tree}/compose.yaml",)
    names = [".env", "compose.yaml", "inside.yaml", "base.yaml", "gone", "app", "app/.dockerignore", "app/D"]
    assert loaded.read == tuple(f"{tree}/{name}" for name in (*names, "app/D.dockerignore", "p.json"))


def test_what_is_no_path_is_said(tmp_path: Path) -> None:
    """A NUL that comes from elsewhere than YAML is refused too, as a path and by a confinement."""
    with pytest.raises(SpecError, match=r"f:1: it is not a path"):
        read_bytes("a\0b", 1, what="it", source="f:1")
    with pytest.raises(SpecError, match=r"f:1: it lies outside of"):
        Files(str(tmp_path)).admit("a\0b", what="it", source="f:1")


def test_contents_of_configs_and_secrets_are_confined(tmp_path: Path) -> None:
    """Their `file:` is one more way to name a file; an entry without one names none."""
    document = read_documents(
        b"services: {}\nconfigs:\n  in: {file: /TREE/a}\n  out: {file: /x/a}\n  text: {content: a}\n"
        b"secrets:\n  none:\n  s: {file: /x/b}\n".replace(b"/TREE", str(tmp_path).encode()),
        "f",
    )[0].value
    files = Files(str(tmp_path))
    errors = admit_references(document, str(tmp_path), files)
    assert [str(error).partition(" lies")[0] for error in errors] == ["f:4: configs.out.file", "f:8: secrets.s.file"]
    assert files.named == (f"{tmp_path}/a", "/x/a", "/x/b")


@pytest.mark.parametrize("text", ["labels: ['']", "environment: ['=x']", "ports: [[1]]"])
def test_lists_name_what_they_hold(refusal: Refusal, text: str) -> None:
    """An item without a name, and one that is no port, are told; in an override too."""
    assert refusal(f"{WEB}    {text}\n")[0].startswith(f"compose.yaml:4: services.web.{text.partition(':')[0]}[0]: ")
    assert refusal({"compose.yaml": WEB, "over.yaml": f"services:\n  web:\n    {text}\n"})[0].startswith(
        "over.yaml:3: "
    )


@pytest.mark.parametrize("text", ["labels: {'': x}", "environment: {'': x}"])
def test_mappings_name_what_they_hold(refusal: Refusal, text: str) -> None:
    """No name may be empty."""
    assert refusal(f"{WEB}    {text}\n")[0].endswith("a name may not be empty")


def test_items_of_any_shape_can_be_merged() -> None:
    """The merge comes before the schema: whatever stands in a list of ports or mounts has an identity."""
    texts = (b"services: {a: {ports: [1, {target: [1]}], volumes: [{target: {a: b}}, 2]}}",) * 2
    base, over = (read_documents(text, "f")[0].value for text in texts)
    service = merge(base, over)["services"]["a"]
    assert service == {"ports": [1, {"target": [1]}], "volumes": [{"target": {"a": "b"}}, 2]}
