"""The program's outermost frame: runs a command line and turns whatever happens into a message and an exit code."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import click

import reconciler.cli.image_commands  # noqa: F401 - its commands exist once it is imported
from reconciler.cli.commands import reconcile
from reconciler.cli.image_commands import images
from reconciler.cli.operator_commands import resume, serve, suspend, sync
from reconciler.cli.removal_commands import down, volumes
from reconciler.errors import FAILED, USAGE, ReconcilerError

for command in (images, serve, suspend, resume, sync, down, volumes):
    reconcile.add_command(command)


@dataclass
class Session:
    """What the outermost frame must know of a command line that it did not parse itself."""

    log_level: str = "info"


def main() -> None:
    """Run the process's command line and end the process."""
    code = run(sys.argv[1:])
    if code is None:
        os._exit(FAILED)
    sys.exit(code)


def run(arguments: list[str]) -> int | None:
    """The exit code of a command line; None where it was abandoned and threads must not be waited for."""
    from reconciler.cli import terminal

    session = Session()
    terminal.prepare()
    try:
        code = reconcile.main(arguments, prog_name="reconcile", standalone_mode=False, obj=session)
    except (KeyboardInterrupt, click.Abort):  # click turns the one into the other
        terminal.say("interrupted")
        return None
    except Exception as error:  # noqa: BLE001 - the last frame: nothing may leave it as a traceback
        return _explain(error, session)
    return int(code or 0)


def _explain(error: Exception, session: Session) -> int:
    from reconciler.cli import failures, terminal

    palette = terminal.message_palette(no_color="--no-color" in sys.argv)
    if isinstance(error, click.ClickException):
        terminal.say(failures.usage_text(error, palette))
        return USAGE
    if isinstance(error, ReconcilerError):
        terminal.say(failures.error_text(error, palette))
        return error.exit_code
    if session.log_level == "debug":
        terminal.say(_traceback(error))
    terminal.say(failures.internal_text(error, palette))
    return FAILED


def _traceback(error: Exception) -> str:
    import traceback

    return "".join(traceback.format_exception(error)).rstrip()
