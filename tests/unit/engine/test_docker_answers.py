"""What the engine's answers and streams mean: errors, retryability, progress lines, log frames."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.engine.docker_errors import failure, refusal, removal_in_progress
from reconciler.engine.docker_logs import decode_logs
from reconciler.engine.docker_progress import readable
from reconciler.errors import EngineError

BIND = "driver failed programming external connectivity: Bind for 0.0.0.0:80 failed: port is already allocated"
PROXY = "Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use"
NEWER = "failed to set up container networking: failed to bind host port for 0.0.0.0:80: address already in use"


@pytest.mark.parametrize("message", [BIND, PROXY, NEWER])
def test_port_conflict_is_final_and_has_its_code(message: str) -> None:
    """Trying again does not free a port; planner and user know it by the code PortInUse."""
    error = failure(message, "web", status=500)
    assert (error.code, error.retryable) == ("PortInUse", False)


def test_address_in_use_is_not_a_port() -> None:
    """A fixed container address that is taken is final too, but is no port conflict."""
    error = failure("Address already in use", "web", status=403)
    assert (error.code, error.retryable) == ("EngineError", False)


@pytest.mark.parametrize(
    ("status", "message", "retryable"),
    [
        (500, "containerd: context deadline exceeded", True),
        (503, "engine is starting", True),
        (429, "toomanyrequests: rate limit", True),
        (None, 'Get "https://registry/v2/": net/http: TLS handshake timeout', True),
        (500, 'Get "https://x.invalid/v2/": dial tcp: lookup x.invalid: no such host', True),
        (500, "OCI runtime create failed: unable to start", False),
        (500, "pull access denied for x, repository does not exist", False),
        (None, "manifest for x:1 not found: manifest unknown", False),
        (400, "invalid reference format", False),
        (404, "No such container: x", False),
        (409, "removal of container x is already in progress", True),
        (409, 'Conflict. The container name "/x" is already in use', False),
    ],
)
def test_retryable_is_what_may_pass_by_itself(status: int | None, message: str, *, retryable: bool) -> None:
    """A 5xx may pass, unless its message says that somebody has to change something; a 4xx does not."""
    assert failure(message, "x", status=status).retryable is retryable


def test_message_is_the_engines_own_on_one_line() -> None:
    """The engine's words are kept; line breaks and the tail of long ids go; digests stay whole."""
    identity, digest = "ab" * 32, f"sha256:{'cd' * 32}"
    error = refusal(404, f'{{"message": "No such\\n container: {identity} of {digest}"}}'.encode(), identity)
    assert error.message == f"No such container: abababababab of {digest}"
    assert error.source == "abababababab"


@pytest.mark.parametrize("body", [b"", b"<html>gateway</html>", b"[]", b'{"other": 1}'])
def test_answer_of_a_proxy_is_an_error_too(body: bytes) -> None:
    """Whatever stands between us and the engine, an error has a message and its status."""
    error = refusal(502, body, "x")
    assert error.status == 502
    assert error.message


def test_removal_in_progress_is_recognised() -> None:
    """DELETE of a container that is being removed is on its way to what we want."""
    assert removal_in_progress(failure("removal of container abc is already in progress", "x", status=409))
    assert not removal_in_progress(failure("You cannot remove a running container", "x", status=409))


def test_a_layer_is_two_lines() -> None:
    """Hundreds of progress events of a pull become a line when a layer starts and one when it is there."""
    stream: list[dict[str, Any]] = [
        {"status": "Pulling from shop/web", "id": "1.4"},
        {"status": "Pulling fs layer", "progressDetail": {}, "id": "a1"},
        *(
            {"status": "Downloading", "progressDetail": {"current": n, "total": 25_300_000}, "id": "a1"}
            for n in range(50)
        ),
        {"status": "Verifying Checksum", "progressDetail": {}, "id": "a1"},
        {"status": "Extracting", "progressDetail": {"current": 1, "total": 2}, "id": "a1"},
        {"status": "Pull complete", "progressDetail": {}, "id": "a1"},
        {"status": "Digest: sha256:00"},
    ]
    assert list(readable(stream, "x", "PullFailed")) == [
        "1.4: Pulling from shop/web",
        "a1: Downloading 25.3 MB",
        "a1: Pull complete",
        "Digest: sha256:00",
    ]


def test_output_of_a_build_is_put_together_again() -> None:
    """The builder sends pieces of text; lines come out, without its bookkeeping."""
    stream = [{"stream": "Step 1/2 : FROM"}, {"stream": " x\n ---> 12\nhel"}, {"stream": "lo\n\n"}, {"stream": "end"}]
    assert list(readable(stream, "x", "BuildFailed")) == ["Step 1/2 : FROM x", "hello", "end"]


@pytest.mark.parametrize("event", [{"error": "no space left"}, {"errorDetail": {"message": "no space left"}}])
def test_error_in_a_stream_is_raised(event: dict[str, object]) -> None:
    """A stream that was answered with 200 still fails by an error inside it."""
    lines = readable([{"status": "ok"}, event], "shop/web:1", "PullFailed")
    assert next(lines) == "ok"
    with pytest.raises(EngineError, match="no space left") as caught:
        next(lines)
    assert (caught.value.code, caught.value.source) == ("PullFailed", "shop/web:1")


def test_log_frames_are_joined_in_order() -> None:
    """Frames of both streams are one text; a terminal has none; half a frame is shown as far as it came."""
    frames = b"\1\0\0\0\0\0\0\4out\n" + b"\2\0\0\0\0\0\0\4err\n" + b"\1\0\0\0\0\0\0\x09cut"
    assert decode_logs(frames, terminal=False) == "out\nerr\ncut"
    assert decode_logs(b"a\r\nb\xff", terminal=True) == "a\nb\N{REPLACEMENT CHARACTER}"
