from __future__ import annotations

import pytest

from reconciler.images.verify.documents import LIMIT, Rejected, decoded, member, read_object, shown


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'\xff\xfe{"a": 1}',
        b'{"a": "\xff"}',
        b'{"a": 1} {"a": 1}',
        b'{"a": ' + b"[" * 100_000,
        b'{"a": ' * 100_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"a": "' + b"x" * LIMIT + b'"}',
    ],
    ids=range(14),
)
def test_what_is_not_plainly_one_json_object_is_refused(content: bytes) -> None:
    """Two readers of one document must not read two things, and nobody's document ends the program."""
    with pytest.raises(Rejected) as caught:
        read_object(content, "payload")
    assert caught.value.reason == "SignatureUnreadable"
    assert "payload" in caught.value.message


def test_a_member_has_the_type_that_it_has_to_have() -> None:
    """At every step of the way."""
    document = read_object(b'{"a": {"b": "c", "d": null}}', "payload")
    assert member(document, str, "a", "b") == "c"
    for path in (("a",), ("a", "d"), ("a", "b", "c"), ("x",), ("a", "x")):
        with pytest.raises(Rejected, match=r"no usable " + r"\.".join(path)):
            member(document, str, *path)


def test_base64_has_two_alphabets() -> None:
    """And nothing beside."""
    assert decoded("+/+/", "signature") == decoded("-_-_", "signature") == b"\xfb\xff\xbf"
    for text in ("+", "a b=", "====", "\u00e4\u00e4\u00e4\u00e4"):
        with pytest.raises(Rejected, match="signature is not base64"):
            decoded(text, "signature")


def test_what_others_wrote_cannot_write_on_a_terminal() -> None:
    """Nor fill it."""
    assert shown("https://slsa.dev/provenance/v1") == "https://slsa.dev/provenance/v1"
    assert shown("\x1b[2J\ud800\n") == r"'\x1b[2J\ud800\n'"
    assert len(shown("x" * 1000)) < 130
