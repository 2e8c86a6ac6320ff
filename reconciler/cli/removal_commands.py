"""`reconcile down` and `reconcile volumes`. What they do is in `removal_actions`, imported when one runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from reconciler.cli.help import GroupedCommand, GroupedGroup
from reconciler.cli.options import (
    Flags,
    dry_run_option,
    engine_options,
    gather,
    output_options,
    volumes_option,
    yes_option,
)


@click.command(cls=GroupedCommand)
@click.argument("project")
@engine_options()
@volumes_option()
@yes_option()
@dry_run_option()
@output_options("text", "json")
@click.pass_context
def down(ctx: click.Context, /, **_: Any) -> int:
    """Remove the containers and networks of PROJECT; needs no spec.

    Only what this instance made. Its volumes stay, but for --volumes. Shows what goes, and asks for the project's name.
    A service that has the project in force leaves it alone from then on, until reconcile resume.
    """
    return _run("down", ctx)


@click.group(cls=GroupedGroup, invoke_without_command=True, subcommand_metavar="[COMMAND]")
@engine_options()
@output_options("text", "json")
@click.pass_context
def volumes(ctx: click.Context, /, **_: Any) -> int:
    """List volumes: whose they are, how large, used when and by whom."""
    return 0 if ctx.invoked_subcommand else _run("volumes", ctx)


@volumes.command()
@click.argument("names", nargs=-1, required=True, metavar="VOLUME...")
@engine_options()
@yes_option()
@output_options("text", "json")
@click.pass_context
def rm(ctx: click.Context, /, **_: Any) -> int:
    """Delete volumes with all that is in them.

    All of them or none: only volumes that this instance made and that no container mounts, be it a stopped one. Shows
    their sizes, and asks for each name.
    """
    return _run("rm", ctx)


def _run(name: str, ctx: click.Context) -> int:
    flags = gather(ctx)
    ctx.obj.log_level = flags.log_level
    from reconciler.cli import removal_actions

    command: Callable[[Flags], int] = getattr(removal_actions, name)
    return command(flags)
