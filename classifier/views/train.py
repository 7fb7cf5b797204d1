"""The form with the Train button, and what speaks against pressing it."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render

from classifier.forms import TrainForm
from classifier.models import Project
from classifier.services.training import TrainingRefused, check_training, request_training
from classifier.views.access import SignedIn, project_page


@project_page
def train(request: SignedIn, project: Project) -> HttpResponse:
    form = TrainForm(request.POST or None, backbone=settings.BACKBONE, user=request.user, initial={"promote": True})
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
    status = 200 if request.method == "GET" else 422
    context = {"project": project, "form": form, "preflight": check_training(project)}
    return render(request, "classifier/train_page.html", context, status=status)
