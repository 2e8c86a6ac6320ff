"""What each command does: ask `app` for a report, print it, return the exit code. Imported only when a command runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Literal

from reconciler import app, app_operator, logs
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
from reconciler.errors import REFUSED, USAGE, ReconcilerError, UsageError
from reconciler.model.project import Notice
from reconciler.model.report import Activity, ProjectReport, Report
from reconciler.model.settings import Settings
from reconciler.service.client import RunningService
from reconciler.settings.load import load_settings

_OnActivity = Callable[[Activity], None]
_CarryOut = Callable[[app.Options, Callable[[ProjectReport], None], _OnActivity, threading.Event], Report]
_Ask = Callable[[RunningService, _OnActivity], Report]
_NOT_ASKED = "with -f, --profile, --env-file, -H, -c, --instance or --state-dir no service is asked"
_FORMATS = ("text", "json", "markdown")


def plan(flags: Flags) -> int:
    """Print what a converge would do."""
    chosen = flags.format(*_FORMATS)
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
    return _carry_out(flags, options_of_a_run(flags), app.converge)


def retry(flags: Flags) -> int:
    """The same for one service's project, after its quarantine is lifted."""
    return _have_done(
        flags,
        lambda service, tell: service.retry(flags.service, flags.project_name, tell),
        lambda options, *listeners: app.retry(options, flags.service, *listeners),
    )


def rollback(flags: Flags) -> int:
    """The same for one service's project, after it was told which revision to go back to."""
    return _have_done(
        flags,
        lambda service, tell: service.rollback(flags.service, flags.project_name, flags.revision, tell),
        lambda options, *listeners: app.rollback(options, flags.service, flags.revision, *listeners),
    )


def _have_done(flags: Flags, ask: _Ask, carry_out: _CarryOut) -> int:
    """By the running service where there is one, else here."""
    options = options_of_a_run(flags)
    with _told_as_converge(flags):
        service = asked_service(flags, options)
    if service is None:
        return _carry_out(flags, options, carry_out)
    if flags.of_a_run:
        hint = "leave it out, or name the specs with -f to act without the service"
        raise UsageError(f"the running service has its own settings in place of {flags.of_a_run}", hint=hint)
    return follow(flags, options, lambda tell: ask(service, tell))


def _carry_out(flags: Flags, options: app.Options, carry_out: _CarryOut) -> int:
    chosen = flags.format(*_FORMATS)
    stop = threading.Event()
    with stop_on_signal(stop, terminal.say), following(chosen_progress(options.settings, flags)) as progress:

        def on_plan(project: ProjectReport) -> None:
            if chosen == "text" and not (project.in_sync and project.adoption.empty):
                _show_plan(project, progress, flags)
            progress.plan(project)

        with _told_as_converge(flags):
            report = carry_out(options, on_plan, progress.activity, stop)
        progress.finish(report)
    return _ended(report, flags, stopped=stop.is_set())


def follow(flags: Flags, options: app.Options, ask: Callable[[_OnActivity], Report]) -> int:
    """Have the running service do it, and show how it goes on; whoever stops watching does not stop the service."""
    with following(chosen_progress(options.settings, flags)) as progress:
        with _told_as_converge(flags):
            report = ask(progress.activity)
        progress.finish(report)
    return _ended(report, flags, stopped=False)


def options_of_a_run(flags: Flags) -> app.Options:
    """As `app_options`, for a command that ends with the document of a converge."""
    with _told_as_converge(flags):
        return app_options(flags)


def _told_as_converge(flags: Flags) -> AbstractContextManager[None]:
    return as_document(flags.format(*_FORMATS), _failed("converge"))


def _ended(report: Report, flags: Flags, *, stopped: bool) -> int:
    chosen = flags.format(*_FORMATS)
    if chosen == "text":
        palette = terminal.result_palette(no_color=flags.no_color)
        width = terminal.plan_width()
        terminal.result(report_text.render(report, stopped=stopped, width=width, palette=palette))
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
        options = app_options(flags)
        service = asked_service(flags, options)
        report = app_operator.status(options, service, deep=flags.deep)
    if chosen == "json":
        terminal.result(plan_json.render_status(report))
    else:
        if service:
            terminal.say(f"as the running service at {service.path} says; with -f the specs that are named")
        palette = terminal.result_palette(no_color=flags.no_color)
        terminal.result(status_text.render(report, width=terminal.table_width(), palette=palette))
    return _conclude(report, flags)


def history(flags: Flags) -> int:
    """Print the rollouts of each project."""
    chosen = flags.format("text", "json")
    with as_document(chosen, lambda errors: history_json.render_history((), errors=errors)):
        options = app_options(flags)
        past = app_operator.history(options, asked_service(flags, options), flags.limit)
    if chosen == "json":
        terminal.result(history_json.render_history(past.projects, past.warnings, past.errors, past.actions))
    else:
        palette = terminal.result_palette(no_color=flags.no_color)
        width, projects = terminal.plan_width(), past.projects
        terminal.result(history_text.render(projects, past.actions, width=width, palette=palette, zone=None))
        say_warnings(past.warnings, flags)
    return say_errors(past.errors, flags)


def why(flags: Flags) -> int:
    """Print why a service is as it is."""
    chosen = flags.format("text", "json")
    with as_document(chosen, lambda errors: history_json.render_why(None, errors=errors)):
        options = app_options(flags)
        answer = app_operator.why(options, asked_service(flags, options), flags.service)
    if chosen == "json":
        terminal.result(history_json.render_why(answer.explanation, answer.warnings, answer.errors))
    else:
        palette = terminal.result_palette(no_color=flags.no_color)
        terminal.result(why_text.render(answer.explanation, width=terminal.plan_width(), palette=palette, zone=None))
        say_warnings(answer.warnings, flags)
    return say_errors(answer.errors, flags)


def app_options(flags: Flags) -> app.Options:
    """The flags as the composition root takes them, over the settings; logging is set up on the way.

    SettingsErrors where the settings cannot be used.
    """
    settings = load_settings(vars(flags), os.environ)
    color = terminal.message_palette(no_color=flags.no_color).enabled
    logs.configure(settings.log_format, settings.log_level, color=color)
    return app.Options(
        files=flags.files,
        project_name=flags.project_name,
        services=flags.services,
        profiles=flags.profiles,
        env_files=flags.env_files,
        host=settings.host,
        context=settings.context,
        timeout=settings.timeout,
        max_unavailable=settings.max_unavailable,
        prune=flags.prune,
        allow_empty=flags.allow_empty,
        all_or_nothing=flags.all_or_nothing,
        adopt=flags.adopt,
        instance=settings.instance,
        state_dir=settings.state_dir,
        settings=settings,
    )


def asked_service(flags: Flags, options: app.Options) -> RunningService | None:
    """The running service, where there is one and nothing is said that it cannot heed."""
    if not flags.here:
        return app_operator.running_service(options, demanded=flags.socket is not None)
    if flags.socket:
        raise UsageError(
            "--socket asks the running service, and what stands beside it is not for that", hint=_NOT_ASKED
        )
    return None


def chosen_progress(settings: Settings, flags: Flags) -> Progress:
    """Log lines for machines and for debugging, nothing above level info, else what the terminal can show."""
    return open_progress(
        logged=settings.log_format == "json" or settings.log_level == "debug",
        quiet=settings.log_level in {"warning", "error"},
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
