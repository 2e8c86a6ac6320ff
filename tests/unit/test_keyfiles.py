"""Files that hold a key of ours: checked, and never repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler import keyfiles
from reconciler.errors import SettingsError
from reconciler.keyfiles import hash_key


def key(folder: Path, data: bytes = b"0123456789abcdef\n", mode: int = 0o600) -> str:
    """A file of that content."""
    path = folder / "key"
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


def test_a_key_is_what_the_file_holds(tmp_path: Path) -> None:
    """Any bytes, blanks around them aside."""
    assert hash_key(key(tmp_path)) == (b"0123456789abcdef".hex(), ())
    assert hash_key(key(tmp_path, bytes(range(100, 140)))) == (bytes(range(100, 140)).hex(), ())


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_who_else_can_read_it_is_warned_of(tmp_path: Path, mode: int) -> None:
    """With what to do."""
    path = key(tmp_path, mode=mode)
    _, (notice,) = hash_key(path)
    assert (notice.code, notice.source) == ("KeyFileExposed", path)
    assert notice.message == f"hash_key_file: others than its owner can read {path}: chmod 600 it"


def test_what_is_no_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the place that named it, without a word of it."""
    with pytest.raises(
        SettingsError, match=r"settings.yaml:3: hash_key_file: .* holds 5 bytes, .* \(openssl rand"
    ) as told:
        hash_key(key(tmp_path, b"short\n"), "settings.yaml:3")
    assert "short" not in str(told.value)
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        hash_key(str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="is no regular file"):
        hash_key(str(tmp_path))
    monkeypatch.setattr(keyfiles, "LARGEST", 8)
    with pytest.raises(SettingsError, match="is larger than 0 kB"):
        hash_key(key(tmp_path))
