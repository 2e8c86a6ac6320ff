"""The real engine: the `Engine` protocol over a Docker Engine's HTTP API. Opened by `app` through `connect`.

One method is one call (or one call and the check that makes its success true); it decides nothing. Importing this
module imports the docker SDK, which takes 0.1 s: import it only to connect.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from time import time
from typing import Any
from urllib.parse import quote

from reconciler.engine.docker_archive import archive
from reconciler.engine.docker_build import build_image
from reconciler.engine.docker_connect import Target, negotiate, newer_than_tested, resolve_target
from reconciler.engine.docker_credentials import NO_CREDENTIALS, registry_auth
from reconciler.engine.docker_drain import exec_in_container, http_post
from reconciler.engine.docker_errors import not_connected, removal_in_progress
from reconciler.engine.docker_logs import decode_logs
from reconciler.engine.docker_paths import missing, shares_files
from reconciler.engine.docker_progress import readable
from reconciler.engine.docker_transport import READ_TIMEOUT, SLOW_TIMEOUT, Query, Transport
from reconciler.engine.events import ACTIONS, TYPES
from reconciler.engine.protocol import JSON, Engine, Progress
from reconciler.engine.times import seconds
from reconciler.errors import EngineError, EngineUnreachableError
from reconciler.model.files import CopiedFile
from reconciler.model.observed import EngineInfo, json_value
from reconciler.model.project import Build
from reconciler.model.references import parse_reference

_FORBIDDEN = 403
_LISTS_MANIFESTS = "1.48"
_MEASURES_BY_TYPE = "1.42"
_SNAPSHOTTER = ["driver-type", "io.containerd.snapshotter.v1"]
_MISSING = frozenset({404})
_LIVE = frozenset({"running", "paused"})
_NOT_RUNNING = frozenset({404, 409})
_PUSHED = re.compile(r"digest: (sha256:[0-9a-f]{64})")
_ARCHITECTURES = {
    "aarch64": "arm64",
    "armv6l": "arm/v6",
    "armv7l": "arm/v7",
    "i386": "386",
    "i686": "386",
    "x86_64": "amd64",
}


def connect(host: str | None = None, context: str | None = None, environment: Mapping[str, str] = os.environ) -> Engine:
    """A connection to the engine that `-H`, `-c` and the environment mean, as the docker CLI chooses it.

    Asks the engine once who it is. UsageError where the choice is impossible, EngineUnreachableError where nothing
    answers, EngineError where no API version fits both.
    """
    target = resolve_target(host, context, environment)
    return DockerEngine(target, _introduce(target))


def _ahead(engine_time: str, asked_at: float, answered_at: float) -> float:
    """How many seconds the engine's clock is ahead; 0 where it may be the same, for all that the answer took."""
    if not engine_time or asked_at <= seconds(engine_time) <= answered_at:
        return 0.0
    return seconds(engine_time) - (asked_at + answered_at) / 2


def _introduce(target: Target) -> EngineInfo:
    transport = Transport(target, None)
    try:
        asked_at = time()
        answer = transport.call("GET", "/info", what=target.host)
        answered_at = time()
        server = answer.headers.get("Api-Version", "")
        minimum = transport.json("/version").get("MinAPIVersion") if newer_than_tested(server) else None
        about = transport.decode(answer.content, target.host)
        return EngineInfo(
            target.name,
            about.get("ID") or "",
            about.get("ServerVersion") or "",
            negotiate(server, minimum),
            _ahead(about.get("SystemTime") or "", asked_at, answered_at),
            bool(about.get("SwapLimit")),
            shares_files(target, about),
            _SNAPSHOTTER in (about.get("DriverStatus") or []),
            platform_of(about),
            nearby=target.scheme == "unix",
        )
    finally:
        transport.close()


def platform_of(about: JSON) -> str:
    """`os/arch`, with the variant of ARM before version 8, from GET /info: there the names are those of the kernel."""
    machine = about.get("Architecture") or ""
    return f"{about.get('OSType') or 'linux'}/{_ARCHITECTURES.get(machine, machine)}"


class DockerEngine:
    """One connection to a Docker Engine. Not thread-safe, but for `close`."""

    def __init__(self, target: Target, info: EngineInfo) -> None:
        self._target = target
        self._info = info
        self._transport = Transport(target, info.api)

    def info(self) -> EngineInfo:
        """What the engine said of itself when it was connected to; no call."""
        return self._info

    def clone(self) -> Engine:
        """Another connection, made at its first call."""
        return DockerEngine(self._target, self._info)

    def introduced_anew(self) -> Engine:
        """Another connection, after GET /info. Errors as `connect`."""
        return DockerEngine(self._target, _introduce(self._target))

    def close(self) -> None:
        """Close the connections; an `events` iterator in another thread ends."""
        self._transport.close()

    def list_containers(self) -> list[dict[str, Any]]:
        """GET /containers/json?all=1."""
        return list(self._transport.json("/containers/json", query={"all": "1"}))

    def inspect_container(self, container: str) -> dict[str, Any]:
        """GET /containers/{id}/json."""
        return dict(self._transport.json(f"/containers/{_segment(container)}/json", what=container))

    def container_changes(self, container: str) -> list[dict[str, Any]]:
        """GET /containers/{id}/changes, which is null where nothing changed."""
        return list(self._transport.json(f"/containers/{_segment(container)}/changes", what=container) or [])

    def missing_paths(self, paths: Iterable[str]) -> frozenset[str]:
        """Those that are not there, where the engine runs on this machine; no call."""
        return missing(paths) if self._info.shares_files else frozenset()

    def list_networks(self) -> list[dict[str, Any]]:
        """GET /networks."""
        return list(self._transport.json("/networks"))

    def list_volumes(self) -> list[dict[str, Any]]:
        """GET /volumes."""
        return list(self._transport.json("/volumes").get("Volumes") or [])

    def list_images(self) -> list[dict[str, Any]]:
        """GET /images/json."""
        return list(self._transport.json("/images/json"))

    def inspect_image(self, image: str) -> dict[str, Any]:
        """GET /images/{name}/json, with the manifests where the engine can list them (API 1.48)."""
        query = {"manifests": "1"} if self._info.supports(_LISTS_MANIFESTS) else {}
        return dict(self._transport.json(f"/images/{_reference(image)}/json", query=query, what=image))

    def registry_digest(self, reference: str) -> str:
        """GET /distribution/{name}/json, asked by the engine with the user's own registry credentials."""
        headers = registry_auth(self._target, parse_reference(reference).repository)
        path = f"/distribution/{_reference(reference)}/json"
        answer = self._transport.call("GET", path, headers=headers, what=reference)
        return str(self._transport.decode(answer.content, reference)["Descriptor"]["digest"])

    def container_logs(self, container: str, tail: int) -> str:
        """GET /containers/{id}/logs, the frames of a container without a terminal taken apart."""
        terminal = bool((self.inspect_container(container).get("Config") or {}).get("Tty"))
        query = {"stdout": "1", "stderr": "1", "tail": str(tail)}
        answer = self._transport.call("GET", f"/containers/{_segment(container)}/logs", query=query, what=container)
        return decode_logs(answer.content, terminal=terminal)

    def create_container(self, name: str, body: JSON, platform: str | None = None) -> str:
        """POST /containers/create with the body as it is."""
        query = {"name": name} | ({"platform": platform} if platform else {})
        return str(self._post("/containers/create", query=query, body=body, timeout=SLOW_TIMEOUT, what=name)["Id"])

    def copy_files(self, container: str, files: Sequence[CopiedFile]) -> None:
        """PUT /containers/{id}/archive with one tar; without `copyUIDGID`, by which all would be its user's."""
        path = f"/containers/{_segment(container)}/archive"
        query = {"path": "/", "noOverwriteDirNonDir": "true"}
        tar = archive(files)
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(len(tar))}
        self._transport.call("PUT", path, query=query, body=tar, headers=headers, timeout=SLOW_TIMEOUT, what=container)

    def start_container(self, container: str) -> None:
        """POST /containers/{id}/start. A host port in use is an EngineError with the code `PortInUse`."""
        self._transport.call("POST", f"/containers/{_segment(container)}/start", timeout=SLOW_TIMEOUT, what=container)

    def stop_container(self, container: str) -> None:
        """POST /containers/{id}/stop without `t`, so that the container's own StopSignal and StopTimeout hold.

        A paused container is stopped like a running one: Docker 20.10 and 28 resume it for the signal, wait for its
        grace period, kill it then. (Removing a paused one is refused with 409.)
        """
        path = f"/containers/{_segment(container)}/stop"
        self._transport.call("POST", path, timeout=SLOW_TIMEOUT, accept=_MISSING, what=container)

    def remove_container(self, container: str) -> None:
        """DELETE /containers/{id}?v=0: anonymous volumes stay, and a running container is never forced."""
        path = f"/containers/{_segment(container)}"
        try:
            self._transport.call(
                "DELETE", path, query={"v": "0"}, timeout=SLOW_TIMEOUT, accept=_MISSING, what=container
            )
        except EngineError as error:
            if not removal_in_progress(error):
                raise

    def kill_container(self, container: str, signal: str) -> None:
        """POST /containers/{id}/kill. The engine takes this for a stop by hand: its restart policy is off from then."""
        path = f"/containers/{_segment(container)}/kill"
        self._transport.call("POST", path, query={"signal": signal}, accept=_NOT_RUNNING, what=container)

    def exec_in_container(self, container: str, command: Sequence[str], timeout_seconds: float) -> tuple[int, str]:
        """POST /containers/{id}/exec, POST /exec/{id}/start, attached, then GET /exec/{id}/json."""
        return exec_in_container(self._transport, container, command, timeout_seconds)

    def http_post(self, container: str, port: int, path: str) -> None:
        """A request to the container itself; of the engine it only asks the address."""
        http_post(self._transport, container, port, path)

    def create_network(self, name: str, body: JSON) -> str:
        """POST /networks/create. CheckDuplicate, because API 1.41 would make a second network of that name."""
        return str(self._post("/networks/create", body={**body, "Name": name, "CheckDuplicate": True}, what=name)["Id"])

    def remove_network(self, network: str) -> None:
        """DELETE /networks/{id}."""
        self._transport.call("DELETE", f"/networks/{_segment(network)}", accept=_MISSING, what=network)

    def connect_network(self, network: str, container: str, endpoint: JSON) -> None:
        """POST /networks/{id}/connect. The engine's 403 has many causes: success only if the container is on it."""
        body = {"Container": container, "EndpointConfig": endpoint}
        try:
            self._transport.call("POST", f"/networks/{_segment(network)}/connect", body=body, what=container)
        except EngineError as error:
            if error.status != _FORBIDDEN or not self._is_connected(network, container):
                raise

    def disconnect_network(self, network: str, container: str) -> None:
        """POST /networks/{id}/disconnect. A restarting container's network cannot be taken away: 500, to be retried."""
        path, body = f"/networks/{_segment(network)}/disconnect", {"Container": container}
        try:
            self._transport.call("POST", path, body=body, accept=_MISSING, what=container)
        except EngineError as error:
            if not not_connected(error) or self._is_connected(network, container):
                raise

    def create_volume(self, name: str, body: JSON) -> None:
        """POST /volumes/create; 409 where the existing volume has another driver."""
        self._post("/volumes/create", body={**body, "Name": name}, what=name)

    def remove_volume(self, volume: str) -> None:
        """DELETE /volumes/{name} without `force`, which would also forget a volume that its driver lost."""
        path = f"/volumes/{_segment(volume)}"
        self._transport.call("DELETE", path, timeout=SLOW_TIMEOUT, accept=_MISSING, what=volume)

    def volume_usage(self) -> list[dict[str, Any]]:
        """GET /system/df, of volumes alone where the engine can (API 1.42): else it also measures images."""
        query = {"type": "volume"} if self._info.supports(_MEASURES_BY_TYPE) else {}
        answer = self._transport.call("GET", "/system/df", query=query, timeout=SLOW_TIMEOUT, what="volumes")
        return list(self._transport.decode(answer.content, "volumes").get("Volumes") or [])

    def pull_image(self, reference: str, platform: str | None, progress: Progress) -> None:
        """POST /images/create; afterwards the image must be there, whatever the stream said."""
        parsed = parse_reference(reference)
        query = {"fromImage": parsed.repository, "tag": parsed.digest or parsed.tag or "latest"}
        query |= {"platform": platform} if platform else {}
        headers = registry_auth(self._target, parsed.repository)
        answer = self._transport.stream("POST", "/images/create", query=query, headers=headers, what=reference)
        with contextlib.closing(answer) as stream:
            for line in readable(stream, reference, "PullFailed"):
                progress(line)
        self.inspect_image(f"{parsed.repository}@{parsed.digest}" if parsed.digest else parsed.tagged)

    def tag_image(self, image: str, repository: str, tag: str) -> None:
        """POST /images/{name}/tag."""
        self._transport.call(
            "POST", f"/images/{_reference(image)}/tag", query={"repo": repository, "tag": tag}, what=image
        )

    def remove_image(self, reference: str) -> None:
        """DELETE /images/{name}, never by force, and without the untagged images that it was built on."""
        query = {"force": "0", "noprune": "1"}
        path = f"/images/{_reference(reference)}"
        self._transport.call("DELETE", path, query=query, timeout=SLOW_TIMEOUT, accept=_MISSING, what=reference)

    def push_image(self, reference: str, progress: Progress) -> str:
        """POST /images/{name}/push; the digest is what the engine says that the registry has taken."""
        parsed, digest = parse_reference(reference), ""
        headers = registry_auth(self._target, parsed.repository) or NO_CREDENTIALS
        path, query = f"/images/{_reference(parsed.repository)}/push", {"tag": parsed.tag or "latest"}
        answer = self._transport.stream("POST", path, query=query, headers=headers, what=reference)
        with contextlib.closing(answer) as stream:
            for line in readable(stream, reference, "PushFailed"):
                digest = found[1] if (found := _PUSHED.search(line)) else digest
                progress(line)
        if not digest:
            raise EngineError("the engine did not say what it pushed", source=reference, code="PushFailed")
        return digest

    def build_image(self, build: Build, tags: tuple[str, ...], platform: str | None, progress: Progress) -> None:
        """`docker buildx build --load` where the docker CLI has buildx, else POST /build."""
        build_image(self._transport, build, tags, platform, progress)

    def events(self) -> Iterator[dict[str, Any]]:
        """GET /events, subscribed before this returns; health probes (three events each) are left out by the engine."""
        filters = {"type": list(TYPES), "event": list(ACTIONS)}
        return _until_lost(
            self._transport.stream("GET", "/events", query={"filters": json.dumps(filters)}, what="events")
        )

    def _post(
        self,
        path: str,
        *,
        body: JSON,
        what: str,
        query: Query | None = None,
        timeout: float = READ_TIMEOUT,
    ) -> Any:
        answer = self._transport.call("POST", path, query=query, body=body, timeout=timeout, what=what)
        return self._transport.decode(answer.content, what)

    def _is_connected(self, network: str, container: str) -> bool:
        """Whether it is on the network: the failed connect of a running container leaves an endpoint without an id."""
        document = self.inspect_container(container)
        live = json_value(document, "State", "Status") in _LIVE
        attached = json_value(document, "NetworkSettings", "Networks") or {}
        found = [one for name, one in attached.items() if network in {name, one.get("NetworkID")}]
        return any(one.get("EndpointID") or not live for one in found)


def _until_lost(stream: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    with contextlib.suppress(EngineUnreachableError):
        yield from stream


def _segment(name: str) -> str:
    return quote(name, safe="")


def _reference(name: str) -> str:
    return quote(name, safe="/:@")
