"""What stands encrypted in a repository: decrypted in memory, and told by name and line where it cannot be."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from reconciler.age import Keyring
from reconciler.errors import ReconcilerError, SettingsError
from reconciler.loading import with_contents
from reconciler.model.files import CopiedFile
from reconciler.model.project import Project, Service
from reconciler.spec import encrypted
from reconciler.spec.encrypted import hidden
from reconciler.spec.load import Loaded, Request, load
from reconciler.spec.lowering import lower
from tests.support import age

SECRET = "correct horse battery"  # noqa: S105 - it is the point of these tests
SPEC = """
services:
  web:
    image: a
    secrets: [db]
secrets:
  db:
    file: ./db.age
"""
ENV = """
services:
  web:
    image: a
    env_file: [secret.env, plain.env]
    environment: {OWN: mine, EMPTY: null}
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The identity of the installation."""
    folder = tmp_path / "keys"
    folder.mkdir()
    return age.identity(folder)


def loaded(folder: Path, spec: str, key: Path | None = None, *, undecrypted: bool = False) -> Loaded:
    """The project of that spec."""
    (folder / "compose.yaml").write_text(spec.lstrip())
    request = Request(
        (str(folder / "compose.yaml"),),
        project_name="shop",
        cwd=str(folder),
        keyring=Keyring(str(key or "")),
        undecrypted=undecrypted,
    )
    return load(request, {})


def project(folder: Path, spec: str, key: Path | None = None, **options: Any) -> Project:
    """The same, lowered."""
    return lower(loaded(folder, spec, key, **options))


def web(folder: Path, spec: str, key: Path | None = None, **options: Any) -> Service:
    """Its service."""
    return project(folder, spec, key, **options).services[0]


def refusal(folder: Path, spec: str = SPEC, key: Path | None = None, **options: Any) -> str:
    """Why it is refused; nothing of what is secret is in it."""
    with pytest.raises(ReconcilerError) as caught:
        project(folder, spec, key, **options)
    assert not any(word in str(caught.value) for word in SECRET.split())
    return str(caught.value)


@pytest.mark.parametrize("armored", [True, False])
def test_a_secret_is_decrypted_and_copied_in(tmp_path: Path, key: Path, *, armored: bool) -> None:
    """With its mode and owner; no file of ours is mounted, and the content counts, not how it is encrypted."""
    (tmp_path / "db.age").write_bytes(age.encrypt(SECRET, key, armored=armored))
    spec = SPEC.replace("[db]", '[{source: db, mode: "0400", uid: "5"}]').replace(
        "image: a", "image: a\n    configs: [c]"
    )
    spec += "configs: {c: {content: plain}}\n"
    found = web(tmp_path, spec, key)
    secret = CopiedFile("/run/secrets/db", SECRET, 0o400, 5, 0, encrypted=True)
    assert found.copied_files == (CopiedFile("/c", "plain"), secret)
    assert found.file_references == ()
    assert "HostConfig" not in found.container
    assert SECRET not in repr(found)
    _, content = found.contents
    assert (content.field, content.origin, content.path) == ("secrets.db:/run/secrets/db", "secrets.db", "")
    (tmp_path / "db.age").write_bytes(age.encrypt(SECRET, key))
    assert web(tmp_path, spec, key).contents == found.contents
    (tmp_path / "db.age").write_bytes(age.encrypt("another", key))
    assert web(tmp_path, spec, key).contents != found.contents


def test_what_is_no_text_arrives_as_it_is(tmp_path: Path, key: Path) -> None:
    """Such as a key store; two services share what is decrypted once."""
    data = bytes(range(256))
    (tmp_path / "db.age").write_bytes(age.encrypt(data, key))
    assert web(tmp_path, SPEC, key).copied_files[0].data == data


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_key_of_openssh_is_an_identity(tmp_path: Path, kind: str) -> None:
    """To which secrets are encrypted by its public key; the state file's are, too."""
    key = age.ssh_identity(tmp_path, kind)
    (tmp_path / "db.age").write_bytes(age.encrypt(SECRET, key))
    assert web(tmp_path, SPEC, key).copied_files[0].content == SECRET
    keyring = Keyring(str(key))
    assert keyring.decrypt(keyring.seal(SECRET).encode()).decode() == SECRET


def test_variables_are_decrypted_and_hidden(tmp_path: Path, key: Path) -> None:
    """Those of files after an encrypted one too, which may repeat it; not those that the spec itself says."""
    (tmp_path / "secret.env").write_bytes(age.encrypt(f"A={SECRET}\nOWN=theirs\n", key))
    (tmp_path / "plain.env").write_text("B=$A\n")
    found = loaded(tmp_path, ENV, key)
    assert found.hidden == {"web": {"A", "B"}}
    service = lower(found).services[0]
    assert service.hidden == ("A", "B")
    assert service.container["Env"] == [f"A={SECRET}", f"B={SECRET}", "EMPTY", "OWN=mine"]
    shown: Any = hidden(found.document, found.hidden, "***")
    assert shown["services"]["web"]["environment"] == {"A": "***", "B": "***", "OWN": "mine", "EMPTY": None}
    assert hidden({"name": "shop"}, {}, "***") == {"name": "shop"}


def test_plain_files_hide_nothing(tmp_path: Path) -> None:
    """And need no key."""
    (tmp_path / "secret.env").write_text("A=x\n")
    (tmp_path / "plain.env").write_text("B=$A\n")
    found = loaded(tmp_path, ENV)
    assert found.hidden == {}
    assert hidden(found.document, found.hidden, "***") == found.document
    (tmp_path / "db.age").write_text("plain")
    assert web(tmp_path, SPEC).container["HostConfig"]["Mounts"][0]["Source"] == str(tmp_path / "db.age")


def test_what_cannot_be_decrypted_is_refused_by_line(tmp_path: Path, key: Path) -> None:
    """Each reason with what to do."""
    path = tmp_path / "db.age"
    path.write_bytes(age.encrypt(SECRET, key))
    said = "compose.yaml:7: secrets.db.file: db.age is encrypted with age, "
    hint = "(name the file of its identity with RECONCILER_AGE_IDENTITY_FILE)"
    assert refusal(tmp_path) == f"{said}and there is no identity to decrypt it with {hint}"
    other = age.identity(tmp_path, "other.txt")
    hint = f"(encrypt it to the recipient of {other} too)"
    assert refusal(tmp_path, key=other) == f"{said}to none of our identities {hint}"
    assert refusal(tmp_path, key=other, undecrypted=True) == f"{said}to none of our identities {hint}"
    path.write_bytes(path.read_bytes()[:-60])
    assert refusal(tmp_path, key=key) == f"{said}and damaged (encrypt it anew)"


def test_the_extra_is_asked_for(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where something is encrypted."""
    monkeypatch.setitem(sys.modules, "pyrage", None)
    (tmp_path / "db.age").write_text("plain")
    web(tmp_path, SPEC)
    (tmp_path / "db.age").write_bytes(b"age-encryption.org/v1\n...")
    assert "pip install 'reconciler[age]'" in refusal(tmp_path, key=key)


def test_validation_needs_no_key(tmp_path: Path, key: Path) -> None:
    """What is not looked into is told by name and line; the rest is checked."""
    (tmp_path / "db.age").write_bytes(age.encrypt(SECRET, key))
    (tmp_path / "secret.env").write_bytes(age.encrypt(f"A={SECRET}", key))
    (tmp_path / "plain.env").write_text("B=2\n")
    spec = f"{ENV}    secrets: [db]\nsecrets: {{db: {{file: ./db.age}}}}\n"
    found = project(tmp_path, spec, undecrypted=True)
    why = "is encrypted with age, and there is no identity to decrypt it with: it is not looked into"
    hint = "(name the file of its identity with RECONCILER_AGE_IDENTITY_FILE)"
    assert [(notice.code, notice.message, notice.source) for notice in found.notices] == [
        ("NotDecrypted", f"env file secret.env {why} {hint}", "compose.yaml:4"),
        ("NotDecrypted", f"secrets.db.file: db.age {why} {hint}", "compose.yaml:7"),
    ]
    assert found.services[0].hidden == ()
    assert project(tmp_path, spec, key, undecrypted=True).notices == ()


@pytest.mark.parametrize(
    "spec",
    [
        "services: {web: {image: a, label_file: e.env}}\n",
        "include: [{path: other.yaml, env_file: e.env}]\n",
    ],
)
def test_other_files_of_variables_cannot_be_encrypted(tmp_path: Path, key: Path, spec: str) -> None:
    """What they say goes into labels, names, plans."""
    (tmp_path / "e.env").write_bytes(age.encrypt(f"A={SECRET}", key))
    (tmp_path / "other.yaml").write_text("services: {web: {image: a}}\n")
    assert "env file e.env is encrypted with age, which only env_file may be" in refusal(tmp_path, spec, key)
    (tmp_path / "e.env").rename(tmp_path / ".env")
    assert ".env is encrypted with age, which only env_file may be" in refusal(tmp_path, SPEC, key)


@pytest.mark.parametrize("form", ["", ", format: raw"])
def test_errors_repeat_nothing_of_an_encrypted_file(tmp_path: Path, key: Path, form: str) -> None:
    """Neither a line that says nothing nor what looks like a variable in a value."""
    spec = f"services: {{web: {{image: a, env_file: [{{path: e.env{form}}}]}}}}\n"
    (tmp_path / "e.env").write_bytes(age.encrypt(f"A=1\n{SECRET}\n", key))
    assert refusal(tmp_path, spec, key).startswith("e.env:2: services.web.env_file: the line says nothing (decrypt it")
    (tmp_path / "e.env").write_bytes(age.encrypt("A=pre$battery\n", key))
    told = [notice.message for notice in project(tmp_path, spec, key).notices]
    assert told == ([] if form else ['variable that it refers to is not set: it becomes ""'])


def test_what_is_too_large_is_refused(tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is decrypted, and before that by the file."""
    (tmp_path / "db.age").write_bytes(age.encrypt(SECRET, key))
    monkeypatch.setattr(encrypted, "LARGEST_COPIED", 3)
    assert "secrets.db.file: db.age holds more than 0 kB" in refusal(tmp_path, key=key)
    monkeypatch.setattr(encrypted, "LARGEST", 3)
    assert "secrets.db.file: db.age holds more than 0 kB" in refusal(tmp_path, key=key)


def test_what_cannot_be_put_there_is_refused(tmp_path: Path, key: Path) -> None:
    """As for a content that stands in the spec."""
    (tmp_path / "db.age").write_bytes(age.encrypt(SECRET, key))
    owner = SPEC.replace("[db]", "[{source: db, uid: nobody}]")
    assert "the uid of db is 'nobody', which is no number" in refusal(tmp_path, owner, key)
    said = refusal(tmp_path, SPEC.replace("image: a", "image: a\n    read_only: true"), key)
    assert "read_only (only a file: that is not encrypted works here, or another target)" in said


def test_a_file_that_may_not_be_opened_is_no_secret_of_ours(tmp_path: Path) -> None:
    """Whoever needs it says what is wrong with it."""
    assert not encrypted.begins_encrypted(str(tmp_path))
    assert not encrypted.begins_encrypted("/proc/self/mem")


BUILD = """
services:
  web:
    build: {context: ., dockerfile_inline: FROM scratch, secrets: [db]}
secrets:
  db:
    file: ./db.age
"""


def test_a_secret_of_a_build_is_decrypted(tmp_path: Path, key: Path) -> None:
    """It is handed on in the environment of the builder, which cannot hold a NUL byte."""
    (tmp_path / "db.age").write_bytes(age.encrypt(SECRET, key))
    found = with_contents(project(tmp_path, BUILD, key))
    build = found.services[0].image.build
    assert build is not None
    assert [(secret.id, secret.file, secret.content) for secret in build.secrets] == [("db", "", SECRET)]
    assert SECRET not in repr(found)
    (tmp_path / "db.age").write_bytes(age.encrypt(f"{SECRET}\0", key))
    assert "the encrypted file of db holds a NUL byte" in refusal(tmp_path, BUILD, key)


def test_a_file_of_identities_is_checked(tmp_path: Path, key: Path) -> None:
    """It may hold several; whoever else can read it is warned of."""
    (tmp_path / "db.age").write_bytes(age.encrypt(SECRET, key))
    both = tmp_path / "both.txt"
    both.write_text(age.identity(tmp_path, "other.txt").read_text() + key.read_text())
    keyring = Keyring(str(both))
    assert keyring.decrypt((tmp_path / "db.age").read_bytes()).decode() == SECRET
    (notice,) = keyring.notices
    assert notice.message == f"age_identity_file: others than its owner can read {both}: chmod 600 it"
    for text in (b"", b"nothing", b"\xff\xfe", b"AGE-SECRET-KEY-1QQQ", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA"):
        both.write_bytes(text)
        assert "holds no identity of age" in refusal(tmp_path, key=both)
    with pytest.raises(SettingsError, match="holds no identity"):
        Keyring(str(both), "here").seal("x")


def test_a_key_with_a_passphrase_is_none(tmp_path: Path) -> None:
    """Nobody is there to type it."""
    key = age.ssh_identity(tmp_path, passphrase="sesame")  # noqa: S106 - it is one
    (tmp_path / "db.age").write_bytes(age.encrypt(SECRET, key))
    assert "a key of OpenSSH must be without a passphrase" in refusal(tmp_path, key=key)
