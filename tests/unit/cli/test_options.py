from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from reconciler.cli.options import Flags, converge_options, engine_options, gather, output_options, spec_options


def _gathered(*arguments: str) -> Flags:
    """The flags of a command line given to a root command and a sub-command with the real options."""
    found: list[Flags] = []

    @click.group(invoke_without_command=True)
    @spec_options()
    @engine_options()
    @converge_options()
    @output_options("text", "json")
    @click.pass_context
    def root(ctx: click.Context, /, **_: object) -> None:
        if not ctx.invoked_subcommand:
            found.append(gather(ctx))

    @root.command()
    @spec_options()
    @output_options("yaml", "json")
    @click.pass_context
    def sub(ctx: click.Context, /, **_: object) -> None:
        found.append(gather(ctx))

    CliRunner().invoke(root, list(arguments), catch_exceptions=False, standalone_mode=False)
    return found[0]


def test_options_count_before_and_after_a_sub_command() -> None:
    """Later single values win; repeatable ones add up in order."""
    flags = _gathered("-p", "x", "-f", "a.yml", "-o", "json", "-H", "h", "sub", "-p", "y", "-f", "b.yml", "-f", "c.yml")
    assert flags == Flags(files=("a.yml", "b.yml", "c.yml"), project_name="y", output="json", host="h")


def test_what_was_not_said_is_left_to_others() -> None:
    """Defaults of a sub-command do not override what the root command was told."""
    assert _gathered("--no-color", "--log-level", "debug", "sub") == Flags(no_color=True, log_level="debug")
    assert _gathered() == Flags()


@pytest.mark.parametrize(("text", "prune"), [("--prune", True), ("--no-prune", False)])
def test_prune_is_yes_no_or_unsaid(text: str, prune: bool) -> None:
    """Unsaid leaves the choice to the spec."""
    assert _gathered(text).prune is prune
    assert _gathered().prune is None


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("1.5", 1.5), ("10m", 600.0), ("1h30m", 5400.0)])
def test_a_timeout_is_seconds_or_a_duration(text: str, seconds: float) -> None:
    """A bare number is seconds; the rest is the grammar of a spec."""
    assert _gathered("--timeout", text).timeout == seconds


def test_at_least_one_replica_may_be_unavailable() -> None:
    """With none nothing could ever be replaced."""
    assert _gathered("--max-unavailable", "2").max_unavailable == 2
    with pytest.raises(click.BadParameter, match="0 is not in the range x>=1"):
        _gathered("--max-unavailable", "0")


def test_the_state_directory_goes_with_the_engine() -> None:
    """Whatever asks an engine remembers, or looks up, what happened on it."""
    assert _gathered("--state-dir", "/srv/state").state_dir == "/srv/state"


def test_a_format_is_checked_by_the_command_that_prints() -> None:
    """The first format is the default; one that the command cannot print is a usage error."""
    assert Flags().format("yaml", "json") == "yaml"
    assert Flags(output="json").format("yaml", "json") == "json"
    with pytest.raises(click.UsageError, match="not one of yaml, json"):
        Flags(output="markdown").format("yaml", "json")
