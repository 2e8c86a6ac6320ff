"""Ask a person to type a name before something goes for good."""

from __future__ import annotations

import sys

import click

from reconciler.errors import ReconcilerError, UsageError


class DeclinedError(ReconcilerError):
    """The person did not type the name: nothing was done (exit 1)."""

    code = "Declined"


def confirm(name: str, what: str, *, yes: bool) -> None:
    """Return once the name was typed, or at once with `yes`. DeclinedError where something else was.

    UsageError where nobody can be asked: stdin or stderr is no terminal.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{what} has to be confirmed, and there is no terminal to ask at", hint="pass --yes")
    typed = click.prompt(f"Type {name} to go on", default="", show_default=False, err=True)
    if typed.strip() != name:
        raise DeclinedError(f"{what} was not confirmed: nothing was removed")
