"""The map of all pictures of a project, from which they are chosen by drawing around them."""

import base64
from typing import Any

import numpy as np
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render

from classifier.access import SignedIn, project_page
from classifier.models import Audit, Project
from classifier.selectors import list_classes
from classifier.services.audit_files import load_audit_file, no_arrays
from ml.datasets.splits import SPLITS

STEPS = 32767  # of a position to each side


@project_page
def picture_map(request: SignedIn, project: Project) -> HttpResponse:
    context = {
        "project": project,
        "audit": Audit.objects.filter(project=project).first(),
        "others": list_classes(project),
    }
    return render(request, "classifier/map_page.html", context)


@project_page
def map_points(request: SignedIn, project: Project) -> HttpResponse:
    """Return a column for each fact of the pictures, which is a tenth of the size of a row for each picture."""
    audit = Audit.objects.filter(project=project).first()
    arrays = load_audit_file(audit) if audit else no_arrays()
    rows = {row[0]: row for row in _rows(project)}
    kept = [place for place, pk in enumerate(arrays.samples.tolist()) if pk in rows]  # others have gone since
    found = [rows[int(arrays.samples[place])] for place in kept]
    positions = np.rint(arrays.positions[kept] * STEPS).astype(int)
    classes = list(list_classes(project))
    index = {one.pk: place for place, one in enumerate(classes)}
    return JsonResponse(
        {
            "classes": [one.name for one in classes],
            "colours": [one.shown_colour for one in classes],
            "splits": list(SPLITS),
            "ids": [row[0] for row in found],
            "x": positions[:, 0].tolist(),
            "y": positions[:, 1].tolist(),
            "class": [index.get(row[1], -1) for row in found],
            "predicted": [index.get(row[2], -1) for row in found],  # a class that was deleted since is none
            "split": [SPLITS.index(row[3]) if row[3] in SPLITS else -1 for row in found],
            "sha256": base64.b64encode(bytes.fromhex("".join(row[4] for row in found))).decode(),
        }
    )


def _rows(project: Project) -> Any:
    kept = project.samples.filter(deleted_at=None).order_by()
    return kept.values_list("pk", "image_class", "audit__predicted_class", "split", "image__sha256")
