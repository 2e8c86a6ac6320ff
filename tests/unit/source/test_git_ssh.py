"""A repository over ssh, from a real sshd."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.model.settings import GitRef, GitSource
from reconciler.source.git.repository import GitRepository
from tests.support.git_server import Repository
from tests.support.git_source import PLACE, SPEC, refusal
from tests.support.sshd import Sshd, running_sshd


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd") / "files") as running:
        yield running


def test_a_key_lets_in_and_only_to_a_known_host(sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an agent nor another key helps; a host that is not known, or has another key, is not spoken to."""
    repository = Repository.new(tmp_path / "shop.git")
    commit = repository.commit({"compose.yaml": SPEC})
    odd = tmp_path / "of a 100%d test"
    odd.mkdir()
    key, known_hosts = (Path(shutil.copy(path, odd)) for path in (sshd.key, sshd.known_hosts))
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(stranger)], check=True)
    unknown, other = tmp_path / "unknown", tmp_path / "other"
    unknown.write_text("")
    other.write_text(sshd.known_hosts.read_text().split()[0] + " " + stranger.with_suffix(".pub").read_text())
    monkeypatch.setenv("GIT_SSH_COMMAND", "touch owned; false")

    def follow(identity: Path, hosts: Path) -> GitRepository:
        url = f"{sshd.url}{repository.path}"
        files = {"ssh_key_file": str(identity), "known_hosts_file": str(hosts)}
        return GitRepository(GitSource("shop", url, GitRef("branch", "main"), place=PLACE, **files), tmp_path / "data")  # type: ignore[arg-type]

    assert follow(key, known_hosts).fetch().revision.commit == commit
    for others in (unknown, other):
        error = refusal(follow(key, others))
        assert (error.reason, "known_hosts_file" in error.message) == ("SourceUnauthorized", True)
    error = refusal(follow(stranger, known_hosts))
    assert error.reason == "SourceUnauthorized"
    assert "the host refuses the ssh key" in error.message
    repository.git("update-ref", "-d", "refs/heads/main")
    assert refusal(follow(key, known_hosts)).message == "the repository has no branch 'main'"
    key.chmod(0o644)
    assert "does not take the key in ssh_key_file" in refusal(follow(key, known_hosts)).message
