"""The page of a link, for people without an account, and the page on which its owner makes and revokes links."""

import io
from typing import Any

import segno
from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from classifier import selectors
from classifier.access import SignedIn, project_page_for
from classifier.browser_features import may_use_camera
from classifier.catalogue import input_size
from classifier.models import Project
from classifier.roles import Role
from classifier.services import prediction
from classifier.services import share_links as service
from classifier.views.predict import LIVE_ROWS, answer_part
from ml.errors import UserError


class LinkForm(forms.Form):
    """For how long a link works, and for how many pictures."""

    days = forms.IntegerField(label="Works for so many days", min_value=1, max_value=service.MOST_DAYS, initial=30)
    per_hour = forms.IntegerField(
        label="Pictures an hour",
        min_value=1,
        max_value=service.MOST_PER_HOUR,
        initial=1000,
        help_text="Of all who use the link together.",
    )


@project_page_for(Role.OWNER)
@never_cache
def share(request: SignedIn, project: Project) -> HttpResponse:
    """List the links of a project, and make new ones."""
    form = LinkForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            service.create_link(project, by=request.user, **form.cleaned_data)
            return redirect("share", project.slug)
        except UserError as error:
            form.add_error(None, str(error))
    links = [(link, service.link_address(link)) for link in service.list_links(project)]
    live = selectors.live_version(project)
    context = {"project": project, "form": form, "links": links, "live": live}
    return render(request, "classifier/share_page.html", context, status=422 if form.errors else 200)


@project_page_for(Role.OWNER)
@require_POST
def revoke(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    service.revoke_link(get_object_or_404(project.share_links, pk=pk))
    return redirect("share", project.slug)


@project_page_for(Role.OWNER)
@require_safe
def code(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    """Draw the address of a link as a QR code."""
    link = get_object_or_404(service.list_links(project), pk=pk)
    drawn = io.BytesIO()
    segno.make(service.link_address(link), error="m").save(drawn, kind="svg", scale=8, light="#fff", border=3)
    return HttpResponse(drawn.getvalue(), content_type="image/svg+xml")


@may_use_camera
@never_cache
def shared(request: HttpRequest, token: str) -> HttpResponse:
    """Show the page of a link or, for posted pictures, the predictions as a part of it."""
    link = service.find_link(token)
    version = prediction.find_live(link.project_id)
    if request.method == "POST":
        return answer_part(request, version, before=lambda pictures: service.count_pictures(link, pictures))
    context: dict[str, Any] = {"link": link, "name": link.project.name, "version": version}
    live = selectors.live_version(link.project)
    if live is not None:
        context["live_rows"] = selectors.class_names(live)[:LIVE_ROWS]
        context["input_size"] = input_size(live.backbone)
    return render(request, "classifier/shared_page.html", context)
