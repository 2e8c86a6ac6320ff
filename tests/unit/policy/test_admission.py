"""Projects held against their policies: by the functions that others call, and by the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.admission import admit, policies, policy_notices
from reconciler.errors import PolicyError, PolicyErrors
from reconciler.loading import Selection, Specs, load_specs
from reconciler.model.settings import PolicyException, PolicySettings, Settings
from reconciler.policy.judge import violations
from tests.support import policy_rules
from tests.support.inprocess import reconcile

if TYPE_CHECKING:
    from reconciler.model.project import Project

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "policy.md"
GOOD = "name: good\nservices: {web: {image: 'example/web:1.0'}}\n"
BAD = "name: bad\nservices:\n  web:\n    image: example/web:1.0\n    privileged: true\n    pid: host\n"
FROM = """\
name: built
services:
  web:
    build: {context: ., dockerfile_inline: "DOCKERFILE"}
"""


def loaded(folder: Path, text: str) -> Project:
    """The project of this spec, as from Git."""
    (folder / "compose.yaml").write_text(text)
    (project,) = load_specs(Selection(str(folder), files=("compose.yaml",)), {}).projects
    return replace(project, from_git=True)


def rules(project: Project, settings: Settings) -> list[str]:
    return [item.rule for item in violations(project, policies(settings)(project))]


def test_a_denied_project_is_an_error_for_each_violation_and_the_others_go_on(tmp_path: Path) -> None:
    """With rule, line and way out in each; a refused project is no longer among the projects."""
    good, bad = loaded(tmp_path, GOOD), loaded(tmp_path, BAD)
    specs = admit(Specs((bad, good), (), ()), policies(Settings()))
    assert specs.projects == (good,)
    assert [(item.code, item.source) for item in specs.errors] == [
        ("PolicyDenied", "compose.yaml:5"),
        ("PolicyDenied", "compose.yaml:6"),
    ]
    assert specs.errors[0].message == (
        "services.web: a privileged container is not allowed here (policy rule privileged)"
        " (`privileged: false` in policy.rules of the settings would allow it,"
        " or an exception: {rule: privileged, project: bad, service: web, reason: ...})"
    )


def test_exceptions_are_warnings(tmp_path: Path) -> None:
    """Used or not, whether or not the project is admitted."""
    exceptions = (PolicyException("privileged", "bad", "", "old"), PolicyException("devices", "bad", "", "older"))
    settings = Settings(policy=PolicySettings(exceptions=exceptions))
    specs = admit(Specs((loaded(tmp_path, BAD),), (), ()), policies(settings))
    assert [item.code for item in specs.warnings] == ["PolicyException", "PolicyExceptionUnused"]
    assert [item.source for item in specs.errors] == ["compose.yaml:6"]


def test_materialised_files_may_be_mounted_by_their_project(tmp_path: Path) -> None:
    """Below `host_data_dir`, by each project its own; not the checkout, and no other's."""
    settings = Settings(host_data_dir="/srv/data/")

    def mounting(path: str) -> list[str]:
        spec = GOOD.replace("1.0'", f"1.0', volumes: ['{path}:/x']")
        return rules(loaded(tmp_path, spec), settings)

    assert mounting("/srv/data/good/0a1b") == []
    assert mounting("/srv/data/bad/0a1b") == ["host-paths"]
    assert mounting("./conf") == ["host-paths"]


def test_symbolic_links_lead_nowhere(tmp_path: Path) -> None:
    """They are followed on this machine; what cannot be a path here is left as it is."""
    data = tmp_path / "data" / "good"
    data.mkdir(parents=True)
    (data / "link").symlink_to("/etc")
    settings = Settings(host_data_dir=str(tmp_path / "data"))
    spec = GOOD.replace("1.0'", f"1.0', volumes: ['{data}/link/passwd:/x']")
    assert rules(loaded(tmp_path, spec), settings) == ["host-paths"]
    policy = policies(settings)(loaded(tmp_path, GOOD))
    assert policy.ground.real_path("/a\0b") == "/a\0b"


@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM evil.example/base:1",
        "FROM evil.example/base@sha256:" + "0" * 64,
        "FROM ghcr.io/a/b:1\\nCOPY --from=evil.example/tool /x /x",
        "FROM ghcr.io/a/b:1 AS a-amd64\\nFROM evil.example/b AS a-arm64\\nARG TARGETARCH\\nFROM a-$TARGETARCH",
        "# syntax=evil.example/frontend:1\\nFROM ghcr.io/a/b:1",
    ],
)
def test_a_dockerfile_starts_from_allowed_registries(tmp_path: Path, dockerfile: str) -> None:
    """Pinned or not, on any platform, in any stage that is needed, and what reads it."""
    settings = Settings(policy=PolicySettings(rules={"registries": ["ghcr.io"]}))
    assert "registries" in rules(loaded(tmp_path, FROM.replace("DOCKERFILE", dockerfile)), settings)
    assert rules(loaded(tmp_path, FROM.replace("DOCKERFILE", "FROM ghcr.io/a/b:1")), settings) == []


def test_an_error_is_a_notice_for_each_violation() -> None:
    """Of one or of several."""
    one, two = PolicyError("a", source="x:1", hint="b"), PolicyError("c")
    assert [item.message for item in policy_notices(PolicyErrors([one, two]))] == ["a (b)", "c"]
    assert [item.source for item in policy_notices(one)] == ["x:1"]
    assert str(PolicyErrors([one, two])) == "x:1: a (b)\nc"


def test_the_page_is_what_the_table_says() -> None:
    """Run `python -m tests.support.policy_rules > docs/policy.md` after a change of a rule."""
    assert PAGE.read_text() == policy_rules.page()


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    """A folder with a project that `standard` denies, and one that it does not."""
    for name, text in (("good", GOOD), ("bad", BAD)):
        (tmp_path / "specs" / name).mkdir(parents=True)
        (tmp_path / "specs" / name / "compose.yaml").write_text(text)
    return tmp_path


@pytest.mark.parametrize("arguments", [("validate",), ("--dry-run", "-H", "simulated://"), ("-H", "simulated://")])
def test_ci_checks_as_the_service_does(specs: Path, arguments: tuple[str, ...]) -> None:
    """Exit 3, every violation with its line on stderr, the other project all the same."""
    done = reconcile(specs, *arguments, RECONCILER_POLICY_LEVEL="standard")
    assert done.returncode == 3, done.stderr
    assert "error: specs/bad/compose.yaml:5: services.web: a privileged container is not allowed here" in done.stderr
    assert "error: specs/bad/compose.yaml:6: services.web: the pid namespace 'host'" in done.stderr
    assert "good" in done.stdout
    assert "bad" not in done.stdout


def test_a_document_has_the_same_errors(specs: Path) -> None:
    """As JSON, for machines."""
    done = reconcile(specs, "--dry-run", "-H", "simulated://", "-o", "json", RECONCILER_POLICY_LEVEL="standard")
    document = json.loads(done.stdout)
    assert [item["code"] for item in document["errors"]] == ["PolicyDenied", "PolicyDenied"]
    assert [item["name"] for item in document["projects"]] == ["good"]


def test_a_local_directory_is_open(specs: Path) -> None:
    """Without a level nothing is denied there."""
    assert reconcile(specs, "validate").returncode == 0
    assert reconcile(specs, "-H", "simulated://").returncode == 0


def test_a_command_about_one_service_is_refused_too(specs: Path) -> None:
    """With the policy's code."""
    done = reconcile(
        specs, "why", "web", "-p", "bad", "-H", "simulated://", "-o", "json", RECONCILER_POLICY_LEVEL="standard"
    )
    assert done.returncode == 3
    assert {item["code"] for item in json.loads(done.stdout)["errors"]} == {"PolicyDenied"}


def test_a_level_that_there_is_not_is_refused(specs: Path) -> None:
    """Rather than taken for another."""
    done = reconcile(specs, "validate", RECONCILER_POLICY_LEVEL="lax")
    assert done.returncode == 3
    assert "policy.level: 'lax' is not one of" in done.stderr
