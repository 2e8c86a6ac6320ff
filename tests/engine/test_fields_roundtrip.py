"""What a container asks for can be read back from the engine: `model/fields` against a real Docker Engine.

Containers are created from the recorded bodies, inspected and removed; none is started, so the images need no content
and no registry.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import pytest
from docker.utils import kwargs_from_env

from reconciler.model.fields import asked_fields, changed_fields, observed_fields
from tests.unit.lowering.recorded import cases

pytestmark = pytest.mark.engine

API = "1.41"
# Not the same on every engine: subpaths need API 1.45; a retry count without condition is refused from Engine 25 on.
UNPORTABLE = {"vol-subpath", "deploy-restart-nocond3"}
RECORDED = {
    f"{case.case}/{service}": body
    for case in cases()
    if not case.refused and case.case not in UNPORTABLE
    for service, body in case.containers.items()
}
PLAIN = """
FROM scratch
ENV PATH=/bin
CMD ["sleep", "3600"]
"""
RICH = """
FROM scratch
ENV PATH=/bin LEVEL=info
LABEL maker=us tier=one
EXPOSE 80 81/udp
VOLUME /data
WORKDIR /srv
USER 65534
STOPSIGNAL SIGINT
HEALTHCHECK --interval=7s --timeout=2s --retries=4 --start-period=1s CMD ["busybox", "true"]
ENTRYPOINT ["busybox"]
CMD ["sleep", "3600"]
"""
IMAGES = {"plain": PLAIN, "rich": RICH}


@dataclass
class Bench:
    """An engine to create on: images by name, and a prefix by which everything made here is found again."""

    client: Any
    prefix: str
    folder: Path

    def image(self, name: str) -> str:
        """The reference of one of the bench's images."""
        return f"{self.prefix}/{name}:1"

    def image_config(self, name: str) -> dict[str, Any]:
        """The image's own container config."""
        config: dict[str, Any] = self.client.inspect_image(self.image(name))["Config"]
        return config

    def local(self, body: dict[str, Any]) -> dict[str, Any]:
        """The recorded body with its volumes and paths renamed to this bench's own."""
        text = json.dumps(body).replace("/project", str(self.folder)).replace("shop", self.prefix)
        renamed: dict[str, Any] = json.loads(text)
        for mount in renamed.get("HostConfig", {}).get("Mounts") or ():
            if mount["Type"] == "bind":
                Path(mount["Source"]).mkdir(parents=True, exist_ok=True)
        return renamed

    def inspect(self, body: dict[str, Any], image: str) -> dict[str, Any]:
        """What the engine says of a container created from that body; the container is gone afterwards."""
        created = self.client.create_container_from_config({**body, "Image": self.image(image)}, f"{self.prefix}-c")
        try:
            found: dict[str, Any] = self.client.inspect_container(created["Id"])
        finally:
            self.client.remove_container(created["Id"], v=True)
        return found


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A bench on the engine of DOCKER_HOST or the default socket, cleaned up afterwards."""
    client: Any = docker.APIClient(version=API, **kwargs_from_env())
    made = Bench(client, f"fields{uuid4().hex[:8]}", tmp_path_factory.mktemp("project"))
    try:
        for name, dockerfile in IMAGES.items():
            for line in client.build(fileobj=BytesIO(dockerfile.encode()), tag=made.image(name), decode=True, rm=True):
                assert "error" not in line, line
        client.create_container_from_config({"Image": made.image("plain")}, f"{made.prefix}-target")
        yield made
    finally:
        clean_up(made)


def clean_up(bench: Bench) -> None:
    """Remove what carries the bench's prefix, and nothing else."""
    client = bench.client
    for container in client.containers(all=True, filters={"name": bench.prefix}):
        client.remove_container(container["Id"], v=True)
    for volume in client.volumes(filters={"name": bench.prefix})["Volumes"] or ():
        client.remove_volume(volume["Name"])
    for image in client.images(filters={"reference": f"{bench.prefix}/*"}):
        client.remove_image(image["Id"], force=True)
    client.close()


def skip_if_too_many_cpus(bench: Bench, body: dict[str, Any]) -> None:
    """The engine refuses more CPUs than its host has."""
    if body.get("HostConfig", {}).get("NanoCpus", 0) > bench.client.info()["NCPU"] * 1e9:
        pytest.skip("this engine has fewer CPUs than the case asks for")


@pytest.mark.parametrize("image", ["plain", "rich"])
@pytest.mark.parametrize("name", RECORDED)
def test_what_was_asked_is_what_is_observed(bench: Bench, name: str, image: str) -> None:
    """A container created from a body shows the body's fields, and no other, whatever its image brings along."""
    body = bench.local(RECORDED[name])
    skip_if_too_many_cpus(bench, body)
    found = bench.inspect(body, image)
    config = bench.image_config(image)
    assert observed_fields(found["Config"], found["HostConfig"], config) == asked_fields(body, config)
    assert changed_fields(body, found["Config"], found["HostConfig"], config) == {}


def test_dropping_everything_explains_everything(bench: Bench) -> None:
    """Against an empty body, each field that the old one asked for is told, with its old value and nothing after."""
    body = bench.local(
        {
            "Cmd": ["sleep", "1"],
            "Env": ["LEVEL=debug"],
            "StopTimeout": 90,
            "Healthcheck": {"Interval": 5_000_000_000},
            "HostConfig": {"Binds": ["shop_data:/d:ro"], "Memory": 64 * 1024**2},
        }
    )
    found = bench.inspect(body, "rich")
    changes = changed_fields({}, found["Config"], found["HostConfig"], bench.image_config("rich"))
    assert changes == {
        "command": (["sleep", "1"], None),
        "deploy.resources.limits.memory": ("64m", None),
        "environment.LEVEL": ("debug", None),
        "healthcheck.interval": ("5s", None),
        "stop_grace_period": ("1m30s", None),
        "volumes./d": (f"{bench.prefix}_data (ro)", None),
    }
