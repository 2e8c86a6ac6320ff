"""What a policy denies never reaches a real engine: nothing is created, and what runs stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.command import Site

STANDARD = {"RECONCILER_POLICY_LEVEL": "standard"}
HOLES: list[tuple[str, dict[str, Any]]] = [
    ("privileged", {"privileged": True}),
    ("host-namespaces", {"pid": "host"}),
    ("cap-add", {"cap_add": ["SYS_ADMIN"]}),
    ("devices", {"devices": ["/dev/null:/dev/sda"]}),
    ("security-options", {"security_opt": ["seccomp:unconfined"]}),
    ("system-paths", {"security_opt": ["systempaths=unconfined"]}),
    ("engine-socket", {"use_api_socket": True}),
    ("engine-socket", {"volumes": ["/var/../var//run/docker.sock:/s"]}),
    ("host-paths", {"volumes": ["/etc:/e:ro"]}),
    ("host-paths", {"configs": ["passwords"]}),
    ("sysctls", {"sysctls": {"net.core.somaxconn": "1024"}}),
    ("runtimes", {"runtime": "runc"}),
    ("cgroup-parent", {"cgroup_parent": "/reconciler-test"}),
]
CONFIGS = {"passwords": {"file": "/etc/passwd"}}


def made(site: Site) -> tuple[object, ...]:
    """Everything of the project that the engine has."""
    return site.containers(), site.networks(), site.volumes()


@pytest.mark.parametrize(("rule", "fields"), HOLES)
def test_what_leads_out_of_a_container_is_refused(site: Site, rule: str, fields: dict[str, Any]) -> None:
    """Exit 3 with the rule, its line and a way out; no network, no volume, no container, not even of other services."""
    top = {"name": site.name, "volumes": {"data": {}}, **({"configs": CONFIGS} if "configs" in fields else {})}
    site.write(top, web=site.service(**fields), db=site.service(volumes=["data:/data"]))
    site.run(**STANDARD).expect(3).says(f"(policy rule {rule})", "error: compose.yaml:", "exception: {rule: ")
    assert made(site) == ({}, set(), set())


def test_validation_and_dry_run_say_the_same(site: Site) -> None:
    """So that CI knows before the service does."""
    site.write(web=site.service(privileged=True))
    said = {site.run(*arguments, **STANDARD).expect(3).stderr for arguments in ((), ("validate",), ("--dry-run",))}
    assert len(said) == 1


def test_a_bind_that_hides_in_driver_opts_is_refused(site: Site) -> None:
    """It is the volume that mounts it, and it is not made."""
    options = {"type": "none", "o": "bind", "device": "/"}
    top = {"name": site.name, "volumes": {"data": {"driver_opts": options}}}
    site.write(top, web=site.service(volumes=["data:/data"]))
    site.run(**STANDARD).expect(3).says("volumes.data: the host path '/'", "policy rule engine-socket")
    assert made(site) == ({}, set(), set())


def test_a_network_of_the_host_s_own_card_is_refused(site: Site) -> None:
    """Neither the network nor its service is made."""
    top = {"name": site.name, "networks": {"lan": {"driver": "macvlan", "driver_opts": {"parent": "lo"}}}}
    site.write(top, web=site.service(networks=["lan"]))
    site.run(**STANDARD).expect(3).says("the network driver 'macvlan'", "the network option 'parent'")
    assert made(site) == ({}, set(), set())


def test_a_build_with_more_than_a_container_has_is_refused(site: Site) -> None:
    """Nothing is built."""
    (site.folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    build = {"context": ".", "network": "host"}
    site.write(web={"image": f"{site.name}:1", "build": build})
    site.run(**STANDARD).expect(3).says("policy rule build-privileges")
    assert not [row for row in site.api.images() if f"{site.name}:1" in (row["RepoTags"] or [])]


def test_what_runs_stays_until_it_is_changed(site: Site) -> None:
    """A rule that is new denies what runs already: it is left alone, and replaced by a spec that the rule allows."""
    site.write(web=site.service(cap_add=["SYS_TIME"]))
    site.converge()
    before = site.running()
    site.run(**STANDARD).expect(3)
    site.write(web=site.service(cap_add=["SYS_TIME"], environment={"NEW": "1"}))
    site.run(**STANDARD).expect(3)
    assert site.running() == before
    site.write(web=site.service(cap_add=["CHOWN"]))
    site.run(**STANDARD).expect(0)
    (found,) = site.containers().values()
    assert found["HostConfig"]["CapAdd"] == ["CAP_CHOWN"]


def test_other_projects_go_on(site: Site, tmp_path: Path) -> None:
    """One that is refused costs no other one anything."""
    site.write(web=site.service())
    (tmp_path / "compose.yaml").write_text(f"name: {site.name}-bad\nservices: {{x: {{image: a, privileged: true}}}}\n")
    (site.folder / "specs").mkdir()
    site.spec.rename(site.folder / "specs" / "good.yaml")
    (tmp_path / "compose.yaml").rename(site.folder / "specs" / "bad.yaml")
    site.run(**STANDARD).expect(3).says(f"{site.name}: converged", "specs/bad.yaml:2: services.x: a privileged")
    assert len(site.running("web")) == 1


def test_an_engine_s_own_defaults_pass(site: Site) -> None:
    """What this engine shows of a plain container breaks no rule: one that is started again is judged by it."""
    from reconciler.model.operation import Operation
    from reconciler.model.project import Project
    from reconciler.model.settings import PolicySettings
    from reconciler.planner.containers import FILLED_IN
    from reconciler.policy.judge import denied
    from reconciler.policy.resolve import resolve

    site.write(web=site.service())
    site.converge()
    found = site.only("web")
    asked = {field: value for field, value in found["HostConfig"].items() if field not in FILLED_IN}
    policy = resolve(PolicySettings("standard"), Project(site.name, ()))
    start = Operation(
        "id", "container.start", "web", site.name, payload={"body": {**found["Config"], "HostConfig": asked}}
    )
    assert denied(start, policy) == ()
