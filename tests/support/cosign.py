"""The real cosign, versions 2 and 3, with a registry on this machine and nothing else.

Found on PATH as `cosign2` and `cosign3`. Keys are ours, so no certificate is asked for; there is no transparency log;
a proxy that does not exist keeps everything else from leaving the machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.signatures import Signer

_NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Cosign:
    """Both versions, with the keys of some signers in a folder."""

    folder: Path

    def import_key(self, signer: Signer) -> None:
        """Let a signer's key be one of cosign's; only version 3 imports all kinds, both use what it wrote."""
        (self.folder / f"{signer.kind}.pem").write_text(signer.private_pem)
        self.run(3, "import-key-pair", "--key", f"{signer.kind}.pem", "--output-key-prefix", signer.kind)

    def sign(self, version: int, signer: Signer, image: str, *options: str) -> None:
        """Sign an image, named by its digest."""
        self.run(version, "sign", *self._offline(version), "--key", f"{signer.kind}.key", *options, image)

    def attest(self, version: int, signer: Signer, image: str) -> None:
        """Attest to something about an image."""
        (self.folder / "predicate.json").write_text('{"tests": "passed"}')
        what = ("--predicate", "predicate.json", "--type", "custom")
        self.run(version, "attest", *self._offline(version), "--key", f"{signer.kind}.key", *what, image)

    def accepts(self, version: int, signer: Signer, image: str) -> bool:
        """Whether that version finds a signature of the image by the signer's key."""
        (self.folder / "verify.pub").write_text(signer.key.pem)
        trusted = ("--trusted-root", "root.json") if version > 2 else ()
        command = ("verify", "--insecure-ignore-tlog", *trusted, "--key", "verify.pub", image)
        return self._finished(version, *command).returncode == 0

    def run(self, version: int, *command: str) -> None:
        """Run to the end; what it says is the failure's text."""
        finished = self._finished(version, *command)
        assert finished.returncode == 0, finished.stderr

    def _offline(self, version: int) -> tuple[str, ...]:
        if version > 2:
            return ("--yes", "--signing-config", "services.json", "--trusted-root", "root.json")
        return ("--yes", "--tlog-upload=false")

    def _finished(self, version: int, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {"HOME": str(self.folder), "COSIGN_PASSWORD": "", "PATH": os.environ["PATH"]}
        environment |= {"HTTPS_PROXY": _NOWHERE, "HTTP_PROXY": _NOWHERE, "NO_PROXY": "127.0.0.1"}
        return subprocess.run(
            [f"cosign{version}", *command],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def cosign_in(folder: Path) -> Cosign:
    """Both versions, ready for use. Skips the test where one is not installed."""
    for name in ("cosign2", "cosign3"):
        if not shutil.which(name):
            pytest.skip(f"{name} is not on PATH")
    found = Cosign(folder)
    found.run(3, "signing-config", "create", "--out", "services.json")
    found.run(3, "trusted-root", "create", "--out", "root.json")
    return found
