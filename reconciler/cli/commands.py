"""The commands and their help. What they do is in `actions`, imported when one runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from reconciler.cli.help import OUTPUT, GroupedGroup, GroupedOption
from reconciler.cli.options import (
    Flags,
    adopt_option,
    converge_options,
    deep_option,
    dry_run_option,
    engine_options,
    exit_code_option,
    gather,
    history_options,
    output_options,
    refuse_misplaced,
    revision_option,
    socket_option,
    spec_options,
)

_EPILOG = """
Examples:
  reconcile --dry-run                      what would change, and which line of which file causes it
  reconcile -f specs/shop                  converge one project
  reconcile -f specs/shop -H simulated://  try a spec without any engine
  reconcile --dry-run --exit-code -o json  for CI: a plan to read, exit 2 when changes are pending
  reconcile status                         what runs, and why when something is off
  reconcile why web                        why this service is as it is, and how to go on
  reconcile retry web                      try again what was given up

Exit codes:
  0   in sync, converged, or a dry-run that succeeded
  1   failed: engine unreachable, an operation or rollout failed, rolled back, blocked,
      quarantined, not converged in time
  2   --dry-run --exit-code: changes are pending
  3   refused: a spec is invalid or the policy denies it; that project was not touched,
      the others were
  64  the command line is wrong
"""
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's shape
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"reconcile {version('reconciler')}")
        ctx.exit()


@click.group(
    cls=GroupedGroup,
    invoke_without_command=True,
    context_settings=_SETTINGS,
    epilog=_EPILOG,
    subcommand_metavar="[COMMAND]",
)
@spec_options()
@engine_options()
@dry_run_option()
@adopt_option()
@converge_options()
@output_options("text", "json", "markdown")
@exit_code_option()
@click.option(
    "--version",
    cls=GroupedOption,
    group=OUTPUT,
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
@click.pass_context
def reconcile(ctx: click.Context, /, **_: Any) -> int:
    """Make a Docker Engine run what your Compose files say.

    Without a command: read the specs, forecast every operation on a simulated engine, carry them out, and wait until
    everything is healthy. What already runs as written is left alone.
    """
    if ctx.invoked_subcommand:
        return 0
    return _run("plan" if ctx.params["dry_run"] else "converge", ctx)


@reconcile.command()
@spec_options()
@output_options("text", "json")
@click.pass_context
def validate(ctx: click.Context, /, **_: Any) -> int:
    """Check the specs; needs no engine."""
    return _run("validate", ctx)


@reconcile.command()
@spec_options()
@output_options("yaml", "json")
@click.pass_context
def config(ctx: click.Context, /, **_: Any) -> int:
    """Print the specs merged, interpolated and normalised."""
    return _run("config", ctx)


@reconcile.command()
@click.pass_context
def schema(ctx: click.Context, /) -> int:
    """Print a JSON Schema of a spec, for editors.

    The first line of a spec then says where it is: # yaml-language-server: $schema=FILE
    """
    return _run("schema", ctx)


@reconcile.command()
@spec_options()
@engine_options()
@output_options("text", "json")
@deep_option()
@socket_option()
@click.pass_context
def status(ctx: click.Context, /, **_: Any) -> int:
    """Show what runs, and why when something is off.

    Asks the running service where there is one; with -f, -H or -c the specs and the engine that are named. So do
    history, why, retry and rollback.
    """
    return _run("status", ctx)


@reconcile.command()
@spec_options("Only rollouts of this service; repeatable.")
@engine_options()
@output_options("text", "json")
@history_options()
@socket_option()
@click.pass_context
def history(ctx: click.Context, /, **_: Any) -> int:
    """List the rollouts: when, why, batch by batch, how they ended.

    The newest stands last. With -p the specs are not read.
    """
    return _run("history", ctx)


@reconcile.command()
@click.argument("service")
@spec_options(service=None)
@engine_options()
@output_options("text", "json")
@socket_option()
@click.pass_context
def why(ctx: click.Context, /, **_: Any) -> int:
    """Explain why SERVICE is as it is.

    What changed it last and which line of which file caused that, what it waits for until when, or why it is not tried
    again and how to go on.
    """
    return _run("why", ctx)


@reconcile.command()
@click.argument("service")
@spec_options(service=None)
@engine_options()
@converge_options()
@output_options("text", "json", "markdown")
@socket_option()
@click.pass_context
def retry(ctx: click.Context, /, **_: Any) -> int:
    """Try again what was given up for SERVICE, and converge.

    Lifts the quarantine of a definition that was rolled back, and the waiting time after replicas that were lost.
    """
    return _run("retry", ctx)


@reconcile.command()
@click.argument("service")
@revision_option()
@spec_options(service=None)
@engine_options()
@converge_options()
@output_options("text", "json", "markdown")
@socket_option()
@click.pass_context
def rollback(ctx: click.Context, /, **_: Any) -> int:
    """Take SERVICE back to a definition that came up before, and converge.

    What the spec says now is not tried again until the spec changes, or until reconcile retry SERVICE.
    """
    return _run("rollback", ctx)


def _run(name: str, ctx: click.Context) -> int:
    flags = gather(ctx)
    refuse_misplaced(flags, ctx)
    ctx.obj.log_level = flags.log_level or "info"
    from reconciler.cli import actions

    command: Callable[[Flags], int] = getattr(actions, name)
    return command(flags)
