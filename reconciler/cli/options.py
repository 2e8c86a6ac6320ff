"""The options of the command line, once each, and how those before and after a sub-command come together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import click
from click.core import ParameterSource

from reconciler.cli.help import CONVERGING, ENGINE, OUTPUT, SETTINGS, SPECS, GroupedOption

_Command = Callable[..., Any]
_Decorator = Callable[[_Command], _Command]


@dataclass(frozen=True)
class Flags:
    """Everything said on the command line, wherever it stood."""

    files: tuple[str, ...] = ()
    project_name: str | None = None
    services: tuple[str, ...] = ()
    service: str = ""
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    host: str | None = None
    context: str | None = None
    timeout: float | None = None
    max_unavailable: int | None = None
    prune: bool | None = None
    allow_empty: bool = False
    all_or_nothing: bool = False
    adopt: bool = False
    instance: str | None = None
    state_dir: str | None = None
    config: str | None = None
    socket: str | None = None
    reason: str = ""
    everything: bool = False
    names: tuple[str, ...] = ()
    project: str = ""
    with_volumes: bool = False
    yes: bool = False
    update: bool = False
    check: bool = False
    limit: int = 10
    revision: int | None = None
    deep: bool = False
    dry_run: bool = False
    exit_code: bool = False
    output: str | None = None
    log_format: str | None = None
    log_level: str | None = None
    no_color: bool = False

    @property
    def here(self) -> bool:
        """Whether something is said that a running service cannot heed: other specs, another engine or state."""
        specs = self.files or self.profiles or self.env_files
        return bool(specs or self.host or self.context or self.state_dir or self.instance)

    @property
    def of_a_run(self) -> str:
        """A flag that is said and that only a run of one's own heeds; "" where none is."""
        said = {
            "--timeout": self.timeout is not None,
            "--max-unavailable": self.max_unavailable is not None,
            "--prune/--no-prune": self.prune is not None,
            "--allow-empty": self.allow_empty,
            "--all-or-nothing": self.all_or_nothing,
        }
        return next((flag for flag, is_said in said.items() if is_said), "")

    def format(self, *allowed: str) -> str:
        """The output format, by default the first one allowed; a usage error where this command has no such format."""
        chosen = self.output or allowed[0]
        if chosen not in allowed:
            raise click.BadParameter(f"{chosen!r} is not one of {', '.join(allowed)}.", param_hint="'-o' / '--output'")
        return chosen


def gather(ctx: click.Context) -> Flags:
    """The flags of this command and those above it: later single values win, repeatable ones add up."""
    values: dict[str, Any] = {}
    levels = [ctx]
    while levels[0].parent:
        levels.insert(0, levels[0].parent)
    for level in levels:
        for name, value in _given(level):
            values[name] = values[name] + value if isinstance(value, tuple) and name in values else value
    return Flags(**values)


def refuse_misplaced(flags: Flags, ctx: click.Context) -> None:
    """A usage error where a sub-command is given what only the root command does."""
    said = {"--dry-run": flags.dry_run, "--exit-code": flags.exit_code, "--adopt": flags.adopt}
    misplaced = next((flag for flag, is_said in said.items() if is_said and ctx.parent), "")
    if misplaced:
        raise click.UsageError(f"{misplaced} does not go with {ctx.info_name!r}: it is for a converge.", ctx)


def spec_options(service: str | None = "Only this service and what it depends on; repeatable.") -> _Decorator:
    """Which specs, and how to read them. `service` says what --service means; None leaves it out."""
    only = _option("--service", "services", SPECS, service or "", metavar="NAME", multiple=True)
    return _all(
        _option(
            "-f",
            "--file",
            "files",
            SPECS,
            "Compose file (repeat to merge) or folder of projects; default: specs/, else this folder's compose file.",
            metavar="PATH",
            multiple=True,
        ),
        _option(
            "-p",
            "--project-name",
            "project_name",
            SPECS,
            "Name of the project, before COMPOSE_PROJECT_NAME and the file's own name:.",
            metavar="NAME",
        ),
        *([only] if service else []),
        _option("--profile", "profiles", SPECS, "Enable a profile; repeatable.", metavar="NAME", multiple=True),
        _option(
            "--env-file",
            "env_files",
            SPECS,
            "Variables for ${...} in place of .env; repeatable.",
            metavar="FILE",
            multiple=True,
        ),
    )


def engine_options() -> _Decorator:
    """Which engine, as the docker CLI has it."""
    return _all(
        _option(
            "-H",
            "--host",
            "host",
            ENGINE,
            "Engine to talk to, such as unix:///var/run/docker.sock or "
            "ssh://me@host; simulated:// for none. Default: DOCKER_HOST.",
            metavar="URL",
        ),
        _option(
            "-c",
            "--context",
            "context",
            ENGINE,
            "Context of the docker CLI. Default: DOCKER_CONTEXT, else the current one.",
            metavar="NAME",
        ),
        _option(
            "--instance",
            "instance",
            ENGINE,
            "Whose containers these are, where several controllers share an engine. Default: default.",
            metavar="NAME",
        ),
        _option(
            "--state-dir",
            "state_dir",
            ENGINE,
            "Where rollouts are remembered. Default: RECONCILER_STATE_DIR, else /var/lib/reconciler for root, "
            "$XDG_STATE_HOME/reconciler (~/.local/state/reconciler) for others.",
            metavar="DIR",
        ),
    )


def converge_options() -> _Decorator:
    """What a converge may do, and for how long."""
    return _all(
        _option(
            "--timeout",
            "timeout",
            CONVERGING,
            "Fail when not converged in this time: 90s, 10m, 1h30m, or seconds.",
            metavar="DURATION",
            callback=_duration,
        ),
        _option(
            "--max-unavailable",
            "max_unavailable",
            CONVERGING,
            "Keep all but this many replicas of the whole project serving while it rolls.",
            type=click.IntRange(min=1),
            metavar="N",
        ),
        _option(
            "--prune/--no-prune",
            "prune",
            CONVERGING,
            "Remove services that left the spec (never volumes). Default: prune.",
            default=None,
        ),
        _option(
            "--allow-empty",
            "allow_empty",
            CONVERGING,
            "Accept a spec that leaves a project without services.",
            is_flag=True,
        ),
        _option(
            "--all-or-nothing",
            "all_or_nothing",
            CONVERGING,
            "Touch no project when one of them is refused.",
            is_flag=True,
        ),
    )


def dry_run_option() -> _Decorator:
    """For whoever wants to know first."""
    return _option("--dry-run", "dry_run", CONVERGING, "Print the plan and change nothing anywhere.", is_flag=True)


def adopt_option() -> _Decorator:
    """For whoever comes from `docker compose`."""
    return _option(
        "--adopt",
        "adopt",
        CONVERGING,
        "Take over what docker compose made of the project; with --dry-run, show what that means.",
        is_flag=True,
    )


def history_options() -> _Decorator:
    """How much of the past."""
    return _option(
        "--limit",
        "limit",
        OUTPUT,
        "At most this many rollouts of each project, the newest. Default: 10.",
        type=click.IntRange(min=1),
        metavar="N",
    )


def revision_option() -> _Decorator:
    """How far back."""
    return _option(
        "--to",
        "revision",
        CONVERGING,
        "Revision to go back to. Default: the one before the present one.",
        type=click.IntRange(min=1),
        metavar="REVISION",
    )


def lock_options() -> _Decorator:
    """Which entries of the lock are looked up anew, and whether anything is written."""
    return _all(
        _option(
            "--update", "update", CONVERGING, "Look up again what is pinned: all, or these services.", is_flag=True
        ),
        _option("--check", "check", CONVERGING, "Write nothing; exit 2 when the lock is stale.", is_flag=True),
    )


def yes_option() -> _Decorator:
    """For scripts, which nobody can ask."""
    return _option("--yes", "yes", CONVERGING, "Do not ask; needed where there is no terminal.", is_flag=True)


def volumes_option() -> _Decorator:
    """For whoever wants nothing to be left."""
    text = "Also delete the project's volumes, named and anonymous, with all that is in them."
    return _option("--volumes", "with_volumes", CONVERGING, text, is_flag=True)


def deep_option() -> _Decorator:
    """For whoever can wait a little longer."""
    return _option("--deep", "deep", OUTPUT, "Also look for files changed inside the containers.", is_flag=True)


def output_options(*formats: str) -> _Decorator:
    """How to print; the first format is the default."""
    return _all(
        _option(
            "-o",
            "--output",
            "output",
            OUTPUT,
            f"Format of the result on stdout: {', '.join(formats)}.",
            metavar="FORMAT",
        ),
        _option(
            "--log-format",
            "log_format",
            OUTPUT,
            "Format of log lines on stderr: console, json.",
            type=click.Choice(["console", "json"]),
            metavar="FORMAT",
        ),
        _option(
            "--log-level",
            "log_level",
            OUTPUT,
            "Least level to log: debug, info, warning (hides progress), error. Default: info.",
            type=click.Choice(["debug", "info", "warning", "error"]),
            metavar="LEVEL",
        ),
        _option("--no-color", "no_color", OUTPUT, "No colours, as with NO_COLOR in the environment.", is_flag=True),
        _option(
            "--config",
            "config",
            SETTINGS,
            "Settings file. Default: RECONCILER_CONFIG, else /etc/reconciler/config.yaml if there is one.",
            metavar="FILE",
        ),
    )


def socket_option() -> _Decorator:
    """For whoever talks to a running service, or is one."""
    return _option(
        "--socket",
        "socket",
        SETTINGS,
        "Socket of the running service. Default: RECONCILER_SOCKET, else /run/reconciler.sock for root, "
        "$XDG_RUNTIME_DIR/reconciler.sock for others.",
        metavar="PATH",
    )


def exit_code_option() -> _Decorator:
    """For scripts that ask whether there is anything to do."""
    return _option("--exit-code", "exit_code", OUTPUT, "With --dry-run: exit 2 when changes are pending.", is_flag=True)


def _option(*names_group_and_help: str, **attributes: Any) -> _Decorator:
    *names, group, text = names_group_and_help
    return click.option(*names, cls=GroupedOption, group=group, help=text, **attributes)


def _all(*decorators: _Decorator) -> _Decorator:
    def decorate(command: _Command) -> _Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def _duration(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    """Seconds; a bare number is seconds, anything else what a spec may write."""
    if value is None:
        return None
    from reconciler.spec.durations import parse_duration

    try:
        seconds = float(value) if value.replace(".", "", 1).isdecimal() else parse_duration(value) / 1e9
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error
    if seconds <= 0:
        raise click.BadParameter(f"{value!r} is no time at all.")
    return seconds


def _given(ctx: click.Context) -> Iterable[tuple[str, Any]]:
    return [
        (name, value)
        for name, value in ctx.params.items()
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    ]
