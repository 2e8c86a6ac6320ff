"""What `reconcile serve` and the commands for a running service do. Imported only when one runs."""

from __future__ import annotations

from reconciler import app_operator
from reconciler.cli import terminal
from reconciler.cli.actions import app_options, as_document, asked_service, follow, options_of_a_run
from reconciler.cli.options import Flags
from reconciler.cli.rows import dump, frame, notice_rows
from reconciler.cli.values import clean
from reconciler.model.project import Notice

_DONE = {"suspend": "suspended", "resume": "resumed"}


def serve(flags: Flags) -> int:
    """Run the service to its end."""
    from reconciler import app_service

    flags.format("text")
    options = app_options(flags)
    return app_service.serve(options.settings, options)


def suspend(flags: Flags) -> int:
    """Print what was suspended."""
    chosen = flags.format("text", "json")
    with as_document(chosen, lambda errors: _document("suspend", (), errors)):
        options = app_options(flags)
        names = app_operator.suspend(
            options, asked_service(flags, options), flags.service or None, flags.reason, everything=flags.everything
        )
    return _told("suspend", names, chosen)


def resume(flags: Flags) -> int:
    """Print what was resumed."""
    chosen = flags.format("text", "json")
    with as_document(chosen, lambda errors: _document("resume", (), errors)):
        options = app_options(flags)
        names = app_operator.resume(
            options, asked_service(flags, options), flags.service or None, everything=flags.everything
        )
    return _told("resume", names, chosen)


def sync(flags: Flags) -> int:
    """Print how the converge ended."""
    options = options_of_a_run(flags)
    return follow(flags, options, lambda tell: app_operator.sync(options, flags.names, tell))


def _told(command: str, names: tuple[str, ...], chosen: str) -> int:
    if chosen == "json":
        terminal.result(_document(command, names))
    else:
        lines = [f"{_DONE[command]} {clean(name)}\n" for name in names]
        terminal.result("".join(lines) or "nothing is suspended by that name\n")
    return 0


def _document(command: str, names: tuple[str, ...], errors: tuple[Notice, ...] = ()) -> str:
    return dump({**frame(command), "names": list(names), **notice_rows((), errors)})
