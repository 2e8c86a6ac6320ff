"""Help pages with options in groups and the epilog as written. Classes for click; nothing else."""

from __future__ import annotations

from typing import Any

import click

SPECS = "Specs"
ENGINE = "Engine"
CONVERGING = "Converging"
OUTPUT = "Output"
SETTINGS = "Settings"
_GROUPS = (SPECS, ENGINE, CONVERGING, OUTPUT, SETTINGS)


class GroupedOption(click.Option):
    """An option that knows its heading."""

    def __init__(self, *args: Any, group: str = OUTPUT, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help lists its options by heading."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one block of options per heading."""
        _format_groups(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the epilog line by line."""
        _format_epilog(self, ctx, formatter)


class GroupedGroup(click.Group):
    """A command group whose help lists commands first, then options by heading."""

    command_class = GroupedCommand

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands and one block of options per heading."""
        self.format_commands(ctx, formatter)
        _format_groups(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the epilog line by line."""
        _format_epilog(self, ctx, formatter)


def _format_groups(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    blocks: dict[str, list[tuple[str, str]]] = {group: [] for group in _GROUPS}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record:
            blocks[getattr(parameter, "group", OUTPUT)].append(record)
    for group, records in blocks.items():
        if records:
            with formatter.section(group):
                formatter.write_dl(records)


def _format_epilog(command: click.Command, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
    if command.epilog:
        formatter.write(f"\n{command.epilog.strip()}\n")
