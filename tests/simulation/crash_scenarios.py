"""The projects and changes in the middle of which `test_crashes` lets the program die. Pure data.

Every scenario begins with a project that runs (or nothing), something changes, and one converge brings it about.
Images say what they do: `dies` exits, `sick` never becomes healthy, `job` ends with 0, `relapse` is healthy at first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reconciler.engine.simulated import Behaviour, outside

if TYPE_CHECKING:
    from tests.support.world import World

Services = Mapping[str, Any]
CHECK = {"test": ["CMD", "true"], "interval": "1s", "timeout": "1s", "retries": 1}
QUICK = {"min_running": "1s", "progress_deadline": "20s"}


def behave(image: str, _config: Mapping[str, Any]) -> Behaviour:
    """What the image of that name does."""
    known = {
        "dies": Behaviour(exit_after=0.5, exit_code=9),
        "sick": Behaviour(healthy_after=None, probe_output="no"),
        "job": Behaviour(exit_after=1.0),
        "relapse": Behaviour(healthy_after=0.0, unhealthy_after=2.5),
    }
    return next((found for name, found in known.items() if name in image), Behaviour())


@dataclass(frozen=True)
class Scenario:
    """One change of one project.

    `before` are the definitions converged before it, in order; `act` happens after them; `after` is what is asked for
    then. `floor` is how many replicas of a service must be healthy at every moment. `tries` is how often a definition
    that fails may be begun with in each slot: its first failure is forgotten where the program dies before it saw it.
    """

    before: tuple[Services, ...]
    after: Services
    floor: Mapping[str, int] = field(default_factory=dict)
    act: Callable[[World], None] | None = None
    top: Mapping[str, Any] = field(default_factory=dict)
    top_after: Mapping[str, Any] | None = None
    retry: str = ""
    succeeds: bool = True
    tries: int = 1

    def texts(self) -> tuple[tuple[str, ...], str]:
        """The specs before it, and the one after it."""
        after = self.top if self.top_after is None else self.top_after
        return tuple(_spec(services, self.top) for services in self.before), _spec(self.after, after)


def web(release: str = "1", *, update: Mapping[str, Any] | None = None, **fields: Any) -> Services:
    """A project of one service of that release; `rollout` and `update` are its rollout settings."""
    return {"web": service(release, update=update, **fields)}


def service(release: str, *, update: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A service of that release with a health check and short times."""
    rollout = {**QUICK, **fields.pop("rollout", {})}
    deploy = {"update_config": {"monitor": "1s", **(update or {})}, "rollback_config": {"monitor": "1s"}}
    plain = {"image": "example/web:good", "environment": {"RELEASE": release}, "healthcheck": CHECK}
    return {**plain, "deploy": deploy, "x-reconcile": {"rollout": rollout}, **fields}


def rolls(floor: int, **fields: Any) -> Scenario:
    """Release 2 of the service takes the place of release 1."""
    return Scenario((web("1", **fields),), web("2", **fields), {"web": floor})


def fails(image: str, floor: int, *, earlier: tuple[Services, ...] | None = None, **fields: Any) -> Scenario:
    """An image that is no good comes after a good one, or after nothing."""
    before = (web("1", **fields),) if earlier is None else earlier
    return Scenario(before, web("2", image=f"example/{image}", **fields), {"web": floor}, succeeds=False, tries=2)


def _spec(services: Services, top: Mapping[str, Any]) -> str:
    return json.dumps({"services": services, **top})


def _pause(world: World) -> None:
    outside.pause(world.engine, world.container("web/1"))


def _kill(world: World) -> None:
    outside.kill(world.engine, world.container("web/1"))


def _remove(world: World) -> None:
    outside.remove(world.engine, world.container("web/2"))


def _rename(world: World) -> None:
    outside.rename(world.engine, world.container("web/1"), "somebody")


STOP = {"order": "stop-first"}
ANONYMOUS = ["/data"]
PORT = ["8080:80"]
NAMED: Mapping[str, Any] = {"volumes": {"data": {}}}
TWO_NETWORKS: Mapping[str, Any] = {"networks": {"front": {}, "back": {}}}
SUBNET = {"networks": {"default": {"ipam": {"config": [{"subnet": "172.30.7.0/24"}]}}}}
INTERNAL: Mapping[str, Any] = {"networks": {"default": {"internal": True}}}
TWO_TIERS = {
    "db": service("1"),
    "web": service("1", depends_on={"db": {"condition": "service_healthy"}}),
}
MIGRATED = {
    "migrate": {"image": "example/job:1", "restart": "no", "environment": {"RELEASE": "1"}},
    "web": service("1", depends_on={"migrate": {"condition": "service_completed_successfully"}}),
}


def _release_2(services: Services) -> Services:
    return {name: {**one, "environment": {"RELEASE": "2"}} for name, one in services.items()}


def _beside(release: str) -> Services:
    return {"web": service(release), "side": service("1", network_mode="service:web")}


def _signal(delay: str = "1s") -> Mapping[str, Any]:
    return {"rollout": {"settle": "1s", "drain": {"method": "signal", "signal": "SIGUSR1", "delay": delay}}}


def _exec() -> Mapping[str, Any]:
    return {"rollout": {"drain": {"method": "exec", "command": ["drain"], "delay": "1s"}}}


def _http() -> Mapping[str, Any]:
    return {"rollout": {"drain": {"method": "http", "port": 8080, "path": "/drain", "delay": "1s"}}}


SCENARIOS: Mapping[str, Scenario] = {
    "first deploy": Scenario((), {"web": service("1", scale=2), "db": service("1", volumes=["data:/data"])}, top=NAMED),
    "start-first": rolls(1),
    "start-first, three one by one": rolls(3, scale=3),
    "start-first, three by two": rolls(3, scale=3, update={"parallelism": 2}),
    "start-first, all at once": rolls(2, scale=2, update={"parallelism": 0}),
    "stop-first, two one by one": rolls(1, scale=2, update=STOP),
    "without health check": rolls(1, healthcheck={"disable": True}),
    "container_name": rolls(0, container_name="front"),
    "anonymous volume": rolls(0, volumes=ANONYMOUS),
    "fixed port": rolls(0, ports=PORT),
    "image that has to be pulled": Scenario((web("1"),), web("1", image="example/web:newer"), {"web": 1}),
    "dependency with health": Scenario((TWO_TIERS,), _release_2(TWO_TIERS), {"web": 1, "db": 1}),
    "job first": Scenario((MIGRATED,), _release_2(MIGRATED), {"web": 1}),
    "scale up": Scenario((web(scale=1),), web(scale=3), {"web": 1}),
    "scale down": Scenario((web(scale=3),), web(scale=1), {"web": 1}),
    "removed service": Scenario(({**web(), "old": service("1")},), web(), {"web": 1}),
    "one more network": Scenario(
        (web(networks=["front"]),), web(networks=["front", "back"]), {"web": 1}, top=TWO_NETWORKS
    ),
    "changed network": Scenario((TWO_TIERS,), TWO_TIERS, top_after=INTERNAL),
    "changed network, scaled, and a new release": Scenario(
        (web("1", scale=3, networks=["front", "back"]),),
        web("2", scale=3, networks=["front", "back"]),
        top=TWO_NETWORKS,
        top_after={"networks": {"front": {"labels": {"tier": "1"}}, "back": {}}},
    ),
    "changed network, publish: healthy": Scenario(
        (web(rollout={"publish": "healthy"}),), web(rollout={"publish": "healthy"}), top_after=INTERNAL
    ),
    "changed network, container_name": Scenario(
        (web(container_name="front"),), web(container_name="front"), top_after=INTERNAL
    ),
    "changed network, after a job": Scenario((MIGRATED,), MIGRATED, top_after=INTERNAL),
    "changed network, shared namespace": Scenario((_beside("1"),), _beside("1"), top_after=INTERNAL),
    "changed network, removed service": Scenario(({**web(), "old": service("1")},), web(), top_after=INTERNAL),
    "changed network, bad image": replace(fails("dies", 0), top_after=INTERNAL),
    "changed network, bad image, paused": replace(
        fails("sick", 0, update={"failure_action": "pause"}), top_after=INTERNAL
    ),
    "shared network namespace": Scenario((_beside("1"),), _beside("2")),
    "bad image, rolled back": fails("dies", 1),
    "bad image, two rolled back": fails("sick", 2, scale=2, update={"parallelism": 2}),
    "bad image, stop-first": fails("dies", 1, scale=2, update=STOP),
    "bad image under a container_name": fails("dies", 0, container_name="front"),
    "bad image after a while": fails("relapse", 1, update={"monitor": "4s"}),
    "bad image, paused": fails("sick", 2, scale=2, update={"failure_action": "pause"}),
    "bad image at first": fails("dies", 0, earlier=()),
    "publish: healthy": rolls(1, rollout={"publish": "healthy"}),
    "publish: healthy in a subnet of the spec": Scenario(
        (web("1", rollout={"publish": "healthy"}),), web("2", rollout={"publish": "healthy"}), {"web": 1}, top=SUBNET
    ),
    "drain by signal": rolls(1, **_signal()),
    "drain by command": rolls(1, **_exec()),
    "drain by request": rolls(2, scale=2, update={"parallelism": 0}, **_http()),
    "paused by hand": Scenario((web(scale=2),), web(scale=2), {"web": 1}, act=_pause),
    "removed by hand": Scenario((web(scale=2),), web(scale=2), {"web": 1}, act=_remove),
    "renamed by hand": Scenario((web(scale=2),), web(scale=2), {"web": 2}, act=_rename),
    "retry": Scenario(
        (web("1"), web("2", image="example/dies")),
        web("2", image="example/dies"),
        {"web": 1},
        retry="web",
        succeeds=False,
        tries=2,
    ),
    "good after bad": Scenario((web("1"), web("2", image="example/dies")), web("3"), {"web": 1}),
}
