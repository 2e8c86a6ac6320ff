"""`reconcile images` and the commands below it. What they do is in `image_actions`, imported when one runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from reconciler.cli.help import GroupedGroup
from reconciler.cli.options import (
    Flags,
    dry_run_option,
    engine_options,
    gather,
    lock_options,
    output_options,
    spec_options,
)


@click.group(cls=GroupedGroup, invoke_without_command=True, subcommand_metavar="[COMMAND]")
@spec_options()
@engine_options()
@output_options("text", "json")
@click.pass_context
def images(ctx: click.Context, /, **_: Any) -> int:
    """Show what each service runs, what it could run, and what holds that back."""
    return 0 if ctx.invoked_subcommand else _run("images", ctx)


@images.command()
@click.argument("names", nargs=-1, metavar="[SERVICE]...")
@lock_options()
@spec_options(service=None)
@engine_options()
@output_options("text", "json")
@click.pass_context
def lock(ctx: click.Context, /, **_: Any) -> int:
    """Write to reconcile.lock which digest each service runs.

    Commit the file: from then on exactly that is deployed, and --dry-run tells which tags have moved since. What is
    pinned already stays, but for --update. The file lies in the project's folder, one for all projects there.
    """
    if ctx.params["names"] and not ctx.params["update"]:
        raise click.UsageError("SERVICE goes with --update.", ctx)
    return _run("lock", ctx)


@images.command()
@spec_options(service=None)
@engine_options()
@dry_run_option()
@output_options("text", "json")
@click.pass_context
def prune(ctx: click.Context, /, **_: Any) -> int:
    """Remove images that were superseded.

    Only what reconcile deployed on this engine itself, and of that nothing that any container uses, a spec wants, a
    service can go back to, somebody else named, another image was built on or io.reconciler.keep labels, and nothing
    that was used in the last 24 hours. Projects whose specs are gone are covered, too.
    """
    return _run("prune", ctx)


@images.command()
@spec_options("Only the build of this service; repeatable.")
@engine_options()
@output_options("text", "json")
@click.pass_context
def push(ctx: click.Context, /, **_: Any) -> int:
    """Push what was built: each service's image:, its build.tags, and the immutable tag.

    Only what was built from the files that are here now is pushed. A service without image: is left out, and said.
    """
    return _run("push", ctx)


def _run(name: str, ctx: click.Context) -> int:
    flags = gather(ctx)
    ctx.obj.log_level = flags.log_level or "info"
    from reconciler.cli import image_actions

    command: Callable[[Flags], int] = getattr(image_actions, name)
    return command(flags)
