"""The small parts of the model: hashes, redaction, references, sources, ports, memory."""

from __future__ import annotations

import pytest

from reconciler.model.canonical import canonical_json, keyed_hash
from reconciler.model.labels import is_reserved
from reconciler.model.memory import Failure, Memory
from reconciler.model.observed import EngineInfo, json_value
from reconciler.model.operation import Operation
from reconciler.model.project import Attachment, HostPort
from reconciler.model.pushed import Pushed, PushReport
from reconciler.model.redaction import hide_values, redact, redact_text
from reconciler.model.references import parse_reference, short_digest
from reconciler.model.report import ProjectReport, Report
from reconciler.model.revision import Revision
from tests.support.planning import project, service


def test_the_same_meaning_gives_the_same_bytes() -> None:
    """Neither the order of keys nor a null changes a hash; the order of a list and the key of the hash do."""
    assert canonical_json({"b": [1, None], "a": {"x": None}}) == b'{"a":{},"b":[1,null]}'
    assert keyed_hash("k", {"a": 1, "b": (1,)}) == keyed_hash("k", {"b": [1], "a": 1, "c": None})
    assert keyed_hash("k", [1, 2]) != keyed_hash("k", [2, 1])
    assert keyed_hash("k", 1) != keyed_hash("other", 1)


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("environment.DB_PASSWORD", "x", "***"),
        ("environment.spring.datasource.password.file", "x", "***"),
        ("labels.traefik.http.middlewares.auth.basicauth.users", "u:$apr1$x", "***"),
        ("build.args.NPM_TOKEN", "x", "***"),
        ("environment.LOG_LEVEL", "debug", "debug"),
        ("environment.DATABASE_URL", "postgres://u:pw@db/x", "postgres://u:***@db/x"),
        ("command", ["curl", "https://u:pw@host"], ["curl", "https://u:***@host"]),
        ("environment", {"TOKEN": "x", "A": "1"}, {"TOKEN": "***", "A": "1"}),
        ("environment.TOKEN", None, None),
        ("deploy.replicas", 3, 3),
    ],
)
def test_what_looks_secret_is_not_shown(field: str, value: object, shown: object) -> None:
    """The whole name of a variable, label or argument decides, dots included; passwords in URLs go everywhere."""
    assert redact(field, value) == shown


def test_a_secret_is_one_wherever_the_spec_repeats_it() -> None:
    """`--requirepass ${PASSWORD}` shows no more of it than the variable itself."""
    shown = redact("command", ["redis", "--requirepass swordfish"], ["PASSWORD=swordfish"])
    assert shown == ["redis", "--requirepass ***"]


def test_values_of_secrets_are_taken_out_of_any_text() -> None:
    """What an engine or a health check prints may repeat a secret; a value too short to search for is no secret."""
    environment = ["API_KEY=swordfish", "PASSWORD=abc", "MODE=plain", "TOKEN"]
    text = hide_values("abc plain swordfish redis://:pw@h", environment)
    assert text == "abc plain *** redis://:***@h"
    assert hide_values("", environment) == ""
    assert redact_text("no url") == "no url"


@pytest.mark.parametrize(
    ("text", "tagged", "pinned"),
    [
        ("nginx", "nginx:latest", "nginx:latest@sha256:d"),
        ("docker.io/library/nginx:1", "nginx:1", "nginx:1@sha256:d"),
        ("host:5000/a/b", "host:5000/a/b:latest", "host:5000/a/b:latest@sha256:d"),
        ("a/b@sha256:c", "a/b:latest", "a/b@sha256:d"),
        ("a/b:1@sha256:c", "a/b:1", "a/b:1@sha256:d"),
    ],
)
def test_references_read_as_the_engine_reads_them(text: str, tagged: str, pinned: str) -> None:
    """Familiar names, the default tag, ports of registries; a digest makes the tag a comment."""
    reference = parse_reference(text)
    assert (reference.tagged, reference.pinned("sha256:d")) == (tagged, pinned)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (HostPort(80, 80), HostPort(80, 80), False),
        (HostPort(80, 80), HostPort(80, 80, "udp"), True),
        (HostPort(80, 80, ip="127.0.0.1"), HostPort(80, 80, ip="127.0.0.2"), True),
        (HostPort(80, 80, ip="127.0.0.1"), HostPort(80, 80, ip="0.0.0.0"), False),
        (HostPort(80, 80, ip="127.0.0.1"), HostPort(80, 80, ip="::"), False),
        (HostPort(80, 90), HostPort(90, 99), False),
        (HostPort(80, 89), HostPort(90, 99), True),
        (HostPort(0, 0), HostPort(0, 0), True),
    ],
)
def test_which_ports_can_be_bound_at_once(one: HostPort, other: HostPort, both: bool) -> None:
    """Same protocol, same or every address, overlapping numbers exclude each other; chosen by the engine, never."""
    assert one.overlaps(other) is not both
    assert other.overlaps(one) is not both


def test_the_nearest_source_is_named() -> None:
    """A field without a place of its own is said to stand where its nearest enclosing one does."""
    made = service(sources={"": "c.yaml:1", "environment": "c.yaml:3", "ports[0]": "c.yaml:7"})
    assert made.source("environment.A.B") == "c.yaml:3"
    assert made.source("ports[0].published") == "c.yaml:7"
    assert made.source("ports[1]") == "c.yaml:1"
    assert service().source("image") == ""


def test_lookups_that_find_nothing() -> None:
    """A missing service, version part or JSON step is None or older, never an error."""
    assert project(service()).service("other") is None
    assert json_value({"a": {"b": None}}, "a", "b", "c") is None
    assert json_value({"a": 1}, "a", "b") is None
    engine = EngineInfo("e", "id", "28", "1.9")
    assert not engine.supports("1.10")
    assert engine.supports("1.9")
    assert is_reserved("com.docker.compose.project")
    assert not is_reserved("com.example")


def test_a_static_address_or_mac_is_one_replicas() -> None:
    """Fixing an address in the spec means that two replicas cannot be attached at once."""
    assert Attachment("n", "n", endpoint={"IPAMConfig": {"IPv4Address": "10.0.0.2"}}).static_address
    assert Attachment("n", "n", endpoint={"MacAddress": "02:42:ac:11:00:02"}).static_address
    assert not Attachment("n", "n", endpoint={"IPAMConfig": None}).static_address


def test_memory_keeps_the_first_reason() -> None:
    """The first failure of a definition and the first cause of a slot stay, whatever comes after."""
    first, second = Failure("web", "h", "Exited", "one"), Failure("web", "h", "Unhealthy", "two")
    memory = Memory().with_failures((first,)).with_failures((second,))
    assert memory.failures == {("web", "h"): first}
    assert memory.with_failed_operation("id", "text").failed_operations == {"id": "text"}


def test_a_subnet_is_remembered_only_until_the_network_is_made_anew() -> None:
    """Also where that failed: a network that is removed later may find its subnet taken."""
    removed = Operation("1", "network.remove", "net", "shop", payload={"ipam": {"Config": []}})
    made = Operation("network.create:net", "network.create", "net", "shop")
    memory = Memory().with_attempts((removed,))
    assert memory.subnets == {"net": {"Config": []}}
    assert memory.with_done(made, "", 1.0).subnets == {}
    assert memory.with_failed_operation(made.id, "Pool overlaps", 1.0).subnets == {}


def test_memory_keeps_what_removed_containers_leave() -> None:
    """Anonymous volumes of a removed container are remembered for its slot; names brought up are attempts."""
    removed = Operation("1", "container.remove", "a", "shop", "db", 1, payload={"volumes": {"/data": "v"}})
    made = Operation("2", "container.create", "b", "shop", "db", 1)
    memory = Memory().with_attempts((removed,)).with_attempts((made,))
    assert memory.volumes == {("db", 1): {"/data": "v"}}
    assert memory.attempted == {"b"}


def test_a_report_is_pending_where_any_project_is() -> None:
    """One project with something to do is enough."""
    done, todo = ProjectReport("a", None, in_sync=True), ProjectReport("b", None)
    assert not Report("plan", (done,)).pending
    assert Report("plan", (done, todo)).pending


def test_a_push_failed_where_any_reference_did() -> None:
    """What was skipped is no failure; one failed reference of one project is."""
    done, skipped = Pushed("web", "a:1", "pushed", "sha256:d"), Pushed("db", "", "skipped", reason="NotBuilt")
    assert not PushReport((("shop", (done, skipped)),)).failed
    assert PushReport((("shop", (done,)), ("blog", (skipped, Pushed("web", "b:1", "failed"))))).failed


def test_long_names_are_shortened_to_what_people_compare() -> None:
    """Twelve digits of a digest, without its algorithm; ten of a commit; a folder has no commit."""
    assert short_digest("sha256:0123456789abcdef") == "0123456789ab"
    assert Revision("git", "0123456789abcdef").short == "0123456789"
    assert Revision("folder").short == ""
