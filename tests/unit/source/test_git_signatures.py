"""Whose commits are deployed: signed by git with real keys, checked by gpg and ssh-keygen."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from reconciler.model.settings import SignedBy
from tests.support.git_server import Forge, Repository
from tests.support.git_source import SPEC, refusal, source
from tests.support.signing import Gpg, Signer, ssh_signer

Method = Literal["gpg", "ssh"]


@pytest.fixture(scope="module")
def gpg() -> Iterator[Gpg]:
    if not shutil.which("gpg"):
        pytest.skip("gpg is not installed")
    ring = Gpg(Path(tempfile.mkdtemp(prefix="reconciler-gpg-")) / "ring")  # short: its agent's socket lies in it
    yield ring
    ring.close()
    ring.home.parent.rmdir()


@pytest.fixture(scope="module")
def gpg_signer(gpg: Gpg) -> Signer:
    return gpg.signer("Ada Example <ada@example.com>")


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return ssh_signer(tmp_path_factory.mktemp("ssh") / "ada")


@pytest.fixture(params=["gpg", "ssh"])
def method(request: pytest.FixtureRequest) -> Method:
    chosen: Method = request.param
    return chosen


@pytest.fixture
def signer(method: Method, request: pytest.FixtureRequest) -> Signer:
    found: Signer = request.getfixturevalue("gpg_signer" if method == "gpg" else "ssh")
    return found


def test_only_signed_commits_are_deployed(
    forge: Forge, repository: Repository, tmp_path: Path, method: Method, signer: Signer
) -> None:
    """An unsigned commit is refused by name and leaves the signed one in force; the next signed one heals."""
    base = repository.commit({"compose.yaml": SPEC})
    followed = source(forge, tmp_path, signed_by=SignedBy(method, str(signer.keys)))
    error = refusal(followed)
    assert error.reason == "SourceUnsigned"
    assert f"commit {base[:10]} by Ada Example <ada@example.com> is not deployed: it has no" in error.message
    assert "git commit --amend -S" in str(error)
    assert followed.kept() is None
    signed = signer.signed_commit(repository, base)
    before = followed.fetch()
    assert before.revision.commit == signed
    repository.commit({"compose.yaml": SPEC, "evil": b""})
    assert refusal(followed).reason == "SourceUnsigned"
    assert followed.kept() is before
    assert [path.name for path in (tmp_path / "data/checkouts").iterdir() if path.is_dir()] == [signed]


def test_a_signed_tag_stands_for_its_commit(
    forge: Forge, repository: Repository, tmp_path: Path, method: Method, signer: Signer
) -> None:
    """Or the commit is signed itself; a tag that says another name than it has counts for nothing."""
    base = repository.commit({"compose.yaml": SPEC})
    made = signer.signed_tag(repository, "v1.0", base)
    demand = SignedBy(method, str(signer.keys))
    assert source(forge, tmp_path, "tag", "v1.0", signed_by=demand).fetch().revision.commit == base
    repository.git("update-ref", "refs/tags/v9.9", made)
    assert refusal(source(forge, tmp_path, "semver", ">=2", signed_by=demand)).reason == "SourceUnsigned"
    assert refusal(source(forge, tmp_path, "branch", "main", signed_by=demand)).reason == "SourceUnsigned"
    repository.tag("v9.8", signer.signed_commit(repository, base))
    assert source(forge, tmp_path, "tag", "v9.8", signed_by=demand).fetch().revision.ref == "v9.8"


def test_a_stranger_signed(
    forge: Forge, repository: Repository, tmp_path: Path, method: Method, signer: Signer, gpg: Gpg
) -> None:
    """A good signature by a key that is not in the file, or of the other kind, is none."""
    base = repository.commit({"compose.yaml": SPEC})
    stranger = gpg.signer("Eve Example <eve@example.com>") if method == "gpg" else ssh_signer(tmp_path / "eve")
    stranger.signed_commit(repository, base)
    error = refusal(source(forge, tmp_path, signed_by=SignedBy(method, str(signer.keys))))
    assert error.reason == "SourceUnsigned"
    assert "not in keys_file" in error.message or "nobody who is in keys_file" in error.message


def test_the_other_kind_of_signature_does_not_count(
    forge: Forge, repository: Repository, tmp_path: Path, gpg_signer: Signer, ssh: Signer
) -> None:
    base = repository.commit({"compose.yaml": SPEC})
    for mine, theirs, method in ((gpg_signer, ssh, "ssh"), (ssh, gpg_signer, "gpg")):
        mine.signed_commit(repository, base)
        demand = SignedBy("ssh" if method == "ssh" else "gpg", str(theirs.keys))
        assert refusal(source(forge, tmp_path, signed_by=demand)).reason == "SourceUnsigned"


def test_a_changed_commit_has_no_signature(
    forge: Forge, repository: Repository, tmp_path: Path, method: Method, signer: Signer
) -> None:
    """The signature of another commit, put onto one with other files."""
    base = repository.commit({"compose.yaml": SPEC})
    signed = signer.signed_commit(repository, base)
    evil = repository.commit({"compose.yaml": SPEC, "evil": b""})
    text = repository.git("cat-file", "commit", signed)
    tree, other = (repository.git("rev-parse", f"{name}^{{tree}}") for name in (signed, evil))
    forged = text.replace(tree, other).encode() + b"\n"
    made = repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=forged)
    repository.git("update-ref", "refs/heads/main", made)
    error = refusal(source(forge, tmp_path, signed_by=SignedBy(method, str(signer.keys))))
    assert error.reason == "SourceUnsigned"


@pytest.mark.parametrize("fate", ["expired", "revoked"])
def test_keys_that_hold_no_more(forge: Forge, repository: Repository, tmp_path: Path, gpg: Gpg, fate: str) -> None:
    """Also for what was signed while they did."""
    base = repository.commit({"compose.yaml": SPEC})
    who = f"{fate.title()} Example <{fate}@example.com>"
    signer = gpg.signer(who, "--faked-system-time", "20200101T000000!")
    signer.signed_commit(repository, base)
    demand = SignedBy("gpg", str(signer.keys))
    assert source(forge, tmp_path, signed_by=demand).fetch().revision.subject == "Signed"
    listed = gpg.run("--with-colons", "--list-keys", who).decode()
    fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
    if fate == "expired":
        gpg.run("--faked-system-time", "20200102T000000!", "--quick-set-expire", fingerprint, "2020-01-04")
    else:
        written = (gpg.home / f"openpgp-revocs.d/{fingerprint}.rev").read_text()
        (gpg.home / "revocation").write_text(written.replace(":-----BEGIN", "-----BEGIN"))
        gpg.run("--import", str(gpg.home / "revocation"))
    gpg.exported(who)
    error = refusal(source(forge, tmp_path, signed_by=demand))
    assert error.reason == "SourceUnsigned"
    assert fate in error.message


def test_files_that_hold_no_keys(forge: Forge, repository: Repository, tmp_path: Path, method: Method) -> None:
    """Nothing is deployed that cannot be checked, and what was deployed stays."""
    repository.commit({"compose.yaml": SPEC})
    before = source(forge, tmp_path).fetch()
    keys = tmp_path / "keys"
    followed = source(forge, tmp_path, signed_by=SignedBy(method, str(keys)))
    assert "cannot be read: No such file" in refusal(followed).message
    keys.write_text("\n")
    assert "is empty" in refusal(followed).message
    keys.write_text("none of them\n")
    words = "holds no OpenPGP key" if method == "gpg" else "is not deployed"
    assert words in refusal(followed).message
    assert followed.kept() == before


def test_the_program_that_checks_is_missing(
    forge: Forge, repository: Repository, tmp_path: Path, gpg_signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("git", "sh"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    repository.commit({"compose.yaml": SPEC})
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    followed = source(forge, tmp_path, signed_by=SignedBy("gpg", str(gpg_signer.keys)))
    assert refusal(followed).message == "gpg is not installed"
