"""The page of a link, for people without an account, and the page on which its owner makes and revokes links."""

import io
from typing import Any

import segno
from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from classifier import selectors
from classifier.access import SignedIn, project_page_for
from classifier.browser_features import may_use_camera
from classifier.catalogue import input_size
from classifier.models import Project, ShareLink
from classifier.models.image import THUMBNAIL_SIZES
from classifier.parsing import parse_number
from classifier.roles import Role
from classifier.services import contributions, prediction
from classifier.services import share_links as service
from classifier.views.predict import LIVE_ROWS, answer_part
from ml.errors import UserError
from ml.images.decoding import ImageRejected

SHOWN = 200


class LinkForm(forms.Form):
    """For how long a link works, and for how many pictures."""

    kind = forms.ChoiceField(label="Whoever has the link may", choices=ShareLink.Kind.choices)
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
    if link.kind == ShareLink.Kind.UPLOAD:
        return _take(request, link)
    version = prediction.find_live(link.project_id)
    if request.method == "POST":
        return answer_part(request, version, before=lambda pictures: service.count_pictures(link, pictures))
    context: dict[str, Any] = {"link": link, "name": link.project.name, "version": version}
    live = selectors.live_version(link.project)
    if live is not None:
        context["live_rows"] = selectors.class_names(live)[:LIVE_ROWS]
        context["input_size"] = input_size(live.backbone)
    return render(request, "classifier/shared_page.html", context)


def _take(request: HttpRequest, link: ShareLink) -> HttpResponse:
    """Show the page on which pictures are sent, and take those that are."""
    context: dict[str, Any] = {"link": link, "classes": selectors.list_classes(link.project), "name": link.project.name}
    status = 200
    if request.method == "POST":
        files = request.FILES.getlist("image")[: contributions.AT_ONCE]
        chosen, context["sender"] = parse_number(request.POST.get("class", "")), request.POST.get("sender", "")
        context["chosen"] = chosen
        try:
            received = contributions.contribute(link, chosen, files, sender=context["sender"])
            context["refused"] = [one for one in received if one.problem]
            context["taken"] = len(received) - len(context["refused"])
        except UserError as error:
            context["error"], status = str(error), error.status
    return render(request, "classifier/contribute_page.html", context, status=status)


@project_page_for(Role.EDITOR)
@never_cache
def waiting(request: SignedIn, project: Project) -> HttpResponse:
    """Show what was sent by link; accept or refuse what is chosen."""
    if request.method == "POST":
        ids = [number for text in request.POST.getlist("id") if (number := parse_number(text)) is not None]
        if "accept" in request.POST:
            done = contributions.accept(project, ids, by=request.user)
            are = "picture is" if done.stored == 1 else "pictures are"
            messages.success(request, f"{done.stored:,} {are} in the project now.")
            if done.left:
                still = "picture still waits" if done.left == 1 else "pictures still wait"
                messages.error(request, f"{done.left:,} {still}. {done.reason}")
        else:
            count = contributions.refuse(project, ids)
            messages.success(request, f"{count:,} picture{'s have' if count != 1 else ' has'} been deleted.")
        return redirect("waiting", project.slug)
    found = contributions.list_waiting(project)
    context = {"project": project, "waiting": found[:SHOWN], "total": found.count()}
    return render(request, "classifier/waiting_page.html", context)


@project_page_for(Role.EDITOR)
@require_safe
def waiting_thumbnail(request: SignedIn, project: Project, pk: int) -> HttpResponse:
    one = get_object_or_404(project.contributions, pk=pk)
    try:
        return HttpResponse(contributions.thumbnail_of(one, THUMBNAIL_SIZES[0]), content_type="image/jpeg")
    except (OSError, ImageRejected):
        raise Http404 from None
