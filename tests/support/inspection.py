"""What `docker inspect` says of a project's containers, networks and volumes, in a form that two programs can share.

Left out is what may differ between two runs that made the same: names, generated ids and addresses, the labels of the
program and of the image. What the host decides is left out as well.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CASES = Path(__file__).parents[1] / "engine" / "inspected"
ANSWERS = CASES / "answers.json"
COMPOSE = "com.docker.compose"
ADDED_LABELS = (f"{COMPOSE}.", "io.reconciler.", "built-for")
PLAIN = "baseline"
UNORDERED = {"Env", "Binds", "ExtraHosts", "CapAdd", "CapDrop", "SecurityOpt", "Mounts", "Ulimits", "Aliases"}
OF_HOST = {"CgroupnsMode", "ConsoleSize", "Hostname", "Image", "LogPath", "MaskedPaths", "ReadonlyPaths", "Runtime"}
MOUNT = ("Type", "Name", "Source", "Destination", "Driver", "Mode", "RW", "Propagation")
ENDPOINT = ("Aliases", "DriverOpts", "IPAMConfig", "Links")
NETWORK = ("Attachable", "Driver", "EnableIPv6", "Internal", "Options")
VOLUME = ("Driver", "Options")


def groups() -> list[str]:
    """The compose files, by name without suffix."""
    return sorted(path.stem for path in CASES.glob("*.yaml"))


@dataclass(frozen=True)
class Ground:
    """Where a project is made: what differs between two runs of the same compose file."""

    project: str
    folder: Path
    image: str
    network: int  # second byte of the subnets that the files ask for
    ports: int  # first two digits of the ports that they publish

    @property
    def variables(self) -> dict[str, str]:
        """What the compose files interpolate."""
        numbers = {"NET": str(self.network), "PORTS": str(self.ports)}
        return {"PROJECT": self.project, "IMAGE": self.image, "FROM_OUTSIDE": "outside", **numbers}

    def neutral(self, text: str) -> str:
        """The text without this run's own names and numbers."""
        text = text.replace(str(self.folder), "<folder>").replace(self.project, "<project>")
        text = text.replace(f"10.{self.network}.", "10.<net>.").replace(f"fd00:{self.network}:", "fd00:<net>:")
        text = re.sub(rf"\b{self.ports}(?=\d\d\d\b)", "<ports>", text)
        return re.sub(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b", "<id>", text)

    def made(self, api: Any) -> dict[str, Any]:
        """What the engine has of the project: containers by service, networks and volumes by name."""
        mine = {"label": f"{COMPOSE}.project={self.project}"}
        containers = defaultdict(list)
        for row in api.containers(all=True, filters=mine):
            service = row["Labels"][f"{COMPOSE}.service"]
            containers[service].append(self._container(api.inspect_container(row["Id"])))
        networks = [api.inspect_network(row["Id"]) for row in api.networks(filters=mine)]
        volumes = api.volumes(filters=mine)["Volumes"] or []
        return {
            "containers": {name: sorted(found, key=_text) for name, found in sorted(containers.items())},
            "networks": self._tidy({row["Name"]: self._network(row) for row in networks}),
            "volumes": self._tidy({row["Name"]: _picked(row, VOLUME) | _labels(row) for row in volumes}),
        }

    def _container(self, row: Mapping[str, Any]) -> Any:
        config = {**row["Config"], **_labels(row["Config"])}
        networks = row["NetworkSettings"]["Networks"].items()
        found = {
            "Config": config,
            "HostConfig": row["HostConfig"],
            "Mounts": sorted(map(_mount, row["Mounts"]), key=lambda mount: str(mount["Destination"])),
            "Networks": {network: self._endpoint(end, row["Name"]) for network, end in networks},
        }
        return self._tidy(json.loads(_text(found).replace(row["Name"].lstrip("/"), "<self>")))

    def _endpoint(self, end: Mapping[str, Any], own_name: str) -> dict[str, Any]:
        generated = re.compile(rf"{self.project}-.+-\d+(-[0-9a-f]+)?|[0-9a-f]{{12}}|{re.escape(own_name[1:])}")
        aliases = [alias for alias in end.get("Aliases") or () if not generated.fullmatch(alias)]
        return _picked(end, ENDPOINT) | {"Aliases": list(dict.fromkeys(aliases))}

    def _network(self, row: Mapping[str, Any]) -> dict[str, Any]:
        own = (f"10.{self.network}.", f"fd00:{self.network}:")
        pools = [pool for pool in row["IPAM"].get("Config") or () if pool["Subnet"].startswith(own)]
        ipam = {"Driver": row["IPAM"]["Driver"], "Config": pools, "Options": row["IPAM"].get("Options")}
        return _picked(row, NETWORK) | _labels(row) | {"IPAM": ipam}

    def _tidy(self, value: Any, key: str = "") -> Any:
        """Without what says nothing and what the host decides; lists sorted whose order means nothing."""
        if isinstance(value, Mapping):
            kept = {name: self._tidy(item, name) for name, item in value.items() if name not in OF_HOST}
            return {self.neutral(name): item for name, item in kept.items() if item not in (None, "", [], {})}
        if isinstance(value, list):
            items = [self._tidy(item) for item in value]
            return sorted(items, key=_text) if key in UNORDERED else items
        return self.neutral(value) if isinstance(value, str) else value


def beyond(found: Any, plain: Any) -> Any:
    """What of `found` is not as in a plain container: nested, null where the plain one alone has something."""
    if not (isinstance(found, Mapping) and isinstance(plain, Mapping)):
        return found
    names = sorted(name for name in found.keys() | plain.keys() if found.get(name) != plain.get(name))
    return {name: beyond(found.get(name), plain.get(name)) for name in names}


def reduced(made: Mapping[str, Any], plain: Any) -> dict[str, Any]:
    """The project with containers by what distinguishes them from a plain one; the plain one stays whole."""
    containers = {
        service: [found if service == PLAIN else beyond(found, plain) for found in rows]
        for service, rows in made["containers"].items()
    }
    return {**made, "containers": containers}


def _mount(row: Mapping[str, Any]) -> dict[str, Any]:
    hidden = {"Source"} if row["Type"] == "volume" else set()
    return {name: row.get(name) for name in MOUNT if name not in hidden}


def _labels(row: Mapping[str, Any]) -> dict[str, Any]:
    labels = row.get("Labels") or {}
    return {"Labels": {name: value for name, value in labels.items() if not name.startswith(ADDED_LABELS)}}


def _picked(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row.get(name) for name in names}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
