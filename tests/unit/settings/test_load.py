from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import REFUSED, SettingsErrors
from reconciler.model.settings import (
    DirectorySource,
    GitRef,
    GitSource,
    PolicyException,
    PolicySettings,
    Settings,
    SignedBy,
)
from reconciler.settings import defaults
from reconciler.settings.load import load_settings

NOWHERE = "/nonexistent/config.yaml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "config.yaml"


def loaded(
    file: Path | None = None, text: str = "", environment: dict[str, str] | None = None, **flags: Any
) -> Settings:
    """What these say together; the file is named by the flag."""
    if file:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        flags["config"] = str(file)
    return load_settings(flags, environment or {}, default_file=NOWHERE)


def refused(
    file: Path | None = None, text: str = "", environment: dict[str, str] | None = None, **flags: Any
) -> list[str]:
    """What is wrong with these, a line each, with the file's name shortened."""
    with pytest.raises(SettingsErrors) as caught:
        loaded(file, text, environment, **flags)
    assert caught.value.exit_code == REFUSED
    assert str(caught.value) == "\n".join(str(error) for error in caught.value.errors)
    return [str(error).replace(str(file), "config.yaml") for error in caught.value.errors]


def test_without_any_settings_the_defaults_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the model, with places that depend on who runs it."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    state = "/var/lib/reconciler"
    assert loaded() == Settings(
        state_dir=state, data_dir=f"{state}/data", host_data_dir=f"{state}/data", socket="/run/reconciler.sock"
    )


def test_a_users_places_are_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """As XDG has them, where they are absolute; without a runtime directory the socket lies beside the state."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ada"))
    found = loaded(environment={"XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/run/user/1000"})
    assert (found.state_dir, found.socket) == ("/s/reconciler", "/run/user/1000/reconciler.sock")
    bare = loaded(environment={"XDG_STATE_HOME": "relative", "XDG_RUNTIME_DIR": "relative"})
    assert bare.state_dir == "/home/ada/.local/state/reconciler"
    assert bare.socket == "/home/ada/.local/state/reconciler/reconciler.sock"


def test_the_state_directory_of_the_environment_counts_without_settings_too() -> None:
    """For whoever makes options without them."""
    assert defaults.default_state_dir({"RECONCILER_STATE_DIR": "/s"}) == "/s"


def test_a_file_says_everything(file: Path) -> None:
    """Every key of it, durations and sizes as in a spec, relative paths from its own folder."""
    folder = file.parent
    folder.mkdir()
    for name in ("token", "keys.asc", "ca.pem", "id", "hosts", "signers", "age", "hash"):
        (folder / name).write_text("")
    text = """\
instance: prod
host: ssh://me@host
state_dir: state
data_dir: /srv/data
host_data_dir: /var/data
socket: run/socket
resync: 45s
full: 10m
image_checks: 1h
backoff: {first: 2s, most: 5m}
timeout: 15m
max_unavailable: 2
max_removed: 50%
history: 20
age_identity_file: age
hash_key_file: hash
log:
  format: json
  level: warning
sources:
  - name: shop
    git: https://git.example.com/ops/shop.git
    tag: v1
    subdir: specs/prod/
    interval: 30s
    timeout: 10s
    max_size: 1m
    token_file: token
    username: ada
    ca_file: ca.pem
    signed_by: {gpg: keys.asc}
    variables: {DOMAIN: shop.example.com}
  - git: git@git.example.com:ops/other.git
    semver: ^1.2
    ssh_key_file: id
    known_hosts_file: hosts
    signed_by: {ssh: signers}
  - git: ssh://git@git.example.com:2222/third
    commit: abcdef0123456789abcdef0123456789abcdef01
  - git: http://127.0.0.1:3000/fourth.git
  - directory: /srv/specs
  - {name: merged, directory: [a.yaml, b.yaml]}
policy:
  level: strict
  rules:
    registries: [registry.example.com]
    privileged: true
  exceptions:
    - {rule: privileged, project: shop, service: agent, reason: it watches the host}
    - {rule: devices, project: shop, reason: everywhere}
x-mine: ignored
"""
    found = loaded(file, text)
    at = str(file)
    assert found == Settings(
        sources=(
            GitSource(
                "shop",
                "https://git.example.com/ops/shop.git",
                GitRef("tag", "v1"),
                subdir="specs/prod",
                interval=30.0,
                timeout=10.0,
                max_bytes=1024 * 1024,
                token_file=f"{folder}/token",
                username="ada",
                ca_file=f"{folder}/ca.pem",
                signed_by=SignedBy("gpg", f"{folder}/keys.asc"),
                variables={"DOMAIN": "shop.example.com"},
                place=f"{at}:21",
            ),
            GitSource(
                "other",
                "git@git.example.com:ops/other.git",
                GitRef("semver", "^1.2"),
                ssh_key_file=f"{folder}/id",
                known_hosts_file=f"{folder}/hosts",
                signed_by=SignedBy("ssh", f"{folder}/signers"),
                place=f"{at}:33",
            ),
            GitSource(
                "third",
                "ssh://git@git.example.com:2222/third",
                GitRef("commit", "abcdef0123456789abcdef0123456789abcdef01"),
                place=f"{at}:38",
            ),
            GitSource("fourth", "http://127.0.0.1:3000/fourth.git", GitRef("branch", "main"), place=f"{at}:40"),
            DirectorySource("specs", ("/srv/specs",), f"{at}:41"),
            DirectorySource("merged", (f"{folder}/a.yaml", f"{folder}/b.yaml"), f"{at}:42"),
        ),
        policy=PolicySettings(
            "strict",
            {"registries": ["registry.example.com"], "privileged": True},
            {"registries": f"{at}:46", "privileged": f"{at}:47"},
            (
                PolicyException("privileged", "shop", "agent", "it watches the host", f"{at}:49"),
                PolicyException("devices", "shop", "", "everywhere", f"{at}:50"),
            ),
        ),
        instance="prod",
        host="ssh://me@host",
        state_dir=f"{folder}/state",
        data_dir="/srv/data",
        host_data_dir="/var/data",
        socket=f"{folder}/run/socket",
        resync=45.0,
        full=600.0,
        image_checks=3600.0,
        backoff_first=2.0,
        backoff_most=300.0,
        timeout=900.0,
        max_unavailable=2,
        max_removed=0.5,
        history=20,
        age_identity_file=f"{folder}/age",
        hash_key_file=f"{folder}/hash",
        log_format="json",
        log_level="warning",
        places=found.places,
    )
    assert found.places["resync"] == f"{at}:7"
    assert found.places["log.level"] == f"{at}:19"
    assert type(found.policy.rules["registries"]) is list


def test_a_flag_counts_before_a_variable_and_that_before_the_file(file: Path) -> None:
    """And each says who it was."""
    text = "instance: file\nlog: {level: error}\nhistory: 5\n"
    environment = {"RECONCILER_INSTANCE": "variable", "RECONCILER_LOG_LEVEL": "warning"}
    found = loaded(file, text, environment, instance="flag", timeout=90.5)
    assert (found.instance, found.log_level, found.history, found.timeout) == ("flag", "warning", 5, 90.5)
    assert found.places == {
        "instance": "--instance",
        "log.level": "RECONCILER_LOG_LEVEL",
        "history": f"{file}:3",
        "timeout": "--timeout",
    }


def test_paths_of_variables_and_flags_begin_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with any other program; those of the file begin at the file."""
    monkeypatch.chdir(tmp_path)
    found = loaded(environment={"RECONCILER_STATE_DIR": "s"}, socket="run/x", files=("specs", "/abs"))
    assert (found.state_dir, found.socket) == (f"{tmp_path}/s", f"{tmp_path}/run/x")
    assert found.data_dir == found.host_data_dir == f"{tmp_path}/s/data"
    assert found.sources == (DirectorySource("specs", (f"{tmp_path}/specs", "/abs"), "-f"),)


def test_one_repository_can_be_followed_by_variables_alone(tmp_path: Path) -> None:
    """In a container, say; it takes the place of the sources of the file."""
    (tmp_path / "token").write_text("")
    (tmp_path / "keys").write_text("")
    environment = {
        "RECONCILER_GIT_URL": "https://git.example.com/ops/shop.git",
        "RECONCILER_GIT_BRANCH": "prod",
        "RECONCILER_GIT_SUBDIR": "specs",
        "RECONCILER_GIT_TOKEN_FILE": str(tmp_path / "token"),
        "RECONCILER_GIT_SIGNED_BY_GPG": str(tmp_path / "keys"),
        "RECONCILER_GIT_INTERVAL": "10s",
    }
    found = loaded(tmp_path / "config.yaml", "sources: [{directory: /srv}]\n", environment)
    assert found.sources == (
        GitSource(
            "shop",
            "https://git.example.com/ops/shop.git",
            GitRef("branch", "prod"),
            subdir="specs",
            interval=10.0,
            token_file=str(tmp_path / "token"),
            signed_by=SignedBy("gpg", str(tmp_path / "keys")),
            place="RECONCILER_GIT_URL",
        ),
    )


def test_a_host_replaces_a_context_and_the_other_way_round(file: Path) -> None:
    """What is said of the engine counts as one thing."""
    found = loaded(file, "host: ssh://file\n", {"RECONCILER_CONTEXT": "variable"})
    assert (found.host, found.context) == (None, "variable")
    found = loaded(file, "context: file\n", {"RECONCILER_CONTEXT": "variable"}, host="unix:///flag")
    assert (found.host, found.context) == ("unix:///flag", None)
    found = loaded(file, "context: file\n", {"RECONCILER_INSTANCE": "x"}, instance="y")
    assert (found.host, found.context) == (None, "file")


def test_empty_variables_are_not_there() -> None:
    """As compose files leave them behind: `RECONCILER_TIMEOUT: ${TIMEOUT:-}`."""
    assert loaded(environment={"RECONCILER_TIMEOUT": "", "RECONCILER_NONSENSE": ""}).timeout is None


def test_variables_of_others_are_left_to_them() -> None:
    """Those of registries and of builds under way."""
    names = ("RECONCILER_REGISTRY_CERTS", "RECONCILER_PLAIN_REGISTRIES", "RECONCILER_BUILD_SECRET_0", "OTHER")
    assert loaded(environment=dict.fromkeys(names, "x")).places == {}


def test_the_file_is_named_by_a_flag_a_variable_or_its_place(tmp_path: Path) -> None:
    """In this order."""
    for name in ("flag", "variable", "default"):
        (tmp_path / name).write_text(f"instance: {name}\n")
    variable, default = {"RECONCILER_CONFIG": str(tmp_path / "variable")}, str(tmp_path / "default")
    named = {"config": str(tmp_path / "flag")}
    assert load_settings(named, variable, default_file=default).instance == "flag"
    assert load_settings({"config": None}, variable, default_file=default).instance == "variable"
    assert load_settings({}, {}, default_file=str(tmp_path / "default")).instance == "default"


def test_everything_that_is_wrong_is_said_at_once_and_in_order(file: Path) -> None:
    """Lines of the file first, then variables and flags."""
    text = "resync: 45\nhistorie: 5\nlog: {format: jsn}\nbackoff: 5\n"
    environment = {"RECONCILER_POLICY_LEVL": "x", "RECONCILER_HISTORY": "many", "RECONCILER_BACKOFF_FIRST": "1s"}
    assert refused(file, text, environment, max_unavailable=0) == [
        "config.yaml:1: resync: duration '45' has no unit (write '45s' for seconds)",
        "config.yaml:2: historie: unknown key (did you mean 'history'?)",
        "config.yaml:3: log.format: 'jsn' is not one of console, json (did you mean 'json'?)",
        "config.yaml:4: backoff: must be a mapping, not a number",
        "--max-unavailable: max_unavailable: must be a whole number from 1 on, not '0'",
        "RECONCILER_HISTORY: history: must be a whole number from 1 on, not 'many'",
        "RECONCILER_POLICY_LEVL: this variable is unknown (did you mean RECONCILER_POLICY_LEVEL?)",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense: 1", "nonsense: unknown key (known keys: age_identity_file, backoff, "),
        ("resync: 0s", "resync: '0s' is no time at all"),
        ("resync: soon", "resync: 'soon' is not a duration"),
        ("resync: [1s]", "resync: must be a duration such as 30s or 5m, not a list"),
        ("resync: true", "resync: must be a duration such as 30s or 5m, not a boolean"),
        ("history: 1.5", "history: must be a whole number from 1 on, not '1.5'"),
        ("max_removed: most", "max_removed: must be a share such as 30% or 0.3, not 'most'"),
        ("max_removed: 101%", "max_removed: must be a share such as 30% or 0.3, not '101%'"),
        ("instance: 5", "instance: must be a string, not a number: quote it"),
        ("instance: [a]", "instance: must be a string, not a list"),
        ('instance: ""', "instance: must not be empty"),
        ('instance: "a\\tb"', "instance: must not hold control characters"),
        ("host_data_dir: data", "host_data_dir: 'data' must be an absolute path: it is one of the engine's machine"),
        ("age_identity_file: nothing", "age_identity_file: {0}/nothing does not exist"),
        ("age_identity_file: .", "age_identity_file: {0} is a folder, not a file"),
        ("backoff: {first: 5m, most: 1m}", "backoff.first is longer than backoff.most"),
        ("backoff: {frist: 5m}", "backoff.frist: unknown key (did you mean 'first'?)"),
        ("log: {level: [a]}", "log.level: a list is not one of debug, info, warning, error"),
        ("policy: {level: lax}", "policy.level: 'lax' is not one of open, standard, strict"),
        ("policy: {rules: [a]}", "policy.rules: must be a mapping, not a list"),
        ("policy: {exceptions: [{rule: a, project: b}]}", "policy.exceptions[0].reason: is required"),
        ("policy: {exceptions: [{rul: a}]}", "policy.exceptions[0].rule: is required"),
        ("sources: {git: x}", "sources: must be a list, not a mapping"),
        ("sources: [a]", "sources[0]: a source has git: or directory:"),
        ("sources: [{directry: a}]", "sources[0]: a source has git: or directory:"),
        ("sources: [{directory: a, branch: b}]", "sources[0].branch: unknown key (known keys: directory, name)"),
        ("sources: [{directory: []}]", "sources[0].directory: must be a string, not a list"),
        ("sources: [{name: a/b, directory: a}]", "sources[0].name: 'a/b' is not a valid name"),
        ("sources: [{directory: a}, {directory: b/a/}]", "the name 'a' is already that of the source at config.yaml:1"),
        ("sources: [{git: 5}]", "sources[0].git: must be a string, not a number: quote it"),
    ],
)
def test_what_a_line_cannot_say_is_refused(file: Path, line: str, message: str) -> None:
    """With its place and in words of the file."""
    first, *_ = refused(file, f"{line}\n")
    assert first.startswith("config.yaml:1: " + message.format(file.parent))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("brnch: main", "sources[0].brnch: unknown key (did you mean 'branch'?)"),
        ("branch: -x", "sources[0].branch: '-x' cannot be the name of a branch or tag"),
        ("tag: a..b", "sources[0].tag: 'a..b' cannot be the name of a branch or tag"),
        ("semver: new", "sources[0].semver: "),
        ("commit: abc", "sources[0].commit: 'abc' is no commit"),
        ("subdir: ../x", "sources[0].subdir: '../x' must be a folder inside of the repository"),
        ("subdir: /x", "sources[0].subdir: '/x' must be a folder inside of the repository"),
        ("interval: 0s", "sources[0].interval: '0s' is no time at all"),
        ("max_size: 0", "sources[0].max_size: '0' is no size at all"),
        ("max_size: [1]", "sources[0].max_size: must be a size such as 256m, not a list"),
        ("branch: a, tag: b", "tag stands beside branch: one ref is followed (remove one of the two)"),
        ("ssh_key_file: .", "ssh_key_file is for ssh, and the repository is reached by https (remove it)"),
        ("signed_by: {}", "signed_by takes one of gpg and ssh"),
        ("signed_by: {gpg: a, ssh: b}", "signed_by takes one of gpg and ssh"),
        ("signed_by: {pgp: a}", "signed_by takes one of gpg and ssh"),
        ("signed_by: gpg", "sources[0].signed_by: must be a mapping, not a string"),
        ("variables: {A: 1}", "sources[0].variables.A: must be a string, not a number: quote it"),
    ],
)
def test_what_a_repository_cannot_be_is_refused(file: Path, entry: str, message: str) -> None:
    """Each key by itself, and what does not go together."""
    found = refused(file, f"sources: [{{git: 'https://h/p', {entry}}}]\n")
    assert any(line.startswith(f"config.yaml:1: {message}") for line in found), found


def test_a_subdirectory_may_be_the_root(file: Path) -> None:
    """Said or unsaid."""
    (source,) = loaded(file, "sources: [{git: 'https://h/p', subdir: .}]\n").sources
    assert isinstance(source, GitSource)
    assert source.subdir == ""


def test_a_name_that_nothing_gives_is_made_up(file: Path) -> None:
    """Of characters that a file's name may have."""
    text = "sources: [{git: 'h:ops/my@shop.git'}, {git: 'https://h/_é_.git/'}, {directory: [/a/b.yaml, /c]}]\n"
    assert [source.name for source in loaded(file, text).sources] == ["my-shop", "source", "b.yaml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "config.yaml:2: key 'a' is already set at line 1"),
        ("a: [\n", "config.yaml:2: invalid YAML"),
        ("- a\n", "config.yaml:1: settings are a mapping, not a list"),
        ("a: 1\n---\nb: 2\n", "config.yaml:2: a settings file is one document (remove ---)"),
        ("log: !reset null\n", "config.yaml: !reset and !override mean nothing in settings"),
        ("a: \0\n", "config.yaml:1: the file holds a NUL byte: it is not text (settings are YAML text in UTF-8)"),
        ("# " + "x" * 1024 * 1024, "config.yaml: the settings file is larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(file: Path, text: str, message: str) -> None:
    """By the reader of specs, with its limits."""
    (found,) = refused(file, text)
    assert found.startswith(message)


def test_an_empty_file_says_nothing(file: Path) -> None:
    """Nor does one of comments."""
    assert loaded(file, "# nothing\n").places == {}
    assert loaded(file, "null\n").places == {}


def test_a_file_that_is_named_must_be_there(file: Path) -> None:
    """And whoever names it is told."""
    missing = str(file)
    with pytest.raises(SettingsErrors, match=r"^--config: the settings file .* does not exist"):
        load_settings({"config": missing}, {}, default_file=NOWHERE)
    with pytest.raises(SettingsErrors, match=r"^RECONCILER_CONFIG: the settings file .* does not exist"):
        load_settings({}, {"RECONCILER_CONFIG": missing}, default_file=NOWHERE)


def test_the_null_device_is_no_settings() -> None:
    """For whoever wants none of those in /etc."""
    assert loaded(config=os.devnull).places == {}


def test_a_ref_without_a_repository_is_refused() -> None:
    """The variables describe one source together."""
    (found,) = refused(environment={"RECONCILER_GIT_BRANCH": "main"})
    assert found.startswith("RECONCILER_GIT_BRANCH: this is about a repository, and none is named")


def test_a_secret_in_an_address_is_never_repeated(file: Path) -> None:
    """Nor that of a variable that is none of ours."""
    text = "sources: [{git: 'https://ada:hunter2@h/p'}, {git: 'https://h/p?token=hunter2'}]\n"
    found = refused(file, text, {"RECONCILER_GIT_TOKEN": "hunter2", "RECONCILER_GIT_URL": ""})
    assert len(found) == 3
    assert "hunter2" not in str(found)
