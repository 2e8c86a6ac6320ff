"""What only the real engine has: connecting and failing to, pulls, builds by both builders, streams, cost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.engine.docker import connect
from reconciler.engine.times import timestamp
from reconciler.errors import EngineError, EngineUnreachableError, SpecError
from reconciler.images.build_key import with_content, with_key
from reconciler.model.labels import BUILD_KEY
from reconciler.model.project import Build
from tests.support.builders import has_buildx, without_buildx
from tests.support.image import busybox as static_busybox
from tests.support.real_registry import CREDENTIALS, Registry, running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.engine.protocol import Engine

pytestmark = pytest.mark.engine

TEST = "io.reconciler.test"
LABELS = {TEST: "1"}
NOBODY = 65534


def docker(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        ["docker", *arguments], check=True, capture_output=True, text=True, env={**os.environ, **environment}
    )
    return done.stdout.strip()


def image_build(root: Path, dockerfile: str, **files: str) -> Build:
    """A build around busybox in a folder of its own."""
    root.mkdir(parents=True, exist_ok=True)
    shutil.copy(static_busybox(), root / "busybox")
    (root / "Dockerfile").write_text(dockerfile)
    for name, content in files.items():
        (root / name.replace("__", ".")).write_text(content)
    return Build(str(root), str(root / "Dockerfile"), labels=tuple(LABELS.items()))


def keyed(build: Build, service: str = "app") -> Build:
    return with_key(with_content(build, f"rcdk{uuid.uuid4().hex[:8]}", service, "", None), {})


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    connection = connect()
    yield connection
    connection.close()


@pytest.fixture
def cleanup(engine: Engine) -> Iterator[list[str]]:
    """Names of containers and images to be removed afterwards, in that order."""
    names: list[str] = []
    yield names
    for name in names:
        if "/" not in name:  # no container is called like that, but an image of a registry is
            engine.stop_container(name)
            engine.remove_container(name)
        with contextlib.suppress(subprocess.CalledProcessError):
            docker("image", "rm", name)


@pytest.fixture(scope="module")
def busybox(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with a shell."""
    dockerfile = 'FROM scratch\nCOPY busybox /bin/busybox\nENTRYPOINT ["/bin/busybox"]\n'
    build = keyed(image_build(tmp_path_factory.mktemp("busybox"), dockerfile))
    engine.build_image(build, (build.tag,), None, lambda _: None)
    yield build.tag
    docker("image", "rm", build.tag)


@pytest.fixture
def container(engine: Engine, busybox: str) -> Iterator[str]:
    """A container that was created and not started."""
    name = f"rcdk-{uuid.uuid4().hex[:8]}"
    body = {"Image": busybox, "Cmd": ["sh", "-c", "trap 'exit 3' TERM; while :; do sleep 0.1; done"], "Labels": LABELS}
    identity = engine.create_container(name, body)
    yield identity
    engine.stop_container(identity)
    engine.remove_container(identity)


# --- connecting -------------------------------------------------------------------------------------------------------


def test_info_is_asked_for_once(engine: Engine) -> None:
    """A connection and its clones know the engine's id, version and the API they speak, without asking again."""
    info = engine.info()
    assert info.id
    assert info.version == docker("version", "--format", "{{.Server.Version}}")
    assert info.supports("1.41")
    assert engine.clone().info() is info


def test_it_can_be_asked_again_who_it_is(engine: Engine) -> None:
    """For a connection after it was lost: it may have been upgraded, or its clock set."""
    again = engine.introduced_anew()
    assert again.info() == engine.info()
    assert again.info() is not engine.info()
    assert {row["Name"] for row in again.list_networks()} >= {"bridge", "host", "none"}
    again.close()


def test_missing_socket_names_host_and_choice(tmp_path: Path) -> None:
    """The error says which host was tried, who chose it, and what to do; the engine may come back."""
    with pytest.raises(EngineUnreachableError, match=r"chosen by DOCKER_HOST.*there is no socket") as caught:
        connect(environment={"DOCKER_HOST": f"unix://{tmp_path}/none.sock", "HOME": str(tmp_path)})
    assert caught.value.source == f"unix://{tmp_path}/none.sock"
    assert caught.value.retryable
    assert caught.value.hint


def test_refused_connection_is_said(tmp_path: Path) -> None:
    """A port that nobody listens on is unreachable."""
    with pytest.raises(EngineUnreachableError, match=r"chosen by -H.*connection refused"):
        connect("tcp://127.0.0.1:1", environment={"HOME": str(tmp_path)})


def test_unknown_host_name_is_said(tmp_path: Path) -> None:
    """A name that does not resolve will not by trying again at once."""
    with pytest.raises(EngineUnreachableError, match="host name is unknown") as caught:
        connect("tcp://no-such-engine.invalid:2375", environment={"HOME": str(tmp_path)})
    assert not caught.value.retryable


@pytest.fixture
def locked_socket(tmp_path: Path) -> Iterator[Path]:
    """A listening socket that this process may not open."""
    path = tmp_path / "locked.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        path.chmod(0)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        try:
            yield path
        finally:
            if root:
                os.seteuid(0)


def test_permission_denied_says_how_to_get_it(locked_socket: Path) -> None:
    """The commonest first error of all: the message names the socket, the hint the docker group and sudo."""
    with pytest.raises(EngineUnreachableError, match=f"permission denied on {locked_socket}") as caught:
        connect(f"unix://{locked_socket}", environment={"HOME": "/nonexistent"})
    assert "docker group" in str(caught.value)
    assert "sudo" in str(caught.value)
    assert not caught.value.retryable


@dataclass
class Peer:
    """What a listening socket answers to each GET, after `delay` seconds: path to (API version header, body)."""

    host: str
    answers: dict[str, tuple[str, bytes]]
    delay: float = 0.0


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    """Something on a socket that speaks HTTP and is no engine of ours."""
    found = Peer(f"unix://{tmp_path}/peer.sock", {})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(found.delay)
            version, body = found.answers[self.path]
            self.send_response(200)
            self.send_header("Api-Version", version)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

        def get_request(self) -> tuple[Any, Any]:
            connection, _ = self.socket.accept()
            return connection, ("local", 0)

    with Server(str(tmp_path / "peer.sock"), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield found
        server.shutdown()


def test_old_engine_is_refused(peer: Peer) -> None:
    """Below API 1.41 fields would be dropped in silence: nothing is tried."""
    peer.answers["/info"] = ("1.40", b'{"ID": "x", "ServerVersion": "19.03"}')
    with pytest.raises(EngineError, match=r"speaks API 1\.40") as caught:
        connect(peer.host)
    assert caught.value.code == "EngineTooOld"


def test_engine_without_our_versions_is_refused(peer: Peer) -> None:
    """A future engine whose minimum is beyond what we were tested with is named as such."""
    peer.answers["/info"] = ("1.99", b'{"ID": "x", "ServerVersion": "99"}')
    peer.answers["/version"] = ("1.99", b'{"MinAPIVersion": "1.90"}')
    with pytest.raises(EngineError, match=r"1\.90 and later") as caught:
        connect(peer.host)
    assert caught.value.code == "EngineTooNew"


def test_newer_engine_is_spoken_to_in_the_tested_version(peer: Peer) -> None:
    """An engine that still speaks our version is used with it."""
    peer.answers["/info"] = ("1.99", b'{"ID": "x", "ServerVersion": "99"}')
    peer.answers["/version"] = ("1.99", b'{"MinAPIVersion": "1.44"}')
    connection = connect(peer.host)
    assert connection.info().api == "1.51"
    connection.close()


@pytest.mark.parametrize("ahead", [0.0, 3600.0, -3600.0])
def test_how_far_its_clock_is_ahead_is_known(peer: Peer, ahead: float) -> None:
    """As far as the time that its answer took lets it be seen: a busy engine's clock is not taken for a wrong one."""
    told = timestamp(time.time() + 0.5 + ahead)
    peer.answers["/info"] = ("1.45", json.dumps({"ID": "x", "ServerVersion": "26", "SystemTime": told}).encode())
    peer.delay = 1.0
    connection = connect(peer.host)
    assert round(connection.info().clock_offset / 3600) * 3600 == ahead
    assert ahead or connection.info().clock_offset == 0.0
    connection.close()


def test_what_is_no_engine_is_not_believed(peer: Peer) -> None:
    """Some other web server on that address gives an error, not an empty engine."""
    peer.answers["/info"] = ("1.45", b"<html>hello</html>")
    with pytest.raises(EngineError, match="no Docker Engine"):
        connect(peer.host)


@pytest.fixture
def ssh(tmp_path: Path) -> Path:
    """A folder for PATH with an `ssh` that runs the remote command here, or fails as ssh does for the host `lost`."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        'case "$*" in *lost*) echo "ssh: connect to host lost port 22: No route to host" >&2; exit 255;; esac\n'
        'while [ "$1" != -- ]; do shift; done\nshift 2\nexec sh -c "$*"\n'
    )
    program.chmod(0o755)
    return program.parent


def test_ssh_host_is_reached_through_the_ssh_program(ssh: Path, engine: Engine, container: str) -> None:
    """An ssh:// host is the same engine: calls share one connection, and events stream and end through it."""
    connection = connect("ssh://me@box", environment={**os.environ, "PATH": f"{ssh}:{os.environ['PATH']}"})
    assert connection.info().id == engine.info().id
    events = connection.events()
    connection.start_container(container)
    assert next(event["Action"] for event in events if event["Actor"]["ID"] == container) == "start"
    connection.close()
    assert not [event for event in events if event["Actor"]["ID"] == container]


def test_failing_ssh_is_quoted(ssh: Path) -> None:
    """What ssh itself says is what helps: it is in the message."""
    with pytest.raises(EngineUnreachableError, match="No route to host"):
        connect("ssh://me@lost", environment={**os.environ, "PATH": f"{ssh}:{os.environ['PATH']}"})


@dataclass
class Secured:
    """The engine behind TLS that asks for a client certificate: its host, and the folder with all keys."""

    host: str
    keys: Path


def certificate(keys: Path, name: str, *options: str) -> None:
    """A key and a certificate for it, signed by the folder's own authority if that exists."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", f"/CN={name}", "-keyout", str(keys / f"{name}-key.pem"), "-out", str(keys / f"{name}.pem")]
    subprocess.run([*command, *names, *options], check=True, capture_output=True)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A TLS server in front of the engine's own socket."""
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://") or not shutil.which("openssl"):
        pytest.skip("needs a local engine and openssl")
    keys = tmp_path_factory.mktemp("keys")
    certificate(keys, "ca")
    signed = ("-CA", str(keys / "ca.pem"), "-CAkey", str(keys / "ca-key.pem"), "-addext", "basicConstraints=CA:FALSE")
    certificate(keys, "server", *signed, "-addext", "subjectAltName=IP:127.0.0.1")
    certificate(keys, "cert", *signed)
    (keys / "cert-key.pem").rename(keys / "key.pem")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(keys / "server.pem", keys / "server-key.pem")
    tls.load_verify_locations(keys / "ca.pem")
    tls.verify_mode = ssl.CERT_REQUIRED

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            refused = contextlib.suppress(OSError)
            with (
                refused,
                tls.wrap_socket(self.request, server_side=True) as client,
                socket.socket(socket.AF_UNIX) as engine,
            ):
                engine.connect(host.removeprefix("unix://"))
                client.settimeout(0.01)
                engine.settimeout(0.01)
                while copy(client, engine) and copy(engine, client):
                    pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield Secured(f"tcp://127.0.0.1:{server.server_address[1]}", keys)
        server.shutdown()


def copy(source: socket.socket, sink: socket.socket) -> bool:
    """Pass on what is there; false when the source is at its end."""
    try:
        data = source.recv(65536)
    except TimeoutError:
        return True
    sink.sendall(data)
    return bool(data)


def test_tls_with_client_certificate(secured: Secured, engine: Engine) -> None:
    """DOCKER_TLS_VERIFY and DOCKER_CERT_PATH reach an engine that asks for a certificate."""
    environment = {"DOCKER_HOST": secured.host, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(secured.keys)}
    connection = connect(environment=environment)
    assert connection.info().id == engine.info().id
    assert connection.list_images()
    connection.close()


def test_unknown_authority_is_a_tls_failure(secured: Secured, tmp_path: Path) -> None:
    """A server that our authority did not sign is not spoken to, and TLS is named as the reason."""
    certificate(tmp_path, "ca")
    environment = {"DOCKER_HOST": secured.host, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    with pytest.raises(EngineUnreachableError, match="TLS failed: CERTIFICATE_VERIFY_FAILED") as caught:
        connect(environment=environment)
    assert not caught.value.retryable


# --- containers and networks ------------------------------------------------------------------------------------------


def test_create_keeps_fields_that_wrappers_drop(engine: Engine, busybox: str, cleanup: list[str]) -> None:
    """The body reaches the engine as it is: an unknown field is the engine's business, a rare one arrives."""
    name = f"rcdk-{uuid.uuid4().hex[:8]}"
    cleanup.append(name)
    body = {"Image": busybox, "Labels": LABELS, "StopTimeout": 7, "HostConfig": {"OomScoreAdj": 10, "Annotations": {}}}
    inspected = engine.inspect_container(engine.create_container(name, body))
    assert inspected["Config"]["StopTimeout"] == 7
    assert inspected["HostConfig"]["OomScoreAdj"] == 10


def test_port_conflict_at_start_has_its_code(engine: Engine, busybox: str, cleanup: list[str]) -> None:
    """A host port in use fails at start with PortInUse, is final, and leaves the container created."""
    names = [f"rcdk-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    cleanup += names
    ports = {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "15199"}]}}, "ExposedPorts": {"80/tcp": {}}}
    for name in names:
        engine.create_container(name, {"Image": busybox, "Cmd": ["sleep", "60"], "Labels": LABELS, **ports})
    engine.start_container(names[0])
    with pytest.raises(EngineError) as caught:
        engine.start_container(names[1])
    assert (caught.value.code, caught.value.retryable) == ("PortInUse", False)
    assert engine.inspect_container(names[1])["State"]["Status"] == "created"


@pytest.mark.parametrize("paused", [False, True], ids=["running", "paused"])
def test_stop_lets_the_process_end_by_itself(engine: Engine, container: str, *, paused: bool) -> None:
    """Stop sends the container's own signal and waits; a paused process is resumed for it, not killed."""
    engine.start_container(container)
    if paused:
        docker("pause", container)
    time.sleep(0.2)
    engine.stop_container(container)
    state = engine.inspect_container(container)["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 3)


@pytest.mark.parametrize("terminal", [False, True], ids=["frames", "terminal"])
def test_logs_are_text(engine: Engine, busybox: str, cleanup: list[str], *, terminal: bool) -> None:
    """The last lines of both streams, with or without a terminal."""
    name = f"rcdk-{uuid.uuid4().hex[:8]}"
    cleanup.append(name)
    command = ["sh", "-c", "echo one; echo two; sleep 0.1; echo three >&2"]
    engine.create_container(name, {"Image": busybox, "Cmd": command, "Labels": LABELS, "Tty": terminal})
    engine.start_container(name)
    docker("wait", name)
    assert engine.container_logs(name, 2) == "two\nthree\n"


def test_forbidden_connect_is_only_success_when_connected(engine: Engine, container: str) -> None:
    """Connecting twice is success; a refusal of another kind stays one."""
    network = engine.create_network(f"rcdk-{uuid.uuid4().hex[:8]}", {"Labels": LABELS})
    try:
        engine.start_container(container)
        engine.connect_network(network, container, {})
        engine.connect_network(network, container, {})
        with pytest.raises(EngineError, match="host network"):
            engine.connect_network("host", container, {})
    finally:
        engine.stop_container(container)
        engine.remove_container(container)
        engine.remove_network(network)


def test_events_are_subscribed_before_events_returns(engine: Engine, container: str) -> None:
    """What happens right after the call is not missed, and close() from another thread ends the stream."""
    listener = engine.clone()
    events = listener.events()
    engine.start_container(container)
    assert next(event for event in events if event["Actor"]["ID"] == container)["Action"] == "start"
    seen: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: seen.extend(events))
    thread.start()
    engine.stop_container(container)
    listener.close()
    thread.join(5)
    assert not thread.is_alive()


def test_inspect_costs_little(engine: Engine, container: str) -> None:
    """Hundreds of containers are inspected in a pass: a call may cost 1 ms of our CPU, and connects once."""
    engine.inspect_container(container)

    def cost() -> float:
        before = time.thread_time()
        for _ in range(50):
            engine.inspect_container(container)
        return (time.thread_time() - before) / 50

    assert min(cost() for _ in range(5)) < 0.001


def test_importing_the_package_does_not_import_the_sdk() -> None:
    """`reconcile --help` must not pay for the docker SDK: only reconciler.engine.docker imports it."""
    code = "import sys, reconciler.engine.protocol, reconciler.images.build_key; sys.exit('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- builds -----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["classic", "buildx"])
def builder(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A connection that builds by one of the two ways."""
    if request.param == "buildx" and not has_buildx():
        pytest.skip("the docker CLI has no buildx")
    connection = connect() if request.param == "buildx" else without_buildx()
    yield connection
    connection.close()


def listing(engine: Engine, image: str, cleanup: list[str]) -> list[str]:
    """The paths below /context of an image with busybox in it."""
    name = f"rcdk-{uuid.uuid4().hex[:8]}"
    command = ["/context/busybox", "find", "/context", "-mindepth", "1"]
    engine.create_container(name, {"Image": image, "Cmd": command, "Labels": LABELS})
    cleanup[:0] = [name]
    engine.start_container(name)
    docker("wait", name)
    return sorted(line.removeprefix("/context/") for line in engine.container_logs(name, 1000).splitlines())


COPY_ALL = "FROM scratch\nCOPY . /context/\n"


def test_image_has_key_label_and_all_tags(builder: Engine, tmp_path: Path, cleanup: list[str]) -> None:
    """The build's own labels, the key's label and every tag are on the image; the output is passed on."""
    build = keyed(image_build(tmp_path / "c", COPY_ALL))
    second = build.tag.replace(":", "-again:")
    cleanup += [build.tag, second]
    lines: list[str] = []
    builder.build_image(build, (build.tag, second), None, lines.append)
    image = builder.inspect_image(build.tag)
    assert image["Config"]["Labels"] == {**LABELS, BUILD_KEY: build.key}
    assert builder.inspect_image(second)["Id"] == image["Id"]
    assert any("COPY . /context/" in line for line in lines)


@pytest.mark.parametrize("where", ["visible", "ignored", "outside", "inline"])
def test_copy_sees_what_the_ignore_file_leaves(builder: Engine, tmp_path: Path, cleanup: list[str], where: str) -> None:
    """The Dockerfile is used wherever it lies, and copied only where the ignore file lets COPY see it."""
    ignore = "drop\n" + ("Dockerfile\n.dockerignore\n" if where == "ignored" else "")
    build = image_build(tmp_path / "c", COPY_ALL, keep="", drop="", __dockerignore=ignore)
    expected = [".dockerignore", "Dockerfile", "busybox", "keep"]
    if where == "ignored":
        expected = ["busybox", "keep"]
    elif where == "outside":
        Path(build.dockerfile).rename(tmp_path / "Dockerfile")
        build = replace(build, dockerfile=str(tmp_path / "Dockerfile"))
        expected.remove("Dockerfile")
    elif where == "inline":
        Path(build.dockerfile).unlink()
        build = replace(build, dockerfile_inline=COPY_ALL)
        expected.remove("Dockerfile")
    build = keyed(build)
    cleanup.append(build.tag)
    builder.build_image(build, (build.tag,), None, lambda _: None)
    assert listing(builder, build.tag, cleanup) == expected


def test_failed_build_shows_its_last_lines_without_secrets(builder: Engine, tmp_path: Path) -> None:
    """The error says what failed and what was printed last; the value of a secret argument is nowhere."""
    run = 'RUN ["/busybox", "sh", "-c", "echo token $API_TOKEN mode $MODE; echo giving up; exit 7"]\n'
    rest = uuid.uuid4().hex
    dockerfile = f"FROM scratch\nLABEL {TEST}=1 rest={rest}\nARG API_TOKEN\nARG MODE\nCOPY busybox /busybox\n{run}"
    args = (("API_TOKEN", "s3cr3t-value"), ("MODE", "fast"))
    build = keyed(replace(image_build(tmp_path / "c", dockerfile), args=args))
    lines: list[str] = []
    with pytest.raises(EngineError) as caught:
        builder.build_image(build, (build.tag,), None, lines.append)
    assert caught.value.code == "BuildFailed"
    assert caught.value.source == build.tag
    assert "giving up" in caught.value.message
    assert any("mode fast" in line for line in lines)
    assert "s3cr3t-value" not in "\n".join([*lines, str(caught.value), repr(caught.value)])
    if left := docker("images", "--quiet", "--filter", f"label=rest={rest}"):
        docker("image", "rm", *left.split())


def test_broken_dockerfile_is_a_failed_build(builder: Engine, tmp_path: Path) -> None:
    """An instruction that does not exist is refused by the builder with its own words."""
    build = keyed(image_build(tmp_path / "c", "FROM scratch\nCOPPY a b\n"))
    with pytest.raises(EngineError, match=r"(?i)unknown instruction") as caught:
        builder.build_image(build, (build.tag,), None, lambda _: None)
    assert caught.value.code == "BuildFailed"


def test_target_and_arguments_reach_the_builder(builder: Engine, tmp_path: Path, cleanup: list[str]) -> None:
    """`target` picks the stage and `args` fill it in, a secret one too."""
    dockerfile = (
        "FROM scratch AS one\nARG A\nARG MY_KEY\nLABEL a=$A k=$MY_KEY\nCOPY a /\nFROM one AS two\nLABEL two=yes\n"
    )
    build = image_build(tmp_path / "c", dockerfile, a="")
    build = keyed(replace(build, target="one", args=(("A", "x y"), ("MY_KEY", "v=1"))))
    cleanup.append(build.tag)
    builder.build_image(build, (build.tag,), None, lambda _: None)
    labels = builder.inspect_image(build.tag)["Config"]["Labels"]
    assert (labels["a"], labels["k"]) == ("x y", "v=1")
    assert "two" not in labels


def test_context_that_changed_after_planning_is_refused(builder: Engine, tmp_path: Path) -> None:
    """What is sent is what the key names; otherwise the tag would lie."""
    build = keyed(image_build(tmp_path / "c", COPY_ALL, a="1"))
    Path(build.context, "a").write_text("2")
    with pytest.raises(EngineError) as caught:
        builder.build_image(build, (build.tag,), None, lambda _: None)
    assert caught.value.code == "BuildContextChanged"


def test_missing_dockerfile_needs_no_builder(builder: Engine, tmp_path: Path) -> None:
    """A Dockerfile that is gone is named before anything is sent."""
    build = image_build(tmp_path / "c", COPY_ALL)
    Path(build.dockerfile).unlink()
    with pytest.raises(SpecError, match="there is no Dockerfile"):
        builder.build_image(build, ("rcdk-none:1",), None, lambda _: None)


# --- registry ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def registry(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Registry]:
    with running_registry(tmp_path / "registry", locked=getattr(request, "param", False)) as running:
        yield running


def pushed(registry: Registry, root: Path, **environment: str) -> tuple[str, str]:
    """A reference with a layer that nobody else has, in the registry and not on the engine; and its digest.

    Built classically: the build cache of buildx would keep the layer on the engine.
    """
    reference = f"{registry.address}/rcdk/{uuid.uuid4().hex[:8]}:1"
    build = image_build(root, "FROM scratch\nCOPY unique /\n", unique=uuid.uuid4().hex * 1000)
    engine = without_buildx()
    engine.build_image(build, (reference,), None, lambda _: None)
    docker("push", reference, **environment)
    digest = str(engine.inspect_image(reference)["RepoDigests"][0]).partition("@")[2]
    docker("image", "rm", reference)
    engine.close()
    return reference, digest


@pytest.mark.registry
def test_pull_by_tag_and_by_digest(engine: Engine, registry: Registry, tmp_path: Path, cleanup: list[str]) -> None:
    """Both bring the image the registry has, and say so in a few lines; the digest is the one asked for."""
    reference, digest = pushed(registry, tmp_path / "c")
    assert engine.registry_digest(reference) == digest
    lines: list[str] = []
    engine.pull_image(reference, None, lines.append)
    assert any(line.endswith("Pull complete") for line in lines)
    docker("image", "rm", reference)
    pinned = f"{reference}@{digest}"
    engine.pull_image(pinned, "linux/amd64", lambda _: None)
    cleanup.append(f"{reference.rpartition(':')[0]}@{digest}")
    assert f"{reference.rpartition(':')[0]}@{digest}" in engine.inspect_image(pinned)["RepoDigests"]


@pytest.mark.registry
def test_layer_missing_in_the_middle_of_a_pull_is_an_error(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    """The engine answers 200 and fails later inside the stream: that is a failed pull, not the old image."""
    reference, _ = pushed(registry, tmp_path / "c")
    blobs = (registry.folder / "data/docker/registry/v2/blobs").rglob("data")
    max(blobs, key=lambda path: path.read_bytes().startswith(b"\x1f\x8b")).unlink()
    with pytest.raises(EngineError) as caught:
        engine.pull_image(reference, None, lambda _: None)
    assert caught.value.code == "PullFailed"
    assert caught.value.source == reference
    with pytest.raises(EngineError) as absent:
        engine.inspect_image(reference)
    assert absent.value.status == 404


@pytest.mark.registry
def test_unknown_tag_is_final(engine: Engine, registry: Registry) -> None:
    """A tag that the registry does not have will not appear by trying again."""
    for ask in (engine.registry_digest, lambda name: engine.pull_image(name, None, lambda _: None)):
        with pytest.raises(EngineError, match=r"(?i)unknown|not found") as caught:
            ask(f"{registry.address}/rcdk/none:1")
        assert not caught.value.retryable


def config_with_auths(folder: Path, address: str) -> None:
    (folder / "config.json").write_text(json.dumps({"auths": {address: {"auth": CREDENTIALS}}}))


def config_with_helper(folder: Path, address: str) -> None:
    helper = folder / "docker-credential-rcdk"
    helper.write_text('#!/bin/sh\necho \'{"Username": "ci", "Secret": "open-sesame"}\'\n')
    helper.chmod(0o755)
    (folder / "config.json").write_text(json.dumps({"credHelpers": {address: "rcdk"}}))


@pytest.mark.registry
@pytest.mark.parametrize("registry", [True], indirect=True)
@pytest.mark.parametrize("write", [config_with_auths, config_with_helper])
def test_credentials_are_those_of_the_docker_cli(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cleanup: list[str], write: Any
) -> None:
    """A private registry is asked with what config.json or its credential helper holds, and refuses without."""
    config_with_auths(tmp_path, registry.address)
    reference, digest = pushed(registry, tmp_path / "c", DOCKER_CONFIG=str(tmp_path))
    (tmp_path / "empty").mkdir()
    stranger = connect(environment={**os.environ, "DOCKER_CONFIG": str(tmp_path / "empty")})
    with pytest.raises(EngineError, match=r"(?i)unauthorized|no basic auth") as caught:
        stranger.registry_digest(reference)
    assert not caught.value.retryable
    stranger.close()
    write(tmp_path, registry.address)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    known = connect(environment={**os.environ, "DOCKER_CONFIG": str(tmp_path)})
    assert known.registry_digest(reference) == digest
    known.pull_image(reference, None, lambda _: None)
    known.close()
    cleanup.append(reference)


def test_broken_credential_helper_is_named(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A helper that fails is an error about config.json, not an anonymous pull."""
    helper = tmp_path / "docker-credential-broken"
    helper.write_text("#!/bin/sh\necho no keyring; exit 1\n")
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text('{"credsStore": "broken"}')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    connection = connect(environment={**os.environ, "DOCKER_CONFIG": str(tmp_path)})
    with pytest.raises(EngineError, match="credentials cannot be read") as caught:
        connection.registry_digest("registry.example.com/x:1")
    connection.close()
    assert caught.value.source == str(tmp_path / "config.json")
