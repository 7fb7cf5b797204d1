"""Folders and buckets of the administrator: looking into them, and bringing pictures in from there."""

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render

from classifier.access import SignedIn, project_page_for
from classifier.models import Project
from classifier.roles import Role
from classifier.services import sources
from ml.datasets.archives import ArchiveRejected
from ml.datasets.readings import BadLayout


@project_page_for(Role.EDITOR)
def browse(request: SignedIn, project: Project) -> HttpResponse:
    """Show what lies in a folder of a source, or bring it in."""
    given = request.POST if request.method == "POST" else request.GET
    source, path = given.get("source", ""), given.get("path", "")
    try:
        if request.method == "POST":
            upload = sources.ingest_source(project, source, path, by=request.user, confirm=True)
            return redirect(upload)
        contents = sources.browse(source, path) if source else None
    except sources.NoSuchSource as error:
        raise Http404(str(error)) from None
    except (ArchiveRejected, BadLayout, PermissionError) as error:
        messages.error(request, "This site may not read it." if isinstance(error, PermissionError) else str(error))
        return redirect("sources", project.slug)
    context = {
        "project": project,
        "sources": settings.IMPORT_FROM,
        "source": source,
        "path": path,
        "prefix": f"{path}/" if path else "",
        "above": path.rpartition("/")[0],
        "contents": contents,
    }
    return render(request, "classifier/sources_page.html", context)
