"""What each command does: ask `app` for a report, print it, return the exit code. Imported only when a command runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

from reconciler import app, logs
from reconciler.cli import (
    failures,
    history_json,
    history_text,
    phrases,
    plan_json,
    plan_markdown,
    plan_text,
    report_text,
    status_text,
    terminal,
    why_text,
)
from reconciler.cli.interrupt import stop_on_signal
from reconciler.cli.options import Flags
from reconciler.cli.progress import Progress, following, open_progress
from reconciler.cli.verdicts import exit_code
from reconciler.errors import REFUSED, USAGE, ReconcilerError
from reconciler.model.project import Notice
from reconciler.model.report import Activity, ProjectReport, Report
from reconciler.model.settings import PolicySettings, Settings
from reconciler.policy.resolve import check_settings

_CarryOut = Callable[[Callable[[ProjectReport], None], Callable[[Activity], None], threading.Event], Report]


def plan(flags: Flags) -> int:
    """Print what a converge would do."""
    chosen = flags.format("text", "json", "markdown")
    with as_document(chosen, _failed("plan")):
        report = app.plan(app_options(flags))
    if chosen == "text":
        palette = terminal.result_palette(no_color=flags.no_color)
        terminal.result(plan_text.render(report, width=terminal.plan_width(), palette=palette))
    else:
        terminal.result(_document(report, chosen))
    return _conclude(report, flags)


def converge(flags: Flags) -> int:
    """Print the plan of each project, carry it out, print how it ended."""
    options = app_options(flags)
    return _carry_out(flags, lambda *listeners: app.converge(options, *listeners))


def retry(flags: Flags) -> int:
    """The same for one service's project, after its quarantine is lifted."""
    options = app_options(flags)
    return _carry_out(flags, lambda *listeners: app.retry(options, flags.service, *listeners))


def rollback(flags: Flags) -> int:
    """The same for one service's project, after it was told which revision to go back to."""
    options = app_options(flags)
    return _carry_out(flags, lambda *listeners: app.rollback(options, flags.service, flags.revision, *listeners))


def _carry_out(flags: Flags, carry_out: _CarryOut) -> int:
    chosen = flags.format("text", "json", "markdown")
    stop = threading.Event()
    with stop_on_signal(stop, terminal.say), following(_progress(flags)) as progress:

        def on_plan(project: ProjectReport) -> None:
            if chosen == "text" and not (project.in_sync and project.adoption.empty):
                _show_plan(project, progress, flags)
            progress.plan(project)

        with as_document(chosen, _failed("converge")):
            report = carry_out(on_plan, progress.activity, stop)
        progress.finish(report)
    if chosen == "text":
        palette = terminal.result_palette(no_color=flags.no_color)
        width = terminal.plan_width()
        terminal.result(report_text.render(report, stopped=stop.is_set(), width=width, palette=palette))
    else:
        terminal.result(_document(report, chosen))
    return _conclude(report, flags)


def validate(flags: Flags) -> int:
    """Print which projects are valid, or what is wrong with them."""
    chosen = flags.format("text", "json")
    with as_document(chosen, _failed("plan")):
        report = app.validate(app_options(flags))
    if chosen == "json":
        terminal.result(_document(report, chosen))
    else:
        names = ", ".join(project.name for project in report.projects)
        terminal.result(f"valid: {names}\n" if names else "")
        say_warnings(report.warnings, flags)
    return _conclude(replace(report, projects=()), flags)


def config(flags: Flags) -> int:
    """Print the normalised specs."""
    chosen = flags.format("yaml", "json")
    text = app.config(app_options(flags), "json" if chosen == "json" else "yaml")
    terminal.result(text.rstrip("\n") + "\n")
    return 0


def schema(_: Flags) -> int:
    """Print the JSON Schema of a spec."""
    terminal.result(app.schema())
    return 0


def status(flags: Flags) -> int:
    """Print what runs."""
    chosen = flags.format("text", "json")
    with as_document(chosen, _failed("status")):
        report = app.status(app_options(flags), deep=flags.deep)
    if chosen == "json":
        terminal.result(plan_json.render_status(report))
    else:
        palette = terminal.result_palette(no_color=flags.no_color)
        terminal.result(status_text.render(report, width=terminal.table_width(), palette=palette))
    return _conclude(report, flags)


def history(flags: Flags) -> int:
    """Print the rollouts of each project."""
    chosen = flags.format("text", "json")
    with as_document(chosen, lambda errors: history_json.render_history((), errors=errors)):
        past = app.history(app_options(flags), flags.limit)
    if chosen == "json":
        terminal.result(history_json.render_history(past.projects, past.warnings, past.errors))
    else:
        palette = terminal.result_palette(no_color=flags.no_color)
        terminal.result(history_text.render(past.projects, width=terminal.plan_width(), palette=palette, zone=None))
        say_warnings(past.warnings, flags)
    return say_errors(past.errors, flags)


def why(flags: Flags) -> int:
    """Print why a service is as it is."""
    chosen = flags.format("text", "json")
    with as_document(chosen, lambda errors: history_json.render_why(None, errors=errors)):
        answer = app.why(app_options(flags), flags.service)
    if chosen == "json":
        terminal.result(history_json.render_why(answer.explanation, answer.warnings, answer.errors))
    else:
        palette = terminal.result_palette(no_color=flags.no_color)
        terminal.result(why_text.render(answer.explanation, width=terminal.plan_width(), palette=palette, zone=None))
        say_warnings(answer.warnings, flags)
    return say_errors(answer.errors, flags)


def app_options(flags: Flags) -> app.Options:
    """The flags as the composition root takes them; logging is set up on the way."""
    color = terminal.message_palette(no_color=flags.no_color).enabled
    logs.configure("json" if flags.log_format == "json" else "console", flags.log_level, color=color)
    return app.Options(
        files=flags.files,
        project_name=flags.project_name,
        services=flags.services,
        profiles=flags.profiles,
        env_files=flags.env_files,
        host=flags.host,
        context=flags.context,
        timeout=flags.timeout,
        max_unavailable=flags.max_unavailable,
        prune=flags.prune,
        allow_empty=flags.allow_empty,
        all_or_nothing=flags.all_or_nothing,
        adopt=flags.adopt,
        instance=flags.instance,
        state_dir=flags.state_dir,
        settings=_settings(),
    )


def _settings() -> Settings:
    """What the environment says of the policy. SettingsError for a level that there is not."""
    level = os.environ.get("RECONCILER_POLICY_LEVEL") or None
    policy = PolicySettings(level)  # type: ignore[arg-type] # what it is not, is an error
    if errors := check_settings(policy):
        raise errors[0]
    return Settings(policy=policy)


def _progress(flags: Flags) -> Progress:
    """Log lines for machines and for debugging, nothing above level info, else what the terminal can show."""
    return open_progress(
        logged=flags.log_format == "json" or flags.log_level == "debug",
        quiet=flags.log_level in {"warning", "error"},
        live=terminal.is_live(),
        color=terminal.message_palette(no_color=flags.no_color).enabled,
        write=terminal.say,
    )


def _show_plan(project: ProjectReport, progress: Progress, flags: Flags) -> None:
    palette = terminal.result_palette(no_color=flags.no_color)
    text = plan_text.render_project(project, width=terminal.plan_width(), palette=palette)
    with progress.paused():
        terminal.result(f"{text}\n")


def _document(report: Report, chosen: str) -> str:
    return plan_json.render(report) if chosen == "json" else plan_markdown.render(report)


def _failed(command: Literal["plan", "converge", "status"]) -> Callable[[tuple[Notice, ...]], str]:
    render = plan_json.render_status if command == "status" else plan_json.render
    return lambda errors: render(Report(command, errors=errors))


@contextmanager
def as_document(chosen: str, render: Callable[[tuple[Notice, ...]], str]) -> Iterator[None]:
    """Where the whole run fails, `-o json` still prints a document, with the failure as its errors."""
    try:
        yield
    except ReconcilerError as error:
        if chosen == "json" and error.exit_code != USAGE:
            terminal.result(render(failures.notices(error)))
        raise


def _conclude(report: Report, flags: Flags) -> int:
    """Print what was refused or failed outside any plan on stderr; the exit code."""
    say_errors(report.errors, flags)
    return exit_code(report, exit_code_flag=flags.exit_code)


def say_warnings(warnings: tuple[Notice, ...], flags: Flags) -> None:
    """Print warnings on stderr."""
    palette = terminal.message_palette(no_color=flags.no_color)
    for line in phrases.warning_lines(warnings, phrases.WIDTH, palette):
        terminal.say(line)


def say_errors(errors: tuple[Notice, ...], flags: Flags) -> int:
    """Print specs that are refused on stderr; the exit code of a command that only reads."""
    palette = terminal.message_palette(no_color=flags.no_color)
    for error in errors:
        terminal.say(failures.notice_text(error, palette))
    return REFUSED if errors else 0
