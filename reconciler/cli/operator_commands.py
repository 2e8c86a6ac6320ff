"""`reconcile serve`, and the commands for whoever operates it. What they do is in `operator_actions`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from reconciler.cli.help import SPECS, GroupedCommand, GroupedOption
from reconciler.cli.options import (
    Flags,
    engine_options,
    gather,
    output_options,
    refuse_misplaced,
    socket_option,
    spec_options,
)

_ALL = click.option("--all", "everything", cls=GroupedOption, group=SPECS, is_flag=True, help="Every project.")
_REASON = click.option(
    "--reason", "reason", cls=GroupedOption, group=SPECS, metavar="TEXT", required=True, help="Why: status shows it."
)


@click.command(cls=GroupedCommand)
@spec_options()
@engine_options()
@output_options("text")
@socket_option()
@click.pass_context
def serve(ctx: click.Context, /, **_: Any) -> int:
    """Keep watching and converging, until it is told to end.

    Follows the sources of the settings, or what -f names in their place. SIGTERM and ^C end it once the operations in
    flight are done.
    """
    return _run("serve", ctx)


@click.command(cls=GroupedCommand)
@click.argument("service", required=False, default="")
@_REASON
@_ALL
@spec_options(service=None)
@engine_options()
@output_options("text", "json")
@socket_option()
@click.pass_context
def suspend(ctx: click.Context, /, **_: Any) -> int:
    """Leave SERVICE, or a whole project, alone until it is resumed.

    What runs goes on running as it is: nothing is replaced, restarted or removed. Where no service is running, the next
    run heeds it.
    """
    return _run("suspend", ctx)


@click.command(cls=GroupedCommand)
@click.argument("service", required=False, default="")
@_ALL
@spec_options(service=None)
@engine_options()
@output_options("text", "json")
@socket_option()
@click.pass_context
def resume(ctx: click.Context, /, **_: Any) -> int:
    """Look after SERVICE, or a whole project, again."""
    return _run("resume", ctx)


@click.command(cls=GroupedCommand)
@click.argument("names", nargs=-1, metavar="[PROJECT]...")
@output_options("text", "json", "markdown")
@socket_option()
@click.pass_context
def sync(ctx: click.Context, /, **_: Any) -> int:
    """Have the running service read its sources and converge now, and wait for how that ends."""
    return _run("sync", ctx)


def _run(name: str, ctx: click.Context) -> int:
    flags = gather(ctx)
    refuse_misplaced(flags, ctx)
    ctx.obj.log_level = flags.log_level or "info"
    if flags.everything and (flags.service or flags.project_name):
        raise click.UsageError("--all goes with neither SERVICE nor -p.", ctx)
    from reconciler.cli import operator_actions

    command: Callable[[Flags], int] = getattr(operator_actions, name)
    return command(flags)
