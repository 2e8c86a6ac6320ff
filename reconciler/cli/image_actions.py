"""What `reconcile images` and the commands below it do. Imported only when one runs."""

from __future__ import annotations

from reconciler import app_images
from reconciler.app import Options
from reconciler.app_images import ImagesReport, LockReport
from reconciler.cli import images_json, images_text, prune_json, prune_text, push_text, terminal
from reconciler.cli.actions import app_options, as_document, say_errors, say_warnings
from reconciler.cli.options import Flags
from reconciler.cli.values import clean
from reconciler.errors import FAILED, PENDING, REFUSED


def images(flags: Flags) -> int:
    """Print what each service runs and could run."""
    chosen = flags.format("text", "json")
    with as_document(chosen, lambda errors: images_json.render_images(ImagesReport((), errors=errors))):
        report = app_images.images(app_options(flags))
    if chosen == "json":
        terminal.result(images_json.render_images(report))
    else:
        palette = terminal.result_palette(no_color=flags.no_color)
        terminal.result(images_text.render_images(report, width=terminal.table_width(), palette=palette))
        say_warnings(report.warnings, flags)
    return say_errors(report.errors, flags)


def lock(flags: Flags) -> int:
    """Write the locks, or say what in them is stale."""
    chosen = flags.format("text", "json")
    with as_document(chosen, lambda errors: images_json.render_lock(LockReport((), errors=errors))):
        report = app_images.lock_images(app_options(flags), flags.names if flags.update else None, check=flags.check)
    if chosen == "json":
        terminal.result(images_json.render_lock(report))
    else:
        palette = terminal.result_palette(no_color=flags.no_color)
        width = terminal.plan_width()
        terminal.result(images_text.render_lock(report, check=flags.check, width=width, palette=palette))
        say_warnings(report.warnings, flags)
    refused = say_errors(report.errors, flags)
    if refused or report.failed:
        return REFUSED if refused else FAILED
    return PENDING if flags.check and report.stale else 0


def prune(flags: Flags) -> int:
    """Remove superseded images, or print which would go."""
    chosen = flags.format("text", "json")
    with as_document(chosen, lambda errors: prune_json.render(None, errors)):
        found = app_images.prune(app_options(flags), dry_run=flags.dry_run)
    if chosen == "json":
        terminal.result(prune_json.render(found, found.errors))
    else:
        palette = terminal.result_palette(no_color=flags.no_color)
        terminal.result(prune_text.render(found, width=terminal.plan_width(), palette=palette, zone=None))
    say_errors(found.errors, flags)
    return REFUSED if found.refused else FAILED if found.errors else 0


def push(flags: Flags) -> int:
    """Push what was built, and print what came of each reference."""
    chosen = flags.format("text", "json")
    with as_document(chosen, push_text.render_errors):
        options = app_options(flags)
        report = app_images.push(options, _progress(options))
    if chosen == "json":
        terminal.result(push_text.render_json(report))
    else:
        palette = terminal.result_palette(no_color=flags.no_color)
        terminal.result(push_text.render(report, palette=palette))
        say_warnings(report.warnings, flags)
    refused = say_errors(report.errors, flags)
    return refused or (FAILED if report.failed else 0)


def _progress(options: Options) -> app_images.OnLine:
    if options.settings.log_level in {"warning", "error"}:
        return lambda _reference, _line: None
    return lambda reference, line: terminal.say(f"{clean(reference)}: {clean(line)}")
