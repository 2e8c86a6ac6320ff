from __future__ import annotations

import getpass
import json
import os
import resource
import socket
import stat
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import USAGE, SettingsError, SettingsErrors
from reconciler.model.history import Explanation, RolloutRecord
from reconciler.model.memory import Stable
from reconciler.model.operation import Operation
from reconciler.model.project import Image, Notice, Service
from reconciler.model.report import Activity, Answer, History, ProjectReport, Report
from reconciler.model.revision import Revision
from reconciler.service import control, conversation
from reconciler.service.client import RunningService, find_service
from reconciler.service.control import AT_ONCE, WAITING, Control
from reconciler.service.listening import LONGEST_PATH, answers, listen, user_of
from reconciler.service.messages import MAX_REQUEST, ServiceError
from tests.support.operations import SmallService
from tests.unit.cli.reports import SHOP
from tests.unit.cli.rollouts import BAD, QUARANTINED, WELL

if TYPE_CHECKING:
    from collections.abc import Iterator

ACTIVITY = Activity(
    "shop", "web", "started", "", 1.5, Operation("id", "container.start", "shop-web-1", "shop", "web", 1)
)


@contextmanager
def running(path: Path, service: SmallService) -> Iterator[RunningService]:
    """The service behind a real socket, and its client."""
    with Control(str(path), service):
        found = find_service(str(path))
        assert found
        yield found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def raw(path: Path, text: bytes) -> dict[str, Any]:
    """The first line of the answer to this text."""
    with socket.socket(socket.AF_UNIX) as asker:
        asker.connect(str(path))
        with suppress(BrokenPipeError):  # it has heard enough
            asker.sendall(text)
        with asker.makefile("rb") as lines:
            found: dict[str, Any] = json.loads(lines.readline())
    return found


def test_whatever_is_asked_comes_back_as_it_was_given(path: Path) -> None:
    """Reports, histories and explanations keep their types on the way; arguments too."""
    shop = replace(SHOP, revision=Revision("shop", "ab" * 20, "Ada <a@b>", "First", 12.5, "main"))
    past = History((("shop", (WELL, BAD)), ("empty", ())), warnings=(Notice("A", "b", "c"),))
    service = SmallService(Report("status", (shop,)), past, Answer(QUARANTINED))
    with running(path, service) as found:
        assert found.status(("shop",), ("web",), deep=True) == service.report
        assert found.history((), (), 3) == past
        assert found.why("web", None).explanation.last == QUARANTINED.last
        assert found.suspend("shop", None, "a reason") == ("shop",)
        assert found.resume(None, "web") == ("shop",)
        assert found.sync(("shop",), lambda _: None) == service.report
        found.retry("web", "shop", lambda _: None)
        found.rollback("web", None, 3, lambda _: None)
    me = getpass.getuser()
    assert service.asked == [
        ("status", ("shop",), ("web",), True),
        ("history", (), (), 3),
        ("why", "web", None),
        ("suspend", "shop", None, "a reason", me),
        ("resume", None, "web", me),
        ("sync", ("shop",), me),
        ("retry", "web", "shop", me),
        ("rollback", "web", None, 3, me),
    ]


def test_payloads_and_definitions_stay_with_the_service(path: Path) -> None:
    """They hold the secrets of the containers; what is shown never needs them."""
    secret = {"body": {"Env": ["PASSWORD=correct-horse"]}}
    operation = Operation("id", "container.create", "shop-web-1", "shop", payload=secret)
    stable = Stable(Service("web", Image("a:1"), secret, copied_files=()), "hash", "id", "a:1", "", "a:1", at=1.0)
    answer = Answer(replace(QUARANTINED, stable=stable))
    activity = replace(ACTIVITY, operation=operation)
    report = Report("converge", (ProjectReport("shop", None, operations=(operation,)),))
    service = SmallService(report, answer=answer, activities=(activity,))
    with Control(str(path), service):
        said = b""
        for command, arguments in (("sync", {}), ("why", {"service": "web"})):
            with socket.socket(socket.AF_UNIX) as asker:
                asker.connect(str(path))
                asker.sendall(json.dumps({"version": 1, "command": command, "arguments": arguments}).encode() + b"\n")
                with asker.makefile("rb") as lines:
                    said += lines.read()
    assert b'"activity"' in said
    assert b'"explanation"' in said
    assert b"correct-horse" not in said


def test_activities_arrive_while_the_work_is_done(path: Path) -> None:
    """In their order, before the result."""
    service = SmallService(activities=(ACTIVITY, replace(ACTIVITY, state="finished", operation=None)))
    service.gate.clear()
    heard: list[Activity] = []

    def listen_to(activity: Activity) -> None:
        heard.append(activity)
        if len(heard) == 2:
            service.gate.set()

    with running(path, service) as found:
        found.sync((), listen_to)
    assert heard == list(service.activities)


def test_an_error_of_the_service_is_the_askers(path: Path) -> None:
    """With its code, place, hint and exit code."""
    with running(path, SmallService()) as found, pytest.raises(ServiceError) as caught:
        found.why("web", None)
    error = caught.value
    assert (error.message, error.hint) == ("there is no service web", "the services are none")
    assert (error.code, error.exit_code) == ("Usage", USAGE)


def test_several_errors_come_as_one_text(path: Path) -> None:
    """Each line names its own place."""

    class Refusing(SmallService):
        def sync(self, *_: object) -> Report:
            raise SettingsErrors([SettingsError("one", source="a:1"), SettingsError("two", source="a:2")])

    with running(path, Refusing()) as found, pytest.raises(ServiceError) as caught:
        found.sync((), lambda _: None)
    assert str(caught.value) == "a:1: one\na:2: two"
    assert caught.value.code == "SettingsInvalid"


def test_a_mistake_of_ours_costs_one_request(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is logged, told without its text, and the next request is answered."""

    class Broken(SmallService):
        def history(self, *_: object) -> History:
            raise ZeroDivisionError("hunter2")

    with running(path, Broken()) as found:
        with pytest.raises(ServiceError, match=r"^internal error: ZeroDivisionError$"):
            found.history((), (), 1)
        assert found.status((), (), deep=False) == Report("status")
    assert "a control request failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\n", "the request is no line of JSON with version, command and arguments"),
        (b"\xff\n", "the request is no line of JSON with version, command and arguments"),
        (b"[1]\n", "the request is no line of JSON with version, command and arguments"),
        (b'{"version":1}\n', "the request is no line of JSON with version, command and arguments"),
        (b'{"version":2,"command":"status"}\n', "the request is of version 2; this service knows version 1"),
        (b'{"version":1,"command":"format"}\n', "the request asks for a command that is not known"),
        (b'{"version":1,"command":"why","arguments":{"service":1}}\n', "the arguments are not those of why"),
        (b'{"version":1,"command":"status","arguments":{"deep":"yes"}}\n', "the arguments are not those of status"),
        (b"[" * (MAX_REQUEST + 1) + b"\n", f"the request is longer than {MAX_REQUEST} bytes"),
        (b"x" * 4 * MAX_REQUEST, f"the request is longer than {MAX_REQUEST} bytes"),
        (b"[" * (MAX_REQUEST - 2) + b"\n", "the request is no line of JSON with version, command and arguments"),
    ],
)
def test_what_is_no_request_is_refused(path: Path, text: bytes, message: str) -> None:
    """Whatever is sent; the service goes on."""
    with running(path, SmallService()) as found:
        error = raw(path, text)["error"]
        assert (error["code"], error["message"], error["exit_code"]) == ("BadRequest", message, USAGE)
        assert found.status((), (), deep=False) == Report("status")


def test_nobody_else_may_connect(path: Path) -> None:
    """The socket's mode is 0600 when it appears, whatever the umask; the process's umask is as before."""
    before = os.umask(0)
    try:
        listener = listen(str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        listener.close()
        assert os.umask(0) == 0
    finally:
        os.umask(before)


def test_the_socket_of_the_dead_is_taken_over(path: Path) -> None:
    """A process that was killed leaves its file behind."""
    listen(str(path)).close()
    assert path.exists()
    assert not answers(str(path))
    with running(path, SmallService()) as found:
        assert found.status((), (), deep=False) == Report("status")


def test_a_socket_in_use_is_nobody_elses(path: Path) -> None:
    """The second service is told which socket, and the first one goes on."""
    with running(path, SmallService()) as found:
        with pytest.raises(ServiceError, match="a running service listens there already") as caught:
            Control(str(path), SmallService())
        assert (caught.value.code, caught.value.source) == ("SocketInUse", str(path))
        assert found.status((), (), deep=False) == Report("status")


def test_a_full_backlog_is_a_service_that_lives(path: Path) -> None:
    """Connecting to it would have to wait."""
    listener = listen(str(path))
    listener.listen(0)
    with socket.socket(socket.AF_UNIX) as first:
        first.connect(str(path))
        assert answers(str(path))
    listener.close()


def test_only_sockets_are_replaced(path: Path) -> None:
    """A file under that name is somebody's."""
    path.write_text("mine")
    with pytest.raises(ServiceError, match="what lies there is no socket"):
        listen(str(path))
    assert path.read_text() == "mine"


def test_a_path_that_is_too_long_says_so(tmp_path: Path) -> None:
    """The kernel would say so in other words, or cut it; nobody can listen there, so nobody is asked."""
    path = str(tmp_path / ("x" * LONGEST_PATH))
    with pytest.raises(ServiceError, match="longer than the 107 bytes"):
        listen(path)
    assert find_service(path) is None


def test_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    """With what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceError, match="the socket cannot be made"):
        listen(str(tmp_path / "file" / "control.sock"))
    assert find_service(str(tmp_path / "file" / "control.sock")) is None


def test_the_file_goes_with_the_service(path: Path) -> None:
    """Closing twice is closing once; who asks afterwards finds nobody."""
    served = Control(str(path), SmallService())
    served.close()
    served.close()
    assert not path.exists()
    assert find_service(str(path)) is None


def test_another_ones_file_stays(path: Path, tmp_path: Path) -> None:
    """Where somebody removed ours, and another service made its own, or the folder went altogether."""
    served = Control(str(path), SmallService())
    path.unlink()
    other = listen(str(path))
    served.close()
    assert answers(str(path))
    other.close()
    deep = tmp_path / "deep" / "control.sock"
    served = Control(str(deep), SmallService())
    deep.unlink()
    deep.parent.rmdir()
    served.close()


def test_those_who_look_do_not_wait_for_those_who_act(path: Path) -> None:
    """Rollouts under way take their own places; one too many is told to come back."""
    service = SmallService(activities=(ACTIVITY,))
    service.gate.clear()
    begun = threading.Semaphore(0)
    with running(path, service) as found:
        acting = [threading.Thread(target=found.sync, args=((), lambda _: begun.release())) for _ in range(AT_ONCE)]
        for thread in acting:
            thread.start()
        for _ in acting:
            begun.acquire()
        with pytest.raises(ServiceError, match="busy") as caught:
            found.sync((), lambda _: None)
        assert caught.value.code == "Busy"
        assert found.status((), (), deep=False) == Report("status")
        service.gate.set()
        for thread in acting:
            thread.join()
        found.sync((), lambda _: None)


def test_askers_who_say_nothing_cost_nothing(path: Path) -> None:
    """However many connect and never finish a line: the first to come are the first to go."""
    silent = []
    with running(path, SmallService()) as found:
        for _ in range(WAITING + 5):
            one = socket.socket(socket.AF_UNIX)
            one.connect(str(path))
            one.sendall(b'{"version"')
            silent.append(one)
        assert found.status((), (), deep=False) == Report("status")
        assert silent[0].recv(1) == b""
    for one in silent:
        one.close()


def test_an_asker_who_takes_too_long_is_sent_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one who sends a byte now and then."""
    monkeypatch.setattr(control, "READ_SECONDS", 0.0)
    with Control(str(path), SmallService()), socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(path))
        assert slow.recv(1) == b""


def test_an_asker_who_does_not_read_holds_up_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told on the way is left out while nobody reads it; the work ends, and so does its thread."""
    monkeypatch.setattr(conversation, "SEND_SECONDS", 0.1)
    long = replace(ACTIVITY, operation=None, text="x" * 10_000)
    service = SmallService(Report("status", warnings=(Notice("A", "y" * 2_000_000),)), activities=(long,) * 500)
    service.gate.clear()
    with Control(str(path), service) as served, socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(path))
        deaf.sendall(b'{"version":1,"command":"sync"}\n')
        until_done(served, service)
        assert service.asked == [("sync", (), getpass.getuser())]


def test_an_asker_who_goes_away_leaves_the_work_going(path: Path) -> None:
    """A person who presses ^C at `reconcile sync` has started it all the same."""
    service = SmallService(activities=(ACTIVITY,) * 3)
    service.gate.clear()
    with Control(str(path), service) as served:
        with socket.socket(socket.AF_UNIX) as gone:
            gone.connect(str(path))
            gone.sendall(b'{"version":1,"command":"sync"}\n')
            assert gone.recv(1)
        until_done(served, service)
    assert service.asked == [("sync", (), getpass.getuser())]


def test_closing_does_not_wait_for_ever(path: Path) -> None:
    """Who is still waiting for an answer then is told that the service ended."""
    service = SmallService(activities=(ACTIVITY,))
    service.gate.clear()
    served = Control(str(path), service)
    begun = threading.Event()
    caught: list[ServiceError] = []

    def ask() -> None:
        try:
            RunningService(str(path)).sync((), lambda _: begun.set())
        except ServiceError as error:
            caught.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    begun.wait()
    served.close(patience=0.0)
    asker.join()
    service.gate.set()
    assert caught[0].message == "the running service ended before it had answered"


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b'{"a":1,"b":2}\n', b"[]\n", b'{"result":{"projects":1}}\n', b'{"error":1}\n']
)
def test_an_answer_of_another_version_is_said_to_be_one(path: Path, line: bytes) -> None:
    """The client guesses nothing."""
    listener = listen(str(path))
    listener.settimeout(None)

    def answer() -> None:
        connection, _ = listener.accept()
        connection.recv(1000)
        connection.sendall(b'{"news":1}\n' + line)
        connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(ServiceError, match="cannot be read"):
        RunningService(str(path)).status((), (), deep=False)
    thread.join()
    listener.close()


def test_nobody_there_is_said(path: Path) -> None:
    """Where the service ended since it was found."""
    with pytest.raises(ServiceError, match="the running service does not answer: No such file"):
        RunningService(str(path)).status((), (), deep=False)


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container without an entry in its passwd."""

    def unknown(_: int) -> object:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", unknown)
    one, other = socket.socketpair()
    with one, other:
        assert user_of(one) == f"uid {os.geteuid()}"


def until_done(served: Control, service: SmallService) -> None:
    """Open the gate behind which what was asked for waits, and wait for the threads that answer."""
    while not service.asked:
        threading.Event().wait(0.01)
    answering = list(served._talks)
    service.gate.set()
    for thread in answering:
        thread.join()


def test_records_carry_where_they_came_from(path: Path) -> None:
    """The commit of a rollout is part of the history."""
    record = RolloutRecord(1, "shop", "web", "spec", (), "", 1.0, source_revision=Revision("shop", "cd" * 20))
    explained = Answer(Explanation("shop", SHOP.services[0], last=record))
    with running(path, SmallService(past=History((("shop", (record,)),)), answer=explained)) as found:
        assert found.history((), (), 1).projects[0][1][0].source_revision == record.source_revision
        assert found.why("web", None) == explained


def test_a_process_without_descriptors_left_answers_later(path: Path) -> None:
    """Whoever has connected waits; nobody is turned away."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Control(str(path), SmallService()), socket.socket(socket.AF_UNIX) as patient:
        used = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (used, limits[1]))
        try:
            holes = fill_holes()
            patient.connect(str(path))
            patient.sendall(b'{"version":1,"command":"status"}\n')
            threading.Event().wait(3 * control.ACCEPT_SECONDS)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for hole in holes:
                os.close(hole)
        with patient.makefile("rb") as lines:
            assert lines.readline().startswith(b'{"result":')


def fill_holes() -> list[int]:
    """Take every descriptor below the limit."""
    found = []
    with suppress(OSError):
        while True:
            found.append(os.dup(0))
    return found
