"""Several trainings with different settings: asking for them, and their table."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from classifier import selectors
from classifier.access import SignedIn, project_page
from classifier.job_lists import make_rows
from classifier.jobs.sending import TooManyJobs
from classifier.live import make_ticket
from classifier.models import Project, Sweep
from classifier.services import sweeps
from classifier.services.training import TrainingRefused, check_training
from classifier.sweep_forms import SweepForm
from ml.errors import UserError
from ml.training.config import TrainConfig, describe_config
from ml.training.recipes.registry import RECIPES


@project_page
def index(request: SignedIn, project: Project) -> HttpResponse:
    """Show the form, and the sweeps that there have been."""
    form = SweepForm(request.POST or None, backbone=settings.BACKBONE, user=request.user)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect(
                sweeps.request_sweep(
                    project, form.cleaned_data["values"], by=request.user, force="force" in request.POST
                )
            )
        except TrainingRefused as refusal:
            if refusal.preflight.running:
                return redirect(refusal.preflight.running)
        except (TooManyJobs, UserError) as error:
            form.add_error(None, str(error))
    context = {
        "project": project,
        "form": form,
        "preflight": check_training(project),
        "most": sweeps.MOST_TRAININGS,
        "sweeps": project.sweeps.all()[:50],
    }
    status = 200 if request.method == "GET" else 422
    return render(request, "classifier/sweeps_page.html", context, status=status)


def find_sweep(request: SignedIn, project: Project, number: int) -> Sweep:
    """Return a sweep of the project. Raise Http404."""
    found: Sweep = get_object_or_404(project.sweeps, number=number)
    return found


@project_page
def detail(request: SignedIn, project: Project, number: int) -> HttpResponse:
    sweep = find_sweep(request, project, number)
    results = sweeps.list_results(sweep)
    rows = make_rows([result.job for result in results])
    context = {
        "project": project,
        "sweep": sweep,
        "columns": [
            str(TrainConfig.model_fields[name].title) for name in sweep.varied if name in TrainConfig.model_fields
        ],
        "rows": [_show(result, row) for result, row in zip(results, rows, strict=True)],
        "is_open": any(result.job.is_open for result in results),
        "live": selectors.live_version(project),
        "ticket": make_ticket([result.job for result in results]),
    }
    return render(request, f"classifier/{'_sweep_part' if request.htmx else 'sweep_page'}.html", context)


def _show(result: sweeps.Result, row: Any) -> dict[str, Any]:
    """Return what the table shows of a training: the values of what was varied, in words."""
    config = {"recipe": result.job.config.get("recipe"), **result.settings}
    told = dict(describe_config(config)) | {"Recipe": _recipe(config), "Backbone": result.job.config.get("backbone")}
    titles = [str(TrainConfig.model_fields[name].title) for name in result.settings]
    return {"result": result, "row": row, "values": [(title, told.get(title, "–")) for title in titles]}


def _recipe(config: dict[str, Any]) -> str:
    known = RECIPES.get(str(config["recipe"]))
    return known.title if known else "–"


@project_page
@require_POST
def cancel(request: SignedIn, project: Project, number: int) -> HttpResponse:
    sweep = find_sweep(request, project, number)
    count = sweeps.cancel_sweep(sweep)
    messages.info(request, f"{count} training{'s were' if count != 1 else ' was'} cancelled.")
    return redirect(sweep)
