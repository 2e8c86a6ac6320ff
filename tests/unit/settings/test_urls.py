from __future__ import annotations

import pytest

from reconciler.settings.urls import transport


@pytest.mark.parametrize(
    ("url", "way"),
    [
        ("https://git.example.com/ops/shop.git", "https"),
        ("https://git.example.com:8443/ops", "https"),
        ("http://localhost:3000/ops", "https"),
        ("http://127.0.0.2/ops", "https"),
        ("http://[::1]:3000/ops", "https"),
        ("ssh://git@git.example.com:22/ops", "ssh"),
        ("ssh://git.example.com/ops", "ssh"),
        ("git@git.example.com:ops/shop.git", "ssh"),
        ("forge:ops/shop.git", "ssh"),
    ],
)
def test_repositories_are_followed_by_https_and_ssh(url: str, way: str) -> None:
    """Also by http, on this machine."""
    assert transport(url) == way


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://git.example.com/ops", "http:// is for this machine only"),
        ("http://10.0.0.1/ops", "http:// is for this machine only"),
        ("git://git.example.com/ops", "git:// is not followed"),
        ("file:///srv/git", "the address has no host or no path"),
        ("file://host/srv/git", "file:// is not followed"),
        ("ext::sh -c id", "the address has blanks in it"),
        ("ext::sh", "a path or file is no address"),
        ("/srv/git", "a path or file is no address"),
        ("../git", "a path or file is no address"),
        ("-oProxyCommand=x:y", "a path or file is no address"),
        ("ssh://-oProxyCommand=x/y", "the address has no host or no path"),
        ("https://git.example.com", "the address has no host or no path"),
        ("https://git.example.com:http/x", "the address cannot be read"),
        ("https://me@git.example.com/x", "the address has credentials in it"),
        ("https://me:secret@git.example.com/x", "the address has credentials in it"),
        ("ssh://git:secret@git.example.com/x", "the address has credentials in it"),
        ("https://git.example.com/x#y", "the address has more than a host and a path in it"),
    ],
)
def test_everything_else_is_refused(url: str, message: str) -> None:
    """By name, and without repeating a secret."""
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        transport(url)
    assert "secret" not in str(caught.value)
