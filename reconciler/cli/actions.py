"""What each command does: ask `app` for a report, print it, return the exit code. Imported only when a command runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

from reconciler import app, logs
from reconciler.cli import failures, phrases, plan_json, plan_markdown, plan_text, report_text, status_text, terminal
from reconciler.cli.interrupt import stop_on_signal
from reconciler.cli.options import Flags
from reconciler.cli.progress import Progress, following, open_progress
from reconciler.cli.verdicts import exit_code
from reconciler.errors import USAGE, ReconcilerError
from reconciler.model.report import ProjectReport, Report


def plan(flags: Flags) -> int:
    """Print what a converge would do."""
    chosen = flags.format("text", "json", "markdown")
    with _as_document("plan", chosen):
        report = app.plan(_options(flags))
    if chosen == "text":
        palette = terminal.result_palette(no_color=flags.no_color)
        terminal.result(plan_text.render(report, width=terminal.plan_width(), palette=palette))
    else:
        terminal.result(_document(report, chosen))
    return _conclude(report, flags)


def converge(flags: Flags) -> int:
    """Print the plan of each project, carry it out, print how it ended."""
    chosen = flags.format("text", "json", "markdown")
    stop = threading.Event()
    with stop_on_signal(stop, terminal.say), following(_progress(flags)) as progress:

        def on_plan(project: ProjectReport) -> None:
            if chosen == "text" and not project.in_sync:
                _show_plan(project, progress, flags)
            progress.plan(project)

        with _as_document("converge", chosen):
            report = app.converge(_options(flags), on_plan, progress.activity, stop)
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
    with _as_document("plan", chosen):
        report = app.validate(_options(flags))
    if chosen == "json":
        terminal.result(_document(report, chosen))
    else:
        names = ", ".join(project.name for project in report.projects)
        terminal.result(f"valid: {names}\n" if names else "")
        palette = terminal.message_palette(no_color=flags.no_color)
        for line in phrases.warning_lines(report.warnings, phrases.WIDTH, palette):
            terminal.say(line)
    return _conclude(replace(report, projects=()), flags)


def config(flags: Flags) -> int:
    """Print the normalised specs."""
    chosen = flags.format("yaml", "json")
    text = app.config(_options(flags), "json" if chosen == "json" else "yaml")
    terminal.result(text.rstrip("\n") + "\n")
    return 0


def status(flags: Flags) -> int:
    """Print what runs."""
    chosen = flags.format("text", "json")
    with _as_document("status", chosen):
        report = app.status(_options(flags))
    if chosen == "json":
        terminal.result(plan_json.render_status(report))
    else:
        palette = terminal.result_palette(no_color=flags.no_color)
        terminal.result(status_text.render(report, width=terminal.table_width(), palette=palette))
    return _conclude(report, flags)


def _options(flags: Flags) -> app.Options:
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
        prune=flags.prune,
        allow_empty=flags.allow_empty,
        all_or_nothing=flags.all_or_nothing,
        instance=flags.instance,
    )


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


@contextmanager
def _as_document(command: Literal["plan", "converge", "status"], chosen: str) -> Iterator[None]:
    """Where the whole run fails, `-o json` still prints a document, with the failure as its errors."""
    try:
        yield
    except ReconcilerError as error:
        if chosen == "json" and error.exit_code != USAGE:
            report = Report(command, errors=failures.notices(error))
            terminal.result(plan_json.render_status(report) if command == "status" else plan_json.render(report))
        raise


def _conclude(report: Report, flags: Flags) -> int:
    """Print what was refused or failed outside any plan on stderr; the exit code."""
    palette = terminal.message_palette(no_color=flags.no_color)
    for error in report.errors:
        terminal.say(failures.notice_text(error, palette))
    return exit_code(report, exit_code_flag=flags.exit_code)
