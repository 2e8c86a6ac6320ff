"""What a source's project lacks before it can be in force: where its files lie, and its policy's consent."""

from __future__ import annotations

from dataclasses import replace

from reconciler.admission import PolicyOf, refusals, require_none
from reconciler.files.fitting import fitted
from reconciler.files.materialising import Places
from reconciler.model.observed import EngineInfo
from reconciler.model.project import Project
from reconciler.policy.judge import used_exceptions
from reconciler.source.checkout import Checkout


def completed(project: Project, checkout: Checkout, info: EngineInfo, places: Places, policy_of: PolicyOf) -> Project:
    """The project with the folder that its files lie in, where it comes from a repository.

    Its notices name the policy's exceptions that it uses, and those that it does not need. PolicyErrors where the
    policy denies anything of what would run of it on that engine, SpecErrors as `fitted`.
    """
    found = replace(project, checkout=checkout.root) if checkout.confined else project
    fit = fitted(found, info, places).project
    policy = policy_of(fit)
    require_none(refusals(fit, policy))
    return replace(found, notices=(*found.notices, *used_exceptions(fit, policy)))
