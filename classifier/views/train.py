"""The form with the Train button, and what speaks against pressing it."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render

from classifier.access import SignedIn, project_page_for
from classifier.forms import TrainForm
from classifier.models import Project
from classifier.roles import Role
from classifier.selectors import list_classes, list_left_out
from classifier.services import audits
from classifier.services.estimates import estimate_tuning, foresee_training
from classifier.services.training import TrainingRefused, check_training, request_training
from classifier.services.untested import describe_untested, foresee_untested
from ml.backbones.registry import is_known
from ml.training.config import TUNE_LAST, ConfigError, TrainConfig, why_not_fine_tuned


@project_page_for(Role.EDITOR)
def train(request: SignedIn, project: Project) -> HttpResponse:
    prefilled = {name: str(value) for name, value in request.GET.items() if name in TrainConfig.model_fields}
    initial = {"promote": True, "backbone": settings.BACKBONE, **prefilled}
    given = request.POST
    if "usual" in given:  # the button on the page of the project, which has no settings
        given = QueryDict(urlencode({"promote": True, "backbone": settings.BACKBONE}))
    form = TrainForm(given or None, backbone=settings.BACKBONE, user=request.user, initial=initial)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            job = request_training(
                project,
                values["config"],
                by=request.user,
                promote=values["promote"],
                force="force" in request.POST,
            )
            return redirect(job)
        except TrainingRefused as refusal:
            if refusal.preflight.running:
                return redirect(refusal.preflight.running)
            if "usual" in request.POST:
                return redirect("train", project.slug)  # which says what speaks against it
    status = 200 if request.method == "GET" else 422
    context = {
        "project": project,
        "form": form,
        "prefilled": prefilled,
        "preflight": check_training(project),
        "left_out": list_left_out(project),
        "findings": audits.count_findings(project),
        "untested": describe_untested(foresee_untested(project)),
    }
    wanted = form.cleaned_data.get("config") if form.is_bound and form.is_valid() else _config_of(prefilled)
    context |= _plan(project, wanted)
    time = _tuning_time(project, {**request.GET.dict(), **request.POST.dict()})
    return render(request, "classifier/train_page.html", {**context, **time}, status=status)


def _config_of(prefilled: dict[str, str]) -> TrainConfig:
    """Return the settings that the form shows at first, as far as they decide what there is to do."""
    backbone = prefilled.get("backbone") or settings.BACKBONE
    try:
        return TrainConfig(backbone=backbone, fine_tuning=prefilled.get("fine_tuning", ""))
    except ConfigError:
        return TrainConfig(backbone=settings.BACKBONE)


@project_page_for(Role.EDITOR)
def plan(request: SignedIn, project: Project) -> HttpResponse:
    """Tell what a training would do, for the page's form as it is filled in now."""
    form = TrainForm(request.GET, backbone=settings.BACKBONE, user=request.user)
    config = form.cleaned_data.get("config") if form.is_valid() else None
    return render(request, "classifier/_training_plan.html", {"project": project, **_plan(project, config)})


def _plan(project: Project, config: TrainConfig | None) -> dict[str, Any]:
    work = foresee_training(project, config) if config else None
    classes = list_classes(project).filter(in_training=True).count()
    return {"work": work, "wanted": config, "classes": classes, "copies": len(config.augmentations) if config else 0}


@project_page_for(Role.EDITOR)
def tuning_time(request: SignedIn, project: Project) -> HttpResponse:
    """Estimate how long fine-tuning would take, for the page's form as it is filled in now."""
    return render(request, "classifier/_tuning_time.html", _tuning_time(project, request.GET.dict()))


def _tuning_time(project: Project, given: dict[str, Any]) -> dict[str, Any]:
    """Return the fragment's context, which is nearly empty for values that no training would accept."""
    try:
        backbone = str(given.get("backbone") or settings.BACKBONE)
        epochs = int(given.get("fine_tuning_epochs") or TrainConfig.model_fields["fine_tuning_epochs"].default)
        config = TrainConfig(backbone=backbone, fine_tuning=TUNE_LAST, fine_tuning_epochs=epochs)
    except ConfigError:
        return {"refusal": why_not_fine_tuned(backbone) if is_known(backbone) else ""}
    except ValueError:
        return {}
    return {"config": config, "estimate": estimate_tuning(project, config)}
