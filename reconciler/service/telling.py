"""Log lines of the service: one for each pass, at info only where it says something else than the pass before."""

from __future__ import annotations

from collections import Counter
from typing import Any

from reconciler.admission import policy_notices
from reconciler.errors import EngineUnreachableError, PolicyError, ReconcilerError
from reconciler.model.project import Notice, Project
from reconciler.model.report import ProjectReport
from reconciler.service.fleet import Change
from reconciler.service.keeper import Keeper
from reconciler.service.mail import Rolled, SourceRead

EXCEPTIONS = {"PolicyException", "PolicyExceptionUnused"}


def tell_reading(log: Any, message: SourceRead, change: Change, *, new: bool) -> None:
    """What a source has by now, where that is `new` or changes anything; which exceptions what changed uses."""
    reading = message.reading
    assert reading is not None  # noqa: S101 - the caller has seen to it
    if new or change.changed or change.gone:
        revision = reading.revision
        log.info(
            "source read",
            source=message.source,
            **({"commit": revision.short, "subject": revision.subject} if revision.commit else {}),
            projects=len(reading.members),
            changed=len(change.changed),
            **({"gone": sorted(change.gone)} if change.gone else {}),
            **({"refused": len(reading.troubles)} if reading.troubles else {}),
        )
    for member in reading.members:
        if member.project.name in change.changed:
            _tell_exceptions(log, member.project)


def _tell_exceptions(log: Any, project: Project) -> None:
    """What the policy lets pass for this project only, by whose reason; and what it need not let pass any more."""
    for notice in project.notices:
        if notice.code in EXCEPTIONS:
            log.info("policy exception", project=project.name, source=notice.source, text=notice.message)


def tell_pass(log: Any, keeper: Keeper, report: ProjectReport | None, seconds: float) -> None:
    """One line a pass; at info only where it says something else than the pass before."""
    decided = _decided(keeper, report)
    log = log.bind(**{"pass": keeper.pass_id}, project=keeper.name)
    tell = log.debug if decided == keeper.said else log.info
    tell("pass", decided=decided, seconds=round(seconds, 3))
    keeper.said = decided


def tell_work(log: Any, keeper: Keeper, report: ProjectReport, seconds: float) -> None:
    """The line of a pass that found something to do."""
    kinds = Counter(operation.kind for operation in report.operations)
    work = ", ".join(f"{kind} {times}" for kind, times in sorted(kinds.items())) or "wait for what is under way"
    log.bind(**{"pass": keeper.pass_id}, project=keeper.name).info("pass", decided=work, seconds=round(seconds, 3))


def tell_rolled(log: Any, keeper: Keeper, message: Rolled, *, taken_over: bool) -> None:
    """How the work of a pass ended."""
    report = message.report
    log = log.bind(**{"pass": message.pass_id}, project=keeper.name)
    how = "taken over" if taken_over else "converged" if report and report.succeeded else "not converged"
    tell = log.info if how != "not converged" else log.warning
    why = [item.message for item in report.conditions] if report else []
    tell("work ended", how=how, seconds=round(message.seconds, 3), **({"why": why} if why else {}))
    keeper.said = ""


def tell_failed(log: Any, keeper: Keeper, error: Exception, seconds: float) -> None:
    """Why a pass came to nothing; once, until it is something else."""
    said = f"failed: {error_text(error)}"
    log = log.bind(**{"pass": keeper.pass_id}, project=keeper.name)
    quiet = said == keeper.said or isinstance(error, EngineUnreachableError)
    tell = log.debug if quiet else log.warning
    unforeseen = not isinstance(error, ReconcilerError)
    tell(
        "pass failed", error=error_text(error), seconds=round(seconds, 3), **({"exc_info": error} if unforeseen else {})
    )
    keeper.said = said


def _decided(keeper: Keeper, report: ProjectReport | None) -> str:
    if keeper.error:
        return f"later: {keeper.error}"
    if report is None:
        return "nothing to do"
    if report.operations:
        return f"refused: {len(report.operations)} operations would not converge"
    if report.conditions:
        return "; ".join(dict.fromkeys(f"{item.reason}: {item.message}" for item in report.conditions))
    return "in sync"


def error_notices(error: Exception, project: str) -> tuple[Notice, ...]:
    """The error as status carries it, each part of it by itself."""
    if isinstance(error, PolicyError):
        return policy_notices(error)
    return (Notice(getattr(error, "code", "Internal"), error_text(error), project),)


def error_text(error: Exception) -> str:
    """What is said of an error; one that nobody foresaw may hold anything, so only its kind is."""
    return str(error) if isinstance(error, ReconcilerError) else f"internal error: {type(error).__name__}"
