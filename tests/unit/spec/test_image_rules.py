"""What `x-reconcile.image` may say: what is followed, when, and whose signature an image must have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from reconciler.model.project import Following, Image, PublicKey
from reconciler.spec.load import Loaded
from reconciler.spec.lowering import lower
from reconciler.spec.render import render
from reconciler.spec.signing_keys import LARGEST

Loader = Callable[..., Loaded]
Refusal = Callable[..., list[str]]

RULES = "services.web.x-reconcile.image"
KEY = "keys/cosign.pub"
SIGNER = ec.generate_private_key(ec.SECP256R1())


def pem(signer: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
    return signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


PUBLIC = pem(SIGNER)
PRIVATE = SIGNER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
EVERY_SETTING = """
x-reconcile:
  image:
    track: semver
    range: ">=1.4 <3"
    filter: ^v?[0-9.]+$$
    extract: ^v?(?P<version>.*)
    cooldown: 1d
    window: "* 2-4 * * 1-5"
    verify: {keys: [keys/cosign.pub]}
"""


def web(body: str, image: str = "x:1.4") -> str:
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return f"services:\n  web:\n    image: {image}\n{lines}"


def rules(body: str) -> str:
    """A spec with these rules, on line 4."""
    return web(f"x-reconcile: {{image: {body}}}")


def lowered(loaded: Loaded) -> Image:
    return lower(loaded).services[0].image


def test_every_setting_at_once_reaches_the_model(loader: Loader, tmp_path: Path) -> None:
    """In silence; the key's path is absolute, its PEM as it stands in the file, each setting found at its line."""
    loaded = loader({"compose.yaml": web(EVERY_SETTING), KEY: PUBLIC})
    key = str(tmp_path / "shop" / KEY)
    assert loaded.notices == ()
    assert lowered(loaded).keys == (PublicKey(key, PUBLIC),)
    assert lowered(loaded).following == Following(
        "semver", ">=1.4 <3", "^v?[0-9.]+$", "^v?(?P<version>.*)", 86_400.0, "* 2-4 * * 1-5"
    )
    assert loaded.sources[f"{RULES}.window"] == "compose.yaml:11"
    assert key in loaded.read


def test_what_is_printed_loads_again(loader: Loader, tmp_path: Path) -> None:
    """`config` shows the rules in their long form: absolute paths, durations as Go has them, `$` doubled."""
    loaded = loader({"compose.yaml": web(EVERY_SETTING), KEY: PUBLIC})
    printed = render(loaded.document, "yaml")
    assert "filter: ^v?[0-9.]+$$\n" in printed
    assert "cooldown: 24h0m0s\n" in printed
    assert f"- {tmp_path / 'shop' / KEY}\n" in printed
    again = loader({"other/compose.yaml": printed}, project_name="shop")
    assert again.document["services"] == loaded.document["services"]


@pytest.mark.parametrize(
    "body", ["{}", "{track: none}", '{track: digest, range: "", filter: "", window: ""}', "{track: none, extract: ''}"]
)
def test_what_is_empty_says_nothing(loader: Loader, body: str) -> None:
    """Such as a variable that is not set."""
    following = lowered(loader(rules(body))).following
    assert following == Following(following.track)


def test_a_digest_is_followed_with_care_too(loader: Loader) -> None:
    """Cooldown and window serve both tracks."""
    body = '{track: digest, cooldown: 90m, window: "* 3 * * *"}'
    assert lowered(loader(rules(body))).following == Following("digest", cooldown=5400.0, window="* 3 * * *")


RANGE_HINT = "(write it as ^1.2, ~1.2.3, 1.x, >=1.2 <2, 1.2 - 1.4 or 1.x || 3.x)"
PATTERN_HINT = "(it is Python's; in a Compose file each $ of it is written $$)"
WINDOW_HINT = "(minute, hour, day, month, day of the week, such as * 2-4 * * 1-5)"
SEMVER_HINT = "(remove it, or write track: semver)"
TRACK_HINT = "(remove it, or write track: digest or semver)"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("{track: newest}", "track: 'newest' is not one of none, digest, semver"),
        ("{track: sember}", "track: 'sember' is not one of none, digest, semver (did you mean 'semver'?)"),
        ("{trakc: digest}", "trakc: unknown key (did you mean 'track'?)"),
        ("{track: semver, range: 1.4}", "range: must be a string, not a number (quote it)"),
        (
            "{track: semver, range: ^1.x.2}",
            f"range: '1.x.2' in the range '^1.x.2' cannot be read {RANGE_HINT}",
        ),
        (
            "{track: semver, filter: '[0-9'}",
            f"filter: '[0-9' is not a regular expression: unterminated character set at character 1 {PATTERN_HINT}",
        ),
        (
            "{track: semver, extract: 'v(?<n>.)'}",
            f"extract: 'v(?<n>.)' is not a regular expression: unknown extension ?<n at character 3 {PATTERN_HINT}",
        ),
        ("{track: digest, cooldown: 1}", "cooldown: must be a duration, not a number (write 1s for seconds)"),
        (
            "{track: digest, window: nightly}",
            f"window: 'nightly' is not a line of cron: it has 1 fields, not 5 {WINDOW_HINT}",
        ),
        (
            "{track: digest, window: '* * 30 2 *'}",
            f"window: '* * 30 2 *' is not a line of cron: bad day-of-month {WINDOW_HINT}",
        ),
        ("{range: 1.x}", f"range: means nothing with track none {SEMVER_HINT}"),
        ("{track: digest, filter: a}", f"filter: means nothing with track digest {SEMVER_HINT}"),
        ("{track: digest, extract: a}", f"extract: means nothing with track digest {SEMVER_HINT}"),
        ("{track: none, cooldown: 1h}", f"cooldown: means nothing with track none {TRACK_HINT}"),
        ("{window: '* 2 * * *'}", f"window: means nothing with track none {TRACK_HINT}"),
        ("{verify: {}}", "verify.keys: is required"),
        (
            "{verify: {keys: []}}",
            "verify.keys: names no key, so nothing could ever run (name a file, or remove verify)",
        ),
        ("{verify: {key: a}}", "verify.key: unknown key (did you mean 'keys'?)"),
        ("{verify: {keys: [1]}}", "verify.keys[0]: must be a string, not a number (quote it)"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_remedy(refusal: Refusal, body: str, error: str) -> None:
    """Before anything is asked of a registry."""
    lines = refusal(rules(body))
    assert f"compose.yaml:4: {RULES}.{error}" in lines
    assert len(lines) <= 2


@pytest.mark.parametrize("image", ["x@sha256:" + "a" * 64, "x:1.4@sha256:" + "a" * 64, '"sha256:' + "a" * 64 + '"'])
@pytest.mark.parametrize("track", ["digest", "semver"])
def test_a_digest_in_the_spec_is_not_followed(loader: Loader, refusal: Refusal, image: str, track: str) -> None:
    """Nothing is newer than it; not to follow it is no mistake."""
    (line,) = refusal(web(f"x-reconcile: {{image: {{track: {track}}}}}", image))
    assert line == (
        f"compose.yaml:4: {RULES}.track: track {track} cannot follow an image that is one digest for ever "
        "(write image: with its tag alone, or track: none)"
    )
    assert lowered(loader(web("x-reconcile: {image: {track: none}}", image))).following == Following()


@pytest.mark.parametrize("policy", ["never", "build"])
def test_who_may_not_be_asked_is_not_followed(refusal: Refusal, policy: str) -> None:
    """The two keys say opposite things."""
    (line,) = refusal(web(f"pull_policy: {policy}\nx-reconcile: {{image: {{track: digest}}}}"))
    assert line == (
        f"compose.yaml:5: {RULES}.track: track digest asks a registry, and pull_policy {policy} asks none "
        "(remove one of the two)"
    )


@pytest.mark.parametrize("image", ["", "    image: x:1\n"])
def test_what_is_built_here_is_neither_followed_nor_verified(loader: Loader, refusal: Refusal, image: str) -> None:
    """It comes from no registry; saying so is no mistake."""
    text = f"services:\n  web:\n{image}    build: .\n    x-reconcile: {{image: %s}}\n"
    line = 4 + bool(image)
    said = "means nothing beside build: what is built here runs (remove one of the two)"
    assert refusal({"compose.yaml": text % "{track: semver, verify: {keys: a.pub}}"}) == [
        f"compose.yaml:{line}: {RULES}.track: {said}",
        f"compose.yaml:{line}: {RULES}.verify: {said}",
    ]
    assert loader({"compose.yaml": text % "{track: none}"}).notices == ()


def test_rules_merge_key_by_key_and_keys_add_up(loader: Loader, tmp_path: Path) -> None:
    """A later file may change the window alone; the same key twice is one, from whichever folder it is named."""
    more = pem(ed25519.Ed25519PrivateKey.generate())
    over = (
        "services:\n  web:\n    x-reconcile:\n"
        f"      image: {{window: '* 1 * * *', verify: {{keys: [b.pub, ./{KEY}]}}}}\n"
    )
    image = lowered(loader({"compose.yaml": web(EVERY_SETTING), "over.yaml": over, KEY: PUBLIC, "b.pub": more}))
    assert (image.following.track, image.following.window) == ("semver", "* 1 * * *")
    folder = tmp_path / "shop"
    assert image.keys == (PublicKey(str(folder / KEY), PUBLIC), PublicKey(str(folder / "b.pub"), more))


def test_a_key_stands_beside_the_file_that_names_it(loader: Loader, tmp_path: Path) -> None:
    """As other paths of a project that is included, and of a service that is extended."""
    spec = "include: [one/compose.yaml]\nservices:\n  web:\n    extends: {file: two/base.yaml, service: base}\n"
    inner = "services:\n  %s:\n    image: y\n    x-reconcile: {image: {verify: {keys: a.pub}}}\n"
    loaded = loader(
        {
            "compose.yaml": spec,
            "one/compose.yaml": inner % "api",
            "two/base.yaml": inner % "base",
            "one/a.pub": PUBLIC,
            "two/a.pub": PUBLIC,
        },
        files=("compose.yaml",),
    )
    paths = {service.name: service.image.keys[0].path for service in lower(loaded).services}
    assert paths == {
        name: str(tmp_path / "shop" / folder / "a.pub") for name, folder in (("api", "one"), ("web", "two"))
    }


@pytest.mark.parametrize(
    "signer", [ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)], ids=["ed25519", "rsa"]
)
def test_keys_of_each_kind_are_taken(loader: Loader, signer: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> None:
    """Whatever stands around the key in its file, and however its lines end."""
    text = f"# of the build server\n{pem(signer)}\n".replace("\n", "\r\n")
    (key,) = lowered(loader({"compose.yaml": rules(f"{{verify: {{keys: {KEY}}}}}"), KEY: text})).keys
    assert key.pem.split() == pem(signer).split()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no public key in PEM"),
        ("ssh-ed25519 AAAA", "is no public key in PEM"),
        (PUBLIC.replace("PUBLIC KEY", "CERTIFICATE"), "is no public key in PEM"),
        (PUBLIC.replace("PUBLIC KEY", "RSA PUBLIC KEY"), "is no public key in PEM"),
        (PUBLIC.replace("M", "", 1), "is no public key in PEM"),
        (PUBLIC.replace("M", "A", 1), "is no public key in PEM"),
        (PUBLIC + PUBLIC, "holds more than one key"),
        ("x" * (LARGEST + 1), "is larger than 16 kB: that is no key"),
        (PRIVATE, "is a private key: it signs, and has no place here"),
        (PUBLIC + PRIVATE, "is a private key: it signs, and has no place here"),
        (PRIVATE.replace("PRIVATE", "ENCRYPTED SIGSTORE PRIVATE"), "is a private key: it signs, and has no place here"),
    ],
)
def test_what_is_no_public_key_is_refused(refusal: Refusal, text: str, said: str) -> None:
    """And nothing of it is told: it may be a secret that was named by mistake."""
    (line,) = refusal({"compose.yaml": rules(f"{{verify: {{keys: [{KEY}]}}}}"), KEY: text})
    assert line.startswith(f"compose.yaml:4: {RULES}.verify.keys[0]: {KEY} {said} (")
    assert not [part for part in text.splitlines() if part.isalnum() and part in line]


def test_keys_that_cannot_be_read_are_refused_together(refusal: Refusal, tmp_path: Path) -> None:
    """Each by its place in the list."""
    (tmp_path / "shop" / "folder").mkdir()
    hint = "(create it, or correct the path)"
    assert refusal(rules("{verify: {keys: [none.pub, folder]}}")) == [
        f"compose.yaml:4: {RULES}.verify.keys[0]: none.pub does not exist {hint}",
        f"compose.yaml:4: {RULES}.verify.keys[1]: folder is a folder {hint}",
    ]


def test_a_confined_project_reads_no_key_outside_of_its_tree(refusal: Refusal, tmp_path: Path) -> None:
    """Nor through a symbolic link."""
    outside = tmp_path / "other.pub"
    outside.write_text(PUBLIC, encoding="utf-8")
    folder = tmp_path / "shop"
    (folder / "link.pub").symlink_to(outside)
    lines = refusal(rules("{verify: {keys: [../other.pub, link.pub]}}"), confined_to=str(folder))
    assert [line.partition(" (")[0] for line in lines] == [
        f"compose.yaml:4: {RULES}.verify.keys[0]: {outside} lies outside of {folder}",
        f"compose.yaml:4: {RULES}.verify.keys[1]: link.pub lies outside of {folder}",
    ]


def test_the_service_of_another_profile_needs_no_key(loader: Loader) -> None:
    """What does not run is not read."""
    assert loader(web("profiles: [later]\nx-reconcile: {image: {verify: {keys: none.pub}}}")).disabled == {"web"}
