"""What `reconcile down`, `reconcile volumes` and `volumes rm` do. Imported only when one runs."""

from __future__ import annotations

import threading

from reconciler import app_removal
from reconciler.app_removal import Downed
from reconciler.cli import removal_json, removal_text, report_text, terminal
from reconciler.cli.actions import app_options, as_document, chosen_progress, say_warnings
from reconciler.cli.confirming import confirm
from reconciler.cli.interrupt import stop_on_signal
from reconciler.cli.options import Flags
from reconciler.cli.progress import following
from reconciler.errors import FAILED
from reconciler.model.report import Report
from reconciler.model.volumes import VolumeRow
from reconciler.operating import user_name


def down(flags: Flags) -> int:
    """Show what goes, ask, remove it, say what is left."""
    chosen, stop, options = flags.format("text", "json"), threading.Event(), app_options(flags)
    palette = terminal.result_palette(no_color=flags.no_color)

    def agree(plan: Downed) -> None:
        if chosen == "text":
            terminal.result(removal_text.plan(plan, width=terminal.plan_width(), palette=palette) + "\n")
        confirm(flags.project, f"taking down {flags.project}", yes=flags.yes)
        if plan.volumes:
            confirm(flags.project, "deleting its volumes", yes=flags.yes)

    with stop_on_signal(stop, terminal.say), following(chosen_progress(options.settings, flags)) as progress:
        with as_document(chosen, lambda errors: removal_json.render_down(None, errors)):
            done = app_removal.down(
                options,
                flags.project,
                with_volumes=flags.with_volumes,
                dry_run=flags.dry_run,
                by=user_name(),
                agree=agree,
                on_activity=progress.activity,
                stop=stop,
            )
        progress.finish(Report("converge", (done.report,)))
    if chosen == "json":
        terminal.result(removal_json.render_down(done))
    elif done.dry_run or not done.report.converges or not (done.report.operations or done.volumes):
        terminal.result(removal_text.plan(done, width=terminal.plan_width(), palette=palette))
    else:
        terminal.result(_end(done, flags, stopped=stop.is_set()))
    return 0 if done.report.succeeded else FAILED


def _end(done: Downed, flags: Flags, *, stopped: bool) -> str:
    width, palette = terminal.plan_width(), terminal.result_palette(no_color=flags.no_color)
    report = Report("converge", (done.report,) if done.report.operations else (), warnings=done.warnings)
    told = report_text.render(report, stopped=stopped, width=width, palette=palette)
    return told + removal_text.end(done, width=width)


def volumes(flags: Flags) -> int:
    """Print the volumes of the engine."""
    chosen = flags.format("text", "json")
    with as_document(chosen, lambda errors: removal_json.render_volumes(None, errors)):
        report = app_removal.volumes(app_options(flags))
    if chosen == "json":
        terminal.result(removal_json.render_volumes(report))
    else:
        palette = terminal.result_palette(no_color=flags.no_color)
        terminal.result(removal_text.volumes(report.rows, width=terminal.table_width(), palette=palette))
        say_warnings(report.warnings, flags)
    return 0


def rm(flags: Flags) -> int:
    """Show what goes, ask for each name, delete it."""
    chosen = flags.format("text", "json")
    palette = terminal.result_palette(no_color=flags.no_color)

    def agree(rows: tuple[VolumeRow, ...]) -> None:
        if chosen == "text":
            terminal.result(removal_text.going(rows, palette=palette))
        for row in rows:
            confirm(row.name, f"deleting volume {row.name}", yes=flags.yes)

    with as_document(chosen, lambda errors: removal_json.render_volumes(None, errors)):
        report = app_removal.remove_volumes(app_options(flags), flags.names, by=user_name(), agree=agree)
    if chosen == "json":
        terminal.result(removal_json.render_volumes(report, removed=True))
    else:
        terminal.result(removal_text.removed(report.rows))
        say_warnings(report.warnings, flags)
    return 0
