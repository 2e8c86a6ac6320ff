from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from reconciler.cli import terminal
from reconciler.cli.failures import error_text, internal_text
from reconciler.cli.interrupt import STOPPING, stop_on_signal
from reconciler.cli.palette import PLAIN
from reconciler.errors import ReconcilerError, SpecError, SpecErrors
from tests.support.inprocess import reconcile

ROOT = Path(__file__).parents[3]


def run(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program as a user runs it."""
    return subprocess.run(
        [sys.executable, "-m", "reconciler", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_options_in_groups_with_examples_and_exit_codes(flag: str) -> None:
    """A newcomer finds everything on one page."""
    done = run(flag)
    assert done.returncode == 0
    assert done.stderr == ""
    for heading in ("Commands:", "Specs:", "Engine:", "Converging:", "Output:", "Examples:", "Exit codes:"):
        assert f"\n{heading}\n" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 100


@pytest.mark.parametrize("command", ["validate", "config", "schema", "status", "history", "why", "retry", "rollback"])
def test_every_command_has_a_help_page(tmp_path: Path, command: str) -> None:
    """`reconcile COMMAND --help` works and stays on stdout."""
    done = reconcile(tmp_path, command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: reconcile {command}" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    """`--help` and completion answer at once: no engine, YAML, validation, logging or terminal library is loaded."""
    code = (
        "import sys; from reconciler.cli.main import run; run(['--help']); "
        "print([name for name in ('docker', 'yaml', 'pydantic', 'rich', 'structlog') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version_is_one_line() -> None:
    """Scripts read it."""
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("reconcile ")
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dry-rum",), "Did you mean '--dry-run'?"),
        (("valdate",), "Did you mean 'validate'?"),
        (("-o",), "Option '-o' requires an argument."),
        (("--dry-run", "-o", "xml"), "'xml' is not one of text, json, markdown."),
        (("config", "-o", "text"), "'text' is not one of yaml, json."),
        (("-o", "markdown", "config"), "'markdown' is not one of yaml, json."),
        (("--timeout", "soon"), "'soon' is not a duration"),
        (("--timeout", "0"), "'0' is no time at all."),
        (("--dry-run", "status"), "--dry-run does not go with 'status'"),
        (("--adopt", "status"), "--adopt does not go with 'status'"),
        (("--log-level", "loud"), "'loud' is not one of"),
        (("validate", "specs"), "Got unexpected extra argument (specs)"),
        (("server",), "No such command 'server'."),
        (("--dry-run", "sync"), "--dry-run does not go with 'sync'"),
        (("suspend", "web"), "Missing option '--reason'."),
        (("suspend", "web", "--all", "--reason", "x"), "--all goes with neither SERVICE nor -p."),
        (("resume", "-p", "shop", "--all"), "--all goes with neither SERVICE nor -p."),
        (("status", "--socket", "/x", "-f", "y"), "--socket asks the running service"),
        (("why",), "Missing argument 'SERVICE'."),
        (("--dry-run", "retry", "web"), "--dry-run does not go with 'retry'"),
        (("rollback", "web", "--to", "0"), "0 is not in the range x>=1"),
        (("history", "--limit", "few"), "'few' is not a valid integer range"),
        (("--max-unavailable", "0"), "0 is not in the range x>=1"),
    ],
)
def test_a_wrong_command_line_exits_64_with_one_clear_line(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """What is wrong and what was probably meant, on stderr, without a usage wall or traceback."""
    done = reconcile(tmp_path, *arguments)
    assert done.returncode == 64
    assert done.stdout == ""
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert message in error
    assert hint.startswith("hint: ")


def test_a_path_in_place_of_a_command_is_understood(tmp_path: Path) -> None:
    """Who forgets -f is told so."""
    (tmp_path / "shop").mkdir()
    done = run("shop", cwd=tmp_path)
    assert done.returncode == 64
    assert "hint: to read specs from there: reconcile -f shop" in done.stderr


def test_a_known_failure_is_a_message_with_its_place_and_remedy() -> None:
    """Every error of a spec gets its own line, its hint beneath it."""
    errors = SpecErrors(
        [SpecError("unknown key imge", source="a.yaml:3", hint="did you mean image?"), SpecError("bad")]
    )
    assert error_text(errors, PLAIN) == ("error: a.yaml:3: unknown key imge\nhint: did you mean image?\nerror: bad")
    assert error_text(ReconcilerError("no\x1b[2J"), PLAIN) == "error: no\\x1b[2J"


def test_our_own_mistake_is_one_line_and_a_request() -> None:
    """No traceback unless --log-level debug asks for it."""
    assert internal_text(KeyError("a\nb"), PLAIN).splitlines() == [
        "error: internal error: KeyError: 'a\\nb'",
        "hint: please report it, with what --log-level debug prints",
    ]


def test_the_first_interrupt_asks_and_the_second_abandons() -> None:
    """Ctrl-C twice leaves at once; afterwards the signals are as they were."""
    stop, said = threading.Event(), list[str]()
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signal(stop, said.append):
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        assert said == [STOPPING]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`reconcile ... | head -1` ends quietly, with the true exit code."""
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys; from reconciler.cli.terminal import result; result('x' * 100_000); result('y'); sys.exit(7)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (7, b"")


def test_a_full_disk_is_a_message() -> None:
    """A result that cannot be written is a failure, said in one line."""
    code = "from reconciler.cli import terminal; terminal.result('x')"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert "the result cannot be written to stdout: No space left on device" in done.stderr


def test_output_is_never_an_encoding_error() -> None:
    """A terminal that knows ASCII only still gets the whole text."""
    code = "from reconciler.cli import terminal; terminal.prepare(); terminal.result('é…\\n')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, check=True)
    assert done.stdout == b"\\xe9\\u2026\n"


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colours unless NO_COLOR, --no-color or TERM=dumb says no; a pipe never does."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert terminal.result_palette(no_color=False).enabled
    assert not terminal.result_palette(no_color=True).enabled
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.result_palette(no_color=False).enabled
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert not terminal.result_palette(no_color=False).enabled


def test_help_imports_nothing_that_takes_time() -> None:
    """Neither the docker SDK nor what reads specs."""
    code = (
        "import runpy, sys\nsys.argv = ['reconcile', '--help']\n"
        "try:\n    runpy.run_module('reconciler', run_name='__main__')\nexcept SystemExit:\n    pass\n"
        "print(sorted({'docker', 'pydantic', 'requests', 'rich', 'structlog', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
